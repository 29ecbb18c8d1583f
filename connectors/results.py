"""What a run leaves for people and machines: results, rejected rows, unreadable lines, reports; all 0600."""

import os
from collections.abc import Iterable, Sequence
from itertools import chain, count
from pathlib import Path, PurePath

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from connectors.unpack import PACKINGS
from schemas.rows import OURS

RESULTS = pa.schema(
    [
        ("file", pa.string()),
        ("line", pa.int64()),
        ("key_hash", pa.binary(16)),
        ("fate", pa.string()),
        ("codes", pa.string()),
        ("entity_id", pa.string()),
        ("batch", pa.int64()),
        ("attempt", pa.int64()),
        ("request_id", pa.string()),
        ("answered_at_utc", pa.timestamp("us", "UTC")),
        # What a retried row was in the run that met it first; null in rows that are no retry.
        ("first_run", pa.string()),
        ("first_file", pa.string()),
        ("first_line", pa.int64()),
        ("first_fate", pa.string()),
        # Keyed hashes: by them `bulkload trace` finds a customer, and who was sent what.
        ("identifiers", pa.list_(pa.uint64())),
        ("payload_digest", pa.binary(16)),
        # Rows of one number share identifiers; null in rows that share none.
        ("cluster", pa.int64()),
    ]
)
UNREADABLE_FOLDER = "unreadable-lines"
# File systems take 255 bytes; a number may come in front.
NAME_BYTES = 240


class Results:
    """Written part by part while a run is closed. Use as `with`."""

    def __init__(self, folder: Path, source_columns: Sequence[str]) -> None:
        self.folder = folder
        # A run that goes on is closed again, from its first row.
        self._lines = UnreadableLines(folder)
        self._results = pq.ParquetWriter(_private(folder / "results.parquet"), RESULTS, compression="zstd")
        schema = pa.schema([(name, pa.string()) for name in [*source_columns, *OURS]])
        self._rejected = pyarrow.csv.CSVWriter(_private(folder / "rejected.csv"), schema)

    def __enter__(self) -> "Results":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._results.close()
        self._rejected.close()

    def write(self, rows: pa.Table) -> None:
        """One line per row, whatever its fate."""
        self._results.write_table(rows.select(RESULTS.names).cast(RESULTS))

    def reject(self, rows: pa.Table) -> None:
        """Rows as they stood in the source, with fate, code, reason, file and line behind them."""
        self._rejected.write_table(rows)

    def unreadable(self, file: str, raw: bytes) -> None:
        """A line that is no row, below the name of the file it came from."""
        self._lines.write(file, raw)


class UnreadableLines:
    """Lines that are no rows, byte for byte, file by file; each file is begun anew at its first line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / UNREADABLE_FOLDER
        self._begun: set[str] = set()

    def write(self, name: str, raw: bytes) -> None:
        """Add a line to one of the files; `name` is one of `plain_names`."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with _private(self._folder / name).open("ab" if name in self._begun else "wb") as opened:
            opened.write(raw)
        self._begun.add(name)


def plain_names(names: Iterable[str]) -> list[str]:
    """What plain text of these files is called in one folder: no path, no packing; of equal names, later ones count."""
    taken: dict[str, None] = {}
    for name in names:
        packed = PurePath(name).suffix.lower() in PACKINGS
        plain = (name[: -len(PurePath(name).suffix)] if packed else name).replace("/", "__")
        while len(os.fsencode(plain)) > NAME_BYTES:
            plain = plain[1:]
        free = (each for each in chain([plain], (f"{n}-{plain}" for n in count(2))) if each not in taken)
        taken[next(free)] = None
    return list(taken)


def write_text(path: Path, text: str) -> None:
    """A file for its owner's eyes only."""
    _private(path).write_text(text, encoding="utf-8")


def _private(path: Path) -> Path:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    return path
