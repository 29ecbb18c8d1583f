"""One load: the whole way of a row. A plain function of workers and an audience; Prefect only lends it both."""

import asyncio
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import msgspec
import pyarrow as pa

from connectors.ledger import Ledger
from connectors.ledger_tables import RunState
from connectors.results import UNREADABLE_FOLDER, Results, write_text
from connectors.spool import Spool
from flows.closing import close_run
from flows.deliver import Delivery, deliver, preflight
from flows.hands import Audience, Workers
from flows.prepare import PreparedRun, Source, open_source, prepare_run, recipe_of
from flows.settings import Home, load_job, now, run_name
from flows.settle import digest_of, settle
from schemas.errors import BulkloadError, JobError, OutOfBalance
from schemas.job import Job
from schemas.outcomes import Fate
from schemas.runs import Plan, Requests, RunReport
from transforms.batches import cut, sendable
from transforms.report import html, markdown
from transforms.totals import check

IN_DOUBT_EXIT = 5


@dataclass
class Load:
    """One run under way."""

    job: Job
    source: Source
    home: Home
    ledger: Ledger
    name: str
    started: datetime
    spool: Spool
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds up what a stage takes."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.monotonic() - began


class Manifest(msgspec.Struct):
    """What a planned run needs to be applied later: kept in its folder as `prepared.json`."""

    prepared: PreparedRun
    started: datetime
    seconds: dict[str, float]


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
    with closing(Ledger(home.ledger)) as ledger:
        load = _start(job, source, home, ledger)
        made, _ = _plan(load, workers, audience, limit)
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
    with closing(Ledger(home.ledger)) as ledger:
        load = _start(job, source, home, ledger)
        made, prepared = _plan(load, workers, audience, limit)
        audience.planned(made)
        return _apply(load, made, prepared, audience)


def run_planned(
    job_file: Path, home: Home, planned: str, audience: Audience, environment: Mapping[str, str]
) -> RunReport:
    """Apply a plan exactly as it was shown.

    Raises:
        JobError: there is no such plan, it has been applied, or job file or source changed since.
    """
    job = load_job(job_file, environment)
    source = open_source(job, job_file.parent)
    with closing(Ledger(home.ledger)) as ledger:
        record = ledger.run(planned)
        if record.state != RunState.PLANNED:
            raise JobError(f"--plan {planned}: it is {record.state}; `bulkload plan` makes a new plan")
        spool = Spool(home.run(planned))
        manifest = msgspec.json.decode((spool.folder / "prepared.json").read_bytes(), type=Manifest)
        if record.digest != digest_of(job, source):
            raise JobError(
                f"--plan {planned}: the job file or the source changed since; `bulkload plan` makes a new plan"
            )
        asyncio.run(preflight(job))
        load = Load(job, source, home, ledger, planned, manifest.started, spool, manifest.seconds)
        made = settle(job, source, spool, manifest.prepared, planned, audience)
        return _apply(load, made, manifest.prepared, audience)


def _start(job: Job, source: Source, home: Home, ledger: Ledger) -> Load:
    started = now(job)
    name = run_name(job, started, home)
    spool = Spool(home.run(name))
    spool.create()
    ledger.start_run(name, job=job.name, mode=job.mode, folder=spool.folder, started_at_utc=started.astimezone(UTC))
    return Load(job, source, home, ledger, name, started, spool)


def _plan(load: Load, workers: Workers, audience: Audience, limit: int | None) -> tuple[Plan, PreparedRun]:
    try:
        with load.timed("prepare"):
            recipe = recipe_of(load.job, f"{load.started:%Y-%m-%d}", load.home.salt())
            prepared = prepare_run(load.job, load.source, load.spool, recipe, workers, audience, limit)
        with load.timed("settle"):
            made = settle(load.job, load.source, load.spool, prepared, load.name, audience)
    except BaseException as error:
        # What was prepared by then is of no use, and it is people's data.
        shutil.rmtree(load.spool.folder, ignore_errors=True)
        code = error.exit_code if isinstance(error, BulkloadError) else 1
        load.ledger.finish_run(
            load.name, RunState.FAILED, exit_code=code, finished_at_utc=datetime.now(UTC), summary={}
        )
        raise
    write_text(load.spool.folder / "plan.json", json.dumps(made.as_json(), indent=1))
    manifest = Manifest(prepared, load.started, load.seconds)
    write_text(load.spool.folder / "prepared.json", msgspec.json.encode(manifest).decode())
    load.ledger.set_run_state(load.name, RunState.PLANNED, digest=made.digest)
    return made, prepared


def _apply(load: Load, made: Plan, prepared: PreparedRun, audience: Audience) -> RunReport:
    audience.stage("deliver", made.totals.rows.get(Fate.NOT_SENT, 0))
    load.ledger.set_run_state(load.name, RunState.DELIVERING)
    limits = load.job.limits
    numbers = count(1)
    batches = cut(_sendable(load, prepared), limits.rows_per_request, limits.bytes_per_request, numbers)
    delivery = Delivery(Requests(), ())
    with load.timed("deliver"):
        if made.requests:
            delivery = deliver(load.job, batches, numbers, load.ledger, load.name, audience)
    return _finish(load, made, prepared, delivery, audience)


def _sendable(load: Load, prepared: PreparedRun) -> Iterator[pa.Table]:
    for part in prepared.parts:
        rows = load.spool.read("prepared", part, ["row", "fate", "points", "payload"])
        yield sendable(rows, load.spool.dropped(part))


def _finish(load: Load, made: Plan, prepared: PreparedRun, delivery: Delivery, audience: Audience) -> RunReport:
    audience.stage("report")
    began = time.monotonic()
    columns = load.source.columns(load.source.lead)
    with Results(load.spool.folder, columns) as results:
        closed = close_run(
            load.job, load.source, load.spool, prepared,
            lambda part: load.ledger.results(load.name, part.first_row, part.end_row - 1), results,
        )  # fmt: skip
    load.seconds["report"] = time.monotonic() - began
    in_doubt = closed.totals.rows.get(Fate.IN_DOUBT, 0)
    code = delivery.trouble.exit_code if delivery.trouble else IN_DOUBT_EXIT if in_doubt else 0
    report = RunReport(
        run=load.name, job=load.job.name, mode=load.job.mode,
        state="stopped" if delivery.trouble else "done", exit_code=code,
        started=load.started.isoformat(timespec="seconds"), finished=now(load.job).isoformat(timespec="seconds"),
        destination=made.destination, operation=made.operation,
        totals=closed.totals, requests=delivery.requests, requests_per_minute=made.requests_per_minute,
        seconds=load.seconds, reasons=closed.reasons, changes=made.changes, origins=made.origins,
        ticks=delivery.ticks, unmatched=made.unmatched,
        stopped_because=str(delivery.trouble or ""), files=_files(load.spool.folder),
    )  # fmt: skip
    told = markdown(report)
    write_text(load.spool.folder / "report.html", html(report))
    write_text(load.spool.folder / "report.md", told)
    write_text(load.spool.folder / "run.json", json.dumps(report.as_json(), indent=1))
    load.ledger.finish_run(
        load.name, RunState(report.state), exit_code=code, finished_at_utc=datetime.now(UTC), summary=report.as_json()
    )
    audience.reported(report, told)
    _prove(report, made)
    return report


def _files(folder: Path) -> dict[str, str]:
    files = {"report": "report.html", "markdown": "report.md", "rejected": "rejected.csv", "results": "results.parquet"}
    return files | ({"unreadable": UNREADABLE_FOLDER} if (folder / UNREADABLE_FOLDER).exists() else {})


def _prove(report: RunReport, made: Plan) -> None:
    """Rows and points read must be the sum of their fates, and what the reader counted.

    Raises:
        OutOfBalance: a bug; the report is written all the same, and shows it.
    """
    check(report.totals)
    lead = report.origins[0].table
    counted = sum(origin.rows for origin in report.origins if origin.table == lead)
    if counted != report.totals.read:
        raise OutOfBalance(f"{counted:,} rows were read, {report.totals.read:,} are accounted for")
    if dict(made.totals.points_read) != dict(report.totals.points_read):
        raise OutOfBalance("the points of the plan are not the points of the run")
