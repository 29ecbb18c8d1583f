"""One load: the whole way of a row. A plain function of workers and an audience; Prefect only lends it both."""

import asyncio
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import msgspec
import pyarrow as pa

from connectors.ledger import Ledger, RunRecord
from connectors.ledger_tables import RunState
from connectors.locks import only_one
from connectors.results import write_text
from connectors.spool import Part, Spool, room_in
from flows.closing import closed_parts, to_remember
from flows.deliver import Delivery, deliver, preflight
from flows.finish import finish
from flows.hands import Audience, Workers
from flows.prepare import PreparedRun, Source, open_source, prepare_run, recipe_of
from flows.settings import Home, load_job, now, run_name
from flows.settle import digest_of, settle
from flows.underway import Load, Manifest
from schemas.errors import BulkloadError, JobError, Stopped, WrongInput
from schemas.job import Job
from schemas.outcomes import Fate
from schemas.runs import Plan, Requests, RunReport
from transforms.batches import cut, sendable

BODY_ROWS = 2_000
INTERRUPTED = (RunState.DELIVERING, RunState.STOPPED)


def plan(
    job_file: Path,
    home: Home,
    workers: Workers,
    audience: Audience,
    environment: Mapping[str, str],
    limit: int | None = None,
) -> Plan:
    """Prepare and settle; nothing is sent, and the host is not asked."""
    job = load_job(job_file, environment)
    source = open_source(job, job_file.parent)
    with room_in(home.folder), closing(Ledger(home.ledger)) as ledger:
        load = _start(job, source, home, ledger)
        made, _ = _plan(load, job_file, workers, audience, limit)
        audience.planned(made)
        return made


def run(
    job_file: Path,
    home: Home,
    workers: Workers,
    audience: Audience,
    environment: Mapping[str, str],
    limit: int | None = None,
) -> RunReport:
    """Plan, then send. Host and credentials are proven first: nothing is prepared for nobody."""
    job = load_job(job_file, environment)
    source = open_source(job, job_file.parent)
    asyncio.run(preflight(job))
    with room_in(home.folder), closing(Ledger(home.ledger)) as ledger, only_one(home.folder, job.name):
        _check_finished(ledger, job)
        load = _start(job, source, home, ledger)
        made, prepared = _plan(load, job_file, workers, audience, limit)
        audience.planned(made)
        return _apply(load, made, prepared, audience)


def run_planned(
    job_file: Path, home: Home, planned: str, audience: Audience, environment: Mapping[str, str]
) -> RunReport:
    """Apply a plan exactly as it was shown.

    Raises:
        JobError: there is no such plan, it has been applied, or job file or source changed since.
    """
    with closing(Ledger(home.ledger)) as ledger:
        record = ledger.run(planned)
        if record.state != RunState.PLANNED:
            raise JobError(f"--plan {planned}: it is {record.state}; `bulkload plan` makes a new plan")
        return _go_on(job_file, home, ledger, record, audience, environment)


def resume(home: Home, name: str | None, audience: Audience, environment: Mapping[str, str]) -> RunReport:
    """Go on where a stopped or killed run stood: what has an answer is not sent again, what was in flight is in doubt.

    Without a name, the last run that was stopped or killed.

    Raises:
        WrongInput: nothing is left to go on with, another process is at it, or job file or source changed.
    """
    with closing(Ledger(home.ledger)) as ledger:
        record = ledger.run(name or _interrupted(ledger))
        if record.state not in (RunState.PLANNED, *INTERRUPTED):
            raise JobError(f"run {record.run}: it is {record.state}; there is nothing to go on with")
        try:
            job_file = Path(Manifest.read(Spool(record.folder)).job_file)
        except WrongInput:
            _give_up(ledger, record)
            raise
        return _go_on(job_file, home, ledger, record, audience, environment)


def _interrupted(ledger: Ledger) -> str:
    found = next((record.run for record in ledger.runs(1000) if record.state in INTERRUPTED), None)
    if found is None:
        raise JobError("no run was stopped or killed: there is nothing to go on with; `bulkload runs` lists all")
    return found


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
    job_file: Path, home: Home, ledger: Ledger, record: RunRecord, audience: Audience, environment: Mapping[str, str]
) -> RunReport:
    job = load_job(job_file, environment)
    source = open_source(job, job_file.parent)
    spool = Spool(record.folder)
    manifest = Manifest.read(spool)
    with only_one(home.folder, job.name):
        _check_finished(ledger, job, other_than=record.run)
        if changed := list(_differences(record, job, source, manifest)):
            if record.state == RunState.DELIVERING:
                _close(ledger, record, job, spool, manifest.prepared, home.salt())
            raise JobError(*changed)
        asyncio.run(preflight(job))
        load = Load(job, source, home, ledger, record.run, manifest.started, spool, manifest.seconds, _earlier(record))
        made = settle(job, source, spool, manifest.prepared, ledger, record.run, home.salt(), audience)
        return _apply(load, made, manifest.prepared, audience)


def _check_finished(ledger: Ledger, job: Job, other_than: str = "") -> None:
    """What a killed run sent is remembered when it is closed; before that nothing of its job may be sent.

    Raises:
        JobError: there is such a run.
    """
    if (unfinished := ledger.unfinished(job.name, other_than)) is not None:
        raise JobError(f"run {unfinished} of job {job.name} was killed; first: bulkload resume {unfinished}")


def _earlier(record: RunRecord) -> Requests:
    return Requests(**(record.summary or {}).get("requests", {}))


def _close(ledger: Ledger, record: RunRecord, job: Job, spool: Spool, prepared: PreparedRun, salt: bytes) -> None:
    """End a killed run that cannot go on: what it sent is remembered, what was in flight is in doubt."""
    now_utc = datetime.now(UTC)
    ledger.doubt_leftovers(record.run, now_utc)

    def answers(part: Part) -> pa.Table:
        return ledger.results(record.run, part.first_row, part.end_row - 1)

    for part, closed in closed_parts(spool, prepared.parts, answers):
        ledger.remember(record.run, job.memory, to_remember(spool, part, closed, salt), now_utc)
    ledger.finish_run(record.run, RunState.STOPPED, exit_code=4, finished_at_utc=now_utc, summary={})


def _differences(record: RunRecord, job: Job, source: Source, manifest: Manifest) -> Iterator[str]:
    """What is no longer as it was planned, by name."""
    if record.digest == digest_of(job, source):
        return
    was = {(origin.table, origin.file): origin.sha256 for origin in manifest.prepared.origins}
    now_ = [
        (table, name, file.sha256)
        for table, reading in source.tables.items()
        for name, file in zip(source.names(table), reading.files, strict=True)
    ]
    changed = [name for table, name, sha256 in now_ if was.get((table, name)) != sha256]
    for name in changed or [Path(manifest.job_file).name]:
        yield f"run {record.run}: {name} changed since it was planned; `bulkload run` starts anew"


def _start(job: Job, source: Source, home: Home, ledger: Ledger) -> Load:
    started = now(job)
    name = run_name(job, started, home)
    spool = Spool(home.run(name))
    spool.create()
    ledger.start_run(name, job=job.name, mode=job.mode, folder=spool.folder, started_at_utc=started.astimezone(UTC))
    return Load(job, source, home, ledger, name, started, spool)


def _plan(
    load: Load, job_file: Path, workers: Workers, audience: Audience, limit: int | None
) -> tuple[Plan, PreparedRun]:
    try:
        salt = load.home.salt()
        with room_in(load.home.folder), load.timed("prepare"):
            recipe = recipe_of(load.job, f"{load.started:%Y-%m-%d}", salt)
            prepared = prepare_run(load.job, load.source, load.spool, recipe, workers, audience, limit)
        with room_in(load.home.folder), load.timed("settle"):
            made = settle(load.job, load.source, load.spool, prepared, load.ledger, load.name, salt, audience)
    except BaseException as error:
        # What was prepared by then is of no use, and it is people's data.
        shutil.rmtree(load.spool.folder, ignore_errors=True)
        known = Stopped() if isinstance(error, KeyboardInterrupt) else error
        code = known.exit_code if isinstance(known, BulkloadError) else 1
        load.ledger.finish_run(
            load.name, RunState.FAILED, exit_code=code, finished_at_utc=datetime.now(UTC), summary={}
        )
        raise
    write_text(load.spool.folder / "plan.json", json.dumps(made.as_json(), indent=1))
    manifest = Manifest(str(job_file.resolve()), prepared, load.started, load.seconds)
    write_text(load.spool.folder / "prepared.json", msgspec.json.encode(manifest).decode())
    load.ledger.set_run_state(load.name, RunState.PLANNED, digest=made.digest)
    return made, prepared


def _apply(load: Load, made: Plan, prepared: PreparedRun, audience: Audience) -> RunReport:
    # Nobody else sends this job now: what is still `sending` is a dead process's.
    load.ledger.doubt_leftovers(load.name, datetime.now(UTC))
    load.ledger.set_run_state(load.name, RunState.DELIVERING)
    audience.stage("deliver", made.totals.rows.get(Fate.NOT_SENT, 0))
    limits, numbers = load.job.limits, count(load.ledger.next_batch(load.name))
    batches = cut(_sendable(load, prepared), limits.rows_per_request, limits.bytes_per_request, numbers)
    delivery = Delivery(Requests(), ())
    with load.timed("deliver"):
        if made.requests:
            delivery = deliver(load.job, batches, numbers, load.ledger, load.name, audience)
    return finish(load, made, prepared, delivery, audience)


def _sendable(load: Load, prepared: PreparedRun) -> Iterator[pa.Table]:
    """Rows of the plan that have no answer yet."""
    for part in prepared.parts:
        rows = load.spool.read("prepared", part, ["row", "fate", "points", "payload"])
        wanted = sendable(rows, load.spool.dropped(part), load.answers(part))
        # Bodies are made of Python's bytes, which take more room than Arrow's: not of a whole part at once.
        yield from (wanted.slice(start, BODY_ROWS) for start in range(0, wanted.num_rows, BODY_ROWS))
