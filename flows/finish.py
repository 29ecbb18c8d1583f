"""Finish: every row gets its fate, people and machines get their files, and the sums are proven."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from connectors.durable import keep_all
from connectors.ledger_tables import RunState
from connectors.results import UNREADABLE_FOLDER, Results, write_text
from connectors.spool import Part
from flows.closing import close_run, rejected_columns, write_rows
from flows.deliver import Delivery
from flows.drops import done_with
from flows.hands import Audience
from flows.moving import Moving
from flows.prepare import PreparedRun
from flows.remembering import Remembering
from flows.settings import now
from flows.source import Source
from flows.underway import Load
from flows.window import WindowClosed
from schemas.errors import GuardStopped, OutOfBalance
from schemas.outcomes import Fate
from schemas.runs import Plan, RunReport
from schemas.vanished import VANISHED_FILE
from transforms.guards import RefusedShare
from transforms.report import html, markdown
from transforms.totals import check

IN_DOUBT_EXIT = 5


def finish(load: Load, made: Plan, prepared: PreparedRun, delivery: Delivery, audience: Audience) -> RunReport:
    """Close the run: every row gets its fate, is written down, and the sums are proven.

    Raises:
        OutOfBalance: a bug; the report is written all the same, and shows it.
    """
    audience.stage("report")
    began = time.monotonic()
    # The ledger failed between a batch's leaving and its answer: whatever has left is not "not sent".
    load.ledger.doubt_leftovers(load.name, datetime.now(UTC))
    if load.closed_before:
        # Whoever dies before all are remembered anew is found by the job's next run.
        load.ledger.set_run_state(load.name, RunState.DELIVERING)
        load.ledger.forget_doubtful(load.name)
    remembering = Remembering(load.ledger, load.name, load.job, load.spool)
    moving = Moving(load, prepared)
    with Results(load.spool.folder, rejected_columns(load.source)) as results:

        def seen(part: Part, rows: pa.Table) -> None:
            write_rows(results, load.job, load.source, load.spool, part, prepared.leading, rows)
            remembering.part(part, rows)
            moving.part(part, rows)

        closed = close_run(load.job, load.source, load.spool, prepared, load.answers, seen)
    moved = moving.end()
    load.seconds["report"] = time.monotonic() - began
    trouble = delivery.trouble or _refused_too_many(load)
    in_doubt = closed.totals.rows.get(Fate.IN_DOUBT, 0)
    code = trouble.exit_code if trouble else IN_DOUBT_EXIT if in_doubt else 0
    report = RunReport(
        run=load.name, job=load.job.name, mode=load.job.mode,
        state="stopped" if delivery.trouble else "done", exit_code=code,
        started=load.started.isoformat(timespec="seconds"), finished=now(load.job).isoformat(timespec="seconds"),
        destination=made.destination, operation=made.operation,
        totals=closed.totals, requests=delivery.requests + load.earlier, requests_per_minute=made.requests_per_minute,
        seconds=load.seconds, reasons=closed.reasons, changes=made.changes, origins=made.origins,
        ticks=delivery.ticks, unmatched=made.unmatched, retry_of=load.retry.run if load.retry else "",
        stopped_because=". ".join(trouble.problems if trouble else ()),
        stopped_by="window" if isinstance(trouble, WindowClosed) else "", files=_files(load.spool.folder),
        doubts=tuple(closed.doubts.rows), doubtful_requests=closed.doubts.requests(), clusters=made.clusters,
        notes=(*made.notes, *filter(None, [made.changed.told]), *moved.notes(), *delivery.notes),
        since={**made.since, **moved.told()},
    )  # fmt: skip
    told = markdown(report)
    write_text(load.spool.folder / "report.html", html(report))
    write_text(load.spool.folder / "report.md", told)
    write_text(load.spool.folder / "run.json", json.dumps(report.as_json(), indent=1))
    keep_all(load.spool.folder)  # nobody writes them again once the run is done
    bug = _bug_in(report, made, load.source)
    if bug is None:
        moved.keep()
    if bug is None and report.state == "done" and load.retry is None and not prepared.limited:
        loaded = done_with(load.job, load.source.taken)
        load.ledger.loaded(load.name, load.job.memory, loaded, datetime.now(UTC))
    load.ledger.finish_run(
        load.name, RunState(report.state), exit_code=code, finished_at_utc=datetime.now(UTC), summary=report.as_json()
    )
    audience.reported(report, told)
    if bug is not None:
        raise bug
    return report


def _refused_too_many(load: Load) -> GuardStopped | None:
    """A run that came to its end is judged by all its answers, however few; refusals of earlier runs are none."""
    broken = RefusedShare(load.job.guards, load.ledger.fates(load.name)).broken()
    return GuardStopped(*broken) if broken else None


def _files(folder: Path) -> dict[str, str]:
    files = {"report": "report.html", "markdown": "report.md", "rejected": "rejected.csv", "results": "results.parquet"}
    more = {"unreadable": UNREADABLE_FOLDER, "vanished": VANISHED_FILE}
    return files | {what: name for what, name in more.items() if (folder / name).exists()}


def _bug_in(report: RunReport, made: Plan, source: Source) -> OutOfBalance | None:
    """Why the report cannot be right, if it cannot: then nobody knows up to where rows were dealt with."""
    try:
        _prove(report, made, source)
    except OutOfBalance as bug:
        return bug
    return None


def _prove(report: RunReport, made: Plan, source: Source) -> None:
    """Rows and points read must be the sum of their fates, and what the reader counted.

    Raises:
        OutOfBalance: a bug; the report is written all the same, and shows it.
    """
    check(report.totals)
    counted = sum(origin.rows for origin in report.origins if origin.table in (source.lead, source.nested))
    if counted != report.totals.read:
        raise OutOfBalance(f"{counted:,} rows were read, {report.totals.read:,} are accounted for")
    if dict(made.totals.points_read) != dict(report.totals.points_read):
        raise OutOfBalance("the points of the plan are not the points of the run")
