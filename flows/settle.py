"""Settle: the whole file looked at once, and the plan that comes of it."""

from collections.abc import Iterator
from hashlib import sha256

import pyarrow as pa

from connectors.ledger import RESULTS, Ledger
from connectors.spool import Spool
from flows.closing import close_run
from flows.hands import Audience
from flows.prepare import PreparedRun, Source
from schemas.job import Job
from schemas.runs import Plan
from transforms.batches import count_batches, sendable
from transforms.changes import digests, left_out, met_before
from transforms.identity import duplicates


def settle(
    job: Job,
    source: Source,
    spool: Spool,
    prepared: PreparedRun,
    ledger: Ledger,
    run: str,
    salt: bytes,
    audience: Audience,
) -> Plan:
    """Find duplicates over all parts, and what was sent before; then say what would be sent."""
    audience.stage("settle")
    if prepared.parts:
        with spool.database() as database:
            parts = spool.relation(database, "prepared")
            spool.write_dropped(duplicates(parts, job.rules.duplicates.keep))
            spool.write_accepted(ledger.remembered(job.memory, by_others_than=run))
            spool.view(database, "dropped")
            spool.view(database, "accepted")
            spool.write_met(met_before(parts))
            spool.write_digests(_digests(spool, prepared, salt))
            spool.view(database, "digests")
            spool.write_dropped(left_out(parts))
    closed = close_run(job, source, spool, prepared, lambda part: RESULTS.empty_table())
    requests = count_batches((_sizes(spool, prepared)), job.limits.rows_per_request, job.limits.bytes_per_request)
    return Plan(
        run=run,
        job=job.name,
        mode=job.mode,
        totals=closed.totals,
        requests=requests,
        seconds_at_allowed_rate=requests * 60 / job.limits.requests_per_minute,
        requests_per_minute=job.limits.requests_per_minute,
        destination=job.destination.host or job.destination.url or "",
        operation=job.destination.operation,
        origins=prepared.origins,
        reasons=closed.reasons,
        changes=prepared.changes,
        unmatched=prepared.unmatched,
        digest=digest_of(job, source),
    )


def _digests(spool: Spool, prepared: PreparedRun, salt: bytes) -> Iterator[pa.Table]:
    """Only of customers met before: a digest takes as long as reading the row did."""
    for part in prepared.parts:
        rows = spool.met(part).column("row")
        yield pa.table({"row": rows, "digest": digests(spool.payloads(part, rows), salt)})


def digest_of(job: Job, source: Source) -> str:
    """Of the job as written and the source's bytes; secrets count as asterisks, so they may be renewed."""
    told = sha256(job.model_dump_json().encode())
    for reading in source.tables.values():
        for file in reading.files:
            told.update(file.sha256.encode())
    return told.hexdigest()


def _sizes(spool: Spool, prepared: PreparedRun) -> Iterator[pa.Table]:
    for part in prepared.parts:
        yield sendable(spool.read("prepared", part, ["row", "fate", "points", "size"]), spool.dropped(part))
