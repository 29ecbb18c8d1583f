"""When a job may send, by the clock on the wall of its own place."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from flows.window import opens_in_s
from schemas.job import Window

HOUR_S = 3600


def window(start: str, end: str) -> Window:
    return Window.model_validate({"from": start, "to": end})


@pytest.mark.parametrize(
    ("start", "end", "clock", "hours"),
    [
        ("00:30", "05:00", "00:29:00", 1 / 60),
        ("00:30", "05:00", "00:30:00", 0),
        ("00:30", "05:00", "04:59:59", 0),
        ("00:30", "05:00", "05:00:00", 19.5),  # the end is outside
        ("00:30", "05:00", "18:30:00", 6),
        ("22:00", "04:00", "21:00:00", 1),  # over midnight
        ("22:00", "04:00", "23:59:59", 0),
        ("22:00", "04:00", "03:59:59", 0),
        ("22:00", "04:00", "04:00:00", 18),
        ("00:00", "00:00", "12:00:00", 0),  # all day
    ],
)
def test_a_window_opens_by_the_clock_on_the_wall(start, end, clock, hours):
    now = datetime.fromisoformat(f"2026-03-10T{clock}").replace(tzinfo=ZoneInfo("Asia/Kolkata"))
    assert opens_in_s(window(start, end), now) == pytest.approx(hours * HOUR_S)


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-28", 6), ("2026-03-29", 5), ("2026-10-25", 7)],  # Berlin: ordinary, spring, autumn
)
def test_a_changed_clock_changes_the_wait(day, hours):
    now = datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    assert opens_in_s(window("06:00", "08:00"), now) == hours * HOUR_S
