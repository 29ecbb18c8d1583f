"""When a job may send, by the clock on the wall of its own place."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from flows import deliver, sending
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


def test_a_run_is_stopped_by_its_window_and_goes_first_next_time(desk, monkeypatch):
    """The clock on the wall: open for the first three requests, closed, and open again for the next run."""
    desk.source(30)
    waits = iter([0.0, 0.0, 0.0, 0.0])
    monkeypatch.setattr(sending, "opens_in_s", lambda window, now: next(waits, HOUR_S))
    monkeypatch.setattr(deliver, "opens_in_s", lambda window, now: 0.0)
    job = desk.job(window={"from": "00:30", "to": "05:00"}, limits={"in_flight": 1})
    stopped = desk("run", job)
    assert (stopped.exit_code, stopped.sent) == (4, {"accepted": 20, "not_sent": 10})
    assert (stopped.told["stopped_by"], "outside its window" in stopped.told["stopped_because"]) == ("window", True)
    monkeypatch.setattr(sending, "opens_in_s", lambda window, now: 0.0)
    following = desk("run", job)
    assert (following.exit_code, following.sent) == (0, {"unchanged": 30})
    states = {run["run"]: run["state"] for run in desk("runs").told["runs"]}
    assert states[stopped.told["run"]] == "done"
    assert desk.books.written_twice() == []


def test_outside_its_window_nothing_is_sent(desk, monkeypatch):
    desk.source(5)
    monkeypatch.setattr(deliver, "opens_in_s", lambda window, now: 13 * HOUR_S)
    run = desk.run(window={"from": "00:30", "to": "05:00"})
    assert (run.exit_code, run.sent) == (4, {"not_sent": 5})
    assert desk.books.requests("/v2/bulk") == []
