"""What is unchanged is what the API accepted last, byte for byte."""

import duckdb
import pyarrow as pa
import pytest

from transforms.changes import digests, left_out

KEY = pa.binary(16)


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def found(prepared: list[tuple], accepted: list[tuple], dropped: list[tuple] = ()) -> list[tuple]:
    """`prepared`: row, key, digest, points, fate. `accepted`: key, digest, fate, points."""
    kinds = {"row": pa.int64(), "key": KEY, "digest": KEY, "points": pa.bool_(), "fate": pa.string()}
    tables = {
        "rows": (prepared, kinds),
        "accepted": (accepted, {"key": KEY, "digest": KEY, "fate": pa.string(), "points": pa.bool_()}),
        "dropped": (dropped, {"row": pa.int64(), "fate": pa.string(), "code": pa.string(), "stands_for": pa.int64()}),
    }
    with duckdb.connect() as database:
        for name, (rows, kinds) in tables.items():
            columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
            arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds.values(), strict=True)]
            database.from_arrow(pa.table(arrays, names=list(kinds))).create(name)
        return left_out(database.table("rows")).fetchall()


PLAIN, CREDITS = False, True


@pytest.mark.parametrize(
    ("planned", "remembered", "told"),
    [
        ((key(10), PLAIN), (key(10), "accepted", PLAIN), ("unchanged", None)),
        ((key(10), CREDITS), (key(10), "accepted_with_loss", CREDITS), ("unchanged", None)),
        ((key(11), PLAIN), (key(10), "accepted", PLAIN), None),
        ((key(11), PLAIN), (key(10), "accepted", CREDITS), None),
        ((key(11), CREDITS), (key(10), "accepted", PLAIN), None),
        ((key(11), CREDITS), (key(10), "accepted", CREDITS), ("invalid", "points.credited_before")),
        ((key(10), CREDITS), (key(10), "in_doubt", CREDITS), ("in_doubt", "in_doubt.earlier_run")),
        ((key(11), CREDITS), (key(10), "in_doubt", CREDITS), ("in_doubt", "in_doubt.earlier_run")),
    ],
)
def test_what_is_remembered_decides_what_is_sent(planned, remembered, told):
    digest, points = planned
    left = found([(0, key(1), digest, points, None)], [(key(1), *remembered)])
    assert left == ([(0, *told, None)] if told else [])


def test_another_customer_with_the_same_payload_is_sent():
    assert found([(0, key(1), key(10), CREDITS, None)], [(key(2), key(10), "accepted", CREDITS)]) == []


def test_a_row_with_a_fate_keeps_it():
    prepared = [
        (0, key(1), key(10), PLAIN, "invalid"),
        (1, key(1), key(10), PLAIN, None),
        (2, key(1), key(10), PLAIN, None),
    ]
    dropped = [(1, "duplicate", "duplicates.another_row", 2)]
    assert found(prepared, [(key(1), key(10), "accepted", PLAIN)], dropped) == [
        (2, "unchanged", None, None),
    ]


def test_equal_payloads_have_equal_digests():
    payloads = pa.array([b"{}", b"{}", b'{"a":1}', None], pa.binary())
    told = digests(payloads, b"salt").to_pylist()
    assert told[0] != digests(payloads, b"other").to_pylist()[0]
    assert told[0] == told[1] != told[2]
    assert told[3] is None
