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
# A 429 says that the true allowance is lower, at least for now. What is given up at once comes back slowly.
SLOWER, FASTER = 0.8, 1.05


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
        self._rate = float(requests_per_minute)  # what is used of the allowance: less after a 429
        self._rated_at = float("-inf")
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
            self._recover(now)
            self._due = max(self._due, now - CATCH_UP_S if self._log else now) + self._spacing_s
            return Turn(self, self._noted(now))

    @property
    def requests_per_minute(self) -> int:
        """The rate in use: the allowance, or what answers of 429 have left of it."""
        return int(self._rate)

    def start_at(self, requests_per_minute: int) -> None:
        """Begin with a rate learned earlier; it recovers up to the allowance while nothing is refused."""
        self._rate = float(min(max(requests_per_minute, 1), self._allowance))
        self._rated_at = self._clock()

    def pause(self, seconds: float) -> None:
        """After a 429: let nobody leave for so long (Retry-After), and go slower then.

        Of several pauses the longest wins; what was under way when the first came slows nothing down again.
        """
        now = self._clock()
        if now >= self._paused_until:
            self._rate, self._rated_at = max(1.0, self._rate * SLOWER), now
        self._paused_until = max(self._paused_until, now + seconds)
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
        if len(self._log) >= (most := self.requests_per_minute):
            earliest = max(earliest, self._log[-most][0] + MINUTE_S + GUARD_S)
        return earliest

    @property
    def _spacing_s(self) -> float:
        return (MINUTE_S + GUARD_S) / self._rate

    def _recover(self, now: float) -> None:
        """A minute without a 429 earns a little more."""
        if self._rate < self._allowance and now - self._rated_at >= MINUTE_S:
            self._rate, self._rated_at = min(self._allowance, self._rate * FASTER), now

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
