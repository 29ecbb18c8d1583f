"""What `bench.py` measures, each in a process of its own: `python -m benchmarks.measures WHAT ROWS` prints JSON."""

# ruff: noqa: PLC0415 - each process loads only what it measures: memory counts

import flows.arrow_memory  # noqa: F401  # as the command line does, before Arrow is imported

# isort: split
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.clock import Clock

WORK = Path(__file__).resolve().parent / "made"
MB = 1_000_000
# The naive way takes a millisecond and more for a row; so many are enough to know it.
NAIVE_ROWS, NAIVE_SENT = 10_000, 3_000
# Ours beside it: several parts, so that what is paid once a run does not count.
OURS_ROWS, ROUNDS = 200_000, 3


def data_of(rows: int) -> Path:
    return WORK / f"messy-{rows}.csv"


def job_of(rows: int) -> Path:
    return WORK / f"messy-{rows}.yaml"


def peak_mb() -> float:
    """The most this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


@contextmanager
def home() -> Iterator[Any]:
    """A home for runs, gone afterwards."""
    from flows.settings import Home

    WORK.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=WORK, prefix="home-"))
    try:
        yield Home(folder)
    finally:
        shutil.rmtree(folder)


def spent(work: Callable[[], int]) -> dict[str, float]:
    """Rows per second and per CPU-second of some work that returns its rows."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    rows = work()
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    return {"rows": rows, "per_s": rows / wall_s, "per_cpu_s": rows / cpu_s}


def read(rows: int) -> dict[str, Any]:
    """Only reading, as the connectors do it: values as text, lines numbered, digest taken."""
    from flows.settings import load_job
    from flows.source import open_source
    from flows.taking import looking

    def all_rows() -> int:
        job = load_job(job_of(rows), os.environ)
        with looking(WORK) as how:
            source = open_source(job, how)
            return sum(batch.rows.num_rows for batch in source.tables[source.lead].batches())

    return spent(all_rows) | {"peak_mb": peak_mb()}


def prepare(rows: int) -> dict[str, Any]:
    """`bulkload plan`, with the time of each stage; settling is timed over all threads, DuckDB has its own."""
    from connectors import files
    from connectors.spool import Spool
    from flows import load
    from flows import prepare as parts
    from flows.hands import Silent, pool
    from transforms import prepared

    clock, settled, before = Clock(), {}, {}
    empty_mb = peak_mb()
    clock.wrap(load, "open_source", "read")
    clock.wrap_iterator(files, "_batches", "read")
    for method in ("write_slices", "read"):
        clock.wrap(Spool, method, "spool")
    for function, stage in (
        ("normalize", "normalize"),
        ("validate", "validate"),
        ("encode", "map"),
    ):
        clock.wrap(prepared, function, stage)
    clock.wrap(parts, "prepare_part", "judge")
    settle = load.settle

    def timed_settle(*args: Any) -> Any:
        # Settling reads the spool too: that is its own, and measured from outside.
        before.update(cpu_s=dict(clock.cpu_s), wall_s=dict(clock.wall_s))
        made: list[Any] = []

        def work() -> int:
            made.append(settle(*args))
            return int(made[0].totals.read)

        settled.update(spent(work))
        return made[0]

    load.settle = timed_settle
    with home() as at, pool("threads") as workers:
        whole = spent(lambda: load.plan(job_of(rows), at, workers, Silent(), os.environ).totals.read)
    names = ("read", "normalize", "validate", "map", "judge", "spool")
    stages = {n: {"per_s": rows / before["wall_s"][n], "per_cpu_s": rows / before["cpu_s"][n]} for n in names}
    return whole | {"stages": stages | {"settle": settled}, "peak_mb": peak_mb(), "empty_mb": empty_mb}


def ratios(rows: int) -> dict[str, Any]:
    """Ours, the naive way and orjson alone by turns; medians of the rounds."""
    from benchmarks.naive import naive_prepare, orjson_ceiling
    from flows.hands import Silent, pool
    from flows.load import plan

    data, told = data_of(rows), defaultdict(list)
    ours_rows = min(rows, OURS_ROWS)
    objects: list[Any] = []
    with pool("threads") as workers:
        for number in range(ROUNDS + 1):
            with home() as at:
                ours = spent(lambda at=at: plan(job_of(rows), at, workers, Silent(), os.environ, ours_rows).totals.read)

            def naive() -> int:
                objects[:] = naive_prepare(data, NAIVE_ROWS)
                for start in range(0, len(objects), 100):
                    json.dumps(objects[start : start + 100]).encode()
                return min(rows, NAIVE_ROWS)

            found = {"ours": ours["per_cpu_s"], "naive": spent(naive)["per_cpu_s"], "orjson": orjson_ceiling(objects)}
            for name, value in found.items():
                if number:  # the first round warms up
                    told[name].append(value)
    middle = {name: statistics.median(values) for name, values in told.items()}
    return middle | {
        "rounds": told,
        "times_naive": statistics.median(a / b for a, b in zip(told["ours"], told["naive"], strict=True)),
        "share_of_orjson": statistics.median(a / b for a, b in zip(told["ours"], told["orjson"], strict=True)),
    }


def deliver(rows: int) -> dict[str, Any]:
    """A whole run against a sandbox, and its part that delivers; memory is the client's."""
    from flows.hands import Silent, pool
    from flows.load import run

    class Listener(Silent):
        def stage(self, stage: str, total: int | None = None) -> None:
            began[stage] = time.process_time()

    began: dict[str, float] = {}
    reports: list[Any] = []

    def load() -> int:
        reports.append(run(job_of(rows), at, workers, Listener(), os.environ))
        return int(reports[0].totals.read)

    with home() as at, pool("threads") as workers:
        whole = spent(load)
    fates = {fate.value: count for fate, count in reports[0].totals.rows.items()}
    sent = sum(fates.get(fate, 0) for fate in ("accepted", "rejected", "in_doubt"))
    cpu_s, wall_s = began["report"] - began["deliver"], reports[0].seconds["deliver"]
    delivering = {"per_s": sent / wall_s, "per_cpu_s": sent / cpu_s}
    return whole | {"stages": {"deliver": delivering}, "fates": fates, "peak_mb": peak_mb()}


def naive_load(rows: int) -> dict[str, Any]:
    """The naive script against the sandbox."""
    from benchmarks.naive import naive_load, naive_token

    url = os.environ["SANDBOX_URL"]
    token = naive_token(url, "demo", "demo-secret")
    sent = min(rows, NAIVE_SENT)

    def load() -> int:
        naive_load(data_of(rows), url, sent, token)
        return sent

    return spent(load) | {"peak_mb": peak_mb()}


def sandbox(_: int) -> None:
    """A sandbox that knows nobody, makes everybody and never throttles."""
    from connectors.sandbox.server import serve
    from connectors.sandbox.settings import Settings

    serve(0, settings=Settings(creates=True), ready=lambda sandbox: print(sandbox.url, flush=True))


def remember(rows: int) -> None:
    """What `compare` compares; made once."""
    from benchmarks.comparing import make

    make(WORK, rows)


def compare(rows: int) -> dict[str, Any]:
    """Settling a file whose customers are all remembered."""
    from benchmarks.comparing import settled

    empty_mb, fates = peak_mb(), {}

    def settle() -> int:
        fates.update(settled(WORK, rows))
        return rows

    return spent(settle) | {"fates": fates, "peak_mb": peak_mb(), "empty_mb": empty_mb}


MEASURES: dict[str, Callable[[int], dict[str, Any] | None]] = {
    "read": read, "prepare": prepare, "ratios": ratios, "deliver": deliver, "naive_load": naive_load,
    "sandbox": sandbox, "remember": remember, "compare": compare,
}  # fmt: skip

if __name__ == "__main__":
    if (told := MEASURES[sys.argv[1]](int(sys.argv[2]))) is not None:
        print(json.dumps(told))
