"""Cells of a workbook, as openpyxl gives them, as text: numbers with the zeros that Excel shows, moments as ISO."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any

KEPT_DIGITS = 15
TOLD = 3
NO_MOMENT = "#VALUE!"  # what openpyxl makes of a date after the year 9999
LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')

Moment = date | time | timedelta  # a datetime is a date, too


@dataclass(frozen=True, slots=True)
class Format:
    """How a number is shown: with at least so many digits, or as a moment."""

    digits: int
    has_date: bool
    has_time: bool


@lru_cache(1024)
def format_of(code: str) -> Format:
    """What of a format's code matters here; a literal beside the digits ("+91"0000) is not a part of the number."""
    shown = LITERAL.sub("", code).partition(";")[0].lower()
    padded = re.fullmatch("0{2,}", shown) and shown == code.partition(";")[0]
    has_time = bool(re.search("[hs]", shown))
    has_date = bool(re.search("[yd]", shown)) or ("m" in shown and not has_time)
    return Format(len(shown) if padded else 0, has_date, has_time)


@dataclass(slots=True)
class Odd:
    """Cells of a kind that has to be told: how many there are, and the first ones."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, row: int, column: int) -> None:
        self.count += 1
        if self.count <= TOLD:
            letters = importlib.import_module("openpyxl.utils").get_column_letter(column)
            self.first.append(f"{letters}{row}")

    def __str__(self) -> str:
        listed = ", ".join(self.first)
        if self.count == 1:
            return f"cell {listed} holds"
        return f"{self.count:,} cells ({listed}{', …' if self.count > TOLD else ''}) hold"


@dataclass(slots=True)
class Cells:
    """Makes text of cells; what is odd about them adds up. `day_0` is where the workbook's time begins."""

    day_0: datetime
    errors: Odd = field(default_factory=Odd)
    rounded: Odd = field(default_factory=Odd)
    uncalculated: Odd = field(default_factory=Odd)

    def compare(self, cell: Any, formula: Any) -> None:
        """The same cell with its value and with its formula; one that was calculated to nothing has a type."""
        if formula.data_type == "f" and cell.value is None and cell.data_type == "n":
            self.uncalculated.add(cell.row, cell.column)

    def notes(self) -> Iterator[str]:
        """Sentences, without their full stop, of what was odd."""
        if self.errors.count:
            yield f"{self.errors} an error such as #N/A or #REF!, which is read as that word"
        if self.rounded.count:
            yield (
                f"{self.rounded} a number beyond 15 digits, all that Excel keeps: its last digits are lost; "
                "have such numbers sent as text"
            )

    def text(self, cell: Any) -> str | None:
        """The value of a cell; None is an empty one.

        Raises:
            ValueError: a number that Excel writes nowhere.
        """
        value = cell.value
        if isinstance(value, str):
            if cell.data_type == "e":
                self.errors.add(cell.row, cell.column)
            # XML holds no carriage return; Excel writes it like this, and openpyxl leaves it.
            return value.replace("_x000D_", "\r") or None
        if value is None or isinstance(value, bool):
            return None if value is None else str(value).lower()
        if isinstance(value, int | float):
            if abs(value) >= 10**KEPT_DIGITS:
                self.rounded.add(cell.row, cell.column)
            text = number_text(value)
            return text.zfill(format_of(cell.number_format).digits) if text.isdigit() else text
        return self._moment(cell, value)

    def _moment(self, cell: Any, value: Moment) -> str:
        """Excel shows no moment before its time begins; the day before its first one is the January 0 there."""
        negative = isinstance(value, timedelta) and value < timedelta()
        if negative or (isinstance(value, datetime) and value < self.day_0):
            self.errors.add(cell.row, cell.column)
            return NO_MOMENT
        first_day = "1904-01-01" if self.day_0.year == 1904 else "1900-01-00"
        return moment_text(value, format_of(cell.number_format), first_day)


def number_text(number: float) -> str:
    """The digits that Excel keeps, without an exponent.

    Raises:
        ValueError: no number that a cell can hold.
    """
    if not isfinite(number):
        raise ValueError("not a number")
    # Excel keeps and shows 15 digits: 0.1 + 0.2 is 0.3 there. What is longer is whole, and told.
    text = repr(number).removesuffix(".0") if abs(number) >= 10**KEPT_DIGITS else format(number, f".{KEPT_DIGITS}g")
    if "e" in text:
        text = format(Decimal(text), "f")
    return "0" if text == "-0" else text


def moment_text(value: Moment, shown: Format, first_day: str) -> str:
    """A date, a time, both, or hours that may be more than a day's.

    openpyxl takes a number below 1 for a time, whatever its format says: it may be on the `first_day`.
    """
    if isinstance(value, timedelta):
        seconds, rest = divmod(value, timedelta(seconds=1))
        return _clock_text(seconds, rest.microseconds)
    if not isinstance(value, datetime | time):
        return value.isoformat()
    day = value.date().isoformat() if isinstance(value, datetime) else first_day if shown.has_date else ""
    clock = _clock_text(value.hour * 3600 + value.minute * 60 + value.second, value.microsecond)
    if not day:
        return clock
    return f"{day}T{clock}" if shown.has_time or clock != "00:00:00" else day


def _clock_text(seconds: int, microseconds: int) -> str:
    """openpyxl rounds to milliseconds, but for the last microsecond of moments written as ISO."""
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{round(microseconds / 1000):03}" if microseconds else text
