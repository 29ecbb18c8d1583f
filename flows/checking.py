"""`bulkload check`: everything that can be known before a run, all of it at once; nothing is sent."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from flows.deliver import preflight
from flows.drops import NothingToLoad
from flows.organization import unknown_words
from flows.settings import load_job
from flows.source import Source, open_source
from flows.taking import looking
from flows.told import Told
from schemas.job import Job
from schemas.rows import Reading


def check(job_file: Path, told: Told) -> None:
    """Everything that can be known before a row is read; all findings at once.

    Of a drop where no file lies yet, everything but its columns.

    Raises:
        WrongInput: anything that would stop a run.
    """
    job = load_job(job_file, os.environ)
    source, findings = _looked_at(job, job_file.parent)
    asyncio.run(preflight(job))
    findings += asyncio.run(unknown_words(job))
    named = [*source.places.values(), *source.children.values()]
    used = {table: {place for of, place in named if of == table} for table in source.tables}
    unused = {
        table: [name for place, name in enumerate(source.columns(table)) if place not in used[table]]
        for table in source.tables
    }
    told.result(
        {
            "job": job.name,
            "ok": True,
            "tables": {
                name: {"files": list(source.names(name)), "columns": list(source.columns(name))}
                for name, t in source.tables.items()
            },
            "unused_columns": unused,
            "warnings": findings,
        },
        lambda: _check_lines(job, source, unused, findings),
    )


def _looked_at(job: Job, folder: Path) -> tuple[Source, list[str]]:
    with looking(folder) as how:
        try:
            source = open_source(job, how)
        except NothingToLoad as nothing:
            return Source({}, {}), [*nothing.problems]
        blank = [name for name, table in source.tables.items() if not _has_a_row(table)]
    return source, [*source.notes, *(f"source.{name}: has no row" for name in blank)]


def _check_lines(job: Job, source: Source, unused: Mapping[str, list[str]], findings: list[str]) -> Iterator[str]:
    yield f"job {job.name}: read, every key known"
    for name, table in source.tables.items():
        yield f"source.{name}: {_where(job, name, table)}, {len(source.columns(name))} columns"
        if unused[name]:
            yield f"  not mapped: {', '.join(unused[name])}"
    yield f"{job.destination.host or job.destination.url}: reached, and it knows us"
    yield from (f"warning: {finding}" for finding in findings)
    yield "nothing was sent"


def _where(job: Job, name: str, table: Reading) -> str:
    if job.source[name].database is not None:
        return f"a query of {table.files[0].uri}"
    return f"{len(table.files)} file(s), {sum(file.size_bytes for file in table.files):,} bytes"


def _has_a_row(table: Reading) -> bool:
    """Read until there is one; an unreadable line is none."""
    return any(batch.rows.num_rows for batch in table.batches())
