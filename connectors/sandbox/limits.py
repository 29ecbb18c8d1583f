"""How much at once: requests per minute, and one request per customer (contract §6, §5: 521)."""

import math
from collections import deque
from collections.abc import Callable, Sequence

from connectors.sandbox.settings import Settings


class RateLimit:
    """Requests per window and bucket; a refused request does not count.

    The fixed window starts anew at every whole multiple of its length; the sliding one looks back from now.
    """

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self._limit = settings.requests_per_minute
        self._sliding = settings.window == "sliding"
        self._window_s = settings.window_s
        self._now = now
        self._admitted: dict[str, deque[float]] = {}

    def wait_s(self, bucket: str) -> float | None:
        """Count one request; seconds until the next has a chance when this one has none, else None."""
        if self._limit is None:
            return None
        now = self._now()
        admitted = self._admitted.setdefault(bucket, deque())
        start = now - self._window_s if self._sliding else math.floor(now / self._window_s) * self._window_s
        while admitted and (admitted[0] <= start if self._sliding else admitted[0] < start):
            admitted.popleft()
        if len(admitted) < self._limit:
            admitted.append(now)
            return None
        return (admitted[0] if self._sliding else start) + self._window_s - now


class Holds:
    """Which customers are being worked on by requests in flight."""

    def __init__(self) -> None:
        self._held: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._held)

    def take(self, groups: Sequence[set[str]]) -> tuple[list[bool], set[str]]:
        """Hold every group that nobody else holds any part of.

        Returns which groups were free, and what to give back to `release`. Groups of one call may overlap: the
        API works through a batch in turn.
        """
        free = [self._held.isdisjoint(group) for group in groups]
        taken: set[str] = set().union(*(group for group, is_free in zip(groups, free, strict=True) if is_free))
        self._held |= taken
        return free, taken

    def release(self, taken: set[str]) -> None:
        """Let go of what `take` returned."""
        self._held -= taken
