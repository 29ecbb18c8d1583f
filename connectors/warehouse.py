"""A database's query as a table: asked once, streamed, every value as text."""

import hashlib
import importlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from connectors.arrowtext import has_text, text_to_the_microsecond
from connectors.asking import BATCH_ROWS, Answer, Asked
from connectors.database_url import Address, read_address
from connectors.lines import check_names
from connectors.query_words import Words, read_words
from schemas.errors import SourceError
from schemas.rows import RawRows, Reading, SourceFile
from schemas.watermarks import Bound, Kind

# Each is imported when it is asked for: a driver is no light thing.
_MODULES = {
    "postgresql": "warehouse_postgresql", "redshift": "warehouse_redshift", "mysql": "warehouse_mysql",
    "mariadb": "warehouse_mysql", "sqlite": "warehouse_sqlite", "duckdb": "warehouse_duckdb",
    "snowflake": "warehouse_snowflake", "bigquery": "warehouse_bigquery", "databricks": "warehouse_databricks",
    "mssql": "warehouse_mssql",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Query:
    """A query that runs; its stream is not read yet."""

    reading: Reading
    kind: Kind | None  # of the since column; none without one, or where no row says
    horizon: str | None  # PostgreSQL's, when asked for, in the form of a value


def open_query(
    url: str,
    query: str,
    bound: Bound | None,
    name: str,
    label: str,
    stack: ExitStack,
    *,
    horizon: bool = False,
    folder: Path,
) -> Query:
    """Connect and run the query; rows come when the reading is read, until `stack` is closed.

    `horizon` asks for the moment before which no transaction is open; it is taken before the query sees its rows.
    A file's URL is relative to `folder`. Without a value, `:since` is the lowest there is: rows where the column is
    null are not after it.

    Raises:
        SourceError: whatever the URL, the query or the database is not up to; no message holds a secret or a value.
    """
    address = read_address(url, label, folder)
    words = read_words(query, address.scheme, label)
    _check_since(words, bound, label)
    if horizon and address.scheme != "postgresql":
        raise SourceError(f"{label}: overlap: transactions is PostgreSQL's; give since.overlap a time")
    asked = Asked(address, words, bound, horizon, label, stack)
    answer: Answer = importlib.import_module(f"connectors.{_MODULES[address.scheme]}").answer(asked)
    check_names(answer.schema.names, label, "the query")
    untold = [f"{field.name} ({field.type})" for field in answer.schema if not has_text(field.type)]
    if untold:
        raise SourceError(f"{label}: no text stands for {', '.join(untold)}; cast those columns to text in the query")
    file = SourceFile(Path(f"{name} query"), 0, _digest(query, bound, address), address.uri)
    columns = tuple(answer.schema.names)
    return Query(Reading(columns, (file,), lambda: _rows(answer, columns, label)), answer.kind, answer.horizon)


def _check_since(words: Words, bound: Bound | None, label: str) -> None:
    if bound is None and words.asks_since:
        raise SourceError(
            f"{label}: the query asks for :since; say with since: {{column: ...}} what it is compared with"
        )
    if bound is not None and not words.asks_since:
        raise SourceError(f"{label}: the job has since, the query no :since; write where {bound.column} > :since")


def _digest(query: str, bound: Bound | None, address: Address) -> str:
    value = None if bound is None else bound.value
    return hashlib.sha256(json.dumps([address.uri, query, value]).encode()).hexdigest()


def _rows(answer: Answer, columns: tuple[str, ...], label: str) -> Iterator[RawRows]:
    row = 1
    for batch in answer.batches:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            part = batch.slice(start, BATCH_ROWS)
            arrays = [_text(values, name, row, label) for values, name in zip(part.columns, columns, strict=True)]
            lines = pa.array(np.arange(row, row + part.num_rows))
            row += part.num_rows
            yield RawRows(0, pa.RecordBatch.from_arrays(arrays, names=list(columns)), lines)


def _text(values: pa.Array, name: str, row: int, label: str) -> pa.Array:
    try:
        return text_to_the_microsecond(_in_utc(values))
    except (pa.ArrowException, UnicodeDecodeError):
        pass
    raise SourceError(
        f"{label}, rows {row:,} to {row + len(values) - 1:,}: column {name} ({values.type}) holds what is no text; "
        "cast it to text in the query"
    )


def _in_utc(values: pa.Array) -> pa.Array:
    """One moment has one text, whatever zone a session or a driver has; microseconds where nothing is finer."""
    if not pa.types.is_timestamp(values.type):
        return values
    zone = values.type.tz and "UTC"
    try:
        return values.cast(pa.timestamp("us", zone))
    except pa.ArrowInvalid:  # finer than that, or beyond it
        return values.cast(pa.timestamp(values.type.unit, zone))
