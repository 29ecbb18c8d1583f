"""Questions about all identifiers of a file, asked of some of them at a time, so that they fit in memory."""

from collections.abc import Iterable, Iterator, Mapping

import duckdb

# Hashes are spread evenly over their 64 bits: so many identifiers, or so many rows, at once.
SLICE_HASHES, SLICE_ROWS = 6_000_000, 2_000_000
_HASHES = 2**64

OF_SLICE = "hash between $low::ubigint and $high::ubigint"


def hash_slices(hashes: int) -> Iterator[dict[str, int]]:
    """The parameters of `OF_SLICE`, so that each slice has about `SLICE_HASHES` of so many hashes."""
    width = _HASHES * SLICE_HASHES // max(hashes, 1) + 1
    for low in range(0, _HASHES, width):
        yield {"low": low, "high": min(low + width, _HASHES) - 1}


def row_slices(rows: int) -> Iterator[dict[str, int]]:
    """The first row of each slice, and the first after it: `start`, `stop`."""
    for start in range(0, rows, SLICE_ROWS):
        yield {"start": start, "stop": start + SLICE_ROWS}


def gather_hashes(
    database: duckdb.DuckDBPyConnection, table: str, question: str, slices: Iterable[Mapping[str, int]]
) -> None:
    """Make a table of the hashes that a question finds, slice by slice."""
    database.execute(f"create or replace temp table {table} (hash ubigint)")
    for one in slices:
        database.execute(f"insert into {table} {question}", dict(one))
