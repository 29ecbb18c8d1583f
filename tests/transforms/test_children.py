"""Children on their way into payloads: who travels, and how much is held at once."""

import numpy as np
import pyarrow as pa
import pytest

from transforms.children import Brood, again_of, bear

KIDS = pa.schema(
    [("row", pa.int64()), ("parent", pa.int64()), ("identifiers", pa.list_(pa.uint64())), ("payload", pa.binary())]
)


def brood(kids, rows, sizes=None):
    """Kids are (row, parent, identifiers); leading rows begin with number 10."""
    left = [dict(zip(KIDS.names, (*kid, b"{%d}" % kid[0]), strict=True)) for kid in kids]

    def take(end_row):
        here = [kid for kid in left if kid["parent"] < end_row]
        del left[: len(here)]
        return iter([pa.Table.from_pylist(here, KIDS)] if here else [])

    return Brood(10, np.zeros(rows, np.int64), np.array(sizes or [1] * rows, np.int64), take)


def borne(kids, identifiers, sizes=None, most_bytes=100):
    found = bear(brood(kids, len(identifiers), sizes), 0, pa.array(identifiers, pa.list_(pa.uint64())), most_bytes)
    return found.json.to_pylist(), found.rows.to_pylist()


def test_children_are_joined_in_the_order_of_their_payloads_wherever_they_stand():
    kids = [(100, 10, [1]), (21, 10, [2]), (22, 12, [3]), (20, 10, [4])]
    sorted_by_parent = [kids[0], kids[1], kids[3], kids[2]]
    assert borne(sorted_by_parent, [[], [], []]) == (["[{100},{20},{21}]", None, "[{22}]"], [[100, 20, 21], [], [22]])


def test_whoever_shares_any_identifier_with_the_parent_stays():
    kids = [(20, 10, [1, 2]), (21, 10, [3]), (22, 11, [2])]
    assert borne(kids, [[9, 2], []]) == (["[{21}]", "[{22}]"], [[21], [22]])


def test_children_larger_than_a_request_are_not_even_joined():
    assert borne([(20, 10, [1]), (21, 11, [2])], [[], []], sizes=[101, 100]) == ([None, "[{21}]"], [[], [21]])


def test_nobody_bears_nothing():
    assert borne([], [[], []]) == ([None, None], [[], []])


@pytest.mark.parametrize(
    ("sizes", "slices"),
    [
        ([], [(0, 0)]),
        ([1] * 5, [(0, 2), (2, 4), (4, 5)]),
        ([60_000_000, 60_000_000, 1], [(0, 1), (1, 3)]),
        ([999_000_000, 1, 1], [(0, 2), (2, 3)]),  # too large to be sent: never held
    ],
)
def test_slices_hold_some_rows_and_some_bytes_of_children(sizes, slices):
    assert list(Brood(0, np.array(sizes), np.array(sizes, np.int64), iter).slices(2, 64_000_000)) == slices


def test_a_row_of_the_same_person_and_parent_stands_before():
    parent, key = pa.array([1, 1, 1, 2, 1]), pa.array([b"a", b"b", b"a", b"a", b"a"])
    fate = pa.array([None, None, None, None, "invalid"], pa.string())
    assert again_of(parent, key, fate).to_pylist() == [False, False, True, False, False]
    first_is_invalid = pa.array(["invalid", None, None, None, None], pa.string())
    assert again_of(parent, key, first_is_invalid).to_pylist() == [False, False, False, False, True]
