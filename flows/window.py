"""The hours in which a job may send."""

from datetime import UTC, datetime, time, timedelta

from schemas.errors import Stopped
from schemas.job import Window

# A run that is ready in the evening waits for its night; one that is ready in the morning does not wait for the next.
LONGEST_WAIT_S = 12 * 3600.0


class WindowClosed(Stopped):
    """The hours are over; the job's next run goes on with this one first."""


def opens_in_s(window: Window, now: datetime) -> float:
    """Seconds until sending is allowed, 0 while it is; `now` is the time at the job's place.

    A window may pass midnight. Both ends count by the clock on the wall, also on days when it is changed.
    """
    start, end, here = _clock(window.from_), _clock(window.to), now.time()
    is_open = start <= here < end if start < end else here >= start or here < end
    if is_open:
        return 0.0
    day = now.date() if here < start else now.date() + timedelta(days=1)
    return (datetime.combine(day, start, now.tzinfo).astimezone(UTC) - now.astimezone(UTC)).total_seconds()


def closed(window: Window) -> WindowClosed:
    """What is told when the hours are over."""
    return WindowClosed(
        f"outside its window ({window.from_} to {window.to}); the job's next run goes on with this one first, "
        "or: bulkload resume"
    )


def _clock(text: str) -> time:
    return time.fromisoformat(text)
