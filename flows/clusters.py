"""Clusters of customers that share an identifier: found while a run is settled, told in its plan and its report."""

from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from connectors.results import write_text
from connectors.spool import Spool
from flows.closing import customers_of
from flows.prepare import PreparedRun
from flows.source import Source
from schemas.clusters import NO_CLUSTERS, Clusters
from schemas.job import Job
from transforms.conflicts import clusters, conflicts
from transforms.told_clusters import largest, told_clusters, wanted_rows

TOLD = "clusters.json"


def hold_conflicts(
    job: Job, source: Source, spool: Spool, prepared: PreparedRun, database: duckdb.DuckDBPyConnection, salt: bytes
) -> None:
    """Hold who shares an identifier, as the job's rule says, and keep who does with whom.

    The database has the views `prepared`, `dropped` and `accepted`, and `mentions` where the job has families.
    """
    spool.write_dropped(
        "conflicts", conflicts(database, job.rules.shared_identifier, with_mentions=job.map.association is not None)
    )
    spool.write_clusters(clusters(database))
    spool.view(database, "clusters")
    found = largest(database)
    rows = _rows(job, source, spool, prepared, wanted_rows(found))
    told = told_clusters(found, rows, source.names(source.lead), salt)
    write_text(spool.folder / TOLD, msgspec.json.encode(told).decode())


def known_clusters(spool: Spool) -> Clusters:
    """What settling found; nothing where there was nothing to settle."""
    path = spool.folder / TOLD
    return msgspec.json.decode(path.read_bytes(), type=Clusters) if path.exists() else NO_CLUSTERS


def _rows(
    job: Job, source: Source, spool: Spool, prepared: PreparedRun, wanted: list[int]
) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for part in prepared.leading:
        here = pa.array([row for row in wanted if part.first_row <= row < part.end_row], pa.int64())
        if not len(here):
            continue
        for table in spool.slices("prepared", part, ["row", "file", "line", "payload"]):
            rows = table.filter(pc.is_in(table.column("row"), value_set=here))
            places = [row - part.first_row for row in rows.column("row").to_pylist()]
            customers = customers_of(job, source, spool, part, places)
            for row, customer in zip(rows.to_pylist(), customers, strict=True):
                found[row["row"]] = row | {"customer": customer}
    return found
