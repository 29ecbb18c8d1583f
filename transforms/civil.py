"""Dates and times of day in the shapes most files have, read by numpy from fixed places.

Not by `pc.strptime`: it makes 3 March of 31 February. What is not exactly of one of these shapes, or is but
does not exist, stays open for the judge (`transforms/spelled_dates.py`).
"""

from calendar import isleap
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from transforms.kernels import Bytes, Ints, Mask, Octets, are_digits

FIRST_YEAR, LAST_YEAR = 1900, 2100
_month_days = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_leap_years = np.array([isleap(year) for year in range(LAST_YEAR + 1)])
_slashes = list(b"/-.")
_month_letters = np.frombuffer(b"janfebmaraprmayjunjulaugsepoctnovdec", np.uint8).reshape(12, 3)
_pairs = np.array([f"{number:02}".encode() for number in range(100)]).view(np.uint8).reshape(100, 2)
SERIALS = range(20_000, 60_001)  # days since 1899-12-30: 1954 to 2064; smaller ones are numbers of something else


class Shape(NamedTuple):
    """Where the parts of a date stand: (from, to) places, and the places of the two equal separators."""

    width: int
    first: tuple[int, int]
    second: tuple[int, int]
    third: tuple[int, int]
    separators: tuple[int, ...]
    year_first: bool


TEN_WIDE = (
    Shape(10, (0, 4), (5, 7), (8, 10), (4, 7), year_first=True),
    Shape(10, (0, 2), (3, 5), (6, 10), (2, 5), year_first=False),
)
NARROWER = (
    Shape(9, (0, 2), (3, 4), (5, 9), (2, 4), year_first=False),
    Shape(9, (0, 1), (2, 4), (5, 9), (1, 4), year_first=False),
    Shape(8, (0, 1), (2, 3), (4, 8), (1, 3), year_first=False),
    Shape(8, (0, 4), (4, 6), (6, 8), (), year_first=True),
)


@dataclass(slots=True)
class Days:
    """Years, months and days of all rows; meaningless where `known` is false.

    `rewritten`: the date was not written yyyy-MM-dd. `serial`: it was a spreadsheet's number of a day.
    """

    year: Ints
    month: Ints
    day: Ints
    known: Mask
    rewritten: Mask
    serial: Mask


def read_days(view: Bytes, order: str, date_only: Mask, date_and_time: Mask) -> Days:
    """The dates of the rows that are nothing but a date, and of those that begin with one ten characters wide."""
    size = len(view.lengths)
    year, month, day = (np.zeros(size, np.int64) for _ in range(3))
    known, rewritten, serial = (np.zeros(size, dtype=bool) for _ in range(3))
    days = Days(year, month, day, known, rewritten, serial)
    for shape in (*TEN_WIDE, *NARROWER):
        candidates = date_only & (view.lengths == shape.width)
        if shape.width == 10:
            candidates |= date_and_time
        rows = np.flatnonzero(candidates & ~days.known)
        if len(rows):
            _read_shape(view.head(rows, shape.width), rows, shape, order, days)
    _read_serials(view, np.flatnonzero(date_only & (view.lengths == 5)), days)
    _read_named_months(view, np.flatnonzero(date_only & (view.lengths == 11)), days)
    days.known &= exists(days.year, days.month, days.day)
    return days


def _read_shape(octets: Octets, rows: Ints, shape: Shape, order: str, days: Days) -> None:
    """Put the rows of this shape among the days."""
    fits = np.ones(len(rows), dtype=bool)
    for place in set(range(shape.width)) - set(shape.separators):
        fits &= are_digits(octets[place])
    if shape.separators:
        left, right = shape.separators
        fits &= (octets[left] == octets[right]) & np.isin(octets[left], _slashes)
    if not fits.all():
        octets, rows = octets[:, fits], rows[fits]
    one, two, three = (number_at(octets, *place) for place in (shape.first, shape.second, shape.third))
    year, month, day = (one, two, three) if shape.year_first else _ordered(one, two, three, order)
    days.year[rows], days.month[rows], days.day[rows] = year, month, day
    days.known[rows] = True
    is_iso = shape.separators == (4, 7)
    days.rewritten[rows] = octets[4] != ord("-") if is_iso else True


def _read_serials(view: Bytes, rows: Ints, days: Days) -> None:
    """A spreadsheet's days since 1899-12-30, of five digits."""
    octets = view.head(rows, 5)
    number = number_at(octets, 0, 5)
    fits = are_digits(octets).all(axis=0) & (number >= SERIALS.start) & (number < SERIALS.stop)
    rows, number = rows[fits], number[fits]
    found = np.datetime64("1899-12-30") + number
    months = found.astype("datetime64[M]")
    days.year[rows] = found.astype("datetime64[Y]").astype(np.int64) + 1970
    days.month[rows] = months.astype(np.int64) % 12 + 1
    days.day[rows] = (found - months).astype(np.int64) + 1
    days.known[rows] = days.serial[rows] = True


def _read_named_months(view: Bytes, rows: Ints, days: Days) -> None:
    """Dates like 12-Jan-2024, eleven wide, as Oracle and Excel write them."""
    octets = view.head(rows, 11)
    fits = (octets[2] == octets[6]) & np.isin(octets[2], list(b"/- "))
    fits &= are_digits(octets[[0, 1, 7, 8, 9, 10]]).all(axis=0)
    names = ((octets[None, 3:6] | 0x20) == _month_letters[:, :, None]).all(axis=1)
    fits &= names.any(axis=0)
    rows, octets = rows[fits], octets[:, fits]
    days.year[rows], days.day[rows] = number_at(octets, 7, 11), number_at(octets, 0, 2)
    days.month[rows] = names[:, fits].argmax(axis=0) + 1
    days.known[rows] = days.rewritten[rows] = True


def _ordered(first: Ints, second: Ints, year: Ints, order: str) -> tuple[Ints, Ints, Ints]:
    """Year, month, day of d/m/y or m/d/y. Under `iso` neither is known: a date of one reading only has it."""
    if order == "day_first":
        return year, second, first
    if order == "month_first":
        return year, first, second
    day_leads = first > 12
    month = np.where(day_leads, second, first)
    day = np.where(day_leads, first, second)
    ambiguous = (first <= 12) & (second <= 12) & (first != second)
    return year, np.where(ambiguous, 0, month), day


def number_at(octets: Octets, begin: int, end: int) -> Ints:
    """The number in places `begin` up to `end` of columns of ASCII digits."""
    number = np.zeros(octets.shape[1], np.int32)
    for place in range(begin, end):
        number = number * 10 + (octets[place] - np.uint8(0x30))
    return number


def exists(year: Ints, month: Ints, day: Ints) -> Mask:
    """Whether the calendar has such a day in a year that a customer can have."""
    real = (year >= FIRST_YEAR) & (year <= LAST_YEAR) & (month >= 1) & (month <= 12) & (day >= 1)
    longest = _month_days.take(np.where(real, month, 0)) + ((month == 2) & _leap_years.take(year, mode="clip"))
    found: Mask = real & (day <= longest)
    return found


def days_from_civil(year: Ints, month: Ints, day: Ints) -> Ints:
    """Days since 1970-01-01 in the Gregorian calendar (Hinnant's algorithm, years from March)."""
    march_year = year - (month <= 2)
    era_year = march_year % 400
    day_of_year = (153 * (month + np.where(month > 2, -3, 9)) + 2) // 5 + day - 1
    days: Ints = march_year // 400 * 146097 + era_year * 365 + era_year // 4 - era_year // 100 + day_of_year - 719468
    return days


def write_pair(table: Octets, place: int, number: Ints) -> None:
    """Write a number below 100 in two digits."""
    table[:, place : place + 2] = _pairs.take(number, axis=0)


def write_days(table: Octets, days: Days, rows: Ints) -> None:
    """Write yyyy-MM-dd into the first ten columns."""
    year = days.year[rows]
    write_pair(table, 0, year // 100)
    write_pair(table, 2, year % 100)
    write_pair(table, 5, days.month[rows])
    write_pair(table, 8, days.day[rows])
    table[:, 4] = table[:, 7] = ord("-")
