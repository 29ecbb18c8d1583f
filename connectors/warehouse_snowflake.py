"""Snowflake by its own connector, as Arrow; snowflake://user:password@account/database/schema?warehouse=w&role=r."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import pyarrow as pa

from connectors.asking import BATCH_ROWS, CONNECT_S, Answer, Asked, Driver, Trouble, driver_module, kind_of, options_of
from connectors.bounds import checked_value, scale_of
from connectors.dbapi import schema_of
from connectors.lines import check_names
from connectors.sqlstates import told_state
from schemas.watermarks import Kind

OPTIONS = (
    "warehouse", "role", "authenticator", "private_key_file", "private_key_file_pwd", "token", "host", "port",
    "protocol",
)  # fmt: skip
# The connector asks a host that is gone for ever; a query that thinks for longer than this is ended, too.
NETWORK_S = 2 * 3_600
# Types as the connector numbers them (snowflake.connector.constants.FIELD_TYPES).
_KINDS = {
    0: ("number", Kind.INTEGER), 1: ("float", Kind.DECIMAL), 2: ("text", Kind.TEXT), 3: ("date", Kind.DATE),
    6: ("timestamp_ltz", Kind.TIMESTAMPTZ), 7: ("timestamp_tz", Kind.TIMESTAMPTZ),
    8: ("timestamp_ntz", Kind.TIMESTAMP),
}  # fmt: skip
_AS = {
    Kind.TIMESTAMPTZ: "cast(? as timestamp_tz)", Kind.TIMESTAMP: "cast(? as timestamp_ntz)",
    Kind.DATE: "cast(? as date)", Kind.INTEGER: "cast(? as number(38, 0))", Kind.TEXT: "?",
}  # fmt: skip
_LOWEST = {
    Kind.TIMESTAMPTZ: "0001-01-01T00:00:00+00:00", Kind.TIMESTAMP: "0001-01-01T00:00:00", Kind.DATE: "0001-01-01",
    Kind.INTEGER: "-inf", Kind.DECIMAL: "-inf", Kind.TEXT: "",
}  # fmt: skip


def answer(asked: Asked) -> Answer:
    """Run the query; values are bound by the server. What the user may write is for the role to say."""
    snowflake = driver_module("snowflake.connector", "snowflake", asked.label)
    options = options_of(asked, OPTIONS)
    driver = Driver((snowflake.errors.Error, OSError, pa.ArrowException), _read)
    connection = asked.trying(driver, "no connection", lambda: _connected(asked, snowflake, options))
    asked.stack.callback(connection.close)
    cursor = connection.cursor()
    asked.stack.callback(cursor.close)
    return asked.trying(driver, "the query", lambda: _run(asked, driver, cursor))


def _connected(asked: Asked, snowflake: Any, options: dict[str, str]) -> Any:
    address = asked.address
    database, _, schema = address.path.partition("/")
    return snowflake.connect(
        account=address.host, user=address.user, password=address.password or None, database=database or None,
        schema=schema or None, login_timeout=CONNECT_S, network_timeout=NETWORK_S, paramstyle="qmark",
        application="bulkload",
        arrow_number_to_decimal=True,  # else a number with a scale comes as a float
        **options,
    )  # fmt: skip


def _run(asked: Asked, driver: Driver, cursor: Any) -> Answer:
    kind, values, placed = None, list[str](), ""
    if asked.bound is not None:
        kinds = {each.name: _kind(each) for each in cursor.describe(asked.words.filled("null"))}
        kind = kind_of(asked.bound.column, kinds, asked.label)
        value = checked_value(asked.bound, kind, asked.label)
        values = [_LOWEST[kind] if value is None else str(value)] * (len(asked.words.pieces) - 1)
        placed = _as(kind, value)
    cursor.execute(asked.words.filled(placed), values or None)
    names = [each.name for each in cursor.description]
    check_names(names, asked.label, "the query")
    batches = _batches(cursor)
    first = next(batches, None)
    schema = schema_of(names) if first is None else first.schema
    return Answer(schema, asked.streamed(driver, chain([] if first is None else [first], batches)), kind)


def _kind(column: Any) -> tuple[str, Kind | None]:
    told, kind = _KINDS.get(column.type_code, ("no time, number or text", None))
    return (told, Kind.DECIMAL) if kind == Kind.INTEGER and column.scale else (told, kind)


def _as(kind: Kind, value: object) -> str:
    if kind == Kind.DECIMAL or (kind == Kind.INTEGER and value is None):
        scale = scale_of(value)
        return "cast(? as double)" if scale is None else f"cast(? as number(38, {scale}))"
    return _AS[kind]


def _batches(cursor: Any) -> Iterator[pa.RecordBatch]:
    for table in cursor.fetch_arrow_batches():
        yield from table.to_batches(BATCH_ROWS)


def _read(error: Exception) -> Trouble:
    state, text = getattr(error, "sqlstate", None), getattr(error, "raw_msg", None) or str(error)
    if state and state != "n/a":
        return told_state(state, text)
    return Trouble(
        "the connection broke" if isinstance(error, OSError) else "an error that may quote a value", gone=True
    )
