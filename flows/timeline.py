"""What happened on the wire, second by second, and melted into few enough slices to look at."""

import time
from dataclasses import dataclass, field
from statistics import median

from schemas.batches import Answer, NeverSent, Sending
from schemas.runs import Tick

MOST_TICKS = 120
# Enough of a second's latencies for an honest median; more would only be memory.
MOST_LATENCIES = 100
THROTTLED = 429


@dataclass
class _Second:
    sent: int = 0
    throttled: int = 0
    failed: int = 0
    rows: int = 0
    latencies_ms: list[float] = field(default_factory=list)


class Timeline:
    """Counts per second since the first request."""

    def __init__(self) -> None:
        self._first_s: float | None = None
        self._seconds: dict[int, _Second] = {}

    def start(self) -> float:
        """A request may leave now; what `end` wants to know of it."""
        now_s = time.monotonic()
        if self._first_s is None:
            self._first_s = now_s
        return now_s

    def end(self, started_s: float, sending: Sending, rows: int) -> None:
        """What became of it. A request counts where it started."""
        second = self._seconds.setdefault(int(started_s - (self._first_s or started_s)), _Second())
        second.sent += not isinstance(sending, NeverSent)
        match sending:
            case Answer(status=status, latency_ms=latency_ms):
                second.throttled += status == THROTTLED
                second.failed += status >= 500
                second.rows += rows if status < 300 else 0
                if len(second.latencies_ms) < MOST_LATENCIES:
                    second.latencies_ms.append(latency_ms)
            case _:
                second.failed += 1

    def ticks(self) -> tuple[Tick, ...]:
        """At most `MOST_TICKS` slices of equal length, gaps included."""
        if not self._seconds:
            return ()
        last = max(self._seconds)
        length = 1 + last // MOST_TICKS
        return tuple(self._tick(start, length) for start in range(0, last + 1, length))

    def _tick(self, start: int, length: int) -> Tick:
        here = [self._seconds[at] for at in range(start, start + length) if at in self._seconds]
        latencies = [latency for second in here for latency in second.latencies_ms]
        return Tick(
            start_s=float(start),
            length_s=float(length),
            sent=sum(second.sent for second in here),
            throttled=sum(second.throttled for second in here),
            failed=sum(second.failed for second in here),
            rows=sum(second.rows for second in here),
            latency_ms=median(latencies) if latencies else None,
        )
