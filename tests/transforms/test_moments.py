"""Points in time."""

import zoneinfo
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from transforms.moments import clean_moments, judge_moment


def cleaned(raw: str, zone: str = "Asia/Kolkata", order: str = "day_first") -> tuple[str | None, str | None, set[str]]:
    column = clean_moments(pa.array([raw]), order, zone)
    return column.values[0].as_py(), column.problems[0].as_py(), set(column.changes)


@pytest.mark.parametrize(("raw", "clean", "changes"), [
    ("2024-01-12T10:30:00+05:30",   "2024-01-12T10:30:00+05:30", ""),
    ("2024-01-12T10:30:00-08:00",   "2024-01-12T10:30:00-08:00", ""),
    ("2024-01-12T10:30:00Z",        "2024-01-12T10:30:00+00:00", "time_rewritten"),
    ("2024-01-12T10:30:00-00:00",   "2024-01-12T10:30:00+00:00", "time_rewritten"),
    ("2024-01-12T10:30:00+0530",    "2024-01-12T10:30:00+05:30", "time_rewritten"),
    ("2024-01-12T10:30:00+05",      "2024-01-12T10:30:00+05:00", "time_rewritten"),
    ("2024-01-12 10:30:00 UTC",     "2024-01-12T10:30:00+00:00", "time_rewritten"),
    ("2024-01-12T10:30:00",         "2024-01-12T10:30:00+05:30", "zone_added"),
    ("2024-01-12 10:30:00",         "2024-01-12T10:30:00+05:30", "zone_added time_rewritten"),
    ("2024-01-12T10:30",            "2024-01-12T10:30:00+05:30", "zone_added time_rewritten"),
    ("2024-01-12T10:30:59.999",     "2024-01-12T10:30:59+05:30", "zone_added fraction_dropped"),
    ("2024-01-12T10:30:59.9+05:30", "2024-01-12T10:30:59+05:30", "fraction_dropped"),
    ("2024-01-12",                  "2024-01-12T00:00:00+05:30", "zone_added midnight_added"),
    ("12/01/2024T10:30:00",         "2024-01-12T10:30:00+05:30", "zone_added date_rewritten"),
    ("1/2/2024 1:05:09 PM",         "2024-02-01T13:05:09+05:30", "zone_added date_rewritten time_rewritten"),
    ("1/2/2024 12:05 am",           "2024-02-01T00:05:00+05:30", "zone_added date_rewritten time_rewritten"),
    ("20240112T103000Z",            "2024-01-12T10:30:00+00:00", "date_rewritten time_rewritten"),
    ("20240112103000",              "2024-01-12T10:30:00+05:30", "date_rewritten time_rewritten zone_added"),
    ("12-Jan-2024 10:30:00",        "2024-01-12T10:30:00+05:30", "date_rewritten time_rewritten zone_added"),
    ("44927.5",                     "2023-01-01T12:00:00+05:30", "spreadsheet_serial zone_added"),
    ("44927",                       "2023-01-01T00:00:00+05:30", "spreadsheet_serial zone_added midnight_added"),
])  # fmt: skip
def test_moments_carry_their_offset(raw, clean, changes):
    assert cleaned(raw) == (clean, None, set(changes.split()))


@pytest.mark.parametrize(("raw", "problem"), [
    ("2024-01-12 24:00:00",       "not_a_time"),
    ("2024-01-12 10:60",          "not_a_time"),
    ("2024-01-12 13:00 PM",       "not_a_time"),
    ("2024-01-12T10:30:00+15:00", "not_a_time"),
    ("2024-02-30 10:30:00",       "not_a_date"),
    ("12/01/24 10:30",            "year_has_two_digits"),
    ("1705050000",                "epoch_not_allowed"),
    ("1705050000.123",            "epoch_not_allowed"),
    ("10:30",                     "not_a_date"),
])  # fmt: skip
def test_what_is_no_moment_is_told(raw, problem):
    assert cleaned(raw) == (None, problem, set())


@pytest.mark.parametrize(("raw", "zone", "clean"), [
    ("2024-03-10 01:59:59", "America/New_York",  "2024-03-10T01:59:59-05:00"),
    ("2024-03-10 02:30:00", "America/New_York",  "nonexistent_time"),
    ("2024-03-10 03:00:00", "America/New_York",  "2024-03-10T03:00:00-04:00"),
    ("2024-11-03 01:30:00", "America/New_York",  "ambiguous_time"),
    ("2024-11-03 01:30:00-05:00", "America/New_York", "2024-11-03T01:30:00-05:00"),
    ("2018-11-04",          "America/Sao_Paulo", "nonexistent_time"),   # midnight itself was skipped
    ("1930-01-01 00:00:00", "Europe/Amsterdam",  "1930-01-01T00:00:00+00:19"),   # of +00:19:32
])  # fmt: skip
def test_clocks_that_change_leave_nothing_to_guess(raw, zone, clean):
    value, problem, _ = cleaned(raw, zone)
    assert (value or problem) == clean


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]
)
def test_each_half_hour_of_a_year_agrees_with_zoneinfo(zone):
    halves = [datetime(2023, 1, 1) + timedelta(minutes=30 * n) for n in range(17_520)]  # noqa: DTZ001  local times
    rows = [half.isoformat() for half in halves]
    column = clean_moments(pa.array(rows), "iso", zone)
    verdicts = [judge_moment(row, "iso", ZoneInfo(zone)) for row in rows]
    assert column.values.to_pylist() == [verdict.value for verdict in verdicts]
    told = zip(halves, column.values.to_pylist(), strict=True)
    assert all(half.replace(tzinfo=ZoneInfo(zone)).isoformat() == value for half, value in told if value)


def test_a_machine_without_time_zones_has_the_packages():
    zoneinfo.reset_tzpath(to=())
    ZoneInfo.clear_cache()
    try:
        assert cleaned("2024-07-01T00:00:00", "Europe/Berlin")[0] == "2024-07-01T00:00:00+02:00"
    finally:
        zoneinfo.reset_tzpath()


def test_no_moment_is_absent_however_spelled():
    for raw in ("0000-00-00 00:00:00", "NULL", "n/a", "?"):
        assert cleaned(raw) == (None, None, {"blank_spelled_out"})
