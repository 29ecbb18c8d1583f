"""Settle: the whole file looked at once, and the plan that comes of it."""

from collections.abc import Iterator, Mapping
from hashlib import sha256

import duckdb
import pyarrow as pa

from connectors.ledger import RESULTS, Ledger
from connectors.spool import Spool
from flows.closing import Answers, close_run
from flows.hands import Audience
from flows.prepare import PreparedRun, Source
from schemas.job import Job
from schemas.runs import Plan
from transforms.batches import count_batches, sendable
from transforms.changes import left_out
from transforms.families import held_for_families, waves
from transforms.guards import broken_before
from transforms.identity import duplicates
from transforms.kinship import read_kinship

# What of a job file decides what is sent. The rest, limits and guards above all, may be mended before a run goes on.
DECISIVE = ("name", "mode", "source", "locale", "key", "points_id", "map", "rules")


def settle(
    job: Job,
    source: Source,
    spool: Spool,
    prepared: PreparedRun,
    ledger: Ledger,
    run: str,
    audience: Audience,
) -> Plan:
    """Find duplicates over all parts, and what was sent before; then say what would be sent."""
    audience.stage("settle")
    if prepared.leading:
        with spool.database() as database:
            parts = spool.relation(database, "prepared")
            spool.undrop()
            spool.write_dropped("duplicates", duplicates(parts, job.rules.duplicates.keep))
            spool.view_dropped(database)
            if job.map.association is not None:
                _kinship(prepared, spool, database)
            spool.write_accepted(ledger.remembered(job.memory, by_others_than=run))
            spool.view(database, "accepted")
            spool.write_dropped("changes", left_out(parts))
            if job.map.association is not None:
                spool.view_dropped(database)
                spool.write_dropped("families", held_for_families(database, job.rules.max_children))
                spool.write_waves(waves(database))
    return plan_of(job, source, spool, prepared, run, lambda part: RESULTS.empty_table())


def _kinship(prepared: PreparedRun, spool: Spool, database: duckdb.DuckDBPyConnection) -> None:
    """Read who is whose child; duplicates are known by now."""
    spool.relation(database, "prepared").create_view("prepared", replace=True)
    if nested := prepared.nested:
        spool.relation(database, "prepared", nested).create_view("nested")
    read_kinship(database)


def plan_of(job: Job, source: Source, spool: Spool, prepared: PreparedRun, run: str, answers: Answers) -> Plan:
    """What a settled run would send, without the rows that `answers` has."""
    closed = close_run(job, source, spool, prepared, answers)
    sizes = _sizes(spool, prepared, answers)
    requests = count_batches(sizes, job.limits.rows_per_request, job.limits.bytes_per_request)
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
        most_points_per_customer=closed.most_points,
        guards=broken_before(job.guards, closed.totals, closed.most_points),
        digest=digest_of(job, source),
    )


def digest_of(job: Job, source: Source) -> str:
    """Of what decides what is sent: the job's decisive sections and the source's bytes."""
    told = sha256()
    for section, digest in section_digests(job).items():
        told.update(f"{section}={digest}\n".encode())
    for reading in source.tables.values():
        for file in reading.files:
            told.update(file.sha256.encode())
    return told.hexdigest()


def section_digests(job: Job) -> Mapping[str, str]:
    """One digest per decisive section of the job file; secrets count as asterisks, and those of `auth` not at all."""
    written = {section: job.model_dump_json(include={section}) for section in DECISIVE}
    written["destination"] = job.destination.model_dump_json(exclude={"auth", "in_doubt"})
    # A payload that fits in no request is invalid.
    written["limits.bytes_per_request"] = str(job.limits.bytes_per_request)
    return {section: sha256(text.encode()).hexdigest() for section, text in written.items()}


def _sizes(spool: Spool, prepared: PreparedRun, answers: Answers) -> Iterator[pa.Table]:
    for part in prepared.leading:
        rows = spool.read("prepared", part, ["row", "fate", "points", "size"])
        yield sendable(rows, spool.dropped(part), answers(part))
