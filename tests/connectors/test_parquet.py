"""Parquet: typed values become exact text, text stays untouched."""

import datetime as dt
import uuid
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.lines import Limits
from connectors.parquet import open_parquet
from connectors.unpack import PackedFile
from schemas.errors import SourceError

UTC = dt.UTC
MORNING = dt.datetime(2024, 1, 2, 3, 4, 5)  # noqa: DTZ001 - columns without a zone are the subject


@pytest.fixture
def read(tmp_path):
    """A function that writes arrays as one Parquet file and reads them back: columns of text."""

    def reading(batch_rows=50_000, row_group_size=None, **columns):
        path = tmp_path / "table.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=row_group_size)
        opened = open_parquet(PackedFile(path, "customers"), Limits(batch_rows=batch_rows))
        batches = list(opened.batches(0))
        assert all(field.type == pa.string() for batch in batches for field in batch.rows.schema)
        assert [line for batch in batches for line in batch.lines.to_pylist()] == list(
            range(1, sum(b.rows.num_rows for b in batches) + 1)
        )
        return {name: [v for batch in batches for v in batch.rows.column(name).to_pylist()] for name in opened.columns}

    return reading


@pytest.mark.parametrize(
    ("values", "kind", "text"),
    [
        (["0091", "", None, "NA", " é "], pa.string(), ["0091", "", None, "NA", " é "]),
        (["x", "y"], pa.large_string(), ["x", "y"]),
        (["x", "y"], pa.string_view(), ["x", "y"]),
        (["x", "y", None, "x"], pa.dictionary(pa.int8(), pa.string()), ["x", "y", None, "x"]),
        ([b"abc"], pa.binary(), ["abc"]),
        ([4111111111111111999, None, -5], pa.int64(), ["4111111111111111999", None, "-5"]),
        ([2**64 - 1], pa.uint64(), ["18446744073709551615"]),
        ([Decimal("12.3400"), Decimal("0.0000")], pa.decimal128(10, 4), ["12.3400", "0.0000"]),
        ([Decimal("0.0000001")], pa.decimal128(20, 10), ["0.0000001000"]),
        ([True, False, None], pa.bool_(), ["true", "false", None]),
        ([dt.date(2024, 2, 29), dt.date(1, 1, 1)], pa.date32(), ["2024-02-29", "0001-01-01"]),
        ([919812345678.0, 1.0, 0.1, None], pa.float64(), ["919812345678", "1", "0.1", None]),
        ([1e16, 1.5e25], pa.float64(), ["10000000000000000", "15000000000000000000000000"]),
        ([2.0**53 - 1, 2.0**53], pa.float64(), ["9007199254740991", "9007199254740992"]),
        ([0.1, 1e10, 16777216.0], pa.float32(), ["0.1", "10000000000", "16777216"]),
        ([float("nan"), float("inf"), 1e-7], pa.float64(), ["nan", "inf", "1e-7"]),
        ([1.5], pa.float16(), ["1.5"]),
        ([MORNING, None], pa.timestamp("us"), ["2024-01-02T03:04:05", None]),
        ([MORNING.replace(microsecond=120000)], pa.timestamp("ms"), ["2024-01-02T03:04:05.120"]),
        ([MORNING.replace(tzinfo=UTC)], pa.timestamp("us", "UTC"), ["2024-01-02T03:04:05+00:00"]),
        ([MORNING.replace(tzinfo=UTC)], pa.timestamp("us", "Asia/Kolkata"), ["2024-01-02T08:34:05+05:30"]),
        ([MORNING.replace(microsecond=5)], pa.timestamp("us", "-05:00"), ["2024-01-01T22:04:05.000005-05:00"]),
        ([dt.time(3, 4, 5)], pa.time32("s"), ["03:04:05"]),
        ([[1, 2], [], None], pa.list_(pa.int64()), ["[1,2]", "[]", None]),
        ([{"x": Decimal("1.50")}], pa.struct({"x": pa.decimal128(5, 2)}), ['{"x":1.50}']),
        ([[("k", "v")]], pa.map_(pa.string(), pa.string()), ['{"k":"v"}']),
        ([None, None], pa.null(), [None, None]),
        ([uuid.UUID(int=7).bytes], pa.uuid(), ["00000000-0000-0000-0000-000000000007"]),
    ],
    ids=str,
)  # fmt: skip
def test_a_typed_value_becomes_its_exact_text(read, values, kind, text):
    assert read(a=pa.array(values, kind)) == {"a": text}


def test_row_numbers_go_on_across_row_groups(read):
    assert len(read(a=list(range(2500)), row_group_size=700, batch_rows=400)["a"]) == 2500


def test_no_rows_are_fine(read):
    assert read(a=pa.array([], pa.string()), b=pa.array([], pa.float64())) == {"a": [], "b": []}


@pytest.mark.parametrize("value", [b"caf\xe9", b"\xff\xd8\xff"])
def test_bytes_that_are_no_text_are_refused(read, value):
    as_text = pa.StringArray.from_buffers(1, pa.array([0, len(value)], pa.int32()).buffers()[1], pa.py_buffer(value))
    for column in (pa.array([value]), as_text):
        with pytest.raises(SourceError, match=r"rows 1 to 1: column a \(\w+\) holds what is no text"):
            read(a=column)


def test_columns_without_a_text_form_are_refused_at_once(read):
    with pytest.raises(SourceError, match=r"no text stands for a \(duration\[us\]\), b \(list<"):
        read(a=[dt.timedelta(1)], b=[[dt.timedelta(1)]])


def test_columns_of_one_name_are_refused(tmp_path):
    path = tmp_path / "twice.parquet"
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), path)
    with pytest.raises(SourceError, match="the schema has a more than once"):
        open_parquet(PackedFile(path, "customers"), Limits())


def test_a_damaged_file_is_refused_without_a_traceback(tmp_path):
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"a": [str(number) for number in range(50_000)]}), path, compression="none")
    whole = path.read_bytes()
    damage = {
        "cut": whole[:-100],
        "other": b"a,b\n1,2\n",
        "empty": b"",
        "inside": whole[:20] + b"\xff" * 30_000 + whole[30_020:],
    }
    for content in damage.values():
        path.write_bytes(content)
        with pytest.raises(SourceError) as refusal:
            list(open_parquet(PackedFile(path, "customers"), Limits()).batches(0))
        assert str(refusal.value).startswith("customers")


def test_packed_parquet_is_refused(tmp_path):
    with pytest.raises(SourceError, match="Parquet is packed already"):
        open_parquet(PackedFile(tmp_path / "a.parquet.gz", "customers", "gzip"), Limits())
