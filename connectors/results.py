"""What a run leaves for people and machines: results, rejected rows, unreadable lines, reports; all 0600."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

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
    ]
)
UNREADABLE_FOLDER = "unreadable-lines"


class Results:
    """Written part by part while a run is closed. Use as `with`."""

    def __init__(self, folder: Path, source_columns: Sequence[str]) -> None:
        self.folder = folder
        # A run that goes on is closed again, from its first row.
        shutil.rmtree(folder / UNREADABLE_FOLDER, ignore_errors=True)
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
        """Lines that are no rows, byte for byte, below the name of the file they came from."""
        folder = self.folder / UNREADABLE_FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        with _private(folder / file).open("ab") as opened:
            opened.write(raw)


def write_text(path: Path, text: str) -> None:
    """A file for its owner's eyes only."""
    _private(path).write_text(text, encoding="utf-8")


def _private(path: Path) -> Path:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    return path
