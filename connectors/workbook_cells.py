"""Cells of a workbook as text: numbers with the digits that Excel keeps and the zeros it shows, dates as ISO."""

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

Place = tuple[int, int]  # row from 1, column from 0
DAY_MS = 86_400_000
LAST_DAY = 2_958_465  # 9999-12-31
DAYS_TO_1904 = 1462
KEPT_DIGITS = 15
# Built in (ECMA-376, 18.8.30); 27 to 36 and 50 to 58 are dates in East Asian editions.
DATES, TIMES, BOTH, ELAPSED = {14, 15, 16, 17, *range(27, 37), *range(50, 59)}, {18, 19, 20, 21, 45, 47}, {22}, {46}
SHOWN_ONLY = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


@dataclass(frozen=True, slots=True)
class Format:
    """How a number is shown: with at least so many digits, or as a moment."""

    digits: int = 0
    has_date: bool = False
    has_time: bool = False
    elapsed: bool = False


GENERAL = Format()


def format_of_code(number: int, code: str | None) -> Format:
    """The format of a built-in number, or of a code that a workbook brings along."""
    if code is None:
        return Format(0, number in DATES | BOTH, number in TIMES | BOTH, number in ELAPSED)
    shown = SHOWN_ONLY.sub("", code).split(";")[0].lower()
    if re.fullmatch("0{2,}", shown):
        # A literal beside the digits ("+91"0000) is not a part of the number.
        return Format(digits=len(shown) if shown == code.split(";")[0] else 0)
    if re.search(r"\[[hms]+\]", shown):
        return Format(elapsed=True)
    if shown == "general":
        return GENERAL
    has_time = bool(re.search("[hs]", shown))
    return Format(0, bool(re.search("[yd]", shown)) or ("m" in shown and not has_time), has_time)


@dataclass(slots=True)
class Odd:
    """Cells of a kind that has to be told: how many there are, and the first one."""

    count: int = 0
    first: Place = (0, 0)

    def add(self, cell: Place) -> None:
        self.first = self.first if self.count else cell
        self.count += 1


@dataclass(slots=True)
class Cells:
    """Makes text of cells; what is odd about them adds up."""

    strings: list[str]
    formats: list[Format]
    from_1904: bool
    errors: Odd = field(default_factory=Odd)
    rounded: Odd = field(default_factory=Odd)
    uncalculated: Odd = field(default_factory=Odd)

    def text(self, cell: Place, kind: str, style: str, raw: str, *, formula: bool) -> str | None:
        """The value of a cell; None is an empty one.

        Raises:
            ValueError, IndexError: a value that Excel writes nowhere.
        """
        if kind == "s":
            return self.strings[int(raw)] or None if raw else None
        if kind in ("str", "inlineStr"):
            return unescaped(raw) or None
        if formula and not raw:
            self.uncalculated.add(cell)
        if not raw:
            return None
        if kind in ("", "n"):
            return self._number(cell, raw, self.formats[int(style)] if style else GENERAL)
        if kind == "e":
            self.errors.add(cell)
        return ("true" if int(raw) else "false") if kind == "b" else raw

    def _number(self, cell: Place, raw: str, shown: Format) -> str:
        if shown is GENERAL and len(raw) <= KEPT_DIGITS and raw.isascii() and raw.isdigit():
            return raw
        number = float(raw)
        if shown.has_date or shown.has_time or shown.elapsed:
            return moment_text(number, shown, from_1904=self.from_1904) or number_text(number)
        if abs(number) >= 10**KEPT_DIGITS:
            self.rounded.add(cell)
        text = number_text(number)
        return text.zfill(shown.digits) if text.isdigit() else text


def number_text(number: float) -> str:
    """The 15 digits that Excel keeps: a sum of 0.1 and 0.2 is 0.3 there, too.

    Raises:
        ValueError: no number that a cell can hold.
    """
    text = f"{number:.{KEPT_DIGITS}g}"
    if "e" in text:
        text = format(Decimal(text), "f")
    elif text in ("nan", "inf", "-inf"):
        raise ValueError("not a number")
    return "0" if text == "-0" else text


def moment_text(serial: float, shown: Format, *, from_1904: bool) -> str | None:
    """Days since the workbook's beginning of time, as a date, a time or both; None where Excel shows none.

    In the system of 1900 day 0 is the January 0, and day 60 a February 29 that never was: Excel shows both.
    """
    ms = round(serial * DAY_MS)
    if not 0 <= ms < (LAST_DAY + 1 - (DAYS_TO_1904 if from_1904 else 0)) * DAY_MS:
        return None
    day, ms = divmod(ms, DAY_MS)
    if shown.elapsed:
        return _time_text(day * DAY_MS + ms)
    if shown.has_time and not shown.has_date and day == 0:
        return _time_text(ms)
    date_text = _date_text(day, from_1904=from_1904)
    return f"{date_text}T{_time_text(ms)}" if ms or shown.has_time else date_text


def _date_text(day: int, *, from_1904: bool) -> str:
    if from_1904:
        return (date(1904, 1, 1) + timedelta(day)).isoformat()
    if day in (0, 60):
        return "1900-01-00" if day == 0 else "1900-02-29"
    return (date(1899, 12, 31 if day < 60 else 30) + timedelta(day)).isoformat()


def _time_text(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{ms:03}" if ms else text


def unescaped(text: str) -> str:
    """Characters that XML cannot hold are written as `_x000D_`."""
    if "_x" not in text:
        return text
    plain = ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
