"""`bulkload settle`: rows that a run left in doubt are looked up once more, or a person says what became of them."""

import asyncio
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from connectors.ledger import RESULTS, Ledger
from connectors.ledger_tables import RunState, Settled
from connectors.spool import Spool
from flows.alone import alone
from flows.deliver import Delivery, look_up_only, preflight
from flows.doubts import left_behind
from flows.finish import finish
from flows.guards import left_of
from flows.hands import Audience
from flows.older import bring_up
from flows.planned import recalled
from flows.resume import changed_sections, underway
from flows.retry import job_of
from flows.settings import Home
from flows.settle import plan_of
from flows.underway import Load, Manifest, known_source
from schemas.errors import JobError, Stopped
from schemas.outcomes import Decision, Fate, RowReply
from schemas.runs import Changed, Requests, RunReport
from transforms.waves import going_again

BY_PERSON = "settled_by_person"
ENDED = (RunState.DONE, RunState.STOPPED)


def settle_run(
    home: Home, name: str | None, decision: Decision | None, audience: Audience, environment: Mapping[str, str]
) -> RunReport:
    """Settle a run's rows in doubt, and close it anew; nothing is sent. Without a name, the last run's.

    Raises:
        WrongInput: the run has not ended, nothing of it is in doubt, or what its job sends changed.
    """
    with closing(Ledger(home.ledger)) as ledger:
        record = ledger.run(name)
        if record.state not in ENDED:
            raise JobError(f"run {record.run}: it is {record.state}; first: bulkload resume {record.run}")
        if not ledger.doubts(record.run):
            raise JobError(f"run {record.run}: none of its rows is in doubt; there is nothing to settle")
        manifest = Manifest.read(Spool(record.folder))
        # The night's files may have been taken away since: rows are settled by what was prepared of them.
        job, source = job_of(Path(manifest.job_file), environment, manifest.retry), known_source(manifest)
        with alone(ledger, home, job, record.run, begun=True):
            for changed in changed_sections(job, manifest):
                raise JobError(f"run {record.run}: {changed} changed since it was planned; undo that to settle it")
            load = underway(job, source, home, ledger, record, manifest)
            bring_up(load.spool, manifest, home.salt())
            if decision is None:
                asyncio.run(preflight(job))
            # Whoever dies from here on is found by the next run of the job.
            ledger.set_run_state(load.name, RunState.DELIVERING)
            delivery = _looked_up(load, manifest, audience) if decision is None else _decided(load, manifest, decision)
            made = plan_of(
                job, source, load.spool, manifest.prepared, load.name, lambda part: RESULTS.empty_table(), Changed()
            )
            left = left_of(load, made, manifest.prepared).totals.rows.get(Fate.NOT_SENT, 0)
            return finish(load, made, manifest.prepared, _with_rest(load, delivery, left), audience)


def _looked_up(load: Load, manifest: Manifest, audience: Audience) -> Delivery:
    audience.stage("deliver")
    with load.timed("deliver"):
        return look_up_only(load.job, load.ledger, load.name, audience, partial(recalled, load, manifest.prepared))


def _decided(load: Load, manifest: Manifest, decision: Decision) -> Delivery:
    """A person asked Capillary's support, or looked at the customers."""
    doubts = {doubt.row: doubt for doubt in load.ledger.doubts(load.name)}
    found: list[dict[int, RowReply | None]]
    if decision is Decision.ACCEPTED:
        found = [{row: RowReply(Fate.ACCEPTED, (*doubt.codes, BY_PERSON))} for row, doubt in doubts.items()]
    else:
        again = going_again(recalled(load, manifest.prepared, list(doubts)), doubts)
        left = doubts.keys() - {row for family in again for row in family}
        found = [dict.fromkeys(family) for family in again]
        found += [{row: left_behind(doubts[row])} for row in sorted(left)]
    now_utc = datetime.now(UTC)
    steps = [Settled(doubts[next(iter(rows))].batch, rows, "person", now_utc) for rows in found]
    load.ledger.write(load.name, steps)
    return Delivery(Requests(), ())


def _with_rest(load: Load, delivery: Delivery, rest: int) -> Delivery:
    """Rows of the plan without an answer make the run one that goes on."""
    if rest == 0 or delivery.trouble is not None:
        return delivery
    stopped = Stopped(f"{rest:,} rows are not sent, or were found not applied; bulkload resume {load.name} sends them")
    return Delivery(delivery.requests, delivery.ticks, stopped, delivery.notes)
