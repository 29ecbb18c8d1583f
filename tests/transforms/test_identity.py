"""Which of several rows of one customer stands for the others, and who a customer is without being named."""

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.identity import HASH_BYTES, duplicates, identifier_hashes, key_hashes

ROWS = [  # row, key, order, fate
    (0, "a", 10, None),
    (1, "b", 10, None),
    (2, "a", 30, None),
    (3, "a", 30, "invalid"),
    (4, "c", None, None),
    (5, "a", 20, None),
    (6, "c", None, None),
    (7, None, 99, "invalid"),
]
KINDS = {
    "row": pa.int64(), "key": pa.string(), "order": pa.int64(), "fate": pa.string(), "points": pa.bool_(),
    "statement": pa.string(),
}  # fmt: skip
DATABASE = duckdb.connect()


def found(rows, keep, credited=()):
    """(row, fate, code, row that stands for it), as the query tells them; rows may have points and a statement.

    `credited`: key and statement of credits that were made before.
    """
    keys, statements = zip(*credited, strict=True) if credited else ((), ())
    before = pa.table({"key": pa.array(keys, pa.string()), "statement": pa.array(statements, pa.string())})
    DATABASE.from_arrow(before).create_view("credited", replace=True)
    whole = [(*row, *(False, None)[len(row) - 4 :]) for row in rows]
    columns = zip(*whole, strict=True) if rows else [()] * len(KINDS)
    arrays = [pa.array(c, kind) for c, kind in zip(columns, KINDS.values(), strict=True)]
    table = pa.table(arrays, names=list(KINDS))
    return duplicates(DATABASE.from_arrow(table), keep).fetchall()


DUPLICATE = ("duplicate", "duplicates.another_row")
SEVERAL = ("invalid", "duplicates.several_rows")


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ("latest", [(0, *DUPLICATE, 3), (2, *DUPLICATE, 3), (4, *DUPLICATE, 6), (5, *DUPLICATE, 3)]),
        ("last", [(0, *DUPLICATE, 5), (2, *DUPLICATE, 5), (4, *DUPLICATE, 6)]),
        ("first", [(2, *DUPLICATE, 0), (5, *DUPLICATE, 0), (6, *DUPLICATE, 4)]),
        ("none", [(row, *SEVERAL, None) for row in (0, 2, 4, 5, 6)]),
    ],
)
def test_one_row_stands_for_the_others(keep, expected):
    assert found(ROWS, keep) == expected


@pytest.mark.parametrize(
    ("older", "newer", "told"),
    [
        ((True, "S1"), (True, "S2"), ("invalid", "points.another_statement", None)),
        ((True, "S1"), (False, None), ("invalid", "points.another_statement", None)),
        ((True, "S1"), (True, "S1"), (*DUPLICATE, 1)),
        ((False, "S1"), (True, "S2"), (*DUPLICATE, 1)),
        ((True, None), (True, None), (*DUPLICATE, 1)),  # the job names no statements
    ],
)
def test_for_points_of_another_statement_nobody_stands(older, newer, told):
    rows = [(0, "a", 1, None, *older), (1, "a", 2, None, *newer)]
    assert found(rows, "last") == [(0, *told)]
    assert found(rows, "none") == [(row, *SEVERAL, None) for row in (0, 1)]


def test_what_was_credited_before_is_not_lost_with_its_row():
    rows = [(0, "a", 1, None, True, "S1"), (1, "a", 2, None, True, "S2")]
    assert found(rows, "last", [("a", "S1")]) == [(0, *DUPLICATE, 1)]
    assert found(rows, "last", [("b", "S1")]) == [(0, "invalid", "points.another_statement", None)]


def plain(rows, keep):
    """The rule said again, one customer at a time."""
    known = [row for row in rows if row[3] in (None, "invalid") and row[1] is not None]
    told = []
    for key in {row[1] for row in known}:
        rivals = [row for row in known if row[1] == key]
        if len(rivals) == 1:
            continue
        if keep == "none":
            told += [(row[0], *SEVERAL, None) for row in rivals if row[3] is None]
            continue
        best = {
            "first": lambda row: -row[0],
            "last": lambda row: row[0],
            "latest": lambda row: (row[2] is not None, row[2] or 0, row[0]),
        }[keep]
        winner = max(rivals, key=best)
        told += [(row[0], *DUPLICATE, winner[0]) for row in rivals if row is not winner and row[3] is None]
    return sorted(told)


cells = st.tuples(
    st.sampled_from(["a", "b", "c", None]),
    st.none() | st.integers(0, 3),
    st.sampled_from([None, None, "invalid", "filtered"]),
)
tables = st.lists(cells, max_size=12).map(lambda cells: [(row, *cell) for row, cell in enumerate(cells)])


@pytest.mark.parametrize("keep", ["latest", "last", "first", "none"])
@settings(deadline=None, max_examples=60)
@given(tables)
def test_any_table_is_decided_by_the_plain_rule(keep, rows):
    assert found(rows, keep) == plain(rows, keep)


@settings(deadline=None, max_examples=60)
@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_rows_matters_under_latest_only_in_ties(rows, random):
    ties = {(row[1], row[2]) for row in rows if [(r[1], r[2]) for r in rows].count((row[1], row[2])) > 1}
    rows = [row for row in rows if (row[1], row[2]) not in ties]
    shuffled = random.sample(rows, len(rows))
    renumbered = [(place, *row[1:]) for place, row in enumerate(shuffled)]
    losers = {(shuffled[row][0], shuffled[winner][0]) for row, _, _, winner in found(renumbered, "latest")}
    assert losers == {(row, winner) for row, _, _, winner in found(rows, "latest")}


def test_a_customer_is_known_by_a_keyed_hash():
    hashes = key_hashes(pa.array(["C-1", None, "C-2", "C-1"]), b"salt").to_pylist()
    assert hashes[0] == hashes[3] != hashes[2]
    assert hashes[1] is None
    assert {len(known) for known in hashes if known} == {HASH_BYTES}
    assert key_hashes(pa.array(["C-1"]), b"another salt").to_pylist() != hashes[:1]


def test_identifiers_are_known_by_keyed_hashes():
    values = {
        "mobile": pa.array(["919845012345", None, "919845012345"]),
        "email": pa.array(["A@b.com", None, "a@B.com"]),
    }
    hashes = identifier_hashes(values, 3, b"salt").to_pylist()
    assert hashes[0] == hashes[2]  # nobody is told apart by the case of an e-mail
    assert [len(of_row) for of_row in hashes] == [2, 0, 2]
    swapped = {"cuid": values["mobile"]}
    assert not set(identifier_hashes(swapped, 3, b"salt").to_pylist()[0]) & set(hashes[0])
    assert not set(identifier_hashes(values, 3, b"pepper").to_pylist()[0]) & set(hashes[0])


def test_rows_without_mapped_identifiers_have_none():
    assert identifier_hashes({}, 2, b"salt").to_pylist() == [[], []]


def test_no_table_has_no_duplicates():
    assert found([], "latest") == []
