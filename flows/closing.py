"""Closing a run's parts one by one: totals and reasons for the plan, files and report at the end."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

import pyarrow as pa

from connectors.results import Results
from connectors.spool import Part, Spool
from flows.prepare import PreparedRun, Source
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
        customers = partial(customers_of, source, spool, part, job.key_column)
        reasons.add(closed, _files(source), customers)
        doubts.add(closed, _files(source), customers)
        if seen is not None:
            seen(part, closed)
    return Closed(add(totals), most, reasons.told(), doubts)


def _files(source: Source) -> list[str]:
    return source.names(source.lead)


def closed_parts(spool: Spool, parts: Sequence[Part], answers: Answers) -> Iterator[tuple[Part, pa.Table]]:
    """Each part with a fate for every row."""
    for part in parts:
        also = [name for name in spool.names("prepared", part) if name.startswith(_MORE)]
        prepared = planned(spool, part, [*_META, *also])
        yield part, close(prepared, spool.read("unreadable", part), spool.dropped(part), answers(part), part.first_row)


def customers_of(source: Source, spool: Spool, part: Part, key: str, places: list[int]) -> list[str | None]:
    """The raw keys of some rows of a part; an unreadable line has none."""
    if not places:
        return []
    table, place = source.places[key]
    column = spool.read("rows" if table == source.lead else f"joined/{table}", part, [str(place)]).column(0)
    return [column[at].as_py() if at < part.rows else None for at in places]


def write_rows(results: Results, job: Job, source: Source, spool: Spool, part: Part, closed: pa.Table) -> None:
    """Write a closed part down: all rows, the rejected ones as they stood, unreadable lines byte for byte."""
    files = _files(source)
    closed = clustered(linked(closed, spool.firsts(part)), spool.clusters(part))
    results.write(results_of(closed, files))
    columns = source.columns(source.lead)
    results.reject(rejected_of(closed, spool.read("rows", part), columns, files, job.destination.operation))
    if part.unreadable:
        kept = source.kept_names(source.lead)
        for line in spool.read("unreadable", part).to_pylist():
            results.unreadable(kept[line["file"]], line["raw"])
