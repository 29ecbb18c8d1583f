"""Rows of Parquet files; typed values become exact text, text stays as it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.arrowtext import has_text, text_of
from connectors.lines import Limits, check_names
from connectors.unpack import PackedFile, unreadable
from schemas.errors import SourceError
from schemas.rows import RawRows

MAGIC = b"PAR1"
ROWS_AT_A_TIME = 20_000  # bounds memory: a batch is held decoded, as text, and once more by who asked for it


@dataclass(frozen=True, slots=True)
class Parquet:
    """One Parquet file whose footer was read."""

    file: PackedFile
    columns: tuple[str, ...]
    limits: Limits
    notes: tuple[str, ...] = ()

    def batches(self, place: int) -> Iterator[RawRows]:
        """Its rows in file order; `lines` are row numbers, from 1.

        Raises:
            SourceError: damaged, or a value that is no text where there should be one.
        """
        row = 1
        size = min(ROWS_AT_A_TIME, self.limits.batch_rows)
        with _opened(self.file) as opened:
            batches = opened.iter_batches(size, use_threads=False)
            while (batch := self._next(batches)) is not None:
                arrays = [self._text(batch, name, row) for name in self.columns]
                lines = pa.array(np.arange(row, row + batch.num_rows))
                row += batch.num_rows
                yield RawRows(place, pa.RecordBatch.from_arrays(arrays, names=list(self.columns)), lines)

    def _next(self, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
        try:
            return next(batches, None)
        except (OSError, pa.ArrowException):
            pass
        raise _damaged(self.file.label)

    def _text(self, batch: pa.RecordBatch, name: str, row: int) -> pa.Array:
        try:
            return text_of(batch.column(name))
        except (pa.ArrowException, UnicodeDecodeError):
            pass
        raise SourceError(
            f"{self.file.label}, rows {row:,} to {row + batch.num_rows - 1:,}: column {name} "
            f"({batch.column(name).type}) holds what is no text; write it as UTF-8 strings"
        )


def open_parquet(file: PackedFile, limits: Limits) -> Parquet:
    """Read the file's footer.

    Raises:
        SourceError: no Parquet, cut off, encrypted, or columns that have no text form or no name of their own.
    """
    if file.packing is not None:
        raise SourceError(f"{file.label}: Parquet is packed already; unpack the {file.packing} around it")
    with file.open() as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise SourceError(f"{file.label}: no Parquet file, or an encrypted one; look at format: and the file")
    with _opened(file) as opened:
        schema = opened.schema_arrow
    check_names(schema.names, file.label, "the schema")
    untold = [f"{field.name} ({field.type})" for field in schema if not has_text(field.type)]
    if untold:
        raise SourceError(f"{file.label}: no text stands for {', '.join(untold)}; write those columns as strings")
    return Parquet(file, tuple(schema.names), limits)


@contextmanager
def _opened(file: PackedFile) -> Iterator[pq.ParquetFile]:
    trouble = None
    try:
        opened = pq.ParquetFile(file.path, pre_buffer=False)
    except (OSError, pa.ArrowException) as error:
        trouble = error
    if isinstance(trouble, OSError) and trouble.errno is not None:
        raise unreadable(file.label, trouble)
    if trouble is not None:
        raise _damaged(file.label)
    with opened:
        yield opened


def _damaged(label: str) -> SourceError:
    return SourceError(f"{label}: the Parquet data is cut off or damaged; have the file written or sent again")
