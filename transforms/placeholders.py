"""Placeholders: what people type where they know no mobile and no address, and many customers seem to share."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from schemas.profiles import Column
from schemas.values import Kind
from transforms.characters import folded
from transforms.identity import hashes_of

PLACEHOLDER = "placeholder"
WIDELY_SHARED = "widely_shared"
# Of a raw text that is no mobile; fewer digits say that somebody gave up, and not what they stand for.
SHORTEST = 6
# Nobody's national number is shorter than this; one number in 3,000 ends so and is looked at.
_ENDING = 5
_round = "0123456789" * 2
_runs = [_round[start : start + _ENDING] for start in range(10)]
_dull_end = f"(?:{'|'.join([digit * _ENDING for digit in _round[:10]] + _runs + [run[::-1] for run in _runs])})$"
_nobody = "na|n[.]a|none|null|no[._-]?e?mail|not[.]?available|test|dummy"
_nobodys_address = f"(?i)^(?:{_nobody})@"
_like_nobodys = rf"(?i)^\s*(?:{_nobody})@[^@]*$"
_may_be_dull = r"^[\s(+]*[\p{Nd}][\p{Nd}\s()+./-]*$"
_decimal = re.compile(r"\.0{1,2}\s*$")
_not_digit = re.compile(r"[^0-9]")


@dataclass(frozen=True, slots=True)
class WidelyShared:
    """Identifiers that more customers have than one person's could, by their keyed hashes."""

    hashes: frozenset[int] = frozenset()
    salt: bytes = b""

    def among(self, values: pa.Array, kinds: tuple[str, ...]) -> pa.Array:
        """Which of some values are one of them; `kinds` are the types of identifier that they are sent as."""
        if not self.hashes or not kinds:
            return pa.repeat(False, len(values))
        wanted = pa.array(sorted(self.hashes), pa.uint64())
        there = values.drop_null()
        found = pa.repeat(False, len(there))
        for kind in kinds:
            found = pc.or_(found, pc.is_in(pa.array(hashes_of(kind, there, self.salt)), value_set=wanted))
        return pc.replace_with_mask(pa.repeat(False, len(values)), values.is_valid(), found)


NONE_SHARED = WidelyShared()


def placeholders(raw: pa.Array, values: pa.Array, problems: pa.Array, column: Column, country: str | None) -> pa.Array:
    """Which rows of a cleaned column hold a placeholder: among its values, and among what could not be read as one."""
    found = pc.fill_null(_among_values(values, column), False)
    if problems.null_count < len(problems):
        wrong = problems.is_valid()
        found = pc.replace_with_mask(found, wrong, _among_unread(raw.filter(wrong), column, country))
    return found


def _among_values(values: pa.Array, column: Column) -> pa.Array:
    found = pa.repeat(False, len(values))
    if column.kind is Kind.MOBILE:
        found = _dull_mobiles(values)
    elif column.kind is Kind.EMAIL:
        found = pc.match_substring_regex(values, _nobodys_address)
    if column.placeholders:
        found = pc.or_kleene(found, pc.is_in(values.cast(pa.string()), value_set=pa.array(column.placeholders)))
    return found


def _dull_mobiles(values: pa.Array) -> pa.Array:
    """Mobiles whose national number is one digit over and over, or counts up or down."""
    return _judged(values, pc.fill_null(pc.match_substring_regex(values, _dull_end), False), _is_dull_mobile)


def _is_dull_mobile(mobile: str) -> bool:
    return is_dull(phonenumbers.national_significant_number(phonenumbers.parse(f"+{mobile}", None)))


def is_dull(digits: str) -> bool:
    """Whether digits are all the same, or each one more than the last, or one less; 0 comes after 9."""
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(digits)}
    return steps in ({0}, {1}, {9})


def _among_unread(raw: pa.Array, column: Column, country: str | None) -> pa.Array:
    """Raw texts that are no mobile, and no address, because they stand for one that is not known."""
    text = pc.fill_null(raw, "")
    found = pc.is_in(pc.utf8_trim_whitespace(text), value_set=pa.array(column.placeholders, pa.string()))
    if column.kind is Kind.EMAIL:
        found = pc.or_(found, pc.match_substring_regex(text, _like_nobodys))
    elif column.kind is Kind.MOBILE:
        code = str(phonenumbers.country_code_for_region(country or "") or "")
        dull = _judged(text, pc.match_substring_regex(text, _may_be_dull), lambda one: _is_dull_text(one, code))
        found = pc.or_(found, dull)
    return found


def _is_dull_text(text: str, code: str) -> bool:
    """With or without the country's code and zeros before it."""
    digits = _not_digit.sub("", folded(_decimal.sub("", text)))
    bare = digits.lstrip("0")
    national = bare[len(code) :] if code and bare.startswith(code) else bare
    return any(len(one) >= SHORTEST and is_dull(one) for one in (digits, bare, national))


def _judged(texts: pa.Array, some: pa.Array, judge: Callable[[str], bool]) -> pa.Array:
    """Some of the rows judged one by one, each distinct text once; the others are not what is sought."""
    if not pc.any(some).as_py():
        return some
    encoded = texts.filter(some).dictionary_encode()
    verdicts = pa.array([judge(one) for one in encoded.dictionary.to_pylist()], pa.bool_())
    return pc.replace_with_mask(some, some, verdicts.take(encoded.indices))
