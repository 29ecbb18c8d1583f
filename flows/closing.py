"""Closing a run's parts one by one: totals and reasons for the plan, files and report at the end."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from connectors.results import Results
from connectors.spool import Part, Spool
from flows.prepare import PreparedRun
from flows.source import Source
from flows.withheld import planned
from schemas.job import Job
from schemas.runs import Reason, Totals
from transforms.doubts import Doubts
from transforms.firsts import linked
from transforms.outcomes import close, most_points, tally
from transforms.results import Reasons, clustered, rejected_of, results_of
from transforms.totals import add

# Columns of prepared parts that closing reads; the payloads stay on disk.
_META = ("row", "file", "line", "key", "fate", "codes", "identifiers", "digest", "whole_digest", "statement")
_MORE = ("points", "programme_")
Answers = Callable[[Part], pa.Table]
Seen = Callable[[Part, pa.Table], None]


@dataclass(frozen=True, slots=True)
class Closed:
    """What the closed parts add up to."""

    totals: Totals
    most_points: int  # of a row that was not sent
    reasons: tuple[Reason, ...]
    doubts: Doubts


def close_run(
    job: Job, source: Source, spool: Spool, prepared: PreparedRun, answers: Answers, seen: Seen | None = None
) -> Closed:
    """Give every row its fate, part by part; `seen` is shown each closed part."""
    reasons, doubts = Reasons(job.destination.operation), Doubts(ZoneInfo(job.locale.timezone))
    totals, most = [], 0
    for part, closed in closed_parts(spool, prepared.parts, answers):
        totals.append(tally(closed))
        most = max(most, most_points(closed))
        customers = partial(customers_of, job, source, spool, part)
        files = source.names(part.table or source.lead)
        reasons.add(closed, files, customers)
        doubts.add(closed, files, customers)
        if seen is not None:
            seen(part, closed)
    return Closed(add(totals), most, reasons.told(), doubts)


def closed_parts(spool: Spool, parts: Sequence[Part], answers: Answers) -> Iterator[tuple[Part, pa.Table]]:
    """Each part with a fate for every row."""
    for part in parts:
        also = [name for name in spool.names("prepared", part) if name.startswith(_MORE)]
        prepared = planned(spool, part, [*_META, *also])
        yield part, close(prepared, spool.read("unreadable", part), spool.dropped(part), answers(part), part.first_row)


def customers_of(job: Job, source: Source, spool: Spool, part: Part, places: list[int]) -> list[str | None]:
    """The raw keys of some rows of a part, of children their first identifiers; an unreadable line has none."""
    if not places:
        return []
    if part.table:
        assert job.children is not None
        first = next(each.column for each in job.children.identifiers.values() if each.column)
        column = spool.read("rows", part, [str(source.children[first][1])]).column(0)
        return [column[at].as_py() if at < part.rows else None for at in places]
    table, place = source.places[job.key_column]
    column = spool.read("rows" if table == source.lead else f"joined/{table}", part, [str(place)]).column(0)
    return [column[at].as_py() if at < part.rows else None for at in places]


def rejected_columns(source: Source) -> list[str]:
    """The source's columns in `rejected.csv`: the leading table's, then the nested one's as `table.column`."""
    nested = source.nested
    return [*source.columns(source.lead), *(f"{nested}.{each}" for each in (source.columns(nested) if nested else ()))]


def _raw(source: Source, spool: Spool, part: Part, leading: Sequence[Part]) -> pa.Table:
    """A part's rows as they stood, under `rejected_columns` by place; a child's with those of its parent."""
    width, inner = len(source.columns(source.lead)), len(source.columns(source.nested)) if source.nested else 0
    own = spool.read("rows", part)
    if not part.table:
        blank = pa.nulls(own.num_rows, pa.string())
        return pa.table(
            {str(at): own.column(str(at)) for at in range(width)} | {str(width + at): blank for at in range(inner)}
        )
    parent = own.column("parent").combine_chunks()
    first = parent[0].as_py() if part.rows else None
    beside = [pa.nulls(part.rows, pa.string())] * width
    if first is not None:
        of = next(each for each in leading if each.first_row <= first < each.end_row)
        theirs = spool.read("rows", of, [str(at) for at in range(width)])
        at = pc.subtract(parent, of.first_row)
        beside = [column.combine_chunks().take(at) for column in theirs.columns]
    return pa.table(
        [*beside, *(own.column(str(at)) for at in range(inner))], names=[str(at) for at in range(width + inner)]
    )


def write_rows(
    results: Results, job: Job, source: Source, spool: Spool, part: Part, leading: Sequence[Part], closed: pa.Table
) -> None:
    """Write a closed part down: all rows, the rejected ones as they stood, unreadable lines byte for byte."""
    table = part.table or source.lead
    files = source.names(table)
    closed = clustered(linked(closed, spool.firsts(part)), spool.clusters(part))
    results.write(results_of(closed, files))
    raw = _raw(source, spool, part, leading)
    results.reject(rejected_of(closed, raw, rejected_columns(source), files, job.destination.operation))
    if part.unreadable:
        kept = source.kept_names(table)
        for line in spool.read("unreadable", part).to_pylist():
            results.unreadable(kept[line["file"]], line["raw"])
