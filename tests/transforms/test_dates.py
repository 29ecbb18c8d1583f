"""Dates."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from transforms.civil import days_from_civil, exists
from transforms.dates import clean_dates

ALL_DAYS = [date(1900, 1, 1) + timedelta(days=n) for n in range((date(2100, 12, 31) - date(1900, 1, 1)).days + 1)]


def cleaned(raw: str, order: str = "day_first") -> tuple[str | None, str | None, set[str]]:
    column = clean_dates(pa.array([raw]), order)
    return column.values[0].as_py(), column.problems[0].as_py(), set(column.changes)


@pytest.mark.parametrize(("raw", "clean", "changes"), [
    ("2024-01-12",                "2024-01-12", ""),
    (" 2024-01-12",               "2024-01-12", "trimmed"),
    ("12/01/2024",                "2024-01-12", "date_rewritten"),
    ("12.01.2024",                "2024-01-12", "date_rewritten"),
    ("12-01-2024",                "2024-01-12", "date_rewritten"),
    ("1/2/2024",                  "2024-02-01", "date_rewritten"),
    ("1/12/2024",                 "2024-12-01", "date_rewritten"),
    ("2024/1/5",                  "2024-01-05", "date_rewritten"),
    ("20240112",                  "2024-01-12", "date_rewritten"),
    ("12-Jan-2024",               "2024-01-12", "date_rewritten"),
    ("12 january 2024",           "2024-01-12", "date_rewritten"),
    ("January 12, 2024",          "2024-01-12", "date_rewritten"),
    ("12th Sept 2024",            "2024-09-12", "date_rewritten"),
    ("١٢/٠١/٢٠٢٤",                "2024-01-12", "date_rewritten digits_folded"),
    ("44927",                     "2023-01-01", "spreadsheet_serial"),
    ("44927.75",                  "2023-01-01", "spreadsheet_serial time_dropped"),
    ("2024-01-12 10:30:00",       "2024-01-12", "time_dropped"),
    ("2024-01-12T23:30:00Z",      "2024-01-12", "time_dropped"),   # as written, whatever its zone
    ("12/01/2024 12:00:00 AM",    "2024-01-12", "date_rewritten time_dropped"),
    ("2024-02-29",                "2024-02-29", ""),
])  # fmt: skip
def test_dates_are_written_year_month_day(raw, clean, changes):
    assert cleaned(raw) == (clean, None, set(changes.split()))


@pytest.mark.parametrize(("raw", "problem"), [
    ("31/02/2024",    "not_a_date"),
    ("2023-02-29",    "not_a_date"),
    ("04/25/2024",    "not_a_date"),          # never swapped
    ("2024-13-01",    "not_a_date"),
    ("12/01-2024",    "not_a_date"),
    ("2024",          "not_a_date"),
    ("12012024",      "not_a_date"),
    ("19999",         "not_a_date"),
    ("60001",         "not_a_date"),
    ("yesterday",     "not_a_date"),
    ("12/01/24",      "year_has_two_digits"),
    ("12-Jan-24",     "year_has_two_digits"),
    ("1899-12-31",    "out_of_range"),
    ("01/01/2101",    "out_of_range"),
    ("1705050000",    "epoch_not_allowed"),
    ("1705050000000", "epoch_not_allowed"),
    ("2024-01-12 25:00", "not_a_time"),
])  # fmt: skip
def test_what_is_no_date_is_told(raw, problem):
    assert cleaned(raw) == (None, problem, set())


@pytest.mark.parametrize(("raw", "day_first", "month_first", "iso"), [
    ("03/04/2024", "2024-04-03", "2024-03-04", "ambiguous"),
    ("3.4.2024",   "2024-04-03", "2024-03-04", "ambiguous"),
    ("04/04/2024", "2024-04-04", "2024-04-04", "2024-04-04"),
    ("25/04/2024", "2024-04-25", "not_a_date", "2024-04-25"),   # one reading only
    ("04/25/2024", "not_a_date", "2024-04-25", "2024-04-25"),
    ("5/14/1965",  "not_a_date", "1965-05-14", "1965-05-14"),
    ("30/31/2024", "not_a_date", "not_a_date", "not_a_date"),
    ("2024-04-03", "2024-04-03", "2024-04-03", "2024-04-03"),
])  # fmt: skip
def test_the_locale_orders_day_and_month(raw, day_first, month_first, iso):
    for order, expected in (("day_first", day_first), ("month_first", month_first), ("iso", iso)):
        value, problem, _ = cleaned(raw, order)
        assert (value or problem) == expected


@pytest.mark.parametrize("raw", ["0000-00-00", "0000-00-00 00:00:00", "00/00/0000", "NULL", "n/a", "--", "?"])
def test_no_date_is_absent_however_spelled(raw):
    assert cleaned(raw) == (None, None, {"blank_spelled_out"})


@pytest.mark.parametrize("spelled", ["%Y-%m-%d", "%d/%m/%Y", "%Y%m%d", "%d-%b-%Y", "%Y.%m.%d"])
def test_every_day_of_two_centuries_is_read(spelled):
    column = clean_dates(pa.array([day.strftime(spelled) for day in ALL_DAYS]), "day_first")
    assert column.values.to_pylist() == [day.isoformat() for day in ALL_DAYS]


def test_serials_are_days_since_the_end_of_1899():
    column = clean_dates(pa.array([str(serial) for serial in range(20_000, 60_001)]), "iso")
    first = date(1899, 12, 30)
    assert column.values.to_pylist() == [(first + timedelta(n)).isoformat() for n in range(20_000, 60_001)]


def test_day_numbers_agree_with_the_calendar():
    year, month, day = (np.array([getattr(d, part) for d in ALL_DAYS]) for part in ("year", "month", "day"))
    assert exists(year, month, day).all()
    assert days_from_civil(year, month, day).tolist() == [(d - date(1970, 1, 1)).days for d in ALL_DAYS]
    assert not exists(year, month, np.full(len(day), 32)).any()
