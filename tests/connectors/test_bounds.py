"""What `:since` is bound to is of its column's kind, or the run ends before it begins."""

from decimal import Decimal

import pytest

from connectors.bounds import checked_value, scale_of
from schemas.errors import SourceError
from schemas.watermarks import Bound, Kind


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Kind.INTEGER, "-9007199254740993", -9007199254740993),
        (Kind.DECIMAL, "0.10", Decimal("0.10")),
        (Kind.DATE, "2024-02-29", "2024-02-29"),
        (Kind.TIMESTAMP, "2024-02-29T01:02:03.000004", "2024-02-29T01:02:03.000004"),
        (Kind.TIMESTAMPTZ, "2024-02-29T01:02:03+00:00", "2024-02-29T01:02:03+00:00"),
        (Kind.TEXT, "", ""),
        (Kind.DATE, None, None),
    ],
)
def test_a_value_of_its_kind_is_taken_exactly(kind, text, value):
    for known in (kind, None):
        assert checked_value(Bound("at", known, text), kind, "source.x") == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.INTEGER, "1.0"), (Kind.INTEGER, "1 or 1=1"), (Kind.DECIMAL, "NaN"), (Kind.DECIMAL, "1,5"),
        (Kind.DATE, "2023-02-29"), (Kind.DATE, "infinity"), (Kind.TIMESTAMP, "2024-01-01T00:00:00+00:00"),
        (Kind.TIMESTAMPTZ, "2024-01-01T00:00:00"), (Kind.TIMESTAMPTZ, "yesterday"),
    ],
)  # fmt: skip
def test_a_value_of_another_form_is_refused_without_telling_it(kind, text):
    with pytest.raises(SourceError, match=f"source.x: since: the value to begin after is no {kind}, which at") as told:
        checked_value(Bound("at", kind, text), kind, "source.x")
    assert text not in str(told.value)


def test_a_column_of_another_kind_asks_for_a_full_run():
    with pytest.raises(SourceError, match=r"since\.column: at was date and is text now; run once with --full"):
        checked_value(Bound("at", Kind.DATE, None), Kind.TEXT, "source.x")


@pytest.mark.parametrize(
    ("value", "scale"),
    [("12.345", 3), ("12", 0), ("1E+5", 0), ("1E-37", 37), ("1E-38", None), ("1E+38", None), ("9" * 38, 0)],
)
def test_a_decimal_tells_the_digits_it_needs_behind_the_point(value, scale):
    assert scale_of(Decimal(value)) == scale
    assert scale_of(None) is None
