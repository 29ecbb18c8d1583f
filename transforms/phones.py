"""One mobile at a time through `phonenumbers`: the definition of a right one, and every unusual spelling."""

import re

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType, ValidationResult

from transforms.blanks import absent, says_no_value
from transforms.characters import tidy_ascii
from transforms.kernels import Verdict, wrong

MOBILE_TYPES = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)  # the US cannot tell one from the other
LONGEST_E164 = 15
SHORTEST_ALONE = 7  # digits; with this many on both sides of a separator there are two numbers

_scientific = re.compile(r"[+]?([0-9])[.,]?([0-9]*)[eE][+]?([0-9]{1,2})")
_decimal = re.compile(r"([^.]*)\.0{1,2}")
_written = re.compile(r"[(\s]*\+?[0-9 ()./\-]*")
_between = re.compile(r"[/,;|&\n]| or ", re.IGNORECASE)
_not_digit = re.compile(r"[^0-9]")

_PROBLEMS = {
    ValidationResult.TOO_SHORT: "too_short",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "too_short",
    ValidationResult.TOO_LONG: "too_long",
    ValidationResult.INVALID_COUNTRY_CODE: "country_unknown",
}
_ERRORS = {
    phonenumbers.NumberParseException.INVALID_COUNTRY_CODE: "country_unknown",
    phonenumbers.NumberParseException.TOO_SHORT_AFTER_IDD: "too_short",
    phonenumbers.NumberParseException.TOO_SHORT_NSN: "too_short",
    phonenumbers.NumberParseException.TOO_LONG: "too_long",
}


def judge_mobile(raw: str, country: str | None) -> Verdict:
    """One mobile. `country` is one that `phonenumbers` knows, or None."""
    text, changes = tidy_ascii(raw)
    if says_no_value(text):
        return absent(text, raw)
    if text[:4].lower() == "tel:":
        text = text[4:]
        changes += ("punctuation_removed",)
    plain, step = _without_spreadsheet(text)
    if plain is None:
        return wrong("damaged_by_spreadsheet")
    parts = [_not_digit.sub("", part) for part in _between.split(plain)]
    if _several(plain, parts):
        return wrong("several_numbers")
    digits = "".join(parts)
    if not digits or not _written.fullmatch(plain):
        several = len(parts[0]) >= SHORTEST_ALONE and any(parts[1:]) and not re.search("[^\\W\\d_]", plain)
        return wrong("several_numbers" if several else "not_a_number")
    read = _read(digits, "+" in plain, country)
    if read.problem:
        return wrong("several_numbers") if len(parts[0]) >= SHORTEST_ALONE and any(parts[1:]) else read
    changes += step + (("punctuation_removed",) if digits != plain else ()) + read.changes
    return Verdict(read.value, changes=tuple(dict.fromkeys(changes)))


def _without_spreadsheet(text: str) -> tuple[str | None, tuple[str, ...]]:
    """The number before a spreadsheet made it 9845012345.0 or 9.845012345E9; None where digits are lost."""
    if found := _scientific.fullmatch(text):
        mantissa, exponent = found[2], int(found[3])
        whole, rest = mantissa[:exponent], mantissa[exponent:]
        if len(whole) < exponent or rest.strip("0"):
            return None, ()
        return found[1] + whole, ("scientific_expanded",)
    if found := _decimal.fullmatch(text):
        return found[1], ("decimal_point_removed",)
    return text, ()


def _several(text: str, parts: list[str]) -> bool:
    """Two numbers, by a separator between them or because together they are longer than any number."""
    if sum(len(part) >= SHORTEST_ALONE for part in parts) > 1 or text.count("+") > 1:
        return True
    words = [_not_digit.sub("", word) for word in text.split()]
    return sum(map(len, words)) > LONGEST_E164 and sum(len(word) >= SHORTEST_ALONE for word in words) > 1


def _read(digits: str, plus: bool, country: str | None) -> Verdict:
    """Digits as a mobile, in the only reading that makes one.

    "00" is an international prefix everywhere, though some countries dial another: where both readings give
    a mobile and not the same, neither is taken.
    """
    significant = digits.lstrip("0")
    if plus:
        return _verdict("+" + significant, None, digits)
    if digits.startswith("00"):
        abroad = _verdict("+" + significant, None, digits)
        dialled = _verdict(digits, country, digits) if country else abroad
        if abroad.value and dialled.value and abroad.value != dialled.value:
            return wrong("country_unknown")
        return dialled if dialled.value and not abroad.value else abroad
    if country is None:
        return wrong("country_unknown")
    home = _verdict(digits, country, digits)
    code = str(phonenumbers.country_code_for_region(country))
    if home.problem and digits.startswith("0" + code):  # 091 98450 12345: no trunk prefix stands before a code
        coded = _verdict("+" + significant, None, digits)
        return home if coded.problem else coded
    return home


def _verdict(written: str, country: str | None, digits: str) -> Verdict:
    try:
        number = phonenumbers.parse(written, country)
    except phonenumbers.NumberParseException as refusal:
        return wrong(_ERRORS.get(refusal.error_type, "not_a_number"))
    if not phonenumbers.is_valid_number(number):
        reason = phonenumbers.is_possible_number_for_type_with_reason(number, PhoneNumberType.MOBILE)
        return wrong(_PROBLEMS.get(reason, "wrong_for_country"))
    if phonenumbers.number_type(number) not in MOBILE_TYPES:
        return wrong("not_a_mobile")
    value = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
    return Verdict(value, changes=_steps(number, digits, value))


def _steps(number: PhoneNumber, digits: str, value: str) -> tuple[str, ...]:
    """What leads from the digits as written to the value."""
    code = str(number.country_code)
    bare = digits.lstrip("0")
    # A zero that stays is no trunk prefix: 01 23 45 67 89 in Ivory Coast.
    whole = digits == phonenumbers.national_significant_number(number)
    trunk_after_code = bare.startswith(code + "0") and not value.startswith(code + "0")
    steps = {
        "country_code_added": not bare.startswith(code) or len(bare) < len(value),
        "leading_zero_removed": not whole and (digits.startswith("0") or trunk_after_code),
    }
    told = tuple(kind for kind, happened in steps.items() if happened)
    return told or (() if digits == value else ("national_form_rewritten",))
