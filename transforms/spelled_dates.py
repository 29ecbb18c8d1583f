"""One date or time at a time, however it is spelled; what has two readings or none is refused, not guessed."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from transforms.civil import FIRST_YEAR, LAST_YEAR, SERIALS
from transforms.clock import LONGEST_OFFSET_MINUTES

_serial_epoch = date(1899, 12, 30)

_months = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
MONTH_NUMBERS = {name[:3]: n for n, name in enumerate(_months, 1)} | {m: n for n, m in enumerate(_months, 1)}
MONTH_NUMBERS["sept"] = 9

# MySQL's and some tills' way to write no date in a column that must have one.
ZERO_DATE = re.compile(r"0000([-/.])00(?:\1)00([ T]00:00(:00)?)?|00([-/.])00(?:\4)(0000|00)")

_epoch = re.compile(r"-?\d{10}(\d{3}(\d{3}){0,2})?(\.\d+)?")
_serial = re.compile(r"(\d{5})(?:\.(\d+))?")
_compact = re.compile(r"(\d{4})(\d\d)(\d\d)(?:[T ]?(\d\d)(\d\d)(\d\d)?(?:[.,]\d+)?(Z|[+-]\d\d:?\d\d)?)?", re.IGNORECASE)
_timed = re.compile(
    r"(?P<date>.*\d)(?:\s*,\s*|\s+|T)(?P<hour>\d{1,2}):(?P<minute>\d\d)(?P<second>:\d\d)?(?P<fraction>[.,]\d+)?"
    r"\s*(?P<half>[AP]\.?M\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?",
    re.IGNORECASE,
)
_year_first = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
_year_last = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})")
_short_year = re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{2}")
_day_month = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[-/., ]*([a-z]{3,9})[-/., ]*('?\d{2}|\d{4})", re.IGNORECASE)
_month_day = re.compile(r"([a-z]{3,9})[-/. ]*(\d{1,2})(?:st|nd|rd|th)?[-/, ]+('?\d{2}|\d{4})", re.IGNORECASE)
_year_month = re.compile(r"(\d{4})[-/ ]([a-z]{3,9})[-/ ](\d{1,2})", re.IGNORECASE)


class Unreadable(Exception):
    """Carries the problem's code, never the value."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A day, and the time of day where one is written; `offset_minutes` where a zone is."""

    day: date
    seconds: int | None = None
    offset_minutes: int | None = None
    date_changes: tuple[str, ...] = ()
    time_changes: tuple[str, ...] = ()


def read_moment(text: str, order: str) -> Moment:
    """Read one trimmed text in ASCII digits.

    Raises:
        Unreadable: there is no such date or time, or more than one.
    """
    if _epoch.fullmatch(text):
        raise Unreadable("epoch_not_allowed")
    if (found := _serial.fullmatch(text)) and int(found[1]) in SERIALS:
        return _of_serial(int(found[1]), found[2])
    if found := _compact.fullmatch(text):
        return _of_compact(found)
    if found := _timed.fullmatch(text):
        return _of_timed(found, order)
    return Moment(read_day(text, order), date_changes=_if(not _is_iso(text), "date_rewritten"))


def read_day(text: str, order: str) -> date:
    """Read a date without a time.

    Raises:
        Unreadable: as above.
    """
    if found := _year_first.fullmatch(text):
        return _day(found[1], int(found[3]), found[4])
    if found := _year_last.fullmatch(text):
        return _of_year_last(int(found[1]), int(found[3]), found[4], order)
    if _short_year.fullmatch(text):
        raise Unreadable("year_has_two_digits")
    for shape, (year, month, day) in ((_day_month, (3, 2, 1)), (_month_day, (3, 1, 2)), (_year_month, (1, 2, 3))):
        if (found := shape.fullmatch(text)) and found[month].lower() in MONTH_NUMBERS:
            return _day(found[year], MONTH_NUMBERS[found[month].lower()], found[day])
    raise Unreadable("not_a_date")


def _of_year_last(first: int, second: int, year: str, order: str) -> date:
    """d/m/y or m/d/y. Under `iso` the order is unknown, so a date is read only if one order makes it impossible."""
    if order == "iso":
        if first <= 12 and second <= 12 and first != second:
            raise Unreadable("ambiguous")
        order = "day_first" if first > 12 else "month_first"
    return _day(year, second, str(first)) if order == "day_first" else _day(year, first, str(second))


def _day(year: str, month: int, day: str) -> date:
    if len(year) != 4:
        raise Unreadable("year_has_two_digits")
    try:
        found = date(int(year), month, int(day))
    except ValueError:
        found = None
    if found is None:
        raise Unreadable("not_a_date")
    return _in_range(found)


def _in_range(found: date) -> date:
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise Unreadable("out_of_range")
    return found


def _of_serial(days: int, fraction: str | None) -> Moment:
    """A spreadsheet's day number; its fraction is the time, to the second."""
    part = float(f"0.{fraction}") if fraction else 0.0
    seconds = round(part * 86_400)
    day = _serial_epoch + timedelta(days=days + seconds // 86_400)
    return Moment(day, seconds % 86_400 if seconds else None, None, ("spreadsheet_serial",))


def _of_compact(found: re.Match[str]) -> Moment:
    day = _day(found[1], int(found[2]), found[3])
    if found[4] is None:
        return Moment(day, date_changes=("date_rewritten",))
    seconds = _seconds(int(found[4]), int(found[5]), int(found[6] or 0))
    fraction = _if("." in found[0] or "," in found[0], "fraction_dropped")
    return Moment(day, seconds, _offset(found[7]), ("date_rewritten",), ("time_rewritten", *fraction))


def _of_timed(found: re.Match[str], order: str) -> Moment:
    day = read_day(found["date"].rstrip(" ,"), order)
    hour = _hour(int(found["hour"]), found["half"])
    seconds = _seconds(hour, int(found["minute"]), int((found["second"] or ":0")[1:]))
    fraction = found["fraction"] or ""
    if fraction and not found["second"]:
        raise Unreadable("not_a_time")
    zone = found["zone"] or ""
    plain = found[0].startswith(f"{found['date']}T{found['hour']:>02}:{found['minute']}{found['second']}{fraction}")
    plain &= found[0].endswith(f"{found['minute']}{found['second']}{fraction}{zone}")
    plain &= not zone or (len(zone) == 6 and zone != "-00:00")
    return Moment(
        day,
        seconds,
        _offset(zone),
        _if(not _is_iso(found["date"]), "date_rewritten"),
        _if(not plain, "time_rewritten") + _if(bool(fraction), "fraction_dropped"),
    )


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise Unreadable("not_a_time")
    return hour % 12 + (12 if half[0] in "pP" else 0)


def _seconds(hour: int, minute: int, second: int) -> int:
    if hour > 23 or minute > 59 or second > 59:
        raise Unreadable("not_a_time")
    return hour * 3600 + minute * 60 + second


def _offset(zone: str | None) -> int | None:
    """Minutes ahead of UTC; None without a zone."""
    if not zone:
        return None
    if zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    if int(digits[2:]) > 59 or minutes > LONGEST_OFFSET_MINUTES:
        raise Unreadable("not_a_time")
    return -minutes if zone[0] == "-" else minutes


def _is_iso(text: str) -> bool:
    return len(text) == 10 and text[4] == text[7] == "-"


def _if(happened: bool, kind: str) -> tuple[str, ...]:
    return (kind,) if happened else ()
