"""Rows of delimited files (CSV, TSV), every value as it stands in the file.

Arrow parses blocks that hold whole rows only; where rows begin and end is known beforehand, so each row has
its physical line and each line that is no row its exact bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from connectors.dialect import Dialect, look
from connectors.lines import Bools, Ints, Limits, LineReader, Lines, in_batches
from connectors.records import record_bounds
from connectors.unpack import PackedFile
from schemas.rows import RawRows, Unreadable
from schemas.tables import Csv

TOO_FEW = "line.too_few_columns"
TOO_MANY = "line.too_many_columns"
WRONG_ENCODING = "line.wrong_encoding"


@dataclass(frozen=True, slots=True)
class Delimited:
    """One delimited file, looked at and not yet read."""

    file: PackedFile
    dialect: Dialect
    limits: Limits

    @property
    def columns(self) -> tuple[str, ...]:
        return self.dialect.columns

    @property
    def notes(self) -> tuple[str, ...]:
        return self.dialect.notes

    def batches(self, place: int) -> Iterator[RawRows]:
        """Its rows in file order; `place` is the file's place in the reading.

        Raises:
            SourceError: damaged, a row beyond the limits, or a quote that is never closed.
        """
        dialect, label = self.dialect, self.file.label
        with self.file.open() as stream:
            stream.read(dialect.mark_bytes)
            reader = LineReader(stream, dialect.codec, label, self.limits)
            reader.skip(dialect.lines_before)
            last = False
            while not last:
                lines = reader.more()
                last = lines.last
                bounds = record_bounds(lines, dialect.delimiter, dialect.quote, self.limits.value_lines, label)
                if len(bounds) > 1:
                    yield from in_batches(_Block(lines, bounds, dialect).read(place), self.limits.batch_rows)
                reader.take(int(bounds[-1]))


def open_delimited(file: PackedFile, written: Csv, delimiter: str | None, limits: Limits) -> Delimited:
    """Look at the file's first lines; `delimiter` is None when it is to be found out.

    Raises:
        SourceError: empty, no text, in another encoding, without usable column names.
    """
    return Delimited(file, look(file, written, delimiter, limits), limits)


@dataclass(frozen=True, slots=True)
class _Block:
    """Some whole records: the i-th is made of the lines `bounds[i]` to `bounds[i + 1] - 1`."""

    lines: Lines
    bounds: Ints
    dialect: Dialect

    def read(self, place: int) -> RawRows:
        """All of the block: rows, and what is no row. Blank lines are neither."""
        blank = self.lines.blank()[self.bounds[:-1]]
        wrong = self._wrong()
        fed = np.flatnonzero(~blank) if wrong is None else np.flatnonzero(~blank & ~wrong)
        rows, refused = self._parse(fed)
        unreadable = [self._unreadable(place, int(fed[i]), code) for i, code in refused.items()]
        if wrong is not None:
            unreadable += [self._unreadable(place, int(i), WRONG_ENCODING) for i in np.flatnonzero(~blank & wrong)]
        kept = np.delete(fed, list(refused)) if refused else fed
        if rows.num_rows != len(kept):
            raise AssertionError(f"{len(kept):,} records made {rows.num_rows:,} rows")
        lines = pa.array(self.lines.first + self.bounds[kept])
        return RawRows(place, rows, lines, tuple(sorted(unreadable, key=lambda each: each.line)))

    def _wrong(self) -> Bools | None:
        """Records with a line that is no text; none when all lines are."""
        if self.lines.wrong is None:
            return None
        return np.logical_or.reduceat(self.lines.wrong[: self.bounds[-1]], self.bounds[:-1])

    def _parse(self, fed: Ints) -> tuple[pa.RecordBatch, dict[int, str]]:
        """The rows of the records `fed`, and by place in `fed` why some are none."""
        width = len(self.dialect.columns) + self.dialect.trailing
        table, counts = _arrow_rows(self._text(fed), width, self.dialect)
        refused = {i: TOO_FEW if count < width else TOO_MANY for i, count in counts.items()}
        arrays = [column.combine_chunks() for column in table.columns]
        if self.dialect.trailing:
            beyond = arrays.pop()
            empty = pc.equal(beyond, "")
            if not pc.all(empty, min_count=0).as_py():
                kept = np.delete(np.arange(len(fed)), list(refused))
                refused |= dict.fromkeys(kept[~empty.to_numpy(zero_copy_only=False)].tolist(), TOO_MANY)
                arrays = [array.filter(empty) for array in arrays]
        return pa.RecordBatch.from_arrays(arrays, names=list(self.dialect.columns)), refused

    def _text(self, fed: Ints) -> pa.Buffer:
        """The records `fed` in UTF-8, without a copy when they are all of the block."""
        offsets = np.concatenate([np.zeros(1, np.int64), self.lines.text_ends])[self.bounds]
        if len(fed) == len(self.bounds) - 1:
            return pa.py_buffer(self.lines.text).slice(0, int(offsets[-1]))
        first = np.flatnonzero(np.diff(fed, prepend=-2) != 1)  # of each run of neighbours
        starts, stops = fed[first], np.append(fed[first[1:] - 1], fed[-1:]) + 1
        runs = zip(offsets[starts].tolist(), offsets[stops].tolist(), strict=True)
        return pa.py_buffer(b"".join(self.lines.text[start:stop] for start, stop in runs))

    def _unreadable(self, place: int, record: int, code: str) -> Unreadable:
        start, stop = int(self.bounds[record]), int(self.bounds[record + 1])
        return Unreadable(place, self.lines.first + start, code, self.lines.raw_of(start, stop))


def _arrow_rows(text: pa.Buffer, width: int, dialect: Dialect) -> tuple[pa.Table, dict[int, int]]:
    """Rows of `width` strings, and for each record of another width its place and its number of values."""
    names = [str(number) for number in range(width)]
    counts: dict[int, int] = {}
    if not len(text):
        return pa.table([pa.array([], pa.string())] * width, names=names), counts

    def skip(row: Any) -> str:
        counts[row.number - 1] = row.actual_columns  # Arrow counts records from 1, the skipped ones too
        return "skip"

    table = pacsv.read_csv(
        pa.BufferReader(text),
        # One block: at the edge of two, Arrow loses the LF of a quoted CRLF (apache/arrow#51368).
        read_options=pacsv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=names),
        parse_options=pacsv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            newlines_in_values=dialect.quote is not None,
            ignore_empty_lines=False,
            invalid_row_handler=skip,
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=False,
            check_utf8=False,  # known to be: wrong lines were left out
        ),
    )
    return table, counts
