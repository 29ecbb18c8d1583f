"""A column's name means one column of one table, or the job is told why not."""

import pytest

from schemas.errors import SourceError
from transforms.columns import resolve

TABLES = {"customers": ("member_no", "phone", "city"), "loyalty": ("member_no", "points", "city")}
KEYS = {"loyalty": "member_no"}


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("phone", ("customers", 1)),
        ("points", ("loyalty", 1)),
        ("member_no", ("customers", 0)),  # the joined table's key is the leading table's
        ("loyalty.member_no", ("loyalty", 0)),
        ("loyalty.city", ("loyalty", 2)),
        ("customers.city", ("customers", 2)),
    ],
)
def test_a_name_means_one_place(name, place):
    assert resolve([(name, "map.x")], TABLES, KEYS) == {name: place}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("city", "map.x: column 'city' stands in several tables; write customers.city or loyalty.city"),
        ("pionts", "map.x: the source has no column 'pionts'; nearest is 'points'; it has: member_no, phone, city,"),
        ("loyalty.phone", "map.x: the source has no column 'loyalty.phone'; nearest is 'phone'"),
        ("Phone", "map.x: the source has no column 'Phone'; nearest is 'phone'"),
        ("", "map.x: the source has no column ''; it has: "),
    ],
)
def test_other_names_are_told_with_the_way_out(name, said):
    with pytest.raises(SourceError) as told:
        resolve([(name, "map.x")], TABLES, KEYS)
    assert str(told.value).startswith(said)


def test_a_column_with_a_dot_in_its_name_is_found_first():
    tables = {"customers": ("loyalty.points",), "loyalty": ("points",)}
    assert resolve([("loyalty.points", "map.x")], tables, {}) == {"loyalty.points": ("customers", 0)}


def test_all_missing_columns_and_their_askers_are_told_at_once():
    with pytest.raises(SourceError) as told:
        resolve([("a", "map.firstName"), ("b", "key"), ("a", "rules.filter"), ("a", "map.firstName")], TABLES, KEYS)
    assert [problem.split(":")[0] for problem in told.value.problems] == ["map.firstName, rules.filter", "key"]


def test_a_name_that_only_a_joined_key_has_is_not_its_own_hint():
    tables = {"customers": ("member", "b"), "loyalty": ("member_no", "points")}
    with pytest.raises(SourceError, match=r"key: the source has no column 'member_no'; nearest is 'member'; it has"):
        resolve([("member_no", "key")], tables, {"loyalty": "member_no"})


def test_a_message_says_which_tables_were_asked():
    with pytest.raises(SourceError, match=r"map.x: nested table family has no column 'phone'; it has: child"):
        resolve([("phone", "map.x")], {"family": ("child",)}, {}, "nested table family")
