"""Python values as Arrow text: exact, and in the form that Arrow's own values get."""

import datetime as dt
from decimal import Decimal
from types import SimpleNamespace

import pyarrow as pa
import pytest

from connectors.dbapi import fetched, in_columns, iso


@pytest.mark.parametrize(
    ("offset", "told", "text"),
    [
        ("", "2024-01-02 03:04:05", "2024-01-02T03:04:05"),
        ("", "2024-01-02 03:04:05.5", "2024-01-02T03:04:05.500000"),
        ("", "2024-01-02 03:04:05.000000", "2024-01-02T03:04:05"),
        ("+00:00", "2024-01-02 03:04:05.123456", "2024-01-02T03:04:05.123456+00:00"),
        ("+00:00", "2024-01-02 03:04:05", "2024-01-02T03:04:05+00:00"),
        ("+00:00", "infinity", "infinity"),
        ("", None, None),
    ],
)
def test_a_servers_time_is_written_as_arrow_writes_it(offset, told, text):
    assert iso(pa.array([told], pa.string()), offset).to_pylist() == [text]


def test_values_keep_their_text_whatever_stands_beside_them():
    rows = [(1, "1", 0.5, Decimal("1.50")), (2**70, "x", 2.0, Decimal("1E+2")), (None, 3, 1, dt.date(2024, 2, 29))]
    (batch,) = in_columns(iter([rows]), ["a", "b", "c", "d"])
    assert batch.to_pydict() == {
        "a": ["1", "1180591620717411303424", None],
        "b": ["1", "x", "3"],
        "c": ["0.5", "2", "1"],
        "d": ["1.50", "100", "2024-02-29"],
    }


def test_small_answers_of_a_server_are_put_together():
    left = [[(n,)] * 1_000 for n in range(41)]
    cursor = SimpleNamespace(fetchmany=lambda rows: left.pop(0) if left else [])
    assert [len(rows) for rows in fetched(cursor, 1_000)] == [20_000, 20_000, 1_000]


def test_a_batch_of_wide_rows_is_cut_by_its_size():
    left = [(n, "x" * 60_000) for n in range(1_000)]
    cursor = SimpleNamespace(fetchmany=lambda rows: [left.pop() for _ in range(min(rows, len(left)))])
    assert [len(rows) for rows in fetched(cursor)] == [200, 200, 200, 200, 200]
