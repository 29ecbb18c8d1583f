"""Rows of Python values as columns of Arrow text, for drivers that know no Arrow."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.arrowtext import text_of
from connectors.asking import BATCH_BYTES, BATCH_ROWS

_SIZED = {str, bytes}
FETCHED = 100  # rows of a megabyte each are still held
Rows = list[Sequence[Any]]


def fetched(cursor: Any, at_once: int = FETCHED) -> Iterator[Rows]:
    """A batch's rows at a time, until there are none; `at_once` is how many the server is asked for."""
    held: Rows = []
    size_bytes = 0
    while found := cursor.fetchmany(at_once):
        held += found
        size_bytes += sum(len(each) for each in chain.from_iterable(found) if type(each) in _SIZED)
        if len(held) >= BATCH_ROWS or size_bytes >= BATCH_BYTES:
            yield held
            held, size_bytes = [], 0
    if held:
        yield held


def in_columns(chunks: Iterator[Rows], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Each chunk as a batch of strings."""
    for rows in chunks:
        yield pa.RecordBatch.from_arrays([_texts(values) for values in zip(*rows, strict=True)], names=list(names))


def schema_of(names: Sequence[str]) -> pa.Schema:
    return pa.schema([pa.field(name, pa.string()) for name in names])


def iso(times: pa.Array, offset: str = "") -> pa.Array:
    """Times as servers write them ("2024-01-02 03:04:05.5") as Arrow writes them; what is no time stays."""
    text = pc.replace_substring_regex(times, r"^(\d\S*) (\d\d:)", r"\1T\2")
    text = pc.replace_substring_regex(text, r"\.(\d+)", r".\100000")
    text = pc.replace_substring_regex(text, r"(\.\d{6})\d+", r"\1")
    return pc.replace_substring_regex(text, r"^(\S+T[\d:]+)(\.0{6})?(\.\d+)?", rf"\1\3{offset}")


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
    # An integer may be longer than Arrow's; a float or a decimal has an exponent to be written out.
    return str(text_of(pa.array([value]))[0]) if isinstance(value, float | Decimal) else str(value)
