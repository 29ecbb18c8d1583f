"""Redshift by psycopg and a cursor of the server; each value as the server writes it."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.arrowtext import text_of
from connectors.asking import KEPT_ALIVE, Answer, Asked, Driver, Trouble, driver_module, kind_of, refuse_bytes
from connectors.bounds import checked_value, scale_of
from connectors.dbapi import fetched, in_columns, iso, schema_of
from connectors.lines import check_names
from connectors.sqlstates import told_state
from schemas.watermarks import Kind

FETCHED = 1_000  # a cluster of one node gives no more at a time
_KINDS = {
    "timestamptz": Kind.TIMESTAMPTZ, "timestamp": Kind.TIMESTAMP, "date": Kind.DATE,
    **dict.fromkeys(("int2", "int4", "int8"), Kind.INTEGER),
    **dict.fromkeys(("numeric", "float4", "float8"), Kind.DECIMAL),
    **dict.fromkeys(("text", "varchar", "bpchar"), Kind.TEXT),
}  # fmt: skip
_FLOATS = {"float4": pa.float32(), "float8": pa.float64()}
_TYPES = {Kind.INTEGER: "bigint", Kind.TEXT: "varchar"}
_LOWEST: dict[Kind, str | float] = {
    Kind.TIMESTAMPTZ: "0001-01-01 00:00:00+00", Kind.TIMESTAMP: "0001-01-01", Kind.DATE: "0001-01-01",
    Kind.INTEGER: -(2**63), Kind.DECIMAL: -1e300, Kind.TEXT: "",
}  # fmt: skip


def answer(asked: Asked) -> Answer:
    """Run the query; in its session the time zone is UTC."""
    psycopg = driver_module("psycopg", "redshift", asked.label)
    driver = Driver((psycopg.Error, OSError, UnicodeError), _read)
    connection = asked.trying(driver, "no connection", lambda: _connected(asked, psycopg))
    asked.stack.callback(connection.close)
    return asked.trying(driver, "the query", lambda: _run(asked, driver, connection))


def _connected(asked: Asked, psycopg: Any) -> Any:
    address = asked.address
    told = {
        "host": address.host, "port": address.port, "user": address.user, "dbname": address.path,
        "password": address.password, "client_encoding": "utf8",
    }  # fmt: skip
    options = {"port": 5439} | KEPT_ALIVE | dict(address.options) | {name: each for name, each in told.items() if each}
    # As one text, so that an option is libpq's and never an argument of the driver.
    connection = psycopg.connect(psycopg.conninfo.make_conninfo("", **options), prepare_threshold=None)
    connection.read_only = True
    as_text = psycopg.types.string.TextLoader
    for each in psycopg.adapters.types:
        for oid in filter(None, (each.oid, each.array_oid)):
            connection.adapters.register_loader(oid, as_text)
    return connection


def _run(asked: Asked, driver: Driver, connection: Any) -> Answer:
    connection.execute("set timezone to 'UTC'")
    connection.execute("set extra_float_digits to 2")  # else a float is rounded to 6 or 15 digits
    kind, values, placed = None, None, ""
    if asked.bound is not None:
        with connection.cursor() as looking:
            looking.execute(f"select * from ({asked.words.filled('null')}\n) as asked limit 0")
            kinds = {name: (each, _KINDS.get(each)) for name, each in _described(looking, connection)}
        kind = kind_of(asked.bound.column, kinds, asked.label)
        value = checked_value(asked.bound, kind, asked.label)
        values = {"since": _LOWEST[kind] if value is None else value}
        placed = _placeholder(kind, value)
    cursor = connection.cursor("bulkload")
    asked.stack.callback(cursor.close)
    cursor.execute(asked.words.filled(placed, _doubled if values else str), values)
    described = _described(cursor, connection)
    check_names([name for name, _ in described], asked.label, "the query")
    refuse_bytes([name for name, kind in described if kind == "bytea"], asked.label)
    batches = asked.streamed(driver, _batches(cursor, described))
    return Answer(schema_of([name for name, _ in described]), batches, kind)


def _placeholder(kind: Kind, value: Any) -> str:
    if kind != Kind.DECIMAL:
        placed = f"%(since)s::{_TYPES.get(kind, kind)}"
        # Below 0001-01-01, which stands for no date in many a table.
        return f"({placed} - interval '1 day')" if value is None and kind.is_time else placed
    scale = scale_of(value)
    return "%(since)s::float8" if scale is None else f"%(since)s::numeric(38, {scale})"


def _described(cursor: Any, connection: Any) -> list[tuple[str, str]]:
    types = connection.adapters.types
    return [(each.name, getattr(types.get(each.type_code), "name", "a type of its own")) for each in cursor.description]


def _doubled(text: str) -> str:
    return text.replace("%", "%%")


def _batches(cursor: Any, described: Sequence[tuple[str, str]]) -> Iterator[pa.RecordBatch]:
    names = [name for name, _ in described]
    for batch in in_columns(fetched(cursor, FETCHED), names):
        arrays = [_as_elsewhere(values, kind) for values, (_, kind) in zip(batch.columns, described, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, names=names)


def _as_elsewhere(values: pa.Array, kind: str) -> pa.Array:
    """Times, truth values and floats in the form that they have from other databases."""
    if kind == "bool":
        return pc.if_else(pc.equal(values, "t"), "true", "false")
    if kind == "timestamptz":
        return iso(pc.replace_substring_regex(values, r"\+00$", ""), "+00:00")
    if kind in _FLOATS:  # their shortest text; the server has 0.10000000000000001 for 0.1
        return text_of(values.cast(_FLOATS[kind]))
    return iso(values) if kind == "timestamp" else values


def _read(error: Exception) -> Trouble:
    if isinstance(error, UnicodeError):
        return Trouble("a column holds what is no text; cast it in the query")
    state = getattr(error, "sqlstate", None)
    if state:
        return told_state(state, error.diag.message_primary or "")  # type: ignore[attr-defined]  # psycopg's
    text = str(error).partition("\n")[0].removeprefix("connection failed: ")
    return Trouble(text, gone=True)
