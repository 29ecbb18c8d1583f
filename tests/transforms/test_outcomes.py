"""Closing a part: every row gets its one fate, and no row and no point is lost or counted twice."""

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.outcomes import Fate
from schemas.runs import Totals
from transforms.outcomes import close, count_reasons, first_of_each, most_points, reasons, tally
from transforms.totals import check

PREPARED = {
    "row": pa.int64(), "file": pa.int32(), "line": pa.int64(), "key": pa.binary(), "fate": pa.string(),
    "codes": pa.string(), "points_0": pa.int64(), "programme_0": pa.string(), "points_1": pa.int64(),
    "programme_1": pa.string(), "identifiers": pa.list_(pa.uint64()), "digest": pa.binary(16),
    "whole_digest": pa.binary(16), "statement": pa.binary(16),
}  # fmt: skip
UNREADABLE = {"file": pa.int32(), "line": pa.int64(), "code": pa.string()}
DROPPED = {"row": pa.int64(), "fate": pa.string(), "code": pa.string()}
ANSWERED = {
    "row": pa.int64(), "fate": pa.string(), "codes": pa.string(), "entity_id": pa.string(), "batch": pa.int64(),
    "attempt": pa.int32(), "request_id": pa.string(), "sent_at_utc": pa.timestamp("us", "UTC"),
    "answered_at_utc": pa.timestamp("us", "UTC"),
}  # fmt: skip


def table(schema, *rows, **rest):
    """Rows as tuples over the schema's first columns; `rest` fills the others."""
    columns = list(zip(*rows, strict=True)) if rows else [[]] * len(schema)
    values = dict(zip(schema, columns, strict=False)) | {name: [value] * len(rows) for name, value in rest.items()}
    return pa.table({name: pa.array(values[name], kind) for name, kind in schema.items()})


def prepared(*rows, first_row=100):
    """(fate, codes, points of 1016, points of 1017) a row; an empty programme has no points."""
    return table(
        PREPARED,
        *(
            (first_row + at, 0, at + 2, b"k", fate, codes, one, "1016" if one else "", other, "1017" if other else "")
            for at, (fate, codes, one, other) in enumerate(rows)
        ),
        identifiers=[7, 8],
        digest=b"d" * 16,
        whole_digest=None,
        statement=None,
    )


def answered(*rows):
    return table(ANSWERED, *rows, entity_id="e", batch=1, attempt=2, request_id="r", sent_at_utc=0, answered_at_utc=1)


CLOSED = close(
    prepared(
        ("invalid", "mobile.missing", 5, 0),
        ("filtered", None, 7, 0),
        (None, None, 0, 0),
        (None, "city.not_in_values", 10, 3),
        (None, "email.not_an_address", 20, 0),
        (None, None, 40, 0),
    ),
    table(UNREADABLE, (0, 9, "line.too_few_columns")),
    table(DROPPED, (102, "duplicate", "duplicates.another_row")),
    answered((103, "accepted", ""), (104, "refused", "8009;8050")),
    100,
)


def test_each_row_is_told_from_its_own_stage():
    told = CLOSED.select(["row", "line", "fate", "codes", "batch", "attempt"]).to_pylist()
    assert [tuple(line.values()) for line in told] == [
        (100, 2, "invalid", "mobile.missing", None, None),
        (101, 3, "filtered", None, None, None),
        (102, 4, "duplicate", "duplicates.another_row", None, None),
        (103, 5, "accepted", "city.not_in_values", 1, 2),  # what was dropped from it stays told
        (104, 6, "refused", "email.not_an_address;8009;8050", 1, 2),
        (105, 7, "not_sent", None, None, None),
        (106, 9, "unreadable", "line.too_few_columns", None, None),
    ]


def test_the_most_points_of_a_customer_are_of_one_row_to_be_sent():
    """Summed over a row's programmes; what is invalid, accepted or stands behind another row does not count."""
    rows = [("invalid", None, 900, 0), (None, None, 800, 0), (None, None, 700, 0), (None, None, 20, 30)]
    dropped, sent = table(DROPPED, (101, "duplicate", "")), answered((102, "accepted", ""))
    part = close(prepared(*rows, (None, None, 49, 0)), table(UNREADABLE), dropped, sent, 100)
    assert most_points(part) == 50
    assert most_points(part.slice(0, 3)) == 0


def test_rows_and_points_are_summed_by_fate():
    assert tally(CLOSED) == Totals(
        read=7,
        rows=dict.fromkeys(
            map(Fate, ["invalid", "filtered", "duplicate", "accepted", "refused", "not_sent", "unreadable"]), 1
        ),
        points_read={"1016": 82, "1017": 3},
        points={
            "1016": {Fate.INVALID: 5, Fate.FILTERED: 7, Fate.ACCEPTED: 10, Fate.REFUSED: 20, Fate.NOT_SENT: 40},
            "1017": {Fate.ACCEPTED: 3},
        },
    )


def test_reasons_are_told_once_per_row_and_code():
    assert dict(count_reasons(reasons(CLOSED))) == {
        (Fate.INVALID, "mobile.missing"): 1,
        (Fate.DUPLICATE, "duplicates.another_row"): 1,
        (Fate.ACCEPTED, "city.not_in_values"): 1,
        (Fate.REFUSED, "email.not_an_address"): 1,
        (Fate.REFUSED, "8009"): 1,
        (Fate.REFUSED, "8050"): 1,
        (Fate.UNREADABLE, "line.too_few_columns"): 1,
    }


def test_a_code_told_twice_of_a_row_is_one_reason():
    closed = close(
        prepared((None, None, 0, 0)), table(UNREADABLE), table(DROPPED), answered((100, "refused", "8057;8057")), 100
    )
    assert dict(count_reasons(reasons(closed))) == {(Fate.REFUSED, "8057"): 1}


@pytest.mark.parametrize(
    ("known", "places"), [({}, [0, 1]), ({(Fate.INVALID, "a.b"): 1}, [0]), ({(Fate.INVALID, "a.b"): 2}, [])]
)
def test_examples_are_the_first_places_still_wanted(known, places):
    lines = pa.table({"at": [0, 1, 2], "fate": ["invalid"] * 3, "code": ["a.b"] * 3})
    assert list(first_of_each(lines, known, 2)) == [(Fate.INVALID, "a.b", at) for at in places]


codes = st.sampled_from([None, "mobile.missing", "city.not_in_values;mobile.missing"])
points = st.sampled_from([0, 0, 5, 100, -3])
LATER = ["duplicate", "conflict", "accepted", "accepted_with_loss", "refused", "in_doubt", None, None]
rows = st.lists(
    st.tuples(
        st.sampled_from([None, None, None, "invalid", "filtered"]), codes, points, points, st.sampled_from(LATER)
    ),
    max_size=15,
)


@settings(deadline=None, max_examples=60)
@given(rows, st.integers(0, 3), st.integers(0, 1000))
def test_rows_and_points_are_conserved_for_any_part(rows, unreadable, first_row):
    later = {first_row + at: row[4] for at, row in enumerate(rows) if row[0] is None and row[4]}
    closed = close(
        prepared(*(row[:4] for row in rows), first_row=first_row),
        table(UNREADABLE, *((0, 90 + at, "line.too_few_columns") for at in range(unreadable))),
        table(DROPPED, *((row, fate, "x") for row, fate in later.items() if fate in LATER[:2])),
        answered(*((row, fate, "8009") for row, fate in later.items() if fate in LATER[2:6])),
        first_row,
    )
    expected = [fate or last or "not_sent" for fate, _, _, _, last in rows] + ["unreadable"] * unreadable
    totals = tally(closed)
    check(totals)
    assert closed.column("fate").to_pylist() == expected
    assert closed.column("row").to_pylist() == list(range(first_row, first_row + len(expected)))
    assert totals.rows == Counter(map(Fate, expected))
    assert totals.points_read == {
        programme: sum(row[at] for row in rows)
        for programme, at in (("1016", 2), ("1017", 3))
        if any(row[at] for row in rows)
    }
