"""What was read is the sum of what became of it, and a difference is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import OutOfBalance
from schemas.outcomes import Fate
from schemas.runs import Totals
from transforms.totals import add, additions, check

A, B = Fate.ACCEPTED, Fate.INVALID
MORNING = Totals(read=3, rows={A: 2, B: 1}, points_read={"1016": 30}, points={"1016": {A: 20, B: 10}})
EVENING = Totals(read=2, rows={A: 2}, points_read={"1016": 5, "1017": 7}, points={"1016": {A: 5}, "1017": {A: 7}})

counts = st.dictionaries(st.sampled_from(list(Fate)), st.integers(0, 10**9))


@st.composite
def balanced(draw):
    rows, points = draw(counts), draw(st.dictionaries(st.sampled_from(["1016", "1017", "1018"]), counts))
    return Totals(sum(rows.values()), rows, {name: sum(of.values()) for name, of in points.items()}, points)


def test_parts_add_up_per_fate_and_programme():
    assert add([MORNING, EVENING]) == Totals(
        read=5,
        rows={A: 4, B: 1},
        points_read={"1016": 35, "1017": 7},
        points={"1016": {A: 25, B: 10}, "1017": {A: 7}},
    )


def test_no_parts_add_up_to_nothing():
    assert add([]) == Totals(0, {}, {}, {})


def test_fates_come_in_their_order_after_adding():
    assert list(add([Totals(2, {A: 1, B: 1}, {}, {})]).rows) == [B, A]


def test_points_without_any_fate_keep_their_programme():
    assert add([Totals(0, {}, {"1016": 5}, {})]).points == {"1016": {}}


@given(st.lists(balanced(), max_size=5))
def test_balanced_parts_make_a_balanced_whole(parts):
    check(add(parts))


@given(st.lists(balanced(), max_size=4), st.lists(balanced(), max_size=4))
def test_adding_in_steps_changes_nothing(some, more):
    assert add([add(some), add(more)]) == add([*some, *more])


@pytest.mark.parametrize(
    ("totals", "said"),
    [
        (Totals(1000, {A: 997}, {}, {}), "rows: 1,000 read, 997 accounted for, 3 without a fate"),
        (Totals(1, {A: 2}, {}, {}), "rows: 1 read, 2 accounted for, 1 counted more than once"),
        (
            Totals(1, {A: 1}, {"1016": 90}, {"1016": {A: 80}}),
            "points of programme 1016: 90 read, 80 accounted for, 10 without a fate",
        ),
        (
            Totals(1, {A: 1}, {}, {"1016": {A: 80}}),
            "points of programme 1016: 0 read, 80 accounted for, 80 counted more than once",
        ),
    ],
)
def test_a_difference_is_named_with_both_sides(totals, said):
    with pytest.raises(OutOfBalance) as told:
        check(totals)
    assert told.value.problems[0].startswith(said)


def test_all_differences_are_told_at_once():
    with pytest.raises(OutOfBalance) as told:
        check(Totals(2, {A: 1}, {"1016": 5, "1017": 5}, {"1016": {A: 5}}))
    assert [problem.split(":")[0] for problem in told.value.problems] == ["rows", "points of programme 1017"]


def test_an_addition_leaves_empty_fates_out():
    rows, *points = additions(Totals(2, {B: 0, A: 2}, {"1016": 0}, {}))
    assert (rows.parts, rows.difference) == (((A, 2),), 0)
    assert [(sum_.unit, sum_.parts, sum_.total) for sum_ in points] == [("points of programme 1016", (), 0)]
