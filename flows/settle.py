"""Settle: the whole file looked at once, and the plan that comes of it."""

from collections.abc import Iterator, Mapping
from hashlib import sha256

import duckdb
import pyarrow as pa

from connectors.ledger import RESULTS, Ledger
from connectors.spool import Spool
from flows.closing import Answers, close_run
from flows.clusters import hold_conflicts, known_clusters
from flows.hands import Audience
from flows.prepare import PreparedRun
from flows.since import read_since
from flows.source import Source
from flows.vanished import find_vanished, is_looked_for
from flows.withheld import planned
from schemas.job import Job
from schemas.memory import ACCEPTED, CHILDREN, CREDITED, FORGOTTEN, NEWER, REFUSED
from schemas.runs import Changed, Plan
from schemas.vanished import NOBODY_VANISHED, Vanished
from transforms.batches import count_batches, sendable
from transforms.changes import count_changed, credited_before, left_out, overtaken, touched, unstated, withheld
from transforms.families import held_for_families, waves
from transforms.guards import broken_before
from transforms.identity import duplicates
from transforms.kinship import read_kinship

# What of a job file decides what is sent. The rest, limits and guards above all, may be mended before a run goes on.
DECISIVE = ("name", "mode", "source", "locale", "key", "points_id", "map", "rules")

# What of it makes payloads of rows.
MAPPING = ("map", "locale", "rules", "key")


def settle(
    job: Job,
    source: Source,
    spool: Spool,
    prepared: PreparedRun,
    ledger: Ledger,
    run: str,
    audience: Audience,
    salt: bytes,
    *,
    refused_again: bool,
) -> Plan:
    """Find duplicates over all parts, what was sent before, and who shares an identifier; then say what would be sent.

    `salt` is that of the parts' keyed hashes. `refused_again`: also what the API refused last, unchanged.
    """
    audience.stage("settle")
    before = ledger.mapping_before(run, job.memory)
    known, changed, gone = 0, 0, NOBODY_VANISHED
    if prepared.leading:
        with spool.database(_laid_out(job, spool, ledger, run)) as database:
            parts, with_families = spool.relation(database, "prepared"), job.map.association is not None
            spool.view_memory(database)
            spool.undrop()
            spool.write_dropped("duplicates", duplicates(parts, job.rules.duplicates.keep))
            spool.view_dropped(database)
            if job.points_id and not refused_again:
                spool.write_dropped("unstated", unstated(parts))
                spool.view_dropped(database)
            spool.write_known(credited_before(parts))
            spool.view_memory(database)
            spool.write_dropped("overtaken", overtaken(parts))
            spool.view_dropped(database)
            parts.create_view("prepared", replace=True)
            if with_families:
                _read_kinship(prepared, spool, database)
            found = left_out(parts, refused_again or job.mode == "migrate", with_children=with_families)
            spool.write_many_dropped("changes", found, database)
            spool.view_dropped(database)
            known, changed = count_changed(parts)
            gone = find_vanished(job, source, spool, prepared, ledger, database)
            spool.write_accepted(touched(parts, with_mentions=with_families))
            spool.view(database, "accepted")
            hold_conflicts(job, source, spool, prepared, database, salt)
            if with_families:
                spool.view_dropped(database)
                spool.write_dropped("families", held_for_families(database, job.rules.max_children))
                spool.write_waves(waves(database))
            # The last step: of rows that are not sent nothing is withheld.
            spool.view_dropped(database)
            spool.write_withheld(withheld(parts))
        spool.clear_memory()
    elif is_looked_for(job, prepared):
        with spool.database(_laid_out(job, spool, ledger, run)) as database:
            spool.view_memory(database)
            gone = find_vanished(job, source, spool, prepared, ledger, database)
        spool.clear_memory()
    difference = Changed(known, changed, before is not None and before != mapping_digest(job))
    return plan_of(job, source, spool, prepared, run, lambda part: RESULTS.empty_table(), difference, gone)


def _laid_out(job: Job, spool: Spool, ledger: Ledger, run: str) -> int:
    """What the ledger remembers of the job's customers, where DuckDB can ask for it; how many lines it is."""
    return (
        spool.write_memory("accepted", ledger.accepted(job.memory, by_others_than=run), ACCEPTED)
        + spool.write_memory("known_children", ledger.children(job.memory, by_others_than=run), CHILDREN)
        + spool.write_memory("refused", ledger.refused(job.memory, run, section_digests(job)["destination"]), REFUSED)
        + spool.write_memory("credited", ledger.credited(job.memory, by_others_than=run), CREDITED)
        + spool.write_memory("newer", ledger.newer(job.memory, run), NEWER)
        + spool.write_memory("forgotten", ledger.forgotten(job.memory), FORGOTTEN)
    )


def _read_kinship(prepared: PreparedRun, spool: Spool, database: duckdb.DuckDBPyConnection) -> None:
    """Who is whose child: for all that is remembered, for conflicts, the family's rules and who goes after whom."""
    if nested := prepared.nested:
        spool.relation(database, "prepared", nested).create_view("nested")
    read_kinship(database)


def plan_of(
    job: Job,
    source: Source,
    spool: Spool,
    prepared: PreparedRun,
    run: str,
    answers: Answers,
    changed: Changed,
    gone: Vanished = NOBODY_VANISHED,
) -> Plan:
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
        changed=changed,
        guards=broken_before(job.guards, closed.totals, closed.most_points, changed, gone),
        digest=digest_of(job, source),
        clusters=known_clusters(spool),
        notes=(*source.notes, *filter(None, [gone.told])),
        since=read_since(source.taken),
        vanished=gone,
    )


def mapping_digest(job: Job) -> str:
    """Of what makes a payload of a row: when it is another, payloads may differ though no row has changed."""
    digests = section_digests(job)
    return sha256("".join(digests[section] for section in MAPPING).encode()).hexdigest()


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
    """One digest per decisive section of the job file; secrets count as asterisks, and those of `auth` not at all.

    Of what differs from its default: a key that a later version adds changes no digest.
    """
    written = {section: job.model_dump_json(include={section}, exclude_defaults=True) for section in DECISIVE}
    written["destination"] = job.destination.model_dump_json(exclude={"auth", "in_doubt"}, exclude_defaults=True)
    # A payload that fits in no request is invalid.
    written["limits.bytes_per_request"] = str(job.limits.bytes_per_request)
    return {section: sha256(text.encode()).hexdigest() for section, text in written.items()}


def _sizes(spool: Spool, prepared: PreparedRun, answers: Answers) -> Iterator[pa.Table]:
    for part in prepared.leading:
        rows = planned(spool, part, ["row", "fate", "points", "size"])
        yield sendable(rows, spool.dropped(part), answers(part))
