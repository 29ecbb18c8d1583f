"""An SQLite file, only read; every value has a type of its own there, and keeps its text."""

import sqlite3
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from connectors.asking import Answer, Asked, Driver, Trouble, find_since, kind_of
from connectors.bounds import checked_value
from connectors.dbapi import fetched, in_columns, schema_of
from schemas.watermarks import Kind

LOCKED_S = 10.0
# Below every number, and as text below every one that begins with a digit or a letter.
_LOWEST = -(2**63)
# A column holds whole numbers and others side by side: they are one kind.
_KINDS: dict[type, Kind | None] = {int: Kind.DECIMAL, float: Kind.DECIMAL, str: Kind.TEXT, bytes: None}


def answer(asked: Asked) -> Answer:
    """Run the query; of which kind the since column is, its first value says."""
    driver = Driver((sqlite3.Error, UnicodeError), _read)
    at = f"file:{quote(asked.address.path)}?mode=ro"
    connection = asked.trying(driver, "no access", lambda: sqlite3.connect(at, uri=True, timeout=LOCKED_S))
    asked.stack.callback(connection.close)
    return asked.trying(driver, "the query", lambda: _run(asked, driver, connection))


def _run(asked: Asked, driver: Driver, connection: sqlite3.Connection) -> Answer:
    cursor, kind, values = connection.cursor(), None, dict[str, Any]()
    query = asked.words.filled(":since")
    if asked.bound is not None:
        met = _met(asked.bound.column, cursor.execute(query, {"since": _LOWEST}), asked.label)
        kind = met or asked.bound.kind
        values = {"since": _LOWEST if kind is None else _bound(checked_value(asked.bound, kind, asked.label))}
    cursor.execute(query, values)
    names = [each[0] for each in cursor.description]
    return Answer(schema_of(names), asked.streamed(driver, in_columns(fetched(cursor), names)), kind)


def _bound(value: str | int | Decimal | None) -> str | int | float:
    """As a value of the column: whole numbers as integers, which are exact."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return _LOWEST if value is None else value


def _met(column: str, cursor: sqlite3.Cursor, label: str) -> Kind | None:
    place = find_since(column, [each[0] for each in cursor.description], label)
    value = next((row[place] for row in cursor if row[place] is not None), None)
    return None if value is None else kind_of(column, {column: (type(value).__name__, _KINDS[type(value)])}, label)


def _read(error: Exception) -> Trouble:
    if isinstance(error, UnicodeError) or "decode to UTF-8" in str(error):  # that one quotes the value
        return Trouble("a column holds what is no text; take hex(column) in the query")
    return Trouble(str(error))
