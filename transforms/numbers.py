"""Whole and decimal numbers, exactly: no value passes through a float.

A dot is always the decimal point, as machines write it, so a clean number is clean again; "1.200" is 1.2 and no
integer. A comma groups where its groups are well formed ("1,200", "1,00,000") and is a decimal comma where they
are not ("12,50"). "1,200" from a country of decimal commas has both readings and is refused. "1.200,50" and
"1,200.50" have one reading each, in every country, and are taken.
"""

import re
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.values import Cleaned
from transforms.blanks import absent, says_no_value
from transforms.characters import tidy_ascii
from transforms.kernels import DIGITS, Bytes, Column, Mask, Verdict, flags_of, kept, words, wrong

INT64 = range(-(2**63), 2**63)
MAX_DIGITS = 38  # what an Arrow, Spark or warehouse decimal holds
SAFE_DIGITS = 18  # any number of so many digits fits into 64 bits

# Countries that write one and a half as 1,5 (Unicode CLDR, decimal separator of the main language).
COMMA_COUNTRIES = words(
    "AD AL AO AR AT BA BE BG BO BR BY CL CO CR CY CZ DE DK EC EE ES FI FR GE GR HR HU ID IS IT KZ LT LU LV MA MC MD ME"
    " MK MZ NL NO PL PT PY RO RS RU SE SI SK TN TR UA UY UZ VE VN"
)
_signs = "$€£¥₹₨₩₫₱฿₺₽₴₪₦₡₲₵₸₼₾৳﷼¢"
_codes = "AED AUD BHD BRL CAD CHF CNY DKK EUR GBP HKD IDR INR JPY KRW KWD LKR MXN MYR NOK NPR NZD OMR PHP PKR"
_codes += " PLN QAR RM RMB RP RS SAR SEK SGD THB TRY TWD USD VND ZAR"
_currency = rf"(?:[{_signs}]|(?:{'|'.join(_codes.split())})\b\.?)"
_before = re.compile(rf"([-+(]*)\s*{_currency}\s*", re.IGNORECASE)
_after = re.compile(rf"\s*\b{_currency}\s*([-)]*)$|\s*[{_signs}]\s*([-)]*)$", re.IGNORECASE)

_plain = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_comma_groups = re.compile(
    r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?|[1-9][0-9]?(?:,[0-9]{2})*,[0-9]{3}(?:\.[0-9]*)?"
)
_dot_groups = re.compile(r"[1-9][0-9]{0,2}(?:(?:\.[0-9]{3}){2,}|(?:\.[0-9]{3})+,[0-9]+)")
_space_groups = re.compile(r"[1-9][0-9]{0,2}(?:[ '’][0-9]{3})+(?:[.,][0-9]*)?")
_comma_point = re.compile(r"[0-9]*,[0-9]+")
_one_group = re.compile(r"[1-9][0-9]{0,2}([.,])[0-9]{3}")
_scientific = re.compile(r"([0-9]+)(?:[.,]([0-9]*))?[eE]([+-]?)([0-9]{1,3})")


class Part(NamedTuple):
    """A number's unsigned text in plain digits and one dot, and the kinds of change that took."""

    text: str
    changes: tuple[str, ...] = ()


def clean_integers(raw: pa.Array, country: str | None) -> Cleaned:
    """64-bit integers; a fraction other than zeros is `not_whole`, never rounded."""
    column = Column(raw)
    text, grouped = _ungrouped(column, country)
    pointed, view = _ends_in_point_zero(Bytes(text)), Bytes(text)
    if pointed.any():
        negative_zero = (view.at(0) == ord("-")) & (view.at(1) == ord("0"))
        text = pc.if_else(pa.array(pointed & ~negative_zero), pc.utf8_slice_codeunits(text, 0, -2), text)
        view = Bytes(text)
    settled = _plain_whole(view)
    judge = partial(judge_integer, country=country)
    return column.settle(
        kept(text, settled).cast(pa.int64()),
        settled,
        judge,
        grouping_removed=settled & grouped,
        decimal_point_removed=settled & pointed,
    )


def clean_decimals(raw: pa.Array, country: str | None) -> Cleaned:
    """Plain decimal text with the digits as given: 1.50 stays 1.50."""
    column = Column(raw)
    text, grouped = _ungrouped(column, country)
    view = Bytes(text)
    settled = _plain_whole(view) | _plain_fraction(view)
    judge = partial(judge_decimal, country=country)
    return column.settle(kept(text, settled), settled, judge, grouping_removed=settled & grouped)


def judge_integer(raw: str, country: str | None) -> Verdict:
    """One integer."""
    decimal = judge_decimal(raw, country)
    if decimal.value is None:
        return decimal
    whole, _, fraction = decimal.value.partition(".")
    if fraction.strip("0"):
        return wrong("not_whole")
    if int(whole) not in INT64:
        return wrong("out_of_range")
    value = int(whole)
    changes = decimal.changes + (("decimal_point_removed",) if fraction else ())
    return Verdict(value, changes=changes + (("sign_rewritten",) if whole == "-0" else ()))


def judge_decimal(raw: str, country: str | None) -> Verdict:
    """One decimal."""
    text, changes = tidy_ascii(raw)
    if says_no_value(text):
        return absent(text, raw)
    bare, money = _without_currency(text)
    unsigned, negative, signed = _without_sign(bare)
    if _two_readings(unsigned, money, country):
        return wrong("ambiguous")
    part = _scientific_part(unsigned) or _part(unsigned)
    if isinstance(part, str):
        return wrong(part)
    canonical = _canonical(part.text)
    if sum(character.isdigit() for character in canonical) > MAX_DIGITS:
        return wrong("out_of_range")
    zeros = ("zeros_rewritten",) if canonical != part.text else ()
    is_zero = not canonical.strip("0.")
    sign = ("sign_rewritten",) if signed or (negative and is_zero) else ()
    told = tuple(dict.fromkeys(changes + money + sign + part.changes + zeros))
    return Verdict(("-" if negative and not is_zero else "") + canonical, changes=told)


def _ends_in_point_zero(view: Bytes) -> Mask:
    """Rows like "1200.0": integers that went through a float."""
    found: Mask = (view.at(-1) == ord("0")) & (view.at(-2) == ord(".")) & (view.lengths > 2)
    return found


def _ungrouped(column: Column, country: str | None) -> tuple[pa.Array, Mask]:
    """Without the commas of well formed groups, and which rows had them; not where a comma may be decimal."""
    if (country or "").upper() in COMMA_COUNTRIES or not column.view.count(",").any():
        return column.text, np.zeros(len(column.text), dtype=bool)
    grouped = pc.match_substring_regex(column.text, f"^-?(?:{_comma_groups.pattern})$")
    return pc.if_else(grouped, pc.replace_substring(column.text, ",", ""), column.text), flags_of(grouped)


def _plain_whole(view: Bytes) -> Mask:
    """Rows of digits with at most a minus before them, canonical already and sure to fit."""
    negative = view.at(0) == ord("-")
    digits = view.count(DIGITS)
    lead = np.where(negative, view.at(1), view.at(0))
    fine: Mask = (digits + negative == view.lengths) & (digits > 0) & (digits <= SAFE_DIGITS)
    fine &= (lead != ord("0")) | ((digits == 1) & ~negative)
    return fine


def _plain_fraction(view: Bytes) -> Mask:
    """Rows like "-12.50", canonical already; what begins with a zero is left to the judge unless it is "0."."""
    negative = view.at(0) == ord("-")
    lead = np.where(negative, view.at(1), view.at(0))
    after = np.where(negative, view.at(2), view.at(1))
    dots = view.count(".")
    if not dots.any():
        return np.zeros(len(dots), dtype=bool)
    digits = view.count(DIGITS)
    fine: Mask = (dots == 1) & (digits + negative + 1 == view.lengths) & (digits <= SAFE_DIGITS)
    fine &= (view.at(-1) != ord(".")) & (lead != ord("."))
    fine &= (lead != ord("0")) | ((after == ord(".")) & ~negative)
    return fine


def _without_currency(text: str) -> tuple[str, tuple[str, ...]]:
    bare = _before.sub(r"\1", text, count=1) if _before.match(text) else text
    bare = _after.sub(lambda found: found[1] or found[2] or "", bare, count=1)
    return bare.strip(), ("currency_removed",) if bare != text else ()


def _without_sign(text: str) -> tuple[str, bool, bool]:
    """The number, whether it is negative, and whether its sign was spelled otherwise than by a leading minus."""
    if text.startswith("(") and text.endswith(")"):
        return text[1:-1].strip(), True, True
    if text.startswith("-"):
        unsigned = text[1:].lstrip()
        return unsigned, True, len(unsigned) + 1 != len(text)
    if text.startswith("+"):
        return text[1:].lstrip(), False, True
    if text.endswith("-"):
        return text[:-1].rstrip(), True, True
    return text, False, False


def _two_readings(text: str, money: tuple[str, ...], country: str | None) -> bool:
    """A thousand or one and a bit, where commas are decimal. "1.200" is a machine's 1.2, "€1.200" a person's 1200."""
    group = _one_group.fullmatch(text)
    if group is None or (country or "").upper() not in COMMA_COUNTRIES:
        return False
    return group[1] == "," or bool(money)


def _part(text: str) -> Part | str:
    """The plain form, or the problem."""
    if _plain.fullmatch(text):
        return Part(text)
    if _comma_groups.fullmatch(text):
        return Part(text.replace(",", ""), ("grouping_removed",))
    if _dot_groups.fullmatch(text):
        comma = ("decimal_comma",) if "," in text else ()
        return Part(text.replace(".", "").replace(",", "."), ("grouping_removed", *comma))
    if _space_groups.fullmatch(text):
        comma = ("decimal_comma",) if "," in text else ()
        return Part(re.sub("[ '’]", "", text).replace(",", "."), ("grouping_removed", *comma))
    if _comma_point.fullmatch(text):
        return Part(text.replace(",", "."), ("decimal_comma",))
    return "not_a_number"


def _scientific_part(text: str) -> Part | str | None:
    """Written out. A spreadsheet's 9.19845E+11 (a plus, two digits) has lost digits; Java's 1.5E7 has not."""
    found = _scientific.fullmatch(text)
    if not found:
        return None
    whole, fraction, sign, power = found[1], found[2] or "", found[3], int(found[4])
    if sign == "+" and len(found[4]) > 1 and len(fraction) < power:
        return "damaged_by_spreadsheet"
    if power > MAX_DIGITS:
        return "out_of_range"
    digits = whole + fraction
    point = len(whole) + (-power if sign == "-" else power)
    padded = "0" * max(0, 1 - point) + digits + "0" * max(0, point - len(digits))
    point = max(point, 1)
    rest = padded[point:]
    return Part(padded[:point] + ("." + rest if rest else ""), ("scientific_expanded",))


def _canonical(plain: str) -> str:
    """No needless leading zeros, one digit at least before the point, none missing after it."""
    whole, _, fraction = plain.partition(".")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
