"""What a load is given: workers that prepare parts, and an audience that is told.

The command line brings threads or processes and a terminal; Prefect brings its task runner and artifacts.
"""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from os import cpu_count
from typing import Any, Literal, Protocol, TypeVar

from schemas.runs import Plan, RunReport

Work = TypeVar("Work")
Done = TypeVar("Done")
Result_co = TypeVar("Result_co", covariant=True)
Stage = Literal["prepare", "settle", "deliver", "report"]


class Workers(Protocol):
    """Maps a function over works; results come in the works' order. Works are paths and rules, never tables."""

    def __call__(self, function: Callable[[Work], Done], works: Iterable[Work]) -> Iterator[Done]: ...


class Audience(Protocol):
    """Who is told of a run, and how."""

    def stage(self, stage: Stage, total: int | None = None) -> None:
        """A stage begins; `total` is what `advance` counts towards, where it is known."""

    def advance(self, done: int, note: str = "") -> None:
        """So much of the stage is done; called often."""

    def say(self, line: str) -> None:
        """A sentence worth keeping."""

    def warn(self, line: str) -> None:
        """Trouble that comes too late for the report, and is told to whoever asked for silence too."""

    def planned(self, plan: Plan) -> None:
        """The plan stands; nothing is sent yet."""

    def approve(self, plan: Plan) -> bool:
        """Whether a person says yes to crediting the plan's points; False where nobody can be asked."""

    def reported(self, report: RunReport, markdown: str) -> None:
        """The run is over."""


class Silent:
    """Nobody listens."""

    def stage(self, stage: Stage, total: int | None = None) -> None: ...
    def advance(self, done: int, note: str = "") -> None: ...
    def say(self, line: str) -> None: ...
    def warn(self, line: str) -> None: ...
    def planned(self, plan: Plan) -> None: ...
    def approve(self, plan: Plan) -> bool:
        return False

    def reported(self, report: RunReport, markdown: str) -> None: ...


def spare_cores() -> int:
    """How many workers have a core of their own, one at least: whoever reads the source needs one too.

    One more prepares few rows more in a second; it makes all of them dearer, and holds a part.
    """
    return max((cpu_count() or 1) - 1, 1)


@contextmanager
def pool(kind: Literal["threads", "processes"], size: int | None = None) -> Iterator[Workers]:
    """Workers on this machine. Processes are spawned, not forked: Arrow's threads do not survive a fork."""
    count = size or spare_cores()
    executor: Executor
    if kind == "threads":
        executor = ThreadPoolExecutor(count, thread_name_prefix="prepare")
    else:
        executor = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))
    with executor:

        def workers(function: Callable[[Any], Any], works: Iterable[Any]) -> Iterator[Any]:
            return in_order(lambda work: executor.submit(function, work), works, ahead=count)

        yield workers


class Promise(Protocol[Result_co]):
    """A result to come: of the standard library's executors, or of Prefect."""

    def result(self) -> Result_co: ...


def in_order(submit: Callable[[Work], Promise[Done]], works: Iterable[Work], ahead: int) -> Iterator[Done]:
    """Results in order, never more than `ahead` works under way beyond the oldest: memory stays bounded."""
    waiting: deque[Promise[Done]] = deque()
    try:
        for work in works:
            waiting.append(submit(work))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # After a failure nobody may still write into a folder that is about to be cleared away.
        for left in waiting:
            with suppress(Exception):
                left.result()
