"""Retry: rows that a run rejected are loaded by its job once more, and linked to what became of them first.

So are those that a run held back because an earlier run had left their customer in doubt.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path

from duckdb import DuckDBPyRelation

from connectors.joins import joining_rows
from connectors.ledger import Ledger, RunRecord
from connectors.ledger_tables import RunState
from connectors.spool import Spool
from flows.prepare import PreparedRun
from flows.settings import Home, load_job
from flows.source import Source, nest_key, open_source
from flows.taking import Taking
from flows.underway import Load, Manifest, Retry, known_reading
from schemas.errors import JobError, SourceError, WrongInput
from schemas.job import Job
from schemas.outcomes import Fate
from schemas.rows import ORIGIN, Reading
from schemas.tables import Table
from schemas.taken import Taken
from transforms.firsts import first_fates
from transforms.rejected import leading_columns, leading_rows, nested_columns, nested_rows

ENDED = (RunState.DONE, RunState.STOPPED)
HELD = "in_doubt.earlier_run"


def rejected_by(home: Home, name: str | None, file: Path | None, environment: Mapping[str, str]) -> tuple[Path, Retry]:
    """The job file of a run, and its rejected rows as they stand or as they were corrected in `file`.

    Without a name, of the last run that ended.

    Raises:
        WrongInput: the run has not ended, rejected nothing, or its folder or job is not there any more.
    """
    with closing(Ledger(home.ledger)) as ledger:
        record = ledger.run(name or _last_ended(ledger))
    _check_rejected(record)
    job_file = Path(Manifest.read(Spool(record.folder)).job_file)
    if load_job(job_file, environment).name != record.job:
        raise JobError(
            f"{job_file}: its name is not {record.job} any more, and under that name is remembered who was accepted; "
            "name it so again, or load the file by `bulkload run`"
        )
    return job_file, Retry(record.run, str((file or record.folder / "rejected.csv").resolve()))


def _last_ended(ledger: Ledger) -> str:
    found = next((record.run for record in ledger.runs(1000) if record.state in ENDED), None)
    if found is None:
        raise JobError("no run has ended yet: there is nothing to retry; `bulkload runs` lists all")
    return found


def _check_rejected(record: RunRecord) -> None:
    if record.state == RunState.DELIVERING:
        raise JobError(f"run {record.run}: it was killed or is still sent; first: bulkload resume {record.run}")
    if record.state not in ENDED:
        raise JobError(f"run {record.run}: it is {record.state}; only a run that has ended has rejected rows")
    if not (record.folder / "results.parquet").exists():
        raise WrongInput(f"{record.folder}: what became of its rows is not there; `bulkload run` starts anew")
    rows = (record.summary or {}).get("rows", {})
    held = any(reason["code"] == HELD for reason in (record.summary or {}).get("reasons", []))
    if not held and not any(rows.get(fate.value) for fate in Fate if fate.rejected):
        raise JobError(f"run {record.run}: it rejected no row; there is nothing to retry")


def job_of(job_file: Path, environment: Mapping[str, str], retry: Retry | None) -> Job:
    """A job; in a retry the rejected rows stand in the place of the leading table and of the nested one.

    Nor does a retry ask how many of its customers changed: all whom somebody corrected did. Nor who vanished: most are
    not in it.
    """
    job = load_job(job_file, environment)
    if retry is None:
        return job
    lead = next(iter(job.source))
    again = {
        name: Table(files=retry.file, nest=table.nest)
        for name, table in job.source.items()
        if name == lead or table.nest is not None
    }
    guards = job.guards.model_copy(update={"max_changed_percent": None, "max_vanished_percent": None})
    return job.model_copy(update={"source": job.source | again, "guards": guards})


def _shared(job: Job, tables: Mapping[str, Reading]) -> Mapping[str, Reading]:
    """The rejected file as leading and as nested table."""
    nested = next((name for name, table in job.source.items() if table.nest is not None), None)
    if nested is None:
        return tables
    lead, whole = next(iter(tables)), tables[nested]
    columns = leading_columns(whole.columns, nested)
    key = nest_key(job, columns).removeprefix(f"{lead}.")
    return {
        **tables,
        lead: Reading(tuple(columns), whole.files, lambda: leading_rows(whole.batches, nested, key)),
        nested: Reading(
            tuple(nested_columns(whole.columns, nested)), whole.files, lambda: nested_rows(whole.batches(), nested)
        ),
    }


def open_again(job: Job, how: Taking, retry: Retry, ledger: Ledger) -> Source:
    """The rejected rows in the place of the source.

    What a joined table's query or dropped files said is taken from the run that rejected them: they are not there, or
    not the same, a second time.

    Raises:
        WrongInput: the source is wrong, or the rejected rows do not say where they came from.
    """
    before = Spool(ledger.run(retry.run).folder)
    manifest = Manifest.read(before)
    joined = dict[str, tuple[Reading, Taken]]()
    for name, taken in manifest.taken.items():
        if name in manifest.joins and name not in job.source:
            raise JobError(
                f"source.{name}: run {retry.run} read this table, and the job has none of this name any more; name it "
                "so again to retry the run, or load the rejected rows by `bulkload run`"
            )
        if name in manifest.joins and job.source[name].join is not None:
            reading = known_reading(manifest.tables[name])
            joined[name] = (replace(reading, batches=partial(joining_rows, before, name, reading.columns)), taken)
    return open_rejected(job, replace(how, known={**joined, **how.known}), retry)


def open_rejected(job: Job, how: Taking, retry: Retry) -> Source:
    """The rejected rows as leading and as nested table.

    Raises:
        WrongInput: as `open_again`.
    """
    source = open_source(job, how, _shared)
    lead = source.lead
    if missing := [name for name in ORIGIN if name not in source.tables[lead].columns]:
        raise SourceError(
            f"{retry.file}: lacks {' and '.join(missing)}, by which rows are linked to run {retry.run}; "
            "correct a copy of its rejected.csv, or load the file by `bulkload run`"
        )
    return source


def link(load: Load, prepared: PreparedRun) -> None:
    """Find out what each row of a retry was first, and keep it beside the rows.

    Raises:
        SourceError: rows name lines that the retried run did not read.
    """
    if load.retry is None or not prepared.parts:
        return
    run = load.retry.run
    with load.spool.database() as database:
        tables = dict.fromkeys(part.table for part in prepared.parts)
        said = [load.spool.relation(database, "rows", table) for table in tables]
        reduce(DuckDBPyRelation.union, [rows.select("row, _file, _line") for rows in said]).create_view("rows")
        Spool(load.ledger.run(run).folder).view(database, "results")
        load.spool.write_firsts(first_fates(database, run))
        load.spool.view(database, "firsts")
        (strange,) = database.sql("select count(*) from firsts where first_run is null").fetchall()[0]
    if strange:
        raise SourceError(
            f"{load.retry.file}: {strange:,} rows name lines that run {run} did not read; give the run that they came "
            "from, or empty _file and _line of rows that were added by hand"
        )
