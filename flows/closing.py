"""Closing a run's parts one by one: totals and reasons for the plan, files and report at the end."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from connectors.results import Results
from connectors.spool import Part, Spool
from flows.prepare import PreparedRun, Source
from schemas.job import Job
from schemas.runs import Reason, Totals
from transforms.outcomes import close, tally
from transforms.results import Reasons, rejected_of, results_of
from transforms.totals import add

# Columns of prepared parts that closing reads; the payloads stay on disk.
_META = ("row", "file", "line", "key", "fate", "codes")
Answers = Callable[[Part], pa.Table]


@dataclass(frozen=True, slots=True)
class Closed:
    """What the closed parts add up to."""

    totals: Totals
    reasons: tuple[Reason, ...]


def close_run(
    job: Job, source: Source, spool: Spool, prepared: PreparedRun, answers: Answers, results: Results | None = None
) -> Closed:
    """Give every row its fate, part by part; with `results`, write each row down as well."""
    files = [file.path.name for file in source.tables[source.lead].files]
    reasons = Reasons(job.destination.operation)
    totals = []
    for part, closed in _closed_parts(spool, prepared.parts, answers):
        totals.append(tally(closed))
        reasons.add(closed, files, partial(_customers, source, spool, part, job.key_column))
        if results is not None:
            _write(results, job, source, spool, part, closed, files)
    return Closed(add(totals), reasons.told())


def _closed_parts(spool: Spool, parts: Sequence[Part], answers: Answers) -> Iterator[tuple[Part, pa.Table]]:
    for part in parts:
        credits_ = [name for name in spool.names("prepared", part) if name.startswith(("points_", "programme_"))]
        prepared = spool.read("prepared", part, [*_META, *credits_])
        yield part, close(prepared, spool.read("unreadable", part), spool.dropped(part), answers(part), part.first_row)


def _customers(source: Source, spool: Spool, part: Part, key: str, places: list[int]) -> list[str | None]:
    """The raw keys of some rows of a part; an unreadable line has none."""
    if not places:
        return []
    table, place = source.places[key]
    column = spool.read("rows" if table == source.lead else f"joined/{table}", part, [str(place)]).column(0)
    return [column[at].as_py() if at < part.rows else None for at in places]


def _write(
    results: Results, job: Job, source: Source, spool: Spool, part: Part, closed: pa.Table, files: list[str]
) -> None:
    results.write(results_of(closed, files))
    columns = source.columns(source.lead)
    raw = spool.read("rows", part)
    results.reject(rejected_of(closed, raw, columns, files, job.destination.operation))
    for line in spool.read("unreadable", part).to_pylist():
        results.unreadable(files[line["file"]], line["raw"])
