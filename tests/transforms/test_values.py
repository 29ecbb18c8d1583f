"""The one door to all kernels, and value tables."""

import pyarrow as pa
import pytest

from schemas.values import Kind, Locale
from transforms.values import KERNELS, TYPES, clean, translate

CITIES = {"BLR": "Bengaluru", "DEL": "Delhi"}


def translated(raw: str | None, other: str = "keep", table: dict[str, str] = CITIES) -> tuple[object, ...]:
    column = translate(pa.array([raw], pa.string()), table, other)
    return column.values[0].as_py(), column.problems[0].as_py(), set(column.changes)


def test_every_kind_has_a_kernel_and_type():
    assert set(KERNELS) == set(Kind)
    for kind in Kind:
        assert clean(pa.array(["1", None]), kind, Locale()).values.type == TYPES.get(kind, pa.string())


def test_locales_reach_the_kernels_they_concern():
    locale = Locale("DE", "Europe/Berlin", "month_first")
    told = {kind: clean(pa.array([raw]), kind, locale) for kind, raw in {
        Kind.MOBILE: "0171 1234567", Kind.DATE: "04/25/2024", Kind.DATETIME: "2024-07-01", Kind.DECIMAL: "1,200",
    }.items()}  # fmt: skip
    assert told[Kind.MOBILE].values.to_pylist() == ["491711234567"]
    assert told[Kind.DATE].values.to_pylist() == ["2024-04-25"]
    assert told[Kind.DATETIME].values.to_pylist() == ["2024-07-01T00:00:00+02:00"]
    assert told[Kind.DECIMAL].problems.to_pylist() == ["ambiguous"]


@pytest.mark.parametrize(("raw", "clean", "changes"), [
    ("BLR",    "Bengaluru", {"value_translated"}),
    (" blr ",  "Bengaluru", {"value_translated"}),
    (" Pune",  "Pune",      {"trimmed"}),
    ("Pune",   "Pune",      set()),
    ("N/A",    None,        {"blank_spelled_out"}),
    ("",       None,        set()),
    (None,     None,        set()),
])  # fmt: skip
def test_tables_translate_trimmed_in_any_case(raw, clean, changes):
    assert translated(raw) == (clean, None, changes)


@pytest.mark.parametrize(("raw", "other", "expected"), [
    ("Pune", "drop",   (None, None, {"value_dropped"})),
    ("Pune", "reject", (None, "not_in_values", set())),
    ("N/A",  "reject", (None, None, {"blank_spelled_out"})),
    (None,   "reject", (None, None, set())),
])  # fmt: skip
def test_other_values_are_kept_dropped_or_rejected(raw, other, expected):
    assert translated(raw, other) == expected


def test_an_exact_key_wins_over_one_in_another_case():
    table = {"a": "small", "A": "large", "N/A": "none", "": "empty"}
    assert [translated(raw, "drop", table)[0] for raw in ("a", "A", "N/A", "n/a", "", None)] == [
        "small", "large", "none", "none", "empty", None,
    ]  # fmt: skip
    assert translated("á", "reject", {"É": "x", "é": "y"})[1] == "not_in_values"


def test_keys_that_differ_in_case_only_never_guess():
    assert translated("aB", "reject", {"ab": "one", "AB": "two"})[1] == "not_in_values"
    assert translated("aB", "reject", {"ab": "one", "AB": "one"})[0] == "one"
