"""When the next request may leave, so that the API's allowance per minute is used and never passed.

The allowance holds in every window of 60 s wherever it starts, because nobody says how the server counts.
A request is logged when it really leaves, never when it was planned to: a pacer that logged plans passed the
limit under load.
"""

import asyncio
import time
from bisect import bisect_left, insort
from collections.abc import Awaitable, Callable, Sequence
from itertools import count

MINUTE_S = 60.0
# Two requests 60 s apart here may be closer there: the first slow, the second fast. Measured jitter is 35 ms.
GUARD_S = 0.045
# After a stall the lost time is made good at twice the rate, but no more than this much of it.
CATCH_UP_S = 5.0
SHORTEST_SLEEP_S = 0.001


class Turn:
    """The right to let one request leave, counted from the moment it was granted."""

    __slots__ = ("_entry", "_pacer")

    def __init__(self, pacer: "Pacer", entry: tuple[float, int]) -> None:
        self._pacer = pacer
        self._entry = entry

    def left(self) -> None:
        """Count from now instead: the first byte leaves at this moment (a token or a disk came between)."""
        self._entry = self._pacer._moved(self._entry)


class Pacer:
    """Hands out turns, first come first served; all workers of one API share one pacer."""

    def __init__(
        self,
        requests_per_minute: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._allowance = requests_per_minute
        self._spacing_s = (MINUTE_S + GUARD_S) / requests_per_minute
        self._clock = clock
        self._sleep = sleep
        self._one_at_a_time = asyncio.Lock()  # wakes its waiters in their order, and forgets cancelled ones
        self._log: list[tuple[float, int]] = []  # the latest departures, at most `allowance`, oldest first
        self._ids = count()
        self._due = float("-inf")  # where the even grid stands; may lag behind the clock by CATCH_UP_S
        self._paused_until = float("-inf")

    async def turn(self) -> Turn:
        """Return when a request may leave. A cancelled waiter takes no turn from the others."""
        async with self._one_at_a_time:
            while (wait_s := self._earliest() - self._clock()) > 0:
                # Woken early or late, or paused in the meantime: look again.
                await self._sleep(max(wait_s, SHORTEST_SLEEP_S))
            now = self._clock()
            self._due = max(self._due, now - CATCH_UP_S if self._log else now) + self._spacing_s
            return Turn(self, self._noted(now))

    def pause(self, seconds: float) -> None:
        """Let nobody leave for so long (Retry-After); of several pauses the longest wins."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)
        # What was missed during a pause is not made good: the server has just said that it was too much.
        self._due = max(self._due, self._paused_until)

    def prime(self, sent_seconds_ago: Sequence[float]) -> None:
        """Count what an earlier process sent in the last minute."""
        now = self._clock()
        for seconds in sent_seconds_ago:
            self._noted(now - max(seconds, 0.0))
        if self._log:
            self._due = max(self._due, self._log[-1][0] + self._spacing_s)

    def _earliest(self) -> float:
        earliest = max(self._due, self._paused_until)
        if self._log:
            earliest = max(earliest, self._log[-1][0] + self._spacing_s / 2)
        if len(self._log) == self._allowance:
            earliest = max(earliest, self._log[0][0] + MINUTE_S + GUARD_S)
        return earliest

    def _noted(self, at: float) -> tuple[float, int]:
        entry = (at, next(self._ids))
        insort(self._log, entry)
        if len(self._log) > self._allowance:
            del self._log[0]  # older than `allowance` others: it can limit nobody
        return entry

    def _moved(self, entry: tuple[float, int]) -> tuple[float, int]:
        place = bisect_left(self._log, entry)
        if place < len(self._log) and self._log[place] == entry:
            del self._log[place]
        return self._noted(self._clock())
