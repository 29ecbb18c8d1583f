"""Rows of Python values as columns of Arrow text, for drivers that know no Arrow."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from connectors.arrowtext import text_of


def fetched(cursor: Any, rows: int) -> Iterator[Sequence[Sequence[Any]]]:
    """So many rows at a time until there are none."""
    while found := cursor.fetchmany(rows):
        yield found


def in_columns(chunks: Iterator[Sequence[Sequence[Any]]], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Each chunk as a batch of strings."""
    for rows in chunks:
        yield pa.RecordBatch.from_arrays([_texts(values) for values in zip(*rows, strict=True)], names=list(names))


def schema_of(names: Sequence[str]) -> pa.Schema:
    return pa.schema([pa.field(name, pa.string()) for name in names])


def _texts(values: Sequence[Any]) -> pa.Array:
    """A column of one type at once; one of several types value by value, so that none is bent to another's."""
    kinds = {type(each) for each in values} - {type(None)}
    if len(kinds) <= 1:
        try:
            return text_of(pa.array(values))
        except (pa.ArrowInvalid, OverflowError):
            pass
    return pa.array([None if each is None else _text(each) for each in values], pa.string())


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode()
    return str(text_of(pa.array([value]))[0]) if isinstance(value, float) else str(value)
