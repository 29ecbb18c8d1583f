"""E-mail addresses."""

import pyarrow as pa
import pytest

from transforms.emails import MAX_CHARACTERS, clean_emails


def cleaned(raw: str) -> tuple[str | None, str | None, set[str]]:
    column = clean_emails(pa.array([raw]))
    return column.values[0].as_py(), column.problems[0].as_py(), set(column.changes)


@pytest.mark.parametrize(("raw", "clean", "changes"), [
    ("jon_s+x@shop.co.in",      "jon_s+x@shop.co.in", ""),
    ("Jon@Shop.IN",             "jon@shop.in",        "lowercased"),
    (" jon@shop.in\u00a0",      "jon@shop.in",        "trimmed"),
    ("jon@\u200bshop.in",       "jon@shop.in",        "invisible_removed"),
    ("mailto:jon@shop.in",      "jon@shop.in",        "unwrapped"),
    ("Jon S <JON@shop.in>",     "jon@shop.in",        "unwrapped lowercased"),
    ("<mailto:jon@shop.in>",    "jon@shop.in",        "unwrapped"),
    ("jon@shop.in;",            "jon@shop.in",        "punctuation_removed"),
    ("jon@xn--bcher-kva.xn--p1ai", "jon@xn--bcher-kva.xn--p1ai", ""),
])  # fmt: skip
def test_addresses_are_bare_and_lower_case(raw, clean, changes):
    assert cleaned(raw) == (clean, None, set(changes.split()))


@pytest.mark.parametrize(("raw", "problem"), [
    ("jon",                       "not_an_address"),
    ("jon@shop",                  "not_an_address"),
    ("@shop.in",                  "not_an_address"),
    ("jon@@shop.in",              "not_an_address"),
    ("jon..s@shop.in",            "not_an_address"),
    ("jon@-shop.in",              "not_an_address"),
    ("jon s@shop.in",             "not_an_address"),
    ("jon@192.168.0.1",           "not_an_address"),
    ("o'brien@shop.in",           "character_not_allowed"),
    ("josé@shop.in",              "character_not_allowed"),
    ("jon#1@shop.in",             "character_not_allowed"),
    ("jon@shop.in; ann@shop.in",  "several_addresses"),
    ("jon@shop.in/ann@shop.in",   "several_addresses"),
])  # fmt: skip
def test_what_the_api_would_not_keep_is_told(raw, problem):
    assert cleaned(raw) == (None, problem, set())


@pytest.mark.parametrize(("over", "problem"), [(0, None), (1, "too_long")])
def test_the_api_cuts_addresses_past_its_limit(over, problem):
    tail = "@shop.in"
    assert cleaned("a" * (MAX_CHARACTERS - len(tail) + over) + tail)[1] == problem


@pytest.mark.parametrize("raw", ["NULL", "n/a", "NA", "none", "?", ".", "--"])
def test_no_address_is_absent_however_spelled(raw):
    assert cleaned(raw) == (None, None, {"blank_spelled_out"})
