"""Integers and decimals."""

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.numbers import clean_decimals, clean_integers


def integer(raw: str, country: str | None = "IN") -> tuple[int | None, str | None, set[str]]:
    column = clean_integers(pa.array([raw]), country)
    return column.values[0].as_py(), column.problems[0].as_py(), set(column.changes)


def decimal(raw: str, country: str | None = "IN") -> tuple[str | None, str | None, set[str]]:
    column = clean_decimals(pa.array([raw]), country)
    return column.values[0].as_py(), column.problems[0].as_py(), set(column.changes)


@pytest.mark.parametrize(("raw", "clean", "changes"), [
    ("1200",        1200,    ""),
    ("-5",          -5,      ""),
    ("0",           0,       ""),
    ("1200.0",      1200,    "decimal_point_removed"),
    ("-0.0",        0,       "decimal_point_removed sign_rewritten"),
    ("1,200",       1200,    "grouping_removed"),
    ("1,00,000",    100000,  "grouping_removed"),
    ("1,200.0",     1200,    "grouping_removed decimal_point_removed"),
    ("1 200",       1200,    "grouping_removed"),
    ("1\u202f200",  1200,    "space_replaced grouping_removed"),
    ("1.234.567",   1234567, "grouping_removed"),
    ("$90,000 ",    90000,   "trimmed currency_removed grouping_removed"),
    ("Rs. 500",     500,     "currency_removed"),
    ("500 INR",     500,     "currency_removed"),
    ("(1,200)",     -1200,   "sign_rewritten grouping_removed"),
    ("1200-",       -1200,   "sign_rewritten"),
    ("+5",          5,       "sign_rewritten"),
    ("\u22125",     -5,      "digits_folded"),
    ("007",         7,       "zeros_rewritten"),
    ("٣",           3,       "digits_folded"),
    ("1.5E7",       15000000, "scientific_expanded"),
    ("9223372036854775807", 2**63 - 1, ""),
])  # fmt: skip
def test_integers_are_read_without_a_float(raw, clean, changes):
    assert integer(raw) == (clean, None, set(changes.split()))


@pytest.mark.parametrize(("raw", "problem"), [
    ("1.5",                 "not_whole"),
    ("1.200",               "not_whole"),   # never silently 1200
    ("12,50",               "not_whole"),
    ("9223372036854775808", "out_of_range"),
    ("1e99",                "out_of_range"),
    ("9.19845E+11",         "damaged_by_spreadsheet"),
    ("1,2,3",               "not_a_number"),
    ("12%",                 "not_a_number"),
    ("--5",                 "not_a_number"),
    ("5 points",            "not_a_number"),
])  # fmt: skip
def test_what_is_no_integer_is_told(raw, problem):
    assert integer(raw) == (None, problem, set())


@pytest.mark.parametrize(("raw", "clean", "changes"), [
    ("12.50",     "12.50",   ""),
    ("1200",      "1200",    ""),
    ("-0.5",      "-0.5",    ""),
    (".5",        "0.5",     "zeros_rewritten"),
    ("-0.00",     "0.00",    "sign_rewritten"),
    ("12,50",     "12.50",   "decimal_comma"),
    ("0,125",     "0.125",   "decimal_comma"),
    ("1.200,50",  "1200.50", "grouping_removed decimal_comma"),
    ("1,200.50",  "1200.50", "grouping_removed"),
    ("1'200.50",  "1200.50", "grouping_removed"),
    ("1e-05",     "0.00001", "scientific_expanded"),
    ("٣٫٥",       "3.5",     "digits_folded"),
    ("€ 5,5",     "5.5",     "currency_removed decimal_comma"),
])  # fmt: skip
def test_decimals_keep_their_digits(raw, clean, changes):
    assert decimal(raw) == (clean, None, set(changes.split()))


@pytest.mark.parametrize(("raw", "country", "clean", "problem"), [
    ("1,200",     "IN", "1200",  None),
    ("1,200",     None, "1200",  None),
    ("1,200",     "DE", None,    "ambiguous"),
    ("1.200",     "DE", "1.200", None),          # a machine's number: a dot is its decimal point
    ("€1.200",    "DE", None,    "ambiguous"),   # a person's: it may be a thousand
    ("1,200.50",  "DE", "1200.50", None),
    ("1.200,50",  "IN", "1200.50", None),
])  # fmt: skip
def test_numbers_of_two_readings_are_not_guessed(raw, country, clean, problem):
    assert decimal(raw, country)[:2] == (clean, problem)


@settings(max_examples=150, deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=9).filter(lambda d: abs(d) < Decimal(10) ** 28))
def test_38_digits_pass_exactly(number):
    assert Decimal(decimal(f"{number:f}")[0]) == number
    assert Decimal(decimal(f"{number:,f}")[0]) == number


@pytest.mark.parametrize(("digits", "problem"), [(38, None), (39, "out_of_range")])
def test_decimals_have_38_digits_at_most(digits, problem):
    assert decimal("9" * digits)[1] == problem


@pytest.mark.parametrize("raw", ["NULL", "nan", "NA", "-", "--", "?", "unknown"])
def test_no_number_is_absent_however_spelled(raw):
    assert integer(raw) == decimal(raw) == (None, None, {"blank_spelled_out"})
