"""What a source yields: rows of text that know where they came from, and lines that are no rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

# What rejected.csv carries behind the source's own columns; when it is loaded again, these are not the customer's.
OURS = ("_fate", "_code", "_reason", "_file", "_line")
# The line of the source that a rejected row stood on first; a retry is linked by them.
ORIGIN = OURS[-2:]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no row, kept byte for byte; `code` is the stable reason ("line.too_few_columns")."""

    file: int  # place in the reading's `files`
    line: int  # physical line, from 1
    code: str
    raw: bytes  # with its line end, in the file's own encoding


@dataclass(frozen=True, slots=True)
class RawRows:
    """Some rows of one file, in file order.

    `rows` has the source's columns in source order and spelling, all `pa.string()`; null only where the
    format has nulls. `lines` (int64) is the physical line a row starts on (Parquet: row number), from 1.
    """

    file: int
    rows: pa.RecordBatch
    lines: pa.Array
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file, a member of an archive, or a query, as it was when it was opened.

    People are told of it by `path`, and by `uri` where it was taken from: without credentials, empty where it lies at
    `path`. `sha256` is of the file's bytes as they lay there, packed and encrypted; of a query its text and its bound
    values. `size_bytes` goes with it.
    """

    path: Path
    size_bytes: int
    sha256: str
    uri: str = ""


def _gone() -> Iterator[RawRows]:
    raise AssertionError("only what this table was is known: it cannot be read again")


@dataclass(frozen=True, slots=True)
class Reading:
    """A table ready to be read: once if it is a query, else any number of times.

    Every batch has `columns` in this order; `RawRows.file` is a place in `files`, which are in reading order. `notes`
    are sentences, without their full stop, of what was found out about the table and not told by the job.
    """

    columns: tuple[str, ...]
    files: tuple[SourceFile, ...]
    batches: Callable[[], Iterator[RawRows]] = _gone
    notes: tuple[str, ...] = ()
