"""Databricks by its own connector, as Arrow; databricks://token:…@host/catalog/schema?http_path=…"""

import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from connectors.asking import BATCH_ROWS, Answer, Asked, Driver, Trouble, driver_module, kind_of, options_of
from connectors.bounds import checked_value, scale_of
from connectors.lines import check_names
from connectors.sqlstates import told_state
from schemas.errors import SourceError
from schemas.watermarks import Kind

_KINDS = {
    "timestamp": Kind.TIMESTAMPTZ, "timestamp_ntz": Kind.TIMESTAMP, "date": Kind.DATE, "string": Kind.TEXT,
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), Kind.INTEGER),
    **dict.fromkeys(("decimal", "float", "double"), Kind.DECIMAL),
}  # fmt: skip
_AS = {
    Kind.TIMESTAMPTZ: "cast(:since as timestamp)", Kind.TIMESTAMP: "cast(:since as timestamp_ntz)",
    Kind.DATE: "cast(:since as date)", Kind.INTEGER: "cast(:since as bigint)",
    Kind.TEXT: ":since",
}  # fmt: skip
# Below 0001-01-01, which stands for no date in many a table.
_LOWEST = {
    Kind.TIMESTAMPTZ: "0000-12-31T00:00:00+00:00", Kind.TIMESTAMP: "0000-12-31T00:00:00", Kind.DATE: "0000-12-31",
    Kind.INTEGER: str(-(2**63)), Kind.DECIMAL: "-Infinity", Kind.TEXT: "",
}  # fmt: skip


def answer(asked: Asked) -> Answer:
    """Run the query; values are bound by the server. What the user may write is for the grants to say."""
    databricks = driver_module("databricks.sql", "databricks", asked.label)
    options = options_of(asked, ("http_path",))
    if "http_path" not in options:
        raise SourceError(f"{asked.label}: the URL needs ?http_path=/sql/1.0/warehouses/… of the SQL warehouse")
    if not asked.address.password:  # the connector would open a browser, and wait for a person in it
        raise SourceError(f"{asked.label}: the URL needs a token: databricks://token:dapi…@host/catalog/schema?…")
    driver = Driver((databricks.exc.Error, OSError, pa.ArrowException), _read)
    connection = asked.trying(driver, "no connection", lambda: _connected(asked, databricks, options["http_path"]))
    asked.stack.callback(connection.close)
    cursor = connection.cursor()
    asked.stack.callback(cursor.close)
    return asked.trying(driver, "the query", lambda: _run(asked, driver, cursor))


def _connected(asked: Asked, databricks: Any, http_path: str) -> Any:
    catalog, _, schema = asked.address.path.partition("/")
    return databricks.connect(
        server_hostname=asked.address.host, http_path=http_path, access_token=asked.address.password,
        catalog=catalog or None, schema=schema or None, user_agent_entry="bulkload",
        session_configuration={"timezone": "UTC"},
    )  # fmt: skip


def _run(asked: Asked, driver: Driver, cursor: Any) -> Answer:
    kind, values, placed = None, None, ""
    if asked.bound is not None:
        cursor.execute(f"select * from ({asked.words.filled('null')}\n) as asked limit 0")
        kinds = {name: (told, _KINDS.get(told)) for name, told, *_ in cursor.description}
        kind = kind_of(asked.bound.column, kinds, asked.label)
        value = checked_value(asked.bound, kind, asked.label)
        values = {"since": _LOWEST[kind] if value is None else str(value)}
        placed = _as(kind, value)
    cursor.execute(asked.words.filled(placed), values)
    check_names([name for name, *_ in cursor.description], asked.label, "the query")
    first = cursor.fetchmany_arrow(BATCH_ROWS)
    return Answer(first.schema, asked.streamed(driver, _batches(cursor, first)), kind)


def _as(kind: Kind, value: object) -> str:
    if kind != Kind.DECIMAL:
        return _AS[kind]
    scale = scale_of(value)
    return "cast(:since as double)" if scale is None else f"cast(:since as decimal(38, {scale}))"


def _batches(cursor: Any, first: pa.Table) -> Iterator[pa.RecordBatch]:
    table = first
    while table.num_rows:
        yield from table.to_batches(BATCH_ROWS)
        table = cursor.fetchmany_arrow(BATCH_ROWS)


def _read(error: Exception) -> Trouble:
    text = str(error)
    state = re.search(r"SQLSTATE: (\w{5})", text)
    if state:
        return told_state(state[1], text.partition("SQLSTATE:")[0])
    return Trouble(f"no answer to be read ({type(error).__name__})", gone=True)
