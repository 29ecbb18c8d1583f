"""`vanished.csv`: customers who are in the source no more, by keyed hash, and by the API's own number where known."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from connectors.private import private
from schemas.vanished import VANISHED, VANISHED_FILE

COLUMNS = ("key_hash", "entity_id", "last_run", "accepted_at_utc")
_IDENTIFIED = pa.schema([VANISHED.field("key"), VANISHED.field("entity_id")])
_IDS = """
    select key_hash as key, any_value(entity_id) as entity_id from read_parquet($path)
    where entity_id is not null and key_hash in (select key from theirs) group by key_hash
"""


def entity_ids(database: duckdb.DuckDBPyConnection, run_folder: Path, keys: pa.Table) -> pa.Table:
    """What the API called some customers (`key`) when a run loaded them: `key, entity_id`, of those it is known of."""
    results = run_folder / "results.parquet"
    if not results.exists():
        return _IDENTIFIED.empty_table()
    database.register("theirs", keys)
    try:
        return database.sql(_IDS, params={"path": str(results)}).to_arrow_table().cast(_IDENTIFIED)
    finally:
        database.unregister("theirs")


def write_vanished(run_folder: Path, lines: pa.Table) -> None:
    """Lines as `schemas.vanished.VANISHED`."""
    keys = pa.array([key.hex() for key in lines.column("key").to_pylist()], pa.string())
    at = pc.strftime(lines.column("accepted_at_utc").cast(pa.timestamp("s", "UTC"), safe=False), "%Y-%m-%dT%H:%M:%S%Ez")
    told = pa.table([keys, lines.column("entity_id"), lines.column("run"), at], names=list(COLUMNS))
    with private(run_folder / VANISHED_FILE) as file:
        pyarrow.csv.write_csv(told, file)


def remove_vanished(run_folder: Path) -> None:
    """Nobody asks for it any more."""
    (run_folder / VANISHED_FILE).unlink(missing_ok=True)
