"""PostgreSQL through ADBC: one snapshot, only read, streamed by COPY."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pyarrow as pa
from pyarrow import types

from connectors.asking import (
    BATCH_ROWS,
    KEPT_ALIVE,
    LOCKED_S,
    Answer,
    Asked,
    Driver,
    Trouble,
    driver_module,
    kind_of,
    quoted,
    refuse_bytes,
)
from connectors.bounds import checked_value
from connectors.endless import text_with_ends
from connectors.horizon import Horizon, read_horizon
from connectors.lines import check_names
from connectors.sqlstates import told_state, told_text
from schemas.watermarks import Kind

BATCH_BYTES = 4 << 20
LOCK_TIMEOUT = f"{LOCKED_S}s"
_KINDS = {
    "timestamptz": Kind.TIMESTAMPTZ, "timestamp": Kind.TIMESTAMP, "date": Kind.DATE, "int2": Kind.INTEGER,
    "int4": Kind.INTEGER, "int8": Kind.INTEGER, "numeric": Kind.DECIMAL, "float4": Kind.DECIMAL,
    "float8": Kind.DECIMAL, "text": Kind.TEXT, "varchar": Kind.TEXT, "bpchar": Kind.TEXT, "name": Kind.TEXT,
}  # fmt: skip
_UNLESS_LIMITED = (
    "select set_config('lock_timeout', $1, true) from pg_settings where name = 'lock_timeout' and setting = '0'"
)
_TYPES = {Kind.INTEGER: "int8", Kind.DECIMAL: "numeric"}
_LOWEST = {
    Kind.TIMESTAMPTZ: "-infinity", Kind.TIMESTAMP: "-infinity", Kind.DATE: "-infinity",
    Kind.INTEGER: str(-(2**63)), Kind.DECIMAL: "-1e300", Kind.TEXT: "",
}  # fmt: skip
_FIRST_US, _LAST_US = -9222425352054775808, -9222425352054775809  # how ADBC moves both ends of int64 to 1970
_FIRST_DAY, _LAST_DAY = -2147472691, -2147472692
_BROKE = re.compile(
    r"server closed the connection|terminating connection|connection to server|could not receive|SSL |FATAL:"
)


def answer(asked: Asked) -> Answer:
    """Run the query; `:since` is a setting of its transaction, as a bound parameter would end the stream."""
    adbc = driver_module("adbc_driver_postgresql.dbapi", "postgresql", asked.label)
    driver = Driver((adbc.Error, OSError, pa.ArrowException), _read)
    connection = asked.trying(driver, "no connection", lambda: adbc.connect(_uri(asked)))
    asked.stack.callback(connection.close)
    cursor = connection.cursor()
    asked.stack.callback(cursor.close)
    horizon = None
    if asked.horizon:
        horizon = asked.trying(driver, "the horizon", lambda: read_horizon(cursor, asked.label))
        connection.rollback()  # the snapshot is taken afterwards
    return asked.trying(driver, "the query", lambda: _run(asked, driver, cursor, horizon))


def _run(asked: Asked, driver: Driver, cursor: Any, horizon: Horizon | None) -> Answer:
    cursor.execute("set transaction isolation level repeatable read, read only")
    cursor.execute(_UNLESS_LIMITED, (LOCK_TIMEOUT,))
    cursor.fetchall()
    known = asked.bound.kind if asked.bound else None
    described = cursor.adbc_execute_schema(asked.words.filled(_read_back(known) if known else "null"))
    check_names(described.names, asked.label, "the query")
    refuse_bytes([each.name for each in described if _type(each) == "bytea"], asked.label)
    kind = None
    if asked.bound is not None:
        kinds = {each.name: (_type(each), _KINDS.get(_type(each))) for each in described}
        kind = kind_of(asked.bound.column, kinds, asked.label)
        value = checked_value(asked.bound, kind, asked.label)
        cursor.execute(
            "select set_config('bulkload.since', $1, true)", (_LOWEST[kind] if value is None else str(value),)
        )
        cursor.fetchall()
    cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(BATCH_BYTES)})
    cursor.execute(_plain(described, asked.words.filled(_read_back(kind) if kind else "")))
    reader = cursor.fetch_record_batch()
    batches = asked.streamed(driver, _batches(reader))
    return Answer(reader.schema, batches, kind, horizon.text(kind, asked.label) if horizon else None)


def _read_back(kind: Kind) -> str:
    return f"current_setting('bulkload.since')::{_TYPES.get(kind, kind)}"


def _type(field: pa.Field) -> str:
    return bytes((field.metadata or {}).get(b"POSTGRESQL:type", b"")).decode()


def _plain(described: pa.Schema, query: str) -> str:
    """The query inside one that has the server write out what the driver does not."""
    return f"select {', '.join(_column(each) for each in described)} from ({query}\n) as asked"


def _column(field: pa.Field) -> str:
    name, kind = quoted(field.name), _type(field)
    if types.is_nested(field.type):
        return f"to_jsonb({name})::text as {name}"
    if kind == "money":
        return f"{name}::numeric::text as {name}"
    as_text = isinstance(field.type, pa.BaseExtensionType) and kind not in {"numeric", "json", "jsonb"}
    return f"{name}::text as {name}" if as_text or kind in {"interval", "oid"} else name


def _batches(reader: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            part = batch.slice(start, BATCH_ROWS)
            yield pa.RecordBatch.from_arrays([_times(each) for each in part.columns], names=part.schema.names)


def _times(values: pa.Array) -> pa.Array:
    if types.is_timestamp(values.type):
        return text_with_ends(values, _FIRST_US, _LAST_US)
    return text_with_ends(values, _FIRST_DAY, _LAST_DAY) if types.is_date(values.type) else values


def _uri(asked: Asked) -> str:
    """For libpq, which reads it strictly: every part is encoded anew."""
    address = asked.address
    user, password = (quote(part, safe="") for part in (address.user, address.password))
    host = f"[{address.host}]" if ":" in address.host else quote(address.host, safe="")
    who = f"{user}{':' if password else ''}{password}@" if user or password else ""
    port = f":{address.port}" if address.port else ""
    told = {"host": address.host, "port": address.port, "user": address.user, "password": address.password}
    told |= {"dbname": address.path}
    more = {name: value for name, value in address.options.items() if not told.get(name)}  # libpq would take these
    options = KEPT_ALIVE | {"application_name": "bulkload"} | more | {"client_encoding": "UTF8"}
    return f"postgresql://{who}{host}{port}/{quote(address.path, safe='')}?{urlencode(options, quote_via=quote)}"


def _read(error: Exception) -> Trouble:
    details = {
        bytes(key).decode(): bytes(value).decode(errors="replace") for key, value in getattr(error, "details", ())
    }
    state = getattr(error, "sqlstate", None)
    if state:
        line = re.search(r"^LINE (\d+):", str(error), re.MULTILINE)
        return told_state(state, details.get("PG_DIAG_MESSAGE_PRIMARY", ""), f", line {line[1]}" if line else "")
    text = str(error)
    if "Failed to connect" in text:
        return Trouble(re.sub(r"^.*?Failed to connect: |^.*failed: (?:FATAL:)?\s*", "", text.partition("\n")[0]))
    if _BROKE.search(text):
        return Trouble("the connection broke", gone=True)
    return told_text(text) or Trouble("the server could not compute a row; try the query in the database's own client")
