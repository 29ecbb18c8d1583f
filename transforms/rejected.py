"""A rejected file read again as the two tables that it came from: leading rows, and rows of the nested table.

A child's line has its parent's columns before its own, so that it can be loaded by itself. Its parent may have a line
too, which then says more of the parent than the child's line does.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from schemas.rows import ORIGIN, OURS, RawRows

Hashes = npt.NDArray[np.uint64]


def leading_columns(columns: Sequence[str], nested: str) -> list[str]:
    """Columns of the leading table, and ours."""
    return [name for name in columns if not name.startswith(f"{nested}.")]


def nested_columns(columns: Sequence[str], nested: str) -> list[str]:
    """Columns of the nested table under their own names, and ours."""
    return [*(_inner(columns, nested)), *(name for name in columns if name in OURS)]


def _inner(columns: Sequence[str], nested: str) -> list[str]:
    return [name.removeprefix(f"{nested}.") for name in columns if name.startswith(f"{nested}.")]


def nested_rows(batches: Iterator[RawRows], nested: str) -> Iterator[RawRows]:
    """The children's lines. Lines that are no rows are told with the leading table's."""
    for batch in batches:
        columns = batch.rows.schema.names
        written = [f"{nested}.{name}" for name in _inner(columns, nested)] + [n for n in columns if n in OURS]
        child = _told(batch, nested)
        rows = batch.rows.select(written).rename_columns(nested_columns(columns, nested))
        yield RawRows(batch.file, rows.filter(child), batch.lines.filter(child))


def leading_rows(read: Callable[[], Iterator[RawRows]], nested: str, key: str) -> Iterator[RawRows]:
    """Leading rows: lines of their own, and one for each parent who is told by children's lines only.

    That one is no row which was read before, so that it names no line. `read` is asked twice.
    """
    known = np.unique(np.concatenate([np.empty(0, np.uint64), *(_own_keys(batch, nested, key) for batch in read())]))
    for batch in read():
        child = _told(batch, nested).to_numpy(zero_copy_only=False)
        keys = _hashes(batch, key)
        blank = ~_any(batch, [name for name in leading_columns(batch.rows.schema.names, nested) if name not in OURS])
        first = np.zeros(len(keys), dtype=bool)
        places = np.flatnonzero(child & ~blank & ~np.isin(keys, known))
        first[places[np.unique(keys[places], return_index=True)[1]]] = True
        known = np.union1d(known, keys[first])
        yield _kept(batch, pa.array(~child | first), pa.array(first), nested)


def _kept(batch: RawRows, kept: pa.Array, nameless: pa.Array, nested: str) -> RawRows:
    rows = batch.rows.select(leading_columns(batch.rows.schema.names, nested))
    for name in ORIGIN:
        if name in rows.schema.names:
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(place, name, pc.if_else(nameless, "", rows.column(place)))
    return replace(batch, rows=rows.filter(kept), lines=batch.lines.filter(kept))


def _own_keys(batch: RawRows, nested: str, key: str) -> Hashes:
    own = ~_told(batch, nested).to_numpy(zero_copy_only=False)
    return np.asarray(_hashes(batch, key)[own], dtype=np.uint64)


def _hashes(batch: RawRows, key: str) -> Hashes:
    keys = pc.utf8_trim_whitespace(pc.fill_null(batch.rows.column(key), ""))
    return np.asarray(pd.util.hash_array(keys.to_numpy(zero_copy_only=False), categorize=False), dtype=np.uint64)


def _told(batch: RawRows, nested: str) -> pa.Array:
    """Which lines are a child's: they have any of the nested columns."""
    return pa.array(_any(batch, [f"{nested}.{name}" for name in _inner(batch.rows.schema.names, nested)]))


def _any(batch: RawRows, names: Sequence[str]) -> npt.NDArray[np.bool_]:
    told = [pc.not_equal(pc.utf8_trim_whitespace(pc.fill_null(batch.rows.column(name), "")), "") for name in names]
    return np.asarray(reduce(pc.or_, told, pa.repeat(False, batch.rows.num_rows)), dtype=bool)
