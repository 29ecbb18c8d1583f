"""What an answer says of the children that travel with a row: each by its own word, and nobody by another's."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.outcomes import Fate, Verdict
from transforms.replies import read_reply

PARENT = (("externalId", "P-1"),)
KIDS = ((("externalId", "K-1"), ("mobile", "919800000101")), (("externalId", "K-2"),), (("externalId", "K-3"),))


def echo(*identifiers, **more):
    return {"profiles": [{"identifiers": [{"type": kind, "value": value} for kind, value in identifiers]}], **more}


def errors(*codes):
    return {"errors": [{"status": False, "code": code, "message": "no"} for code in codes]}


def warnings(*codes):
    return {"warnings": [{"status": False, "code": code, "message": "but"} for code in codes]}


K1, K2, K3 = (echo(*kid) for kid in KIDS)
NO, LATER, VAGUE = errors(1626), errors(521), {"errors": [{}]}
IN_DOUBT, MISCOUNTED = ("in_doubt", "unmatched"), ("in_doubt", "child_count")


def read(*elements, sent=(PARENT,), children=(KIDS,), **how):
    return read_reply(200, json.dumps(elements).encode(), sent, "update", children=children, **how)


def family(own=None, **said):
    """The replies of one family: its parent's, its children's; in S2's shape."""
    (row,) = read({"entity": echo(*PARENT), **(own or {}), **said}).rows
    return (row.fate.value, *row.codes), [(kid.fate.value, *kid.codes) for kid in row.children]


def kids_of(*listed, **said):
    return family(childEntities=listed, **said)[1]


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ((K1, K2, K3), [("accepted",)] * 3),
        ((K1, K2 | NO, K3), [("accepted",), ("refused", "1626"), ("accepted",)]),
        ((K1 | warnings(8056, 8058, 19223), K2, K3),
         [("accepted_with_loss", "8056", "8058", "19223"), ("accepted",), ("accepted",)]),
        ((K1 | LATER, K2 | errors(10002), K3), [("refused", "521"), ("in_doubt", "10002"), ("accepted",)]),
        ((K1 | VAGUE, K2, K3), [("in_doubt", "empty_error"), ("accepted",), ("accepted",)]),
    ],
)  # fmt: skip
def test_each_child_has_its_own_fate_and_its_parent_none_of_it(listed, told):
    assert family(childEntities=listed) == (("accepted",), told)
    assert family(associationDetails={"childCustomers": listed}) == (("accepted",), told)


def test_children_that_are_listed_twice_are_told_once():
    """S2 has them in the association too, without their warnings."""
    inner = echo(*PARENT, associationDetails={"childCustomers": [K1, K2, K3]})
    (row,) = read({"entity": inner, "childEntities": [K1, K2 | NO, K3], "childCount": 3}).rows
    assert [kid.fate for kid in row.children] == [Fate.ACCEPTED, Fate.REFUSED, Fate.ACCEPTED]


@pytest.mark.parametrize(
    "said", [{"childCount": 3, "childSuccessCount": 2, "childFailureCount": 1}, {"childCount": "3"}]
)
def test_counts_that_add_up_are_believed(said):
    assert kids_of(K1, K2 | NO, K3, **said) == [("accepted",), ("refused", "1626"), ("accepted",)]


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ((K1, K2), {}),
        ((K1, K2, K3, K3), {}),
        ((K1, K2 | NO, K3), {"childCount": 2}),
        ((K1, K2 | NO, K3), {"childSuccessCount": 3, "childFailureCount": 0}),
        ((K1, K2, K3), {"childFailureCount": 1}),
        ((), {}),  # an empty list is a word
        ((), {"childCount": 3, "childSuccessCount": 3, "childFailureCount": 0}),
    ],
)
def test_children_who_are_not_all_counted_are_in_doubt_and_their_parent_is_not(listed, said):
    assert family(childEntities=listed, **said) == (("accepted",), [MISCOUNTED] * 3)


@pytest.mark.parametrize("listed", [(K2, K1, K3), (K1, K3, K2 | NO), (K1, K2, echo(("externalId", "K-9")))])
def test_children_out_of_their_places_are_all_in_doubt(listed):
    assert {(kid[0], kid[-1]) for kid in kids_of(*listed)} == {("in_doubt", "shuffled")}


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ((K1, NO, K3), [("accepted",), ("refused", "1626"), ("accepted",)]),
        ((NO, K2, errors(1621)), [("refused", "1626"), ("accepted",), ("refused", "1621")]),
        ((K1, {"id": 7}, K3), [("accepted",)] * 3),  # all others have their places, and somebody was written
        ((K1, {}, K3), [("accepted",), IN_DOUBT, ("accepted",)]),
        ((K1, {"id": 7}, NO), [("accepted",), IN_DOUBT, ("in_doubt", "1626", "unmatched")]),
        ((K1, {"id": 7}, {"id": 8} | warnings(8056)),
         [("accepted",), IN_DOUBT, ("in_doubt", "8056", "unmatched")]),
        ((None, K2, K3), [("in_doubt", "unreadable", "unmatched"), ("accepted",), ("accepted",)]),
    ],
)  # fmt: skip
def test_children_who_name_nobody_are_placed_only_if_fates_cannot_mix(listed, told):
    assert kids_of(*listed) == told


def test_of_children_alike_that_name_nobody_no_id_is_told():
    (row,) = read({"entity": echo(*PARENT), "childEntities": [{"id": 7}, K2, {"id": 8}]}).rows
    assert [(kid.fate, kid.entity_id) for kid in row.children] == [(Fate.ACCEPTED, None)] * 3


def test_a_child_who_lost_what_it_was_known_by_and_was_given_a_card_is_not_another():
    lost = echo(("cardnumber", "card-1"), id=7) | warnings(8056, 8058, 19223)
    reply = read({"entity": echo(*PARENT), "childEntities": [lost]}, children=(((("mobile", "12345"),),),))
    (kid,) = reply.rows[0].children
    assert (kid.fate, kid.codes, kid.entity_id) == (Fate.ACCEPTED_WITH_LOSS, ("8056", "8058", "19223"), "7")


# Nothing is said of children.


@pytest.mark.parametrize(
    ("own", "parent", "kid"),
    [
        ({}, ("accepted",), ("accepted", "family.not_told")),
        (warnings(8057), ("accepted_with_loss", "8057"), ("accepted_with_loss", "family.not_told")),
        (errors(1616), ("refused", "1616"), ("refused", "1616")),
        (errors(1616) | {"childEntities": [], "childCount": 0, "childSuccessCount": 0}, ("refused", "1616"),
         ("refused", "1616")),
        (errors(1616) | {"childCount": 3, "childFailureCount": 3}, ("refused", "1616"), ("refused", "1616")),
        (errors(3017) | {"id": 7001}, ("refused", "3017"), ("in_doubt", "3017", "family.not_told")),
        (errors(1616) | {"childSuccessCount": 1}, ("refused", "1616"), ("in_doubt", "1616", "family.not_told")),
        (errors(1616) | {"childCount": 3}, ("refused", "1616"), ("in_doubt", "1616", "family.not_told")),
        (errors(10002), ("in_doubt", "10002"), ("in_doubt", "10002")),
        ({"childCount": 3}, ("accepted",), MISCOUNTED),
    ],
)  # fmt: skip
def test_children_without_a_word_share_their_parents_fate_where_it_is_sure(own, parent, kid):
    assert family(own) == (parent, [kid] * 3)


def test_an_element_without_a_shape_leaves_all_of_its_family_in_doubt():
    (row, other) = read(
        7, echo(("externalId", "P-2")), sent=(PARENT, (("externalId", "P-2"),)), children=(KIDS, ())
    ).rows
    assert {one.fate for one in row.family} == {Fate.IN_DOUBT}
    assert (other.fate, other.children) == (Fate.ACCEPTED, ())


# Later.


def test_a_parent_put_off_takes_its_children_along():
    (row,) = read({**echo(*PARENT), **LATER}, {**echo(("externalId", "P-2"))},
                  sent=(PARENT, (("externalId", "P-2"),)), children=(KIDS, ())).rows[:1]  # fmt: skip
    assert (row.fate, row.retry, {kid.fate for kid in row.children}) == (Fate.REFUSED, True, {Fate.REFUSED})


@pytest.mark.parametrize(
    ("listed", "again", "fates"),
    [
        ((K1 | NO, K2 | LATER, K3 | NO), True, {"refused"}),
        ((K1, K2 | NO, K3 | NO), False, {"in_doubt"}),  # "later", and a part of it was applied
        ((K1 | VAGUE, K2 | NO, K3 | NO), False, {"in_doubt"}),
    ],
)
def test_a_family_goes_again_only_where_nothing_of_it_was_applied(listed, again, fates):
    (row,) = read({"entity": echo(*PARENT), **LATER, "childEntities": listed}).rows
    assert (row.retry, {one.fate.value for one in row.family}) == (again, fates)


def test_a_child_put_off_is_refused_because_it_does_not_go_alone():
    (row,) = read({"entity": echo(*PARENT), "childEntities": [K1, K2 | LATER, K3]}).rows
    assert [(kid.fate, kid.retry) for kid in row.children] == [
        (Fate.ACCEPTED, False), (Fate.REFUSED, False), (Fate.ACCEPTED, False)
    ]  # fmt: skip


# The batch as a whole.


def test_points_of_the_batch_are_parents_points():
    said = {"entity": echo(*PARENT), "childEntities": [K1 | warnings(19223), K2, K3], **warnings(19223)}
    (row,) = read(said, points=True).rows
    assert (row.fate, row.children[0].fate) == (Fate.IN_DOUBT, Fate.ACCEPTED_WITH_LOSS)


def test_what_is_said_beside_the_rows_holds_for_children_too():
    body = {"data": [{"entity": echo(*PARENT), "childEntities": [K1, K2 | NO, K3]}]}

    def fates(**beside):
        reply = read_reply(200, json.dumps(body | beside).encode(), (PARENT,), "update", children=(KIDS,))
        return [one.fate.value for one in reply.rows[0].family]

    assert fates(**warnings(8057)) == ["accepted_with_loss", "accepted_with_loss", "refused", "accepted_with_loss"]
    assert fates(**errors(8009)) == ["in_doubt", "in_doubt", "refused", "in_doubt"]


def test_a_parent_who_names_nobody_leaves_its_children_in_doubt_where_they_could_be_anothers():
    sent, children = (PARENT, (("externalId", "P-2"),)), ((KIDS[1],), (KIDS[2],))
    rows = read(errors(1616), errors(1616), sent=sent, children=children).rows
    assert [one.fate.value for row in rows for one in row.family] == ["refused"] * 4
    half = errors(1616) | {"childEntities": [{"id": 7}]}
    rows = read(half, errors(1616), sent=sent, children=children).rows
    assert {one.fate for row in rows for one in row.family} == {Fate.IN_DOUBT}


CHILD = st.sampled_from([{}, NO, LATER, VAGUE, warnings(8056), warnings(8059), {"id": 7}])


@given(
    st.permutations(range(3)), st.lists(CHILD, min_size=3, max_size=3), st.lists(st.booleans(), min_size=3, max_size=3)
)
def test_children_are_never_mixed_up(order, said, is_silent):
    """Whatever place a child's word stands in, nobody gets another's fate by it."""
    truth = [
        echo(*kid) | {"id": 70 + number} | words for number, (kid, words) in enumerate(zip(KIDS, said, strict=True))
    ]
    true = [fate for fate, *_ in kids_of(*truth)]
    shown = [truth[n] | ({"profiles": []} if silent else {}) for n, silent in zip(order, is_silent, strict=True)]
    assert all(fate in (was, "in_doubt") for (fate, *_), was in zip(kids_of(*shown), true, strict=True))


@given(st.binary() | st.lists(st.sampled_from([K1, K2, K3, NO, {}, 7, None])).map(lambda v: json.dumps(v).encode()))
def test_no_answer_tells_of_another_number_of_children(body):
    reply = read_reply(200, body, (PARENT,), "update", children=(KIDS,))
    assert [len(row.children) for row in reply.rows] == ([3] if reply.verdict is Verdict.ANSWERED else [])
