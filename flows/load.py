"""One load: the whole way of a row. A plain function of workers and an audience; Prefect only lends it both."""

import asyncio
import json
import shutil
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from connectors.durable import keep_all
from connectors.ledger import Ledger
from connectors.ledger_tables import RunState
from connectors.private import room_in
from connectors.results import write_text
from connectors.spool import Spool
from flows.alone import alone
from flows.apply import apply
from flows.deliver import preflight
from flows.drops import NothingToLoad
from flows.hands import Audience, Workers
from flows.manifests import check_counts, limit_told
from flows.nothing import check_least, without_a_run
from flows.prepare import PreparedRun, prepare_run, recipe_of
from flows.putting_away import bad_files_put_away
from flows.resume import left_by_window
from flows.retry import job_of, link, open_again
from flows.settings import Home, load_job, now, run_name
from flows.settle import section_digests, settle
from flows.since import check_wishes
from flows.source import open_source
from flows.taking import Taking, clear_landings, landing_in
from flows.underway import Load, Manifest, Retry, known_tables
from flows.widely_shared import without_widely_shared
from flows.wishes import AS_WRITTEN, Wishes
from schemas.errors import BulkloadError, Stopped
from schemas.job import Job
from schemas.runs import Plan, RunReport
from transforms.mapping import child_template_of, locale_of, template_of
from transforms.trace import spelling_of


def plan(
    job_file: Path,
    home: Home,
    workers: Workers,
    audience: Audience,
    environment: Mapping[str, str],
    limit: int | None = None,
    wishes: Wishes = AS_WRITTEN,
) -> Plan:
    """Prepare and settle; nothing is sent, and the host is not asked."""
    job = load_job(job_file, environment)
    with room_in(home.folder), closing(Ledger(home.ledger)) as ledger, ExitStack() as until_done:
        started = now(job)
        begun = Begun(job, job_file, home, ledger, _named(job, started, home, ledger), started)
        try:
            made, _, _ = _prepared(begun, workers, audience, limit, wishes, until_done)
        except NothingToLoad as nothing:
            check_least(job, nothing)
            raise
        audience.planned(made)
        return made


def run(
    job_file: Path,
    home: Home,
    workers: Workers,
    audience: Audience,
    environment: Mapping[str, str],
    limit: int | None = None,
    wishes: Wishes = AS_WRITTEN,
    *,
    approved: bool = False,
    retry: Retry | None = None,
    caller: str | None = None,
) -> RunReport:
    """Plan, then send. Host and credentials are proven first: nothing is taken and prepared for nobody.

    `approved`: points above `guards.approve_above_points` are credited without asking the audience. `caller`: the
    Prefect flow run on whose behalf. A run that its window stopped goes first, and may use up this one's time.
    """
    job = job_of(job_file, environment, retry)
    asyncio.run(preflight(job))
    with room_in(home.folder), closing(Ledger(home.ledger)) as ledger:
        before = left_by_window(ledger, job, home, audience, environment, approved)
        if before is not None and before.state == RunState.STOPPED:
            return before
        started = now(job)
        begun = Begun(job, job_file, home, ledger, _named(job, started, home, ledger), started, retry, caller)
        with alone(ledger, home, job, begun.name), ExitStack() as until_done:
            try:
                with bad_files_put_away(job, job_file.parent, audience):
                    made, prepared, load = _prepared(begun, workers, audience, limit, wishes, until_done)
            except NothingToLoad as nothing:
                return without_a_run(job, job_file.parent, started, nothing, audience)
            audience.planned(made)
            return apply(load, made, prepared, audience, approved)


@dataclass(frozen=True, slots=True)
class Begun:
    """A run with a name and nothing else yet: who may not begin leaves no trace."""

    job: Job
    job_file: Path
    home: Home
    ledger: Ledger
    name: str
    started: datetime
    retry: Retry | None = None
    caller: str | None = None


def _named(job: Job, started: datetime, home: Home, ledger: Ledger) -> str:
    return run_name(job, started, home, (record.run for record in ledger.runs()))


def _prepared(
    begun: Begun, workers: Workers, audience: Audience, limit: int | None, wishes: Wishes, until_done: ExitStack
) -> tuple[Plan, PreparedRun, Load]:
    """Take the source and plan; copies and connections are gone afterwards."""
    job, home, ledger = begun.job, begun.home, begun.ledger
    check_wishes(job, wishes)
    spool = Spool(home.run(begun.name))
    clear_landings(home.folder)
    with ExitStack() as until_read:
        landing = until_read.enter_context(landing_in(spool.folder))
        reading = (begun.job_file.parent, landing, job.memory, until_read, until_done)
        how = Taking(*reading, ledger, wishes, home.folder, job.locale.timezone)
        source = open_source(job, how) if begun.retry is None else open_again(job, how, begun.retry, ledger)
        if limit is not None:
            source = limit_told(job, source, limit)
        load = Load(job, source, home, ledger, begun.name, begun.started, spool, retry=begun.retry)
        _start(load, begun.caller)
        made, prepared = _plan(load, begun.job_file, workers, audience, limit, until_read)
    return made, prepared, load


def _start(load: Load, caller: str | None = None) -> None:
    load.spool.create()
    load.ledger.start_run(
        load.name,
        job=load.job.name,
        mode=load.job.mode,
        folder=load.spool.folder,
        started_at_utc=load.started.astimezone(UTC),
        caller=caller,
        retry_of=load.retry.run if load.retry else None,
    )


def _plan(
    load: Load, job_file: Path, workers: Workers, audience: Audience, limit: int | None, until_read: ExitStack
) -> tuple[Plan, PreparedRun]:
    try:
        salt = load.home.salt()
        with room_in(load.home.folder), load.timed("prepare"):
            recipe = recipe_of(load.job, f"{load.started:%Y-%m-%d}", salt)
            prepared, works = prepare_run(load.job, load.source, load.spool, recipe, workers, audience, limit)
            if load.retry is None:  # what a manifest counts was counted then
                check_counts(load.source, load.spool, prepared)
            # What was read lies in the run's parts: a copy less of people's data, and no idle connection.
            until_read.close()
            prepared = without_widely_shared(load.job, load.spool, prepared, works, workers)
            link(load, prepared)
        with room_in(load.home.folder), load.timed("settle"):
            again = load.retry is not None
            made = settle(
                load.job, load.source, load.spool, prepared, load.ledger, load.name, audience, salt, refused_again=again
            )
        with room_in(load.home.folder):
            _keep(load, made, prepared, job_file)
    except BaseException as error:
        # What was prepared by then is of no use, and it is people's data.
        shutil.rmtree(load.spool.folder, ignore_errors=True)
        known = Stopped() if isinstance(error, KeyboardInterrupt) else error
        code = known.exit_code if isinstance(known, BulkloadError) else 1
        load.ledger.finish_run(
            load.name, RunState.FAILED, exit_code=code, finished_at_utc=datetime.now(UTC), summary={}
        )
        raise
    load.ledger.set_run_state(load.name, RunState.PLANNED, digest=made.digest)
    return made, prepared


def _keep(load: Load, made: Plan, prepared: PreparedRun, job_file: Path) -> None:
    """What a run is gone on with must be there after a power cut, before the ledger says that it is."""
    write_text(load.spool.folder / "plan.json", json.dumps(made.as_json(), indent=1))
    sections = dict(section_digests(load.job))
    templates = [template_of(load.job), *filter(None, [child_template_of(load.job)])]
    manifest = Manifest(
        job_file=str(job_file.resolve()),
        prepared=prepared,
        started=load.started,
        seconds=load.seconds,
        sections=sections,
        retry=load.retry,
        tables=known_tables(load.source),
        places=dict(load.source.places),
        spelling=spelling_of(templates, locale_of(load.job)),
        joins={name: on.on for name, table in load.job.source.items() if (on := table.join or table.nest)},
        memory=load.job.memory,
        children=dict(load.source.children),
        taken=dict(load.source.taken),
        notes=load.source.notes,
        parents=tuple(dict.fromkeys(leaf.column.source for leaf in templates[0].parent)),
    )
    write_text(load.spool.folder / "prepared.json", msgspec.json.encode(manifest).decode())
    keep_all(load.spool.folder)
