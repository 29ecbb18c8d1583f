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


def test_what_the_stopped_run_of_a_drop_ends_with_is_told_where_nothing_new_lies_there(desk_with, monkeypatch):
    """Its files may be all there was, and some of their rows in doubt."""
    desk = desk_with("lost:1")
    desk.source(30)
    (desk.folder / "inbox").mkdir()
    (desk.folder / "customers.csv").rename(desk.folder / "inbox" / "customers.csv")
    waits = iter([0.0, 0.0])
    monkeypatch.setattr(sending, "opens_in_s", lambda window, now: next(waits, HOUR_S))
    monkeypatch.setattr(deliver, "opens_in_s", lambda window, now: 0.0)
    table = {"files": "inbox/*.csv", "still_for": "0s", "move_to": {"done": "done/"}}
    over = {"source": {"customers": table}, "guards": {"min_rows": 1}, "limits": {"in_flight": 1}}
    job = desk.job(**over, window={"from": "00:30", "to": "05:00"})
    stopped = desk("run", job)
    assert (stopped.told["stopped_by"], stopped.sent["in_doubt"]) == ("window", 5)
    monkeypatch.setattr(sending, "opens_in_s", lambda window, now: 0.0)
    following = desk("run", job)
    assert (following.told["run"], following.exit_code) == (stopped.told["run"], 5)
    assert following.sent == {"accepted": 25, "in_doubt": 5}
