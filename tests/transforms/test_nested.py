"""Rows of a nested table become children: judged like customers, known by their own identifiers."""

import pandas as pd
import pyarrow as pa
import pytest

from schemas.profiles import Array, Column, Leaf, Object, Rule, Template
from schemas.values import Kind, Locale
from transforms.customers import series_of
from transforms.identity import key_hashes
from transforms.nested import prepare_children
from transforms.prepared import Recipe

SALT = b"salt"
MOBILE = Leaf("c.identifiers.mobile", "mobile", Column("phone", Kind.MOBILE), Rule(Kind.MOBILE), anchor=True)
NUMBER = Leaf("c.identifiers.externalId", "externalId", Column("no", Kind.TEXT), Rule(), anchor=True)


def prepared(*rows, key_type="externalId", most=9):
    """Rows are (parent, phone, no); all that is known of them, by column."""
    parents, phones, numbers = zip(*rows, strict=True)
    tree = Object((("mobile", Array((MOBILE,))), ("no", Array((NUMBER,)))))
    template = Template(tree, (MOBILE, NUMBER), (), MOBILE.column, key_type=key_type)
    recipe = Recipe(template, Locale("IN", "UTC", "iso"), "2024-06-01", "drop", None, 1000, SALT, most)
    raw = pd.DataFrame(
        {"phone": series_of(pa.array(phones, pa.string())), "no": series_of(pa.array(numbers, pa.string()))}
    )
    siblings = [parents.count(parent) if parent is not None else None for parent in parents]
    slices, _ = prepare_children(raw, pa.array(parents, pa.int64()), pa.array(siblings, pa.int64()), recipe)
    return pa.concat_tables(slices).to_pydict()


def key(text):
    return key_hashes(pa.array([text]), SALT)[0].as_py()


def test_a_child_is_known_as_a_customer_would_be():
    table = prepared((1, "9845000001", "K-1"), (1, "9845000002", ""))
    assert table["key"] == [key("K-1"), key("mobile:919845000002")]
    assert table["keyed"] == [True, False]
    assert [len(each) for each in table["identifiers"]] == [2, 1]
    assert table["payload"][1] == b'{"mobile":["919845000002"]}'


def test_where_the_key_is_no_identifier_the_first_counts():
    table = prepared((1, "9845000001", "K-1"), (1, "", "K-1"), key_type=None)
    assert table["key"] == [key("mobile:919845000001"), key("externalId:K-1")]
    assert table["keyed"] == [False, False]


ONE, OTHER, TOO_MANY = (1, "", "K-1"), (2, "", "K-1"), "family.too_many_children"


@pytest.mark.parametrize(
    ("rows", "fates", "codes"),
    [
        ([(1, "98450", "")], ["invalid"], ["mobile.too_short;identifiers.missing"]),
        ([(1, "98450", "K-1")], [None], ["mobile.too_short"]),
        ([(None, "", "K-1")], ["invalid"], ["family.orphan"]),
        ([ONE, OTHER, OTHER], [None, None, "duplicate"], [None, None, "duplicates.another_row"]),
        ([ONE, ONE, ONE, OTHER], [*["invalid"] * 3, None], [*[TOO_MANY] * 3, None]),
    ],
)
def test_a_childs_first_fate_is_its_own(rows, fates, codes):
    table = prepared(*rows, most=2)
    assert (table["fate"], table["codes"]) == (fates, codes)
    assert [payload is None for payload in table["payload"]] == [fate is not None for fate in fates]
