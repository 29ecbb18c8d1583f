"""MySQL and MariaDB: a read-only transaction, rows as they leave the socket, each value as the server writes it."""

import re
import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from connectors.asking import (
    CONNECT_S,
    LOCKED_S,
    SILENT_S,
    Answer,
    Asked,
    Driver,
    Trouble,
    driver_module,
    kind_of,
    options_of,
)
from connectors.bounds import checked_value
from connectors.dbapi import fetched, in_columns, iso, schema_of
from connectors.lines import check_names
from schemas.errors import SourceError
from schemas.watermarks import Kind

# Types as the protocol numbers them (pymysql.constants.FIELD_TYPE).
_FLOAT, _TIMESTAMP, _DATETIME, _BIT = 4, 7, 12, 16
_KINDS: dict[int, tuple[str, Kind]] = {
    _TIMESTAMP: ("timestamp", Kind.TIMESTAMPTZ), _DATETIME: ("datetime", Kind.TIMESTAMP), 10: ("date", Kind.DATE),
    **dict.fromkeys((1, 2, 3, 8, 9, 13), ("int", Kind.INTEGER)),
    **dict.fromkeys((0, 5, 246), ("decimal", Kind.DECIMAL)),
    **dict.fromkeys((252, 253, 254), ("text", Kind.TEXT)),
}  # fmt: skip
# Below 0001-01-01, which stands for no date in many a table. One of zeros is like a null: after nothing.
_LOWEST: dict[Kind, str | int] = {
    Kind.TIMESTAMPTZ: "0000-12-31", Kind.TIMESTAMP: "0000-12-31", Kind.DATE: "0000-12-31",
    Kind.INTEGER: -(10**64), Kind.DECIMAL: -(10**64), Kind.TEXT: "",
}  # fmt: skip
# So that the text is taken for a time, and not the column for a text or a number.
_AS = {
    Kind.TIMESTAMPTZ: "cast(%(since)s as datetime(6))",
    Kind.TIMESTAMP: "cast(%(since)s as datetime(6))",
    Kind.DATE: "cast(%(since)s as date)",
}
# Errors whose text names tables, columns, users and hosts, and quotes no value; some with what to do.
_QUOTABLE = {
    1044: "; grant this user the database", 1045: "; look at user and password", 1049: "", 1052: "", 1054: "",
    1060: "; rename one of them", 1142: "; grant select on it to this user", 1146: "", 1792: "; a query may only read",
    1317: "; somebody stopped it", 1969: "; look at the server's max_statement_time", 2003: "", 2005: "", 2026: "",
    3024: "; look at the server's max_execution_time", 1040: "; try again when fewer are connected",
    1205: "; somebody holds the table, run again later",
}  # fmt: skip
_GONE = {1053, 1927, 2006, 2013, 2055}


def answer(asked: Asked) -> Answer:
    """Run the query; in its session the time zone is UTC."""
    pymysql = driver_module("pymysql", asked.address.scheme, asked.label)
    driver = Driver((pymysql.MySQLError, OSError, RuntimeError, UnicodeError), _read)
    connection = asked.trying(driver, "no connection", lambda: _connected(asked, pymysql))
    cursor = connection.cursor(pymysql.cursors.SSCursor)
    asked.stack.callback(_cut, connection, cursor)
    return asked.trying(driver, "the query", lambda: _run(asked, driver, cursor))


def _connected(asked: Asked, pymysql: Any) -> Any:
    address, options = asked.address, options_of(asked, ("ssl_ca", "ssl_cert", "ssl_key"))
    encoders = {kind: way for kind, way in pymysql.converters.conversions.items() if not isinstance(kind, int)}
    connection = pymysql.connect(
        host=address.host or "localhost", port=address.port or 3306, user=address.user, password=address.password,
        database=address.path or None, charset="utf8mb4", connect_timeout=CONNECT_S,
        conv=encoders,  # and no decoders: every value stays the server's text
        **options,
    )  # fmt: skip
    # A limit for reading would end a query that thinks for long; a host that is gone does not answer this either.
    for name, value in zip(("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"), SILENT_S, strict=True):
        if hasattr(socket, name):
            connection._sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection


def _cut(connection: Any, cursor: Any) -> None:
    """Close at once; the driver would first read all rows that were not fetched, be it millions."""
    if cursor._result is not None:
        cursor._result.unbuffered_active = False
    connection.close()


def _run(asked: Asked, driver: Driver, cursor: Any) -> Answer:
    kind, values = None, None
    held = f"set lock_wait_timeout = {LOCKED_S}"  # else a day or a year
    for statement in ("set time_zone = '+00:00'", held, "start transaction read only"):
        cursor.execute(statement)
    if asked.bound is not None:
        cursor.execute(f"select * from ({asked.words.filled('null')}\n) as asked limit 0")
        kinds = {name: _KINDS.get(each, ("no time, number or text", None)) for name, each in _described(cursor, asked)}
        cursor.fetchall()
        kind = kind_of(asked.bound.column, kinds, asked.label)
        value = checked_value(asked.bound, kind, asked.label)
        values = {"since": _LOWEST[kind] if value is None else _in_utc(value) if kind == Kind.TIMESTAMPTZ else value}
    literally = _doubled if values else str
    cursor.execute(asked.words.filled(_AS.get(kind, "%(since)s") if kind else "", literally), values)
    described = _described(cursor, asked)
    names, types = [name for name, _ in described], [each for _, each in described]
    check_names(names, asked.label, "the query")
    return Answer(schema_of(names), asked.streamed(driver, _batches(cursor, names, types)), kind)


def _described(cursor: Any, asked: Asked) -> list[tuple[str, int]]:
    """Names and types; a float is refused, of which the server writes six digits: 1234567 as 1.23457e6."""
    described = [(name, kind) for name, kind, *_ in cursor.description]
    if floats := ", ".join(name for name, kind in described if kind == _FLOAT):
        raise SourceError(
            f"{asked.label}: {floats}: the server rounds a float to six digits when it writes it out; "
            "cast it in the query: cast(… as double), or as decimal(20, 2)"
        )
    return described


def _doubled(text: str) -> str:
    return text.replace("%", "%%")


def _in_utc(value: Any) -> str:
    return datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def _batches(cursor: Any, names: Sequence[str], types: Sequence[int]) -> Iterator[pa.RecordBatch]:
    chunks = (_plain(rows, types) for rows in fetched(cursor))
    for batch in in_columns(chunks, names):
        arrays = [_times(values, kind) for values, kind in zip(batch.columns, types, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, names=list(names))


def _plain(rows: list[Sequence[Any]], types: Sequence[int]) -> list[Sequence[Any]]:
    """Bits are numbers; they come as bytes."""
    bits = {place for place, kind in enumerate(types) if kind == _BIT}
    if not bits:
        return rows
    return [[int.from_bytes(v) if n in bits and v is not None else v for n, v in enumerate(row)] for row in rows]


def _times(values: pa.Array, kind: int) -> pa.Array:
    return iso(values, "+00:00" if kind == _TIMESTAMP else "") if kind in {_TIMESTAMP, _DATETIME} else values


def _read(error: Exception) -> Trouble:
    number, text = error.args if len(error.args) == 2 and isinstance(error.args[0], int) else (None, str(error))
    if number in _GONE:
        return Trouble(f"the connection broke ({number})", gone=True)
    if number in _QUOTABLE:
        return Trouble(f"{text} ({number}){_QUOTABLE[number]}")
    if number == 1064:  # it quotes the query, and what was bound in it
        line = re.search(r"at line (\d+)$", str(text))
        return Trouble(f"a syntax error{f' in line {line[1]}' if line else ''} (1064)")
    if isinstance(error, UnicodeError):
        return Trouble("a column holds what is no text; take hex(column) in the query")
    return Trouble(str(text) if isinstance(error, RuntimeError) else f"an error that may quote a value ({number})")
