"""A process whose wall clock jumps when it is told to: SIGUSR1 an hour ahead, SIGUSR2 an hour back.

The machine's clock belongs to everybody and libfaketime is on few machines, so the clock jumps inside the process:
`time.time` from the start, and `datetime.now` in every module of ours that uses it. The monotonic clock runs on, as
it does when somebody sets a machine's time. C libraries (SQLite, DuckDB) keep the true time; we ask none of them.
"""

import signal
import sys
import time
from datetime import datetime, timedelta, tzinfo
from typing import Any

ROOMS = ("flows", "connectors", "transforms", "schemas", "benchmarks")
HOUR_S = 3600.0
true_time = time.time
jumped_s = 0.0


def listen() -> None:
    """Call it before anything else is imported."""
    time.time = lambda: true_time() + jumped_s
    signal.signal(signal.SIGUSR1, lambda *_: jump(HOUR_S))
    signal.signal(signal.SIGUSR2, lambda *_: jump(-HOUR_S))


def jump(by_s: float) -> None:
    """From now on it is so much later."""
    global jumped_s  # noqa: PLW0603 - a process has one clock
    jumped_s += by_s
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ROOMS and getattr(module, "datetime", None) is datetime and module is not here:
            module.datetime = Jumped  # type: ignore[attr-defined]  # whatever module uses the name


here = sys.modules[__name__]


class _Kind(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


class Jumped(datetime, metaclass=_Kind):
    """`datetime` in name; what it makes is plain."""

    def __new__(cls, *words: Any, **named: Any) -> datetime:  # type: ignore[misc]  # on purpose not one of its own
        return datetime(*words, **named)  # noqa: DTZ001 - the caller's own words

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # plain, as above
        """The true moment and the jump."""
        return datetime.now(tz) + timedelta(seconds=jumped_s)
