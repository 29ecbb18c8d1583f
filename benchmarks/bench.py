"""Measures bulkload on invented customers: each stage, memory, and against what people write first.

    python benchmarks/bench.py [--rows 1000000] [--also 5000000] [--pull 2000000]
                               [--compare 1000000 [--only-compare]]

Every figure comes from a fresh process, and from the code that runs in earnest: stages are timed by wrapping its
functions. Machines are shared, so look at rows per CPU-second and at ratios, not at rows per second.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORK, RESULTS = ROOT / "benchmarks" / "made", ROOT / "benchmarks" / "results"
LIBRARIES = ("pyarrow", "pandas", "pandera", "duckdb", "httpx", "orjson", "requests")
STAGES = {
    "pandas_streamed": "pandas.read_sql in chunks, stream_results",
    "pandas_default": "pandas.read_sql in chunks",
    "read": "read: lines, values as text, digest of the file",
    "normalize": "normalize: 24 columns cleaned",
    "validate": "validate: pandera, all reasons",
    "map": "map: payloads encoded",
    "judge": "judge: fates, keyed hashes, points",
    "spool": "spool: parts to disk and back",
    "settle": "settle: duplicates, what changed, totals",
}


def command(what: str, rows: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.measures", what, str(rows)]


def measured(what: str, rows: int, **environment: str) -> dict[str, Any]:
    """What a fresh process tells of itself."""
    print(f"  {what}, {rows:,} rows …", file=sys.stderr, flush=True)
    answer = subprocess.run(
        command(what, rows), cwd=ROOT, env=os.environ | environment, check=True, stdout=subprocess.PIPE
    )
    return dict(json.loads(answer.stdout.splitlines()[-1]))


def against_sandbox(what: str, rows: int) -> dict[str, Any]:
    """Measure beside a sandbox in a process of its own."""
    with subprocess.Popen(command("sandbox", 0), cwd=ROOT, stdout=subprocess.PIPE, text=True) as sandbox:
        assert sandbox.stdout is not None
        try:
            return measured(what, rows, SANDBOX_URL=sandbox.stdout.readline().strip())
        finally:
            sandbox.terminate()


def generate(rows: int) -> None:
    """The file of so many rows and its job, once."""
    data, job = (WORK / f"messy-{rows}.{suffix}" for suffix in ("csv", "yaml"))
    if not (data.exists() and job.exists()):
        WORK.mkdir(exist_ok=True)
        script = [sys.executable, str(ROOT / "benchmarks" / "generate.py"), "messy", "--rows", str(rows)]
        subprocess.run([*script, "-o", str(data), "--job", str(job)], check=True)


def machine() -> dict[str, Any]:
    """What the figures depend on; nothing that names the machine."""
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def compared(remembered: int) -> dict[str, Any]:
    """Settling so many rows against as many remembered customers."""
    subprocess.run(command("remember", remembered), cwd=ROOT, check=True)
    return {f"compare {remembered}": measured("compare", remembered)}


def prepared(rows: int) -> dict[str, Any]:
    """Preparing, to hold it against."""
    generate(rows)
    return {f"prepare {rows}": measured("prepare", rows)}


def pull(rows: int) -> dict[str, Any]:
    """So many rows from PostgreSQL: ours, and pandas beside it."""
    command = [sys.executable, "-m", "benchmarks.pulling", "--json", "--rows", str(rows)]
    told = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    return {f"pull {rows}": told.pop("ours") | {"stages": told}} if told else {}


def measure(rows: int, also: int, delivered: int) -> dict[str, Any]:
    """All figures, by name."""
    for wanted in dict.fromkeys((rows, also, delivered)):
        if wanted:
            generate(wanted)
    found = {f"read {rows}": measured("read", rows), f"prepare {rows}": measured("prepare", rows)}
    if also:
        found |= {f"read {also}": measured("read", also), f"prepare {also}": measured("prepare", also)}
    found["ratios"] = measured("ratios", rows)
    found["deliver"] = against_sandbox("deliver", delivered)
    found["naive_load"] = against_sandbox("naive_load", delivered)
    return found


def table(found: dict[str, Any]) -> Iterator[str]:
    """The figures for people."""
    yield f"{'':<48}{'rows/s':>12}{'rows/CPU-s':>12}{'peak MB':>9}"
    for name, figures in found.items():
        if name == "ratios":
            continue
        what, _, rows = name.partition(" ")
        yield _line(f"{what}, {int(rows or figures['rows']):,} rows", figures)
        for stage, of_stage in figures.get("stages", {}).items():
            yield _line(f"    {STAGES.get(stage, stage)}", of_stage)
    yield ""
    yield from _comparison(found)
    if "ratios" not in found:
        return
    ratios = found["ratios"]
    yield f"prepare: {ratios['times_naive']:.0f} times the rows per CPU-second of the naive script"
    yield f"         ({ratios['ours']:,.0f} to {ratios['naive']:,.0f}; medians of rounds by turns)"
    yield f"         {ratios['share_of_orjson']:.0%} of orjson alone writing the same objects ({ratios['orjson']:,.0f})"
    loads = [found[name]["per_s"] for name in ("deliver", "naive_load")]
    yield f"a whole load against the sandbox: {loads[0] / loads[1]:.1f} times the rows per second of the naive script"


def _comparison(found: dict[str, Any]) -> Iterator[str]:
    """CPU time of settling, beside that of preparing as many rows at the pace measured beside it."""
    for name, figures in found.items():
        if name.startswith("compare "):
            beside = next(each for other, each in found.items() if other.startswith("prepare "))
            rows, stages = figures["rows"], beside["stages"]
            settle_s, prepare_s = rows / figures["per_cpu_s"], rows / beside["per_cpu_s"]
            normalize_s = rows / stages["normalize"]["per_cpu_s"]
            yield f"compare: {settle_s:,.0f} CPU-s to settle {rows:,} rows against as many remembered customers;"
            yield f"         preparing them takes {prepare_s:,.0f}, of which normalizing {normalize_s:,.0f}"


def _line(what: str, figures: dict[str, Any]) -> str:
    peak = f"{figures['peak_mb']:>9,.0f}" if "peak_mb" in figures else ""
    return f"{what:<48}{figures['per_s']:>12,.0f}{figures['per_cpu_s']:>12,.0f}{peak}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--also", type=int, default=5_000_000, help="a second size, for memory; 0 for none")
    parser.add_argument("--delivered", type=int, default=100_000, help="rows of the run against the sandbox")
    parser.add_argument("--compare", type=int, default=1_000_000, help="rows that are all remembered; 0 for none")
    parser.add_argument("--pull", type=int, default=2_000_000, help="rows of a PostgreSQL's table; 0 for none")
    parser.add_argument("--only-compare", action="store_true", help="that, and preparing beside it")
    parser.add_argument("--what", default="bench", help="second half of the result's file name")
    given = parser.parse_args(arguments)
    found = prepared(given.rows) if given.only_compare else measure(given.rows, given.also, given.delivered)
    if given.pull and not given.only_compare:
        found |= pull(given.pull)
    if given.compare:
        found |= compared(given.compare)
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-{given.what}.json"
    kept.write_text(json.dumps({"machine": machine(), "found": found}, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(found)))
    print(f"kept in {kept.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
