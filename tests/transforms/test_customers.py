"""Each mapped column is cleaned once, and what was wrong or changed is told beside the values."""

import pandas as pd
import pyarrow as pa
import pytest

from schemas.customers import PROBLEMS
from schemas.profiles import Column, Leaf, Object, Rule, Template
from schemas.values import Kind, Locale
from transforms.customers import array_of, normalize, series_of

INDIA = Locale("IN", "Asia/Kolkata", "day_first")
MEMBER = Column("member", Kind.TEXT)
PHONE = Column("phone", Kind.MOBILE)


def leaf(target, column, **more):
    return Leaf(target, target.rsplit(".", 1)[-1], column, Rule(column.kind), **more)


def template(*leaves, key=MEMBER, order=None):
    return Template(Object(tuple((one.target, one) for one in leaves)), leaves[:1], (), key, order)


def frame(**columns):
    return pd.DataFrame({name: series_of(pa.array(values, pa.string())) for name, values in columns.items()})


def cleaned(raw, *leaves, **more):
    return normalize(raw, template(*leaves, **more), INDIA)


def column(normalized, name):
    return array_of(normalized.customers[name]).to_pylist()


def test_values_and_problems_stand_row_by_row():
    raw = frame(member=["a", "b", "c"], phone=["98450 12345", "12", ""], kids=["1", "x", "2.5"])
    normalized = cleaned(raw, leaf("identifiers.mobile", PHONE), leaf("fields.kids", Column("kids", Kind.INTEGER)))
    assert column(normalized, "identifiers.mobile") == ["919845012345", None, None]
    assert column(normalized, "fields.kids") == [1, None, None]
    assert column(normalized, PROBLEMS) == [
        None,
        "identifiers.mobile|too_short;fields.kids|not_a_number",
        "fields.kids|not_whole",
    ]


def test_a_column_of_two_targets_counts_its_changes_once():
    raw = frame(member=["a", "b"], phone=["98450 12345", "919845012345"])
    normalized = cleaned(raw, leaf("identifiers.mobile", PHONE), leaf("commChannels.mobile", PHONE))
    assert normalized.changes["mobile", "country_code_added"] == 1
    assert column(normalized, "commChannels.mobile") == column(normalized, "identifiers.mobile")


@pytest.mark.parametrize(
    ("more", "values"),
    [
        ({}, ["2", None, None, None]),
        ({"default": 7}, ["2", "7", None, "7"]),  # for what is absent, never for what is wrong
        ({"clear": True}, ["2", "", None, ""]),
        ({"default": 7, "clear": True}, ["2", "7", None, "7"]),
    ],
)
def test_defaults_and_clearing_stand_in_for_absence_only(more, values):
    raw = frame(member=["a", "b", "c", "d"], kids=["2", "", "x", "N/A"])
    found = column(cleaned(raw, leaf("fields.kids", Column("kids", Kind.INTEGER), **more)), "fields.kids")
    assert [None if value is None else str(value) for value in found] == values


@pytest.mark.parametrize(
    ("more", "given"),
    [({"required": True}, [True, False, True]), ({"required": True, "default": 0}, [True, True, True])],
)
def test_a_required_target_says_whether_it_was_given(more, given):
    raw = frame(member=["a", "b", "c"], kids=["2", "", "x"])
    assert column(cleaned(raw, leaf("fields.kids", Column("kids", Kind.INTEGER), **more)), "fields.kids|given") == given


@pytest.mark.parametrize(
    ("other", "cities", "problems"),
    [
        ("keep", ["Bengaluru", "Agra", None], [None, None, None]),
        ("drop", ["Bengaluru", None, None], [None, None, None]),
        ("reject", ["Bengaluru", None, None], [None, "fields.city|not_in_values", None]),
    ],
)
def test_values_are_translated_before_they_are_read(other, cities, problems):
    city = Column("city", Kind.TEXT, (("BLR", "Bengaluru"),), other)
    normalized = cleaned(frame(member=["a", "b", "c"], city=["blr", "Agra", ""]), leaf("fields.city", city))
    assert column(normalized, "fields.city") == cities
    assert column(normalized, PROBLEMS) == problems
    assert normalized.changes["city", "value_translated"] == 1


def test_a_translation_that_is_no_such_value_is_a_problem():
    born = Column("born", Kind.DATE, (("old", "1900-13-01"),))
    normalized = cleaned(frame(member=["a"], born=["old"]), leaf("fields.born", born))
    assert column(normalized, PROBLEMS) == ["fields.born|not_a_date"]


def test_key_and_order_are_cleaned_beside_the_targets():
    raw = frame(member=["007", ""], phone=["1", "2"], changed=["01/02/2024 10:30", "never"])
    order = Column("changed", Kind.DATETIME)
    normalized = cleaned(
        raw, leaf("fields.x", Column("phone", Kind.TEXT)), key=Column("member", Kind.INTEGER), order=order
    )
    assert normalized.key.to_pylist() == ["7", None]
    assert normalized.order.to_pylist() == ["2024-02-01T10:30:00+05:30", None]


def test_normalizing_changes_nothing_it_was_given():
    raw = frame(member=["a"], phone=["98450 12345"])
    before = raw.copy(deep=True)
    cleaned(raw, leaf("identifiers.mobile", PHONE))
    pd.testing.assert_frame_equal(raw, before)
