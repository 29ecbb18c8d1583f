"""Resume: a run goes on where it stood; what has an answer is not sent again, and what was in flight is in doubt."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from connectors.durable import keep_all
from connectors.ledger import Ledger, RunRecord
from connectors.ledger_tables import RunState
from connectors.spool import Part, Spool
from flows.alone import alone
from flows.apply import apply
from flows.claims import claimed_again
from flows.closing import closed_parts
from flows.deliver import preflight
from flows.hands import Audience
from flows.older import bring_up, is_older, planned_sections
from flows.prepare import PreparedRun
from flows.remembering import Remembering
from flows.retry import job_of, open_rejected
from flows.settings import Home
from flows.settle import digest_of, settle
from flows.source import Source, open_source
from flows.taking import changed_since, looking
from flows.underway import Load, Manifest, known_source
from schemas.errors import JobError, WrongInput, raise_all
from schemas.job import Job
from schemas.runs import Requests, RunReport

INTERRUPTED = (RunState.DELIVERING, RunState.STOPPED)


def run_planned(
    job_file: Path,
    home: Home,
    planned: str,
    audience: Audience,
    environment: Mapping[str, str],
    approved: bool = False,
) -> RunReport:
    """Apply a plan exactly as it was shown.

    Raises:
        JobError: there is no such plan, it has been applied, or job file or source changed since.
    """
    with closing(Ledger(home.ledger)) as ledger:
        record = ledger.run(planned)
        if record.state != RunState.PLANNED:
            raise JobError(f"--plan {planned}: it is {record.state}; `bulkload plan` makes a new plan")
        return _go_on(job_file, home, ledger, record, audience, environment, approved)


def resume(
    home: Home, name: str | None, audience: Audience, environment: Mapping[str, str], approved: bool = False
) -> RunReport:
    """Go on where a stopped or killed run stood: what has an answer is not sent again, what was in flight is in doubt.

    Without a name, the last run that was stopped or killed.

    Raises:
        WrongInput: nothing is left to go on with, another process is at it, or job file or source changed.
    """
    with closing(Ledger(home.ledger)) as ledger:
        record = ledger.run(name or _interrupted(ledger))
        if record.state not in (RunState.PLANNED, *INTERRUPTED):
            anew = (
                "; nothing of it was sent, and `bulkload run` starts anew" if record.state == RunState.PREPARING else ""
            )
            raise JobError(f"run {record.run}: it is {record.state}; there is nothing to go on with{anew}")
        try:
            job_file = Path(Manifest.read(Spool(record.folder)).job_file)
        except WrongInput:
            _give_up(ledger, record)
            raise
        return _go_on(job_file, home, ledger, record, audience, environment, approved)


def _interrupted(ledger: Ledger) -> str:
    found = next((record.run for record in ledger.runs(1000) if record.state in INTERRUPTED), None)
    if found is None:
        raise JobError("no run was stopped or killed: there is nothing to go on with; `bulkload runs` lists all")
    return found


def of_caller(
    home: Home, caller: str, audience: Audience, environment: Mapping[str, str], approved: bool
) -> RunReport | None:
    """When Prefect runs a flow run again: go on with the run that it began; None where there is none to go on with."""
    with closing(Ledger(home.ledger)) as ledger:
        record = ledger.run_of_caller(caller)
    if record is None or record.state not in (RunState.PLANNED, *INTERRUPTED):
        return None
    return resume(home, record.run, audience, environment, approved)


def left_by_window(
    ledger: Ledger, job: Job, home: Home, audience: Audience, environment: Mapping[str, str], approved: bool
) -> RunReport | None:
    """Go on with the job's last run if its window stopped it; None where it did not, or the run cannot go on."""
    record = ledger.last_run(job.name)
    if record is None or record.state != RunState.STOPPED or (record.summary or {}).get("stopped_by") != "window":
        return None
    audience.say(f"First the run that its window stopped: {record.run}")
    try:
        return resume(home, record.run, audience, environment, approved)
    except WrongInput as why:
        # What it did not send is in this run's source, or was taken out of it.
        audience.say(f"It cannot be gone on with, and stays as it is: {why}")
        return None


def _give_up(ledger: Ledger, record: RunRecord) -> None:
    """Nobody can go on with a run whose folder is gone; it may stand in the way of a new one only for points' sake.

    Raises:
        WrongInput: it may have credited points, and who got them is not known without its folder.
    """
    if ledger.may_have_credited(record.run):
        raise WrongInput(
            f"run {record.run}: its folder {record.folder} is gone, and it may have credited points to customers that "
            "only the folder knew; put the folder back, or look at the API and load the rest under another job name"
        )
    now_utc, summary = datetime.now(UTC), record.summary or {}
    ledger.finish_run(record.run, RunState.FAILED, exit_code=2, finished_at_utc=now_utc, summary=summary)


def _go_on(
    job_file: Path,
    home: Home,
    ledger: Ledger,
    record: RunRecord,
    audience: Audience,
    environment: Mapping[str, str],
    approved: bool,
) -> RunReport:
    spool = Spool(record.folder)
    manifest = Manifest.read(spool)
    job = job_of(job_file, environment, manifest.retry)
    if planned_otherwise := list(_planned_otherwise(record, job, manifest)):
        with alone(ledger, home, job, record.run, begun=True):
            raise _given_up(planned_otherwise, home, ledger, record, job, manifest)
    source = reopened(job, job_file.parent, manifest, planned=record.state == RunState.PLANNED)
    dropped = {} if manifest.retry else source.taken
    with alone(ledger, home, job, record.run, begun=True), claimed_again(job, dropped, home.folder):
        if changed := list(_differences(record, job, source, manifest)):
            raise _given_up(changed, home, ledger, record, job, manifest)
        asyncio.run(preflight(job))
        load = underway(job, source, home, ledger, record, manifest)
        again, salt = load.retry is not None, home.salt()
        made = settle(job, source, spool, manifest.prepared, ledger, record.run, audience, salt, refused_again=again)
        keep_all(spool.folder)  # settling wrote anew what it drops
        return apply(load, made, manifest.prepared, audience, approved)


def reopened(job: Job, folder: Path, manifest: Manifest, *, planned: bool) -> Source:
    """A run's source as it is now, as far as it stays where it lay; what was copied or queried is as it was taken.

    Raises:
        SourceError: it is not there any more; or it is `planned`, and was copied, and is not as it was then.
    """
    known = known_source(manifest)
    with looking(folder) as how:
        if planned:
            changed = [
                f"{each} changed since it was planned; `bulkload run` starts anew"
                for name, taken in manifest.taken.items()
                for each in changed_since(job.source[name], name, taken, how)
            ]
            raise_all(JobError, changed)
        still = replace(how, known={name: (known.tables[name], taken) for name, taken in manifest.taken.items()})
        source = open_rejected(job, still, manifest.retry) if manifest.retry else open_source(job, still)
    return replace(source, notes=manifest.notes)


def underway(job: Job, source: Source, home: Home, ledger: Ledger, record: RunRecord, manifest: Manifest) -> Load:
    """A run that was begun earlier."""
    told = (record.summary or {}).get("requests") if record.state != RunState.DELIVERING else None
    return Load(
        job=job,
        source=source,
        home=home,
        ledger=ledger,
        name=record.run,
        started=manifest.started,
        spool=Spool(record.folder),
        seconds=manifest.seconds,
        earlier=ledger.requests(record.run) if told is None else Requests(**told),
        retry=manifest.retry,
        closed_before=record.finished_at_utc is not None,
    )


def _given_up(
    why: Sequence[str], home: Home, ledger: Ledger, record: RunRecord, job: Job, manifest: Manifest
) -> JobError:
    """Why a run does not go on; one that was killed is ended first."""
    if record.state == RunState.DELIVERING:
        spool = Spool(record.folder)
        bring_up(spool, manifest, home.salt())
        _close(ledger, record, job, spool, manifest.prepared)
    return JobError(*why)


def _close(ledger: Ledger, record: RunRecord, job: Job, spool: Spool, prepared: PreparedRun) -> None:
    """End a killed run that cannot go on: what it sent is remembered, what was in flight is in doubt."""
    now_utc = datetime.now(UTC)
    ledger.doubt_leftovers(record.run, now_utc)

    def answers(part: Part) -> pa.Table:
        return ledger.results(record.run, part.first_row, part.end_row - 1)

    remembering = Remembering(ledger, record.run, job, spool)
    for part, closed in closed_parts(spool, prepared.parts, answers):
        remembering.part(part, closed)
    ledger.finish_run(record.run, RunState.STOPPED, exit_code=4, finished_at_utc=now_utc, summary={})


def changed_sections(job: Job, manifest: Manifest) -> Iterator[str]:
    """The job file, with the names of its sections that are no longer as they were planned; nothing if all are."""
    now_ = planned_sections(job, manifest)
    sections = [section for section, digest in now_.items() if manifest.sections.get(section) != digest]
    if sections:
        yield f"{Path(manifest.job_file).name} ({', '.join(sections)})"


def _planned_otherwise(record: RunRecord, job: Job, manifest: Manifest) -> Iterator[str]:
    """Why a run cannot go on, whatever lies in its source: where the job says another one, nothing can be compared."""
    if is_older(manifest):
        yield f"run {record.run}: an older bulkload planned it; `bulkload run` starts anew"
        return
    if manifest.sections.get("source") != planned_sections(job, manifest)["source"]:
        yield from (_told_of(record, name) for name in changed_sections(job, manifest))


def _differences(record: RunRecord, job: Job, source: Source, manifest: Manifest) -> Iterator[str]:
    """What is no longer as it was planned, by name: files of the source, sections of the job file."""
    if record.digest == digest_of(job, source):
        return
    was = {(origin.table, origin.file): origin.sha256 for origin in manifest.prepared.origins}
    now_ = {
        (table, name): file.sha256
        for table, reading in source.tables.items()
        for name, file in zip(source.names(table), reading.files, strict=True)
    }
    changed = [name for table, name in was | now_ if was.get((table, name)) != now_.get((table, name))]
    yield from (_told_of(record, name) for name in [*changed, *changed_sections(job, manifest)])


def _told_of(record: RunRecord, name: str) -> str:
    return f"run {record.run}: {name} changed since it was planned; `bulkload run` starts anew"
