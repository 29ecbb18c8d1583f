"""Cleaning one raw text column into what the API accepts: one kernel per kind of value, and value tables."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from schemas.values import Cleaned, Kind, Locale
from transforms.blanks import absent, says_nothing
from transforms.characters import tidy
from transforms.dates import clean_dates
from transforms.emails import clean_emails
from transforms.kernels import Column, Verdict, finish, flags_of, tally, wrong
from transforms.mobiles import clean_mobiles
from transforms.moments import clean_moments
from transforms.names import clean_names
from transforms.numbers import clean_decimals, clean_integers
from transforms.texts import clean_texts
from transforms.words import clean_flags, clean_genders

Other = Literal["keep", "drop", "reject"]

KERNELS: Mapping[Kind, Callable[[pa.Array, Locale], Cleaned]] = {
    Kind.TEXT: lambda raw, _: clean_texts(raw),
    Kind.NAME: lambda raw, _: clean_names(raw),
    Kind.MOBILE: lambda raw, locale: clean_mobiles(raw, locale.country),
    Kind.EMAIL: lambda raw, _: clean_emails(raw),
    Kind.DATE: lambda raw, locale: clean_dates(raw, locale.dates),
    Kind.DATETIME: lambda raw, locale: clean_moments(raw, locale.dates, locale.timezone),
    Kind.INTEGER: lambda raw, locale: clean_integers(raw, locale.country),
    Kind.DECIMAL: lambda raw, locale: clean_decimals(raw, locale.country),
    Kind.BOOLEAN: lambda raw, _: clean_flags(raw),
    Kind.GENDER: lambda raw, _: clean_genders(raw),
}
# Integers are int64 and booleans bool; all else is canonical text.
TYPES: Mapping[Kind, pa.DataType] = {Kind.INTEGER: pa.int64(), Kind.BOOLEAN: pa.bool_()}


def clean(raw: pa.Array, kind: Kind, locale: Locale) -> Cleaned:
    """Clean one column; every row is a value, absent, or has a problem, and stays in its place."""
    if not len(raw):
        return Cleaned(pa.nulls(0, TYPES.get(kind, pa.string())), pa.nulls(0, pa.string()))
    cleaned = KERNELS[kind](raw.cast(pa.string()), locale)
    assert len(cleaned.values) == len(cleaned.problems) == len(raw)
    return cleaned


def translate(raw: pa.Array, table: Mapping[str, str], other: Other) -> Cleaned:
    """Replace values by a job's table: trimmed, matched exactly, then in any case.

    A blank that the table does not name stays absent, whatever `other` says. Keys that differ in case only
    and mean different things match exactly or not at all.
    """
    text = raw.cast(pa.string())
    judge = partial(_translated, table=table, folded=_without_case(table), other=other)
    if "" not in table:
        return Column(text).judge_all(pa.string(), judge)
    return finish(pc.fill_null(text, ""), pa.nulls(len(raw), pa.string()), flags_of(raw.is_valid()), judge, tally())


def _translated(raw: str, table: Mapping[str, str], folded: Mapping[str, str], other: Other) -> Verdict:
    text, changes = tidy(raw)
    value = table.get(raw, table.get(text, folded.get(text.casefold())))
    if value is not None:
        return Verdict(value, changes=() if value == raw else ("value_translated",))
    if says_nothing(text):
        return absent(text, raw)
    if other == "reject":
        return wrong("not_in_values")
    return Verdict(text, changes=changes) if other == "keep" else Verdict(changes=("value_dropped",))


def _without_case(table: Mapping[str, str]) -> Mapping[str, str]:
    values: dict[str, set[str]] = {}
    for key, value in table.items():
        values.setdefault(key.strip().casefold(), set()).add(value)
    return {key: found.pop() for key, found in values.items() if len(found) == 1}
