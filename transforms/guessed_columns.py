"""One column of text: what its values could be, as shares of those that are told."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from schemas.guessed_names import TARGETS, Test
from schemas.guessing import Guess
from schemas.values import Kind, Locale
from transforms.guessed_locale import like_dates
from transforms.guessed_names import named
from transforms.shares import percent, share
from transforms.texts import clean_texts
from transforms.values import clean

MOST = 0.99  # a guess is never certain
# What a name weighs where no value contradicts it.
BY_NAME = 0.4
# What values say by themselves, of a column whose name says nothing.
UNNAMED: Mapping[Test, tuple[str, float]] = {
    "email": ("identifiers.email", 0.85),
    "mobile": ("identifiers.mobile", 0.6),
    "gender": ("extendedFields.gender", 0.6),
    "unique": ("identifiers.externalId", 0.5),
}
LIKE_FROM = 0.8  # share of its values from which a column without a telling name is like something
FEW_WORDS = 8

_KINDS: Mapping[Test, Kind] = {
    "mobile": Kind.MOBILE, "email": Kind.EMAIL, "date": Kind.DATE, "integer": Kind.INTEGER, "boolean": Kind.BOOLEAN,
    "gender": Kind.GENDER,
}  # fmt: skip
_SHAPES: Mapping[Test, str] = {
    "name": r"^[^@\p{Nd}]*\p{L}[^@\p{Nd}]*$",
    "place": r"^[^@\p{Nd}]*\p{L}[^@\p{Nd}]*$",
    "code": r"^[^\s@]{1,150}( [^\s@]{1,20}){0,2}$",
    "word": r"^[^@\r\n]{1,60}$",
}


@dataclass(frozen=True)
class Told:
    """A column's values, those that say nothing left out."""

    name: str
    rows: int
    values: pa.Array

    def fits(self, test: Test, locale: Locale) -> tuple[float, int]:
        """Share of the values that would load as what is tested, and of how many."""
        count = len(self.values)
        if test == "unique":
            return (self.different * count / self.rows if self._is_code else 0.0), count
        if test in _SHAPES:
            return share(pc.match_substring_regex(self.values, _SHAPES[test])), count
        # Which order a date has is another question: a column is dates if one order makes it so.
        orders = ("day_first", "month_first") if test == "date" and locale.dates == "iso" else (locale.dates,)
        return max(self._loads(_KINDS[test], replace(locale, dates=order)) for order in orders)

    def _loads(self, kind: Kind, locale: Locale) -> tuple[float, int]:
        cleaned = clean(self.values, kind, locale)
        found, wrong = len(self.values) - cleaned.values.null_count, len(self.values) - cleaned.problems.null_count
        return (found / (found + wrong) if found else 0.0), found + wrong

    @cached_property
    def different(self) -> float:
        """Share of different values."""
        return len(pc.unique(self.values)) / len(self.values) if len(self.values) else 0.0

    @property
    def _is_code(self) -> bool:
        return share(pc.match_substring_regex(self.values, _SHAPES["code"])) >= LIKE_FROM


def told_by(name: str, raw: pa.Array) -> Told:
    """The values of a raw column, trimmed; what stands for no value is none."""
    return Told(name, len(raw), clean_texts(raw).values.drop_null())


def guesses_of(column: Told, locale: Locale) -> list[Guess]:
    """What a column may be, by its name, or if that says nothing by its values."""
    found = [_by_name(column, target, strength, locale) for target, strength in named(column.name).items()]
    if found or not len(column.values):
        return found
    return [guess for test in UNNAMED if (guess := _by_values(column, test, locale))]


def _by_name(column: Told, target: str, strength: float, locale: Locale) -> Guess:
    test = TARGETS[target][0]
    fits, count = column.fits(test, locale)
    if not count:
        return Guess(target, column.name, BY_NAME * strength, "by its name; it has no values")
    confidence = strength * (BY_NAME + (1 - BY_NAME) * fits) * min(1.0, 2 * fits)
    return Guess(target, column.name, min(confidence, MOST), f"by its name; {_counted(column, target, locale)}")


def _by_values(column: Told, test: Test, locale: Locale) -> Guess | None:
    target, weight = UNNAMED[test]
    fits, _ = column.fits(test, locale)
    too_many_words = test == "gender" and len(pc.unique(column.values)) > FEW_WORDS
    of_no_country = test == "mobile" and locale.country is None
    only_days = test == "unique" and like_dates(column.values) >= LIKE_FROM
    if fits < LIKE_FROM or too_many_words or of_no_country or only_days:
        return None
    return Guess(target, column.name, fits * weight, f"only by its values: {_counted(column, target, locale)}")


def _counted(column: Told, target: str, locale: Locale) -> str:
    test, what, _ = TARGETS[target]
    fits, count = column.fits(test, locale)
    if test == "unique":
        return f"{percent(column.different)} of {count:,} values are different"
    of = f" of {locale.country}" if test == "mobile" and locale.country else ""
    return f"{percent(fits)} of {count:,} values are {what}{of}"
