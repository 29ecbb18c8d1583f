"""Apply a plan: what guards and people allow is sent, and the run is closed."""

from datetime import UTC, datetime
from functools import partial
from itertools import count

from connectors.ledger_tables import RunState
from flows.deliver import Delivery, deliver
from flows.finish import finish
from flows.guards import held_back, left_of
from flows.hands import Audience
from flows.planned import left_in_waves, recalled
from flows.prepare import PreparedRun
from flows.putting_away import put_away
from flows.settle import mapping_digest, section_digests
from flows.underway import Load
from schemas.outcomes import Fate
from schemas.runs import Plan, Requests, RunReport
from transforms.batches import cut


def apply(load: Load, made: Plan, prepared: PreparedRun, audience: Audience, approved: bool) -> RunReport:
    """Send what has no answer yet, settle what is in doubt, and close the run; the caller is alone with it."""
    # Nobody else sends this job now: what is still `sending` is a dead process's.
    load.ledger.doubt_leftovers(load.name, datetime.now(UTC))
    left = left_of(load, made, prepared)
    if (trouble := held_back(load, made, left, audience, approved)) is not None:
        return put_away(
            load, prepared, finish(load, made, prepared, Delivery(Requests(), (), trouble), audience), audience
        )
    load.ledger.set_run_state(load.name, RunState.DELIVERING)
    destination = section_digests(load.job)["destination"]
    load.ledger.loads_with(load.name, load.job.memory, mapping_digest(load.job), destination)
    audience.stage("deliver", left.totals.rows.get(Fate.NOT_SENT, 0))
    limits, numbers = load.job.limits, count(load.ledger.next_batch(load.name))
    waves = (
        cut(rows, limits.rows_per_request, limits.bytes_per_request, numbers) for rows in left_in_waves(load, prepared)
    )
    delivery = Delivery(Requests(), ())
    with load.timed("deliver"):
        # Of what an earlier process sent, some may be in doubt where nothing else is to be sent.
        if made.requests or load.ledger.doubts(load.name):
            recall = partial(recalled, load, prepared)
            delivery = deliver(load.job, waves, numbers, load.ledger, load.name, audience, recall)
    return put_away(load, prepared, finish(load, made, prepared, delivery, audience), audience)
