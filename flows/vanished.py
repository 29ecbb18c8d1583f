"""Looks for customers who vanished from a source that holds everybody: listed and counted, never deleted."""

from functools import reduce

import duckdb
import pyarrow as pa

from connectors.ledger import Ledger
from connectors.spool import Spool
from connectors.vanished import entity_ids, remove_vanished, write_vanished
from flows.prepare import PreparedRun
from flows.source import Source
from flows.whole import counted
from schemas.job import Job
from schemas.vanished import MOST_LISTED, NOBODY_VANISHED, VANISHED, Vanished
from transforms.vanished import count_known, vanished


def is_looked_for(job: Job, prepared: PreparedRun) -> bool:
    """Whether the job says that its source holds everybody, and all of it was read."""
    return job.guards.max_vanished_percent is not None and not prepared.limited


def find_vanished(
    job: Job, source: Source, spool: Spool, prepared: PreparedRun, ledger: Ledger, database: duckdb.DuckDBPyConnection
) -> Vanished:
    """List whom the job's memory knows and the source does not have.

    `database` has the views `accepted` and `forgotten`.
    """
    remove_vanished(spool.folder)
    if not is_looked_for(job, prepared):
        return NOBODY_VANISHED
    pulled = source.taken[source.lead].pulled if source.lead in source.taken else None
    if pulled is not None and pulled.value is not None:
        return Vanished(not_looked=f"{source.lead} was not read in full, as `bulkload run --full` does")
    for table in filter(None, (source.lead, source.nested)):
        if table in source.taken and (left := source.taken[table].left):
            return Vanished(not_looked=f"of {table}, {counted('was not read', left)}")
    _view_keys(database, spool, prepared)
    vanished(database).create("gone")  # asked for once: both tables may have millions
    gone = database.table("gone")
    count = len(gone)
    if count:
        listed = gone.order("key").limit(MOST_LISTED).to_arrow_table()
        write_vanished(spool.folder, _told(database, ledger, job.memory, listed))
    return Vanished(count_known(database), count)


def _view_keys(database: duckdb.DuckDBPyConnection, spool: Spool, prepared: PreparedRun) -> None:
    """The keys of all rows, of nested ones too, as the view `there`."""
    tables = dict.fromkeys(part.table for part in prepared.parts)
    keys = [spool.relation(database, "prepared", table).select("key") for table in tables]
    nobody = database.sql("select null::blob as key where false")
    reduce(duckdb.DuckDBPyRelation.union, keys, nobody).create_view("there")


def _told(database: duckdb.DuckDBPyConnection, ledger: Ledger, memory: str, listed: pa.Table) -> pa.Table:
    """Who they are, as far as the ledger and the runs that loaded them know, sorted by key."""
    whole = [VANISHED.empty_table()]
    for folder, lines in ledger.loaded_last(memory, listed.column("key").to_pylist()):
        ids = entity_ids(database, folder, lines.select(["key"]))
        whole.append(lines.drop_columns(["entity_id"]).join(ids, "key").select(VANISHED.names).cast(VANISHED))
    return pa.concat_tables(whole).sort_by("key")
