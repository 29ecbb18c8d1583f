"""A DuckDB file: opened for reading only, streamed as Arrow."""

import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyarrow import types

from connectors.asking import BATCH_BYTES, BATCH_ROWS, Answer, Asked, Driver, Trouble, kind_of, quoted
from connectors.bounds import checked_value
from connectors.endless import text_with_ends
from connectors.lines import check_names
from schemas.watermarks import Kind

_KINDS = {
    "TIMESTAMP WITH TIME ZONE": Kind.TIMESTAMPTZ, "DATE": Kind.DATE, "VARCHAR": Kind.TEXT,
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), Kind.TIMESTAMP),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), Kind.INTEGER),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), Kind.INTEGER),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), Kind.DECIMAL),
}  # fmt: skip
# What Arrow has a type of its own for; the rest is written out by DuckDB.
_ARROWS = re.compile(
    r"(TIMESTAMP( WITH TIME ZONE|_S|_MS|_NS)?|DATE|TIME|VARCHAR|JSON|BLOB|BOOLEAN|FLOAT|DOUBLE|U?(TINY|SMALL|BIG)INT"
    r"|U?INTEGER|DECIMAL\(.*|ENUM\(.*|STRUCT\(.*|MAP\(.*|.*\])"
)
_LOWEST: dict[Kind, str | int | float] = {
    Kind.TIMESTAMPTZ: "-infinity", Kind.TIMESTAMP: "-infinity", Kind.DATE: "-infinity",
    Kind.INTEGER: float("-inf"), Kind.DECIMAL: float("-inf"), Kind.TEXT: "",
}  # fmt: skip
_AS = {
    Kind.TIMESTAMPTZ: "cast($since as timestamptz)",
    Kind.TIMESTAMP: "cast($since as timestamp)",
    Kind.DATE: "cast($since as date)",
}
_LAST_US, _LAST_DAY = 2**63 - 1, 2**31 - 1
FETCHED = 250  # DuckDB counts rows, however wide they are
# Their messages name tables, columns and files; those of the others quote values.
_QUOTABLE = {"Parser", "Binder", "Catalog", "IO", "Permission", "Connection", "Out of Memory", "Not implemented"}


def answer(asked: Asked) -> Answer:
    """Run the query; its rows are made as they are fetched."""
    import duckdb  # noqa: PLC0415 - most commands do without

    driver = Driver((duckdb.Error, OSError, pa.ArrowException), _read)
    connection = asked.trying(driver, "no access", lambda: duckdb.connect(asked.address.path, read_only=True))
    asked.stack.callback(connection.close)
    # The machine's own time zone would decide what a cast to a date gives; a bar would be drawn into our own lines.
    connection.execute("set TimeZone = 'UTC'; set memory_limit = '512MB'; set enable_progress_bar = false")
    return asked.trying(driver, "the query", lambda: _run(asked, driver, connection))


def _run(asked: Asked, driver: Driver, connection: Any) -> Answer:
    kind, values = None, dict[str, Any]()
    if asked.bound is not None:
        described = connection.sql(asked.words.filled("null"))
        told = {name: str(each) for name, each in zip(described.columns, described.types, strict=True)}
        kind = kind_of(asked.bound.column, {n: (t, _KINDS.get(t.split("(")[0])) for n, t in told.items()}, asked.label)
        value = checked_value(asked.bound, kind, asked.label)
        values = {"since": _LOWEST[kind] if value is None else value}
    query = asked.words.filled(_AS.get(kind, "$since") if kind else "")
    found = connection.sql(query, params=values)
    check_names(found.columns, asked.label, "the query")
    columns = [_column(name, str(each)) for name, each in zip(found.columns, found.types, strict=True)]
    reader = connection.sql(f"select {', '.join(columns)} from ({query}\n)", params=values).to_arrow_reader(FETCHED)
    return Answer(reader.schema, asked.streamed(driver, _batches(reader)), kind)


def _column(name: str, kind: str) -> str:
    return quoted(name) if _ARROWS.fullmatch(kind) else f"cast({quoted(name)} as varchar) as {quoted(name)}"


def _batches(reader: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in _gathered(reader):
        yield pa.RecordBatch.from_arrays([_times(each) for each in batch.columns], names=batch.schema.names)


def _gathered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    held, rows, size_bytes = list[pa.RecordBatch](), 0, 0
    for batch in batches:
        held.append(batch)
        rows, size_bytes = rows + batch.num_rows, size_bytes + batch.nbytes
        if rows >= BATCH_ROWS or size_bytes >= BATCH_BYTES:
            yield pa.concat_batches(held)
            held, rows, size_bytes = [], 0, 0
    if held:
        yield pa.concat_batches(held)


def _times(values: pa.Array) -> pa.Array:
    if types.is_timestamp(values.type):
        return text_with_ends(values, -_LAST_US, _LAST_US)
    return text_with_ends(values, -_LAST_DAY, _LAST_DAY) if types.is_date(values.type) else values


def _read(error: Exception) -> Trouble:
    kind, _, text = str(error).partition(" Error: ")
    if "read-only mode" in text:
        return Trouble("the file is opened for reading only; give a query that changes nothing")
    if kind not in _QUOTABLE:
        return Trouble("a row could not be computed; try the query in DuckDB itself")
    line = re.search(r"^LINE (\d+):", text, re.MULTILINE)
    return Trouble(text.split("\n")[0] + (f" (line {line[1]})" if line else ""))
