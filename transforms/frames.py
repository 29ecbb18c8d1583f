"""From what a source yields to what cleaning takes: parts of text, and frames of the wanted columns."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from schemas.rows import RawRows
from transforms.columns import Place
from transforms.customers import array_of, series_of


def gathered(batches: Sequence[RawRows], first_row: int, drop: Iterable[str], keep: Iterable[str] = ()) -> pa.Table:
    """Batches as one table: columns named by their place, then `row` (from `first_row` on), `file`, `line`.

    Of the columns to drop, those to `keep` stay under their own names, where the batches have them.
    """
    names = batches[0].rows.schema.names
    kept = [place for place, name in enumerate(names) if name not in set(drop)]
    wanted = {str(at): place for at, place in enumerate(kept)} | {n: names.index(n) for n in keep if n in names}
    columns = {
        name: pa.chunked_array([b.rows.column(place) for b in batches], pa.string()) for name, place in wanted.items()
    }
    rows = sum(batch.rows.num_rows for batch in batches)
    files = [pa.repeat(pa.scalar(batch.file, pa.int32()), batch.rows.num_rows) for batch in batches]
    return pa.table(
        {
            **columns,
            "row": pa.array(np.arange(first_row, first_row + rows)),
            "file": pa.chunked_array(files, pa.int32()),
            "line": pa.chunked_array([batch.lines for batch in batches], pa.int64()),
        }
    )


def frame_of(
    places: Mapping[str, Place], lead: str, joined: Sequence[str], read: Callable[[str, list[str]], pa.Table]
) -> tuple[pd.DataFrame, pa.Array]:
    """The wanted columns under their wanted names, Arrow-backed, and which rows a joined table has several of.

    `read` gives some columns of a table, row by row along the part.
    """
    columns: dict[str, pd.Series] = {}
    several: pa.Array | None = None
    for table in (lead, *joined):
        wanted = {name: str(place) for name, (of, place) in places.items() if of == table}
        also = ["several"] if table != lead else []
        rows = read(table, [*dict.fromkeys(wanted.values()), *also])
        columns |= {name: series_of(rows.column(place).combine_chunks()) for name, place in wanted.items()}
        if also:
            here = array_of(series_of(rows.column("several").combine_chunks()))
            several = here if several is None else pc.or_(several, here)
    frame = pd.DataFrame(columns)
    return frame, several if several is not None else pa.repeat(False, len(frame))


def beside(left: pa.Table, slices: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The slices' columns behind those of a table that is as long as all of them."""
    start = 0
    for right in slices:
        here = left.slice(start, right.num_rows)
        yield pa.table({name: table.column(name) for table in (here, right) for name in table.column_names})
        start += right.num_rows
