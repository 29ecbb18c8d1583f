"""Bodies hold every payload once, in order, within the limits, and never points beside none."""

import json
from dataclasses import replace
from itertools import count, pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.batches import alone, children_sent_of, count_batches, cut, pieces, sendable, sent_of, split


def part(*rows):
    """(row, payload, credits points) as a table like a prepared part."""
    return pa.table(
        {
            "row": pa.array([row for row, _, _ in rows], pa.int64()),
            "payload": pa.array([payload for _, payload, _ in rows], pa.binary()),
            "points": pa.array([points for _, _, points in rows], pa.bool_()),
            "size": pa.array([len(payload) for _, payload, _ in rows], pa.int32()),
        }
    )


def batches_of(*parts, max_rows=10, max_bytes=1000):
    return list(cut(parts, max_rows, max_bytes, count(1)))


payloads = st.text(max_size=6).map(lambda text: json.dumps({"n": text}, ensure_ascii=False).encode())
rows = st.lists(st.tuples(payloads, st.booleans()), max_size=30)
parted = st.lists(rows, max_size=3).map(
    lambda parts: [
        [(sum(map(len, parts[:at])) + place, *row) for place, row in enumerate(part)] for at, part in enumerate(parts)
    ]
)
limits = {"max_rows": st.integers(1, 7), "max_bytes": st.integers(40, 90)}


@given(parts=parted, **limits)
def test_all_bodies_hold_every_payload_once_in_order(parts, max_rows, max_bytes):
    batches = batches_of(*(part(*rows) for rows in parts), max_rows=max_rows, max_bytes=max_bytes)
    every = [row for rows in parts for row in rows]
    for points in (False, True):
        stream = [batch for batch in batches if batch.points is points]
        assert [row for batch in stream for row in batch.rows] == [
            row for row, _, credits in every if credits is points
        ]
        sent = [json.loads(payload) for _, payload, credits in every if credits is points]
        assert [customer for batch in stream for customer in json.loads(batch.body)] == sent


@given(parts=parted, **limits)
def test_no_body_passes_a_limit_or_stops_short_of_it(parts, max_rows, max_bytes):
    batches = batches_of(*(part(*rows) for rows in parts), max_rows=max_rows, max_bytes=max_bytes)
    assert all(0 < len(batch.rows) <= max_rows and len(batch.body) <= max_bytes for batch in batches)
    for points in (False, True):
        stream = [batch for batch in batches if batch.points is points]
        for batch, following in pairwise(stream):
            next_one = next(split(following, [1], count())).body
            assert len(batch.rows) == max_rows or len(batch.body) + len(next_one) - 1 > max_bytes


@given(parts=parted, **limits)
def test_counting_batches_agrees_with_cutting(parts, max_rows, max_bytes):
    tables = [part(*rows) for rows in parts]
    counted = count_batches([table.select(["row", "points", "size"]) for table in tables], max_rows, max_bytes)
    assert counted == len(batches_of(*tables, max_rows=max_rows, max_bytes=max_bytes))


@given(rows.filter(bool), st.data())
def test_splitting_keeps_every_byte(cells, data):
    (batch,) = batches_of(part(*((row, payload, True) for row, (payload, _) in enumerate(cells))), max_rows=99)
    first = data.draw(st.integers(0, len(cells)))
    pieces = list(split(batch, [size for size in (first, len(cells) - first) if size], count(7)))
    assert b",".join(piece.body[1:-1] for piece in pieces) == batch.body[1:-1]
    assert tuple(row for piece in pieces for row in piece.rows) == batch.rows
    assert [(piece.number, piece.points) for piece in pieces] == [(7 + n, True) for n in range(len(pieces))]


BATCH = batches_of(part(*((row, f'{{"n": "{row}, é"}}'.encode(), False) for row in range(5))))[0]


def test_numbers_are_given_as_batches_are_sealed():
    one, two = b'{"n":1}', b'{"n":2}'
    table = part((0, one, True), (1, two, False), (2, two, True), (3, one, False))
    assert [(b.number, b.rows, b.body, b.points) for b in batches_of(table, max_rows=1)] == [
        (1, (0,), b'[{"n":1}]', True),
        (2, (1,), b'[{"n":2}]', False),
        (3, (3,), b'[{"n":1}]', False),
        (4, (2,), b'[{"n":2}]', True),
    ]


def test_a_batch_is_halved_with_the_odd_row_first():
    assert [half.rows for half in pieces(BATCH, 3, count())] == [(0, 1, 2), (3, 4)]
    assert [piece.rows for piece in pieces(BATCH, 2, count())] == [(0, 1), (2, 3), (4,)]


def test_chosen_rows_stand_alone():
    assert [(one.rows, one.body) for one in alone(BATCH, {1, 4}, count())] == [
        ((1,), '[{"n": "1, é"}]'.encode()),
        ((4,), '[{"n": "4, é"}]'.encode()),
    ]


def test_rows_with_a_fate_or_taken_out_are_not_sent():
    prepared = pa.table({"row": [5, 6, 7, 8], "fate": pa.array([None, "invalid", None, None], pa.string())})
    dropped = pa.table({"row": pa.array([7], pa.int64())})
    assert sendable(prepared, dropped).column("row").to_pylist() == [5, 8]
    assert sendable(prepared, dropped.slice(0, 0)).column("row").to_pylist() == [5, 7, 8]


def test_identifiers_are_read_back_from_the_body():
    customer = {"profiles": [{"source": "INSTORE", "identifiers": [{"type": "externalId", "value": "C-1"}]}]}
    card = {"type": "cardnumber", "value": "9 é", "seriesId": 12, "seriesCode": "GOLD"}
    other = {"profiles": [{"identifiers": [{"type": "mobile", "value": "9198"}, card]}], "loyaltyInfo": {}}
    (batch,) = batches_of(part(*((n, json.dumps(c).encode(), False) for n, c in enumerate([customer, other]))))
    assert sent_of(batch) == ((("externalId", "C-1"),), (("mobile", "9198"), ("cardnumber", "9 é")))


def family(name, *children):
    def person(value):
        return {"profiles": [{"identifiers": [{"type": "externalId", "value": value}]}]}

    return json.dumps(person(name) | {"associationDetails": {"childCustomers": [person(kid) for kid in children]}})


def families(*rows):
    """(row, its children's rows, payload) as a prepared part of a job that nests."""
    numbers, children, payloads = zip(*rows, strict=True)
    told = part(*((row, payload.encode(), False) for row, payload in zip(numbers, payloads, strict=True)))
    return told.append_column("children", pa.array(children, pa.list_(pa.int64())))


FAMILIES = families(
    (0, [7, 8], family("P-0", "K-7", "K-8")), (1, None, family("P-1")), (2, [], family("P-2")),
    (3, [9], family("P-3", "K-9")),
)  # fmt: skip


def test_children_travel_with_their_parents_in_whatever_batch():
    (batch,) = batches_of(FAMILIES, max_bytes=10_000)
    assert (batch.rows, batch.children, batch.all_rows) == (
        (0, 1, 2, 3), ((7, 8), (), (), (9,)), (0, 7, 8, 1, 2, 3, 9)
    )  # fmt: skip
    assert [half.children for half in pieces(batch, 2, count())] == [((7, 8), ()), ((), (9,))]
    assert [one.all_rows for one in alone(batch, {1, 3}, count())] == [(1,), (3, 9)]


def test_a_batch_without_any_children_says_nothing_of_them():
    assert [batch.children for batch in batches_of(FAMILIES, max_rows=1, max_bytes=10_000)] == [
        ((7, 8),), (), (), ((9,),)
    ]  # fmt: skip
    assert BATCH.children == ()
    assert BATCH.all_rows == BATCH.rows


def test_childrens_identifiers_are_read_back_beside_their_parents():
    (batch,) = batches_of(FAMILIES, max_bytes=10_000)
    assert sent_of(batch) == tuple((("externalId", f"P-{n}"),) for n in range(4))
    kids = [[value for sent in row for _, value in sent] for row in children_sent_of(batch)]
    assert kids == [["K-7", "K-8"], [], [], ["K-9"]]
    assert children_sent_of(replace(batch, children=())) == ()


def test_a_body_is_not_shown_with_its_batch():
    assert "é" not in repr(BATCH)


@pytest.mark.parametrize("spare", [0, 1])
def test_commas_and_brackets_count(spare):
    two = part((0, b'{"n":1}', False), (1, b'{"n":2}', False))
    limit = len(b'[{"n":1},{"n":2}]') - spare
    assert len(batches_of(two, max_bytes=limit)) == count_batches([two], 10, limit) == 1 + spare
