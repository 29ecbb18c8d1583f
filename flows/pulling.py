"""Pull: what a source yields is cut into parts on disk, and counted on the way."""

from collections import Counter
from collections.abc import Iterator, Sequence

import pyarrow as pa

from connectors.lines import in_batches
from connectors.results import UnreadableLines
from connectors.spool import Part, Spool
from connectors.spool_tables import UNREADABLE
from schemas.rows import ORIGIN, OURS, RawRows, Unreadable
from transforms.frames import gathered

Read = Counter[tuple[str, int]]  # rows and lines by table and file


def pull(
    batches: Iterator[RawRows], table: str, spool: Spool, part_rows: int, limit: int | None, read: Read
) -> Iterator[Part]:
    """Read the leading table into parts of about `part_rows` rows; counts rows per (table, file)."""
    first_row = 0
    batches = counted(limited(batches, limit), table, read)
    for number, group in enumerate(grouped(batches, part_rows)):
        unreadable: list[Unreadable] = []
        rows = spool.write_slices("rows", Part(number, first_row, 0), _pulled(group, first_row, unreadable))
        part = Part(number, first_row, rows, len(unreadable))
        spool.write("unreadable", part, unreadable_of(unreadable))
        yield part
        first_row = part.end_row


def _pulled(group: Iterator[RawRows], first_row: int, unreadable: list[Unreadable]) -> Iterator[pa.Table]:
    """A part's rows as they come; its lines that are none are added to `unreadable`."""
    for batch in group:
        unreadable += batch.unreadable
        yield gathered([batch], first_row, drop=OURS, keep=ORIGIN)
        first_row += batch.rows.num_rows


def counted(batches: Iterator[RawRows], table: str, read: Read) -> Iterator[RawRows]:
    for batch in batches:
        read[table, batch.file] += batch.rows.num_rows
        for line in batch.unreadable:
            read[table, line.file] += 1
        yield batch


def limited(batches: Iterator[RawRows], limit: int | None) -> Iterator[RawRows]:
    """The first rows, with the lines among them that are none; all of them without a limit."""
    left = limit
    for batch in batches:
        yield batch if left is None or batch.rows.num_rows < left else _first(batch, left)
        if left is not None:
            left -= batch.rows.num_rows
            if left <= 0:
                return


def _first(batch: RawRows, rows: int) -> RawRows:
    """The first rows of a batch, with the unreadable lines before the last of them."""
    lines = batch.lines.slice(0, rows)
    last = lines[-1].as_py()
    return RawRows(
        batch.file, batch.rows.slice(0, rows), lines, tuple(each for each in batch.unreadable if each.line < last)
    )


def grouped(batches: Iterator[RawRows], part_rows: int) -> Iterator[Iterator[RawRows]]:
    """Groups of about `part_rows` rows and lines; each must be used up before the next is asked for."""
    pieces = (piece for whole in batches for piece in in_batches(whole, part_rows))
    for first in pieces:
        yield _group(first, pieces, part_rows)


def _group(batch: RawRows | None, further: Iterator[RawRows], part_rows: int) -> Iterator[RawRows]:
    rows = 0
    while batch is not None:
        yield batch
        rows += batch.rows.num_rows + len(batch.unreadable)
        batch = next(further, None) if rows < part_rows else None


def unreadable_of(lines: list[Unreadable]) -> pa.Table:
    columns = ([x.file for x in lines], [x.line for x in lines], [x.code for x in lines], [x.raw for x in lines])
    return pa.table([pa.array(c, kind) for c, kind in zip(columns, UNREADABLE.types, strict=True)], schema=UNREADABLE)


def kept(batches: Iterator[RawRows], spool: Spool, names: Sequence[str]) -> Iterator[RawRows]:
    """A joined table's lines that are no rows are kept as they are met: they belong to no part."""
    kept = UnreadableLines(spool.folder)
    for batch in batches:
        for line in batch.unreadable:
            kept.write(names[line.file], line.raw)
        yield batch


def no_rows(columns: Sequence[str]) -> RawRows:
    rows = pa.RecordBatch.from_arrays([pa.array([], pa.string())] * len(columns), names=list(columns))
    return RawRows(0, rows, pa.array([], pa.int64()))
