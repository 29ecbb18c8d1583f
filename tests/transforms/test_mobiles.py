"""Mobiles: spellings on the screen, and countries held against `phonenumbers` itself."""

import random

import phonenumbers
import pyarrow as pa
import pytest
from phonenumbers import PhoneMetadata, PhoneNumberType

from transforms.mobiles import clean_mobiles
from transforms.phones import MOBILE_TYPES, judge_mobile

COUNTRIES = ["IN", "SG", "AE", "ID", "CN", "TH", "US", "GB", "DE", "BR", "SA"]


def cleaned(raw: str, country: str | None = "IN") -> tuple[str | None, str | None, set[str]]:
    """Value, problem and changes of one row."""
    column = clean_mobiles(pa.array([raw]), country)
    return column.values[0].as_py(), column.problems[0].as_py(), set(column.changes)


def by_phonenumbers(raw: str, country: str) -> str | None:
    """What the library makes of it when asked plainly."""
    try:
        number = phonenumbers.parse(raw, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) not in MOBILE_TYPES:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]


def samples(country: str, count: int, before: list[str]) -> list[str]:
    """Random digits of every length the country has, half of them beginning like one of its mobiles."""
    chance = random.Random(country)
    metadata = PhoneMetadata.metadata_for_region(country)
    mobile = phonenumbers.example_number_for_type(country, PhoneNumberType.MOBILE)
    begin = phonenumbers.national_significant_number(mobile) if mobile else ""
    lengths = sorted({*metadata.general_desc.possible_length, *(metadata.mobile.possible_length if mobile else ())})
    numbers = []
    for _ in range(count):
        length = chance.choice([chance.choice(lengths), len(begin) or lengths[-1]])
        kept = chance.randint(0, min(len(begin), length))
        digits = begin[:kept] + "".join(chance.choices("0123456789", k=length - kept))
        numbers.append(chance.choice(before).format(code=metadata.country_code) + digits)
    return numbers


@pytest.mark.parametrize(("raw", "clean", "changes"), [
    ("919845012345",       "919845012345", ""),
    ("9845012345",         "919845012345", "country_code_added"),
    (" 9845012345 ",       "919845012345", "country_code_added trimmed"),
    ("+91 98450-12345",    "919845012345", "punctuation_removed"),
    ("(+91) 98450 12345",  "919845012345", "punctuation_removed"),
    ("tel:+919845012345",  "919845012345", "punctuation_removed"),
    ("09845012345",        "919845012345", "country_code_added leading_zero_removed"),
    ("00919845012345",     "919845012345", "leading_zero_removed"),
    ("0919845012345",      "919845012345", "leading_zero_removed"),
    ("9845012345.0",       "919845012345", "country_code_added decimal_point_removed"),
    ("919845012345.00",    "919845012345", "decimal_point_removed"),
    ("9.845012345E9",      "919845012345", "country_code_added scientific_expanded"),
    ("9,19845012345E+11",  "919845012345", "scientific_expanded"),
    ("'9845012345",        "919845012345", "country_code_added quoting_unwrapped"),
    ('="9845012345"',      "919845012345", "country_code_added quoting_unwrapped"),
    ("٩٨٤٥٠١٢٣٤٥",         "919845012345", "country_code_added digits_folded"),
    ("۹۸۴۵۰۱۲۳۴۵",         "919845012345", "country_code_added digits_folded"),
    ("९८४५०१२३४५",         "919845012345", "country_code_added digits_folded"),
    ("＋９１９８４５０１２３４５", "919845012345", "punctuation_removed digits_folded"),
    ("98450\u00a012345",   "919845012345", "country_code_added punctuation_removed space_replaced"),
    ("+65 9123 4567",      "6591234567",   "punctuation_removed"),
    ("0065 9123 4567",     "6591234567",   "leading_zero_removed punctuation_removed"),
    ("+44 (0)7911 123456", "447911123456", "leading_zero_removed punctuation_removed"),
])  # fmt: skip
def test_mobiles_become_digits_with_country_code(raw, clean, changes):
    assert cleaned(raw) == (clean, None, set(changes.split()))


@pytest.mark.parametrize(("raw", "country", "problem"), [
    ("call me",                 "IN", "not_a_number"),
    ("98450l2345",              "IN", "not_a_number"),     # a small L
    ("0000000000",              "IN", "not_a_number"),
    ("98450",                   "IN", "too_short"),
    ("984501234",               "IN", "too_short"),
    ("98450123456",             "IN", "too_long"),
    ("5145012345",              "IN", "wrong_for_country"),
    ("+1 555 012 3456",         "IN", "wrong_for_country"),
    ("080 2345 6789",           "IN", "not_a_mobile"),     # a landline in Bengaluru
    ("+44 20 7946 0018",        "IN", "not_a_mobile"),
    ("9845012345/9845054321",   "IN", "several_numbers"),
    ("9845012345, 9845054321",  "IN", "several_numbers"),
    ("9845012345 9845054321",   "IN", "several_numbers"),
    ("+919845012345 +919845054321", "IN", "several_numbers"),
    ("9845012345/46",           "IN", "several_numbers"),
    ("9.19845E+11",             "IN", "damaged_by_spreadsheet"),
    ("9.84501234E9",            "IN", "damaged_by_spreadsheet"),   # a last zero, or a digit lost: nobody knows
    ("9845012345",              None, "country_unknown"),
    ("9845012345",              "XX", "country_unknown"),
    ("+999 98450 12345",        "IN", "country_unknown"),
])  # fmt: skip
def test_what_is_no_single_mobile_is_told(raw, country, problem):
    assert cleaned(raw, country) == (None, problem, set())


@pytest.mark.parametrize(("raw", "country", "clean"), [
    ("0171/1234567",     "DE", "491711234567"),    # a slash after the prefix is German
    ("(202) 555-0123",   "US", "12025550123"),     # mobile or not, the US cannot tell
    ("8 916 123-45-67",  "RU", "79161234567"),
    ("0812-3456-7890",   "ID", "6281234567890"),
    ("011 15-2345-6789", "AR", "5491123456789"),   # the plan rewrites more than a prefix
    ("01 23 45 67 89",   "CI", "2250123456789"),   # this zero belongs to the number
    ("+919845012345",    None, "919845012345"),
    ("9845012345",       "in", "919845012345"),
])  # fmt: skip
def test_each_country_has_its_own_way(raw, country, clean):
    assert cleaned(raw, country)[:2] == (clean, None)


@pytest.mark.parametrize("raw", ["N/A", "null", "-", "---", "?", "unknown", "NA", "."])
def test_no_mobile_is_absent_however_spelled(raw):
    assert cleaned(raw) == (None, None, {"blank_spelled_out"})


@pytest.mark.parametrize("country", COUNTRIES)
def test_numbers_agree_with_phonenumbers_both_ways(country):
    """Never more than the library accepts, never another number, and nothing less."""
    rows = samples(country, 300, ["", "0", "{code}", "+{code}", "+{code} 0", "+"])
    ours = clean_mobiles(pa.array(rows), country).values.to_pylist()
    assert ours == [by_phonenumbers(row, country) for row in rows]
    assert sum(value is not None for value in ours) > 30


@pytest.mark.parametrize("country", COUNTRIES)
def test_columns_and_single_judgements_agree(country):
    rows = samples(country, 120, ["", "0", "{code}", "00{code}", "0{code}", "00", "+{code}0"])
    column, verdicts = clean_mobiles(pa.array(rows), country), [judge_mobile(row, country) for row in rows]
    assert column.values.to_pylist() == [verdict.value for verdict in verdicts]
    assert column.problems.to_pylist() == [verdict.problem for verdict in verdicts]
    changes = [change for verdict in verdicts for change in verdict.changes]
    assert column.changes == {change: changes.count(change) for change in set(changes)}


def test_every_country_on_earth_agrees_with_phonenumbers():
    for country in sorted(phonenumbers.SUPPORTED_REGIONS):
        rows = samples(country, 4, ["", "{code}", "+{code}"])
        ours = clean_mobiles(pa.array(rows), country).values.to_pylist()
        assert ours == [by_phonenumbers(row, country) for row in rows], country


def test_numbers_abroad_are_read_by_their_own_plan():
    for country in COUNTRIES:
        rows = samples(country, 30, ["+{code}"])
        for home in (None, "IN"):
            ours = clean_mobiles(pa.array(rows), home).values.to_pylist()
            assert ours == [by_phonenumbers(row, country) for row in rows]


@pytest.mark.parametrize(("raw", "clean", "problem"), [
    ("006591234567",    "6591234567",   None),
    ("001919845012345", "919845012345", None),               # from Singapore "001" dials abroad
    ("0016592123456",   None,           "country_unknown"),  # +1 659 212 3456 or +65 9212 3456
])  # fmt: skip
def test_zeros_with_two_readings_are_not_guessed(raw, clean, problem):
    assert judge_mobile(raw, "SG")[:2] == (clean, problem)
    assert cleaned(raw, "SG")[:2] == (clean, problem)
