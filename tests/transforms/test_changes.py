"""What is unchanged is what the API accepted last, byte for byte."""

import duckdb
import pyarrow as pa

from transforms.changes import digests, with_unchanged

KEY = pa.binary(16)


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def left_out(prepared: list[tuple], accepted: list[tuple], dropped: list[tuple]) -> list[tuple]:
    """`prepared`: row, key, digest, fate. `accepted`: key, digest. `dropped`: row, fate, code, stands_for."""
    with duckdb.connect() as database:
        for name, rows, columns in (
            ("rows", prepared, {"row": pa.int64(), "key": KEY, "digest": KEY, "fate": pa.string()}),
            ("accepted", accepted, {"key": KEY, "digest": KEY}),
            (
                "dropped",
                dropped,
                {"row": pa.int64(), "fate": pa.string(), "code": pa.string(), "stands_for": pa.int64()},
            ),
        ):
            columns_of = list(zip(*rows, strict=True)) or [()] * len(columns)
            arrays = [pa.array(values, kind) for values, kind in zip(columns_of, columns.values(), strict=True)]
            database.from_arrow(pa.table(arrays, names=list(columns))).create(name)
        return with_unchanged(database.table("rows")).fetchall()


def test_only_the_same_customer_with_the_same_payload_is_unchanged():
    prepared = [(0, key(1), key(10), None), (1, key(2), key(20), None), (2, key(3), key(30), None)]
    assert left_out(prepared, [(key(1), key(10)), (key(2), key(99)), (key(9), key(30))], []) == [
        (0, "unchanged", None, None)
    ]


def test_a_row_with_a_fate_keeps_it():
    prepared = [(0, key(1), key(10), "invalid"), (1, key(1), key(10), None), (2, key(1), key(10), None)]
    dropped = [(1, "duplicate", "duplicates.another_row", 2)]
    assert left_out(prepared, [(key(1), key(10))], dropped) == [
        (1, "duplicate", "duplicates.another_row", 2),
        (2, "unchanged", None, None),
    ]


def test_nothing_remembered_leaves_everything_to_send():
    assert left_out([(0, key(1), key(10), None)], [], []) == []


def test_equal_payloads_have_equal_digests():
    told = digests(pa.chunked_array([[b"{}", b"{}"], [b'{"a":1}', None]], pa.binary())).to_pylist()
    assert told[0] == told[1] != told[2]
    assert told[3] is None
