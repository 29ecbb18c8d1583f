"""Where a customer stands in what a run left: by keyed hashes, out of core."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.results import RESULTS
from connectors.spool import Spool
from schemas.errors import WrongInput
from schemas.trace import Wanted

RESULTS_FILE = "results.parquet"
# Lines of results under the names that closed rows have; a line's place is its row's number.
FOUND = pa.schema(
    [("row", pa.int64()), ("key", pa.binary(16)), ("digest", pa.binary(16)), ("identifiers", pa.list_(pa.uint64()))]
    + [field for field in RESULTS if field.name not in ("key_hash", "payload_digest", "identifiers")]
)
# Who has a key is known by it; by identifiers only who has none.
_NAMED = """
    coalesce(parent_key in (select unnest($keys::blob[])), list_has_any(relatives, $identifiers::ubigint[]))
"""
_THEIRS = {"key": "key_hash", "digest": "payload_digest", "row": "file_row_number"}


def in_results(folder: Path, wanted: Wanted) -> pa.Table:
    """The lines of a run's results that are one of the wanted, in order (as `FOUND`); an older file's lack columns."""
    which = _which("key_hash", "identifiers" in pq.read_schema(folder / RESULTS_FILE).names)
    return _lines(folder, which, _bound(wanted))


def of_rows(folder: Path, rows: Sequence[int]) -> pa.Table:
    """The lines of some rows in a run's results, as `in_results`."""
    return _lines(folder, "file_row_number in (select unnest($rows::bigint[]))", {"rows": list(rows)})


def _lines(folder: Path, which: str, bound: Mapping[str, object]) -> pa.Table:
    path = folder / RESULTS_FILE
    there = set(pq.read_schema(path).names) | {"file_row_number"}
    columns = [
        f"{theirs if theirs in there else 'null'} as {field.name}"
        for field in FOUND
        for theirs in (_THEIRS.get(field.name, field.name),)
    ]
    asked = f"select {', '.join(columns)} from read_parquet($path, file_row_number = true) where {which} order by row"
    with Spool(folder).database() as database:
        return database.sql(asked, params={"path": str(path), **bound}).to_arrow_table().cast(FOUND)


def in_prepared(spool: Spool, wanted: Wanted) -> Iterator[int]:
    """The row numbers of a prepared run's rows that are one of the wanted, in order.

    Raises:
        WrongInput: an older version prepared them, and did not keep their identifiers.
    """
    files = sorted((spool.folder / "prepared").glob("*.parquet"))
    if not files:
        return
    if "identifiers" not in pq.read_schema(files[0]).names:
        raise WrongInput("an older bulkload prepared it, and did not keep its customers' identifiers")
    with spool.database() as database:
        asked = f"select row from read_parquet($path) where {_which('key', True)} order by row"
        found = database.execute(asked, {"path": str(spool.folder / "prepared" / "*.parquet"), **_bound(wanted)})
        for (row,) in found.fetchall():
            yield row


def rows_naming(folder: Path, wanted: Wanted) -> pa.Array:
    """The numbers of a run's rows that name one of the wanted as their parent, in order."""
    files = sorted((folder / "prepared").glob("*.parquet"))
    if not files or "parent_key" not in pq.read_schema(files[0]).names:
        return pa.array([], pa.int64())
    with Spool(folder).database() as database:
        asked = f"select row from read_parquet($path) where {_NAMED} order by row"
        found = database.execute(asked, {"path": str(folder / "prepared" / "*.parquet"), **_bound(wanted)})
        return pa.array([row for (row,) in found.fetchall()], pa.int64())


def _which(key: str, with_identifiers: bool) -> str:
    """An older version's files know customers by their key alone; the list must be named for it to be bound."""
    others = "list_has_any(identifiers, $identifiers::ubigint[])" if with_identifiers else "len($identifiers) < 0"
    return f"({key} in (select unnest($keys::blob[])) or {others})"


def _bound(wanted: Wanted) -> dict[str, list[bytes] | list[int]]:
    return {"keys": sorted(wanted.keys), "identifiers": sorted(wanted.identifiers)}
