"""The scoreboard's lines: what goes wrong in each, in the sandbox or to the process itself."""

import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.fault_loaders import JUMPING, Loader, until
from benchmarks.fault_sandbox import WRITES

Process = subprocess.Popen[str]
# What is done to a process while it runs; exit codes of others that were started beside it come back.
Strike = Callable[[Loader, Process, random.Random], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Line:
    """One fault. Strikes are for the commands in their order, one each."""

    name: str
    says: str
    faults: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the sandbox
    limits: Mapping[str, Any] = field(default_factory=dict)  # of the job
    strikes: tuple[Strike, ...] = ()
    times: int = 1  # with another draw each
    unknown: float = 0.0  # share of customers whom the API does not know: it refuses their rows
    before: str = ""  # code that runs first in the first process
    late_s: float = 0.0  # the server may apply so long after the client has gone


def midway(loader: Loader, process: Process, draw: random.Random) -> None:
    """Return at a random moment of sending: after some requests, and some milliseconds."""
    books = loader.desk.books
    wanted = books.requests(WRITES) + draw.randrange(1, loader.desk.requests_needed // 2)
    until(process, lambda: books.requests(WRITES) >= wanted)
    time.sleep(draw.uniform(0, 0.03))


def kill(loader: Loader, process: Process, draw: random.Random) -> tuple[int, ...]:
    """Without a last word, while requests are under way."""
    midway(loader, process, draw)
    process.kill()
    return ()


def kill_in_prepare(loader: Loader, process: Process, draw: random.Random) -> tuple[int, ...]:
    loader.until_preparing(process)
    time.sleep(draw.uniform(0, 0.02))
    return _kill_unsent(loader, process)


def kill_before_sending(loader: Loader, process: Process, _: random.Random) -> tuple[int, ...]:
    loader.until_poised(process)
    return _kill_unsent(loader, process)


def _kill_unsent(loader: Loader, process: Process) -> tuple[int, ...]:
    """It was kept from sending by having no token; the next one shall have it."""
    process.kill()
    process.wait()
    loader.desk.books.set_faults([])
    return ()


def terminate(loader: Loader, process: Process, draw: random.Random) -> tuple[int, ...]:
    midway(loader, process, draw)
    process.terminate()
    return ()


def jump_ahead(loader: Loader, process: Process, draw: random.Random) -> tuple[int, ...]:
    """An hour ahead, and stopped a little later: who goes on has the true clock, an hour behind."""
    midway(loader, process, draw)
    os.kill(process.pid, signal.SIGUSR1)
    return terminate(loader, process, draw)


def jump_back(loader: Loader, process: Process, draw: random.Random) -> tuple[int, ...]:
    midway(loader, process, draw)
    os.kill(process.pid, signal.SIGUSR2)
    return terminate(loader, process, draw)


def fill_disk(loader: Loader, process: Process, draw: random.Random) -> tuple[int, ...]:
    """From now on no file of the process grows: as on a full disk, and it needs no rights and no mount."""
    midway(loader, process, draw)
    sizes = [path.stat().st_size for path in loader.desk.folder.rglob("*") if path.is_file() and path.suffix != ".csv"]
    if process.poll() is None:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (max(sizes), max(sizes)))
    return ()


def start_another(loader: Loader, process: Process, draw: random.Random) -> tuple[int, ...]:
    """The same load once more, as from a schedule that fires twice; who comes first is not decided here."""
    time.sleep(draw.uniform(0, 0.5))
    return (loader.desk.end(loader.begin()),)


SLOWLY = {"latency_s": 0.01}  # so that there is something in flight to be killed
LIMITED = {"requests_per_minute": 30, "window_s": 2.0}  # a minute of two seconds
SLIDING, SILENT = {"window": "sliding"}, {"retry_after": False}
LINES = (
    Line("nothing", "nothing goes wrong"),
    Line("lost", "5 % of the answers lost after commit", ("lost:0.05",)),
    Line("reset-before", "5 % reset before commit", ("reset-before:0.05",)),
    Line("reset-after", "5 % reset after commit", ("reset-after:0.05",)),
    Line("kill", "kill -9 at 20 moments", settings=SLOWLY, strikes=(kill,), times=20),
    Line("kill-resume", "kill -9, and again while resuming", settings=SLOWLY, strikes=(kill, kill), times=5),
    Line("kill-unsent", "kill -9 before anything is sent", strikes=(kill_before_sending,)),
    Line("kill-prepare", "kill -9 while preparing", strikes=(kill_in_prepare,), times=5),
    Line("term", "SIGTERM", settings=SLOWLY, strikes=(terminate,), times=5),
    Line("500-applied", "10 % HTTP 500 with an applied body", ("500-applied:0.1",)),
    Line("502-before", "5 % 502 HTML before commit", ("502:0.05",)),
    Line("502-after", "5 % 502 HTML after commit", ("502-after:0.05",)),
    Line("504-before", "5 % 504 HTML before commit", ("504:0.05",)),
    Line("504-after", "5 % 504 HTML after commit", ("504-after:0.05",)),
    Line("garbage", "10 % answered with garbage", ("garbage:0.1",)),
    Line("truncated", "10 % of the JSON truncated", ("truncated:0.1",)),
    Line("shuffled", "10 % of the replies shuffled, 10 % refused", ("shuffled:0.1",), unknown=0.1),
    Line("short", "10 % of the replies short, 10 % refused", ("short:0.1",), unknown=0.1),
    Line("empty-error", "10 % say errors:[{}]", ("empty-error:0.1",)),
    Line("row-errors", "10 % of the rows refused in a 200", settings={"partial_failure_status": 200}, unknown=0.1),
    Line("429-fixed", "429, fixed window, Retry-After", settings=LIMITED),
    Line("429-fixed-silent", "429, fixed window, no Retry-After", settings=LIMITED | SILENT),
    Line("429-sliding", "429, sliding window, Retry-After", settings=LIMITED | SLIDING),
    Line("429-sliding-silent", "429, sliding window, no Retry-After", settings=LIMITED | SLIDING | SILENT),
    Line("expiry", "tokens end every 2 s", ("expiry=2",), {"latency_s": 0.15}),
    Line("slow", "5 % slower than the timeout", ("slow=1.3:0.05",), limits={"timeout_s": 1.0}, late_s=2.0),
    Line(
        "clock-ahead", "the clock an hour ahead, then SIGTERM", settings=SLOWLY, strikes=(jump_ahead,), before=JUMPING
    ),
    Line("clock-back", "the clock an hour back, then SIGTERM", settings=SLOWLY, strikes=(jump_back,), before=JUMPING),
    Line("disk-full", "the disk is full from a moment on", settings=SLOWLY, strikes=(fill_disk,), times=3),
    Line("two-at-once", "two runs at once", settings={"latency_s": 0.1}, strikes=(start_another,), times=3),
)
