"""Rows of one family go one after the other: in which wave each goes, and whether it may go again.

A wave table has `row`, `wave` (1, 2, …) and `waits_for`, the row that has the parent (null: none of the run), sorted by
wave and row; rows that are not in it are of wave 0.
"""

from collections.abc import Collection, Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def within(waves: pa.Table, first_row: int, end_row: int) -> pa.Table:
    """The rows of a part; `end_row` is one past its last."""
    rows = waves.column("row")
    return waves.filter(pc.and_(pc.greater_equal(rows, first_row), pc.less(rows, end_row)))


def only_rows(waves: pa.Table, left: pa.Table) -> pa.Table:
    """Those that `left` has too."""
    return waves.filter(pc.is_in(waves.column("row"), value_set=left.column("row")))


def in_turn(waves: pa.Table) -> Iterator[pa.Table]:
    """One wave after the other, sorted by row within each."""
    ordered = waves.sort_by([("wave", "ascending"), ("row", "ascending")])
    numbers = ordered.column("wave").to_numpy()
    edges = [*np.flatnonzero(np.diff(numbers, prepend=0)).tolist(), len(numbers)]
    for start, end in pairwise(edges):
        yield ordered.slice(start, end - start)


def held_up(wave: pa.Table, unsettled: Collection[int]) -> pa.Array:
    """Which rows of a wave wait for one whose answer is not known, or that waits itself."""
    return pc.is_in(wave.column("waits_for"), value_set=pa.array(sorted(unsettled), pa.int64()))


def with_wave(rows: pa.Table, waves: pa.Table) -> pa.Table:
    """The same rows and the `wave` of each."""
    places = pc.index_in(rows.column("row"), value_set=waves.column("row"))
    return rows.append_column("wave", pc.fill_null(waves.column("wave").take(places), 0))


def by_wave(rows: pa.Table) -> Iterator[pa.Table]:
    """Rows with their `wave`, one wave after the other; all at once where it is not told."""
    if "wave" not in rows.column_names:
        yield rows
        return
    for wave in sorted(pc.unique(rows.column("wave")).to_pylist()):
        yield rows.filter(pc.equal(rows.column("wave"), wave))


def going_again(rows: pa.Table, untouched: Collection[int]) -> list[tuple[int, ...]]:
    """Of rows that were not applied those that may go again: each with its children, and only if all are such.

    A child travels in its parent's element and never alone. `rows` has, of all rows in doubt, `row`, and where the
    job nests `children` and `parent`.
    """
    numbers = rows.column("row").to_pylist()
    parents, children = (
        rows.column(name).to_pylist() if name in rows.column_names else [None] * len(numbers)
        for name in ("parent", "children")
    )
    told = zip(numbers, parents, children, strict=True)
    families = ((row, *(kids or ())) for row, parent, kids in told if parent is None)
    return [family for family in families if all(row in untouched for row in family)]
