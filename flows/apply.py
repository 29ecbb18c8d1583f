"""Apply a plan: what guards and people allow is sent, and the run is closed."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import count

import pyarrow as pa
import pyarrow.compute as pc

from connectors.ledger_tables import RunState
from flows.deliver import Delivery, deliver
from flows.finish import finish
from flows.guards import held_back, left_of
from flows.hands import Audience
from flows.prepare import PreparedRun
from flows.underway import Load
from schemas.outcomes import Fate
from schemas.runs import Plan, Requests, RunReport
from transforms.batches import cut, sendable

BODY_ROWS = 2_000


def apply(load: Load, made: Plan, prepared: PreparedRun, audience: Audience, approved: bool) -> RunReport:
    """Send what has no answer yet, settle what is in doubt, and close the run; the caller is alone with it."""
    # Nobody else sends this job now: what is still `sending` is a dead process's.
    load.ledger.doubt_leftovers(load.name, datetime.now(UTC))
    left = left_of(load, made, prepared)
    if (trouble := held_back(load, made, left, audience, approved)) is not None:
        return finish(load, made, prepared, Delivery(Requests(), (), trouble), audience)
    load.ledger.set_run_state(load.name, RunState.DELIVERING)
    audience.stage("deliver", left.totals.rows.get(Fate.NOT_SENT, 0))
    limits, numbers = load.job.limits, count(load.ledger.next_batch(load.name))
    batches = cut(_sendable(load, prepared), limits.rows_per_request, limits.bytes_per_request, numbers)
    delivery = Delivery(Requests(), ())
    with load.timed("deliver"):
        if made.requests:
            recall = partial(recalled, load, prepared)
            delivery = deliver(load.job, batches, numbers, load.ledger, load.name, audience, recall)
    return finish(load, made, prepared, delivery, audience)


def recalled(load: Load, prepared: PreparedRun, rows: Sequence[int]) -> pa.Table:
    """Rows as they were prepared: what was in doubt may have to be compared, or sent again."""
    wanted = pa.array(sorted(rows), pa.int64())
    parts = [part for part in prepared.parts if any(part.first_row <= row < part.end_row for row in rows)]
    found = (load.spool.read("prepared", part, ["row", "points", "payload"]) for part in parts)
    return pa.concat_tables([rows_.filter(pc.is_in(rows_.column("row"), value_set=wanted)) for rows_ in found])


def _sendable(load: Load, prepared: PreparedRun) -> Iterator[pa.Table]:
    """Rows of the plan that have no answer yet."""
    for part in prepared.leading:
        held = load.spool.names("prepared", part)
        also = ["children"] if "children" in held else []
        rows = load.spool.read("prepared", part, ["row", "fate", "points", "payload", *also])
        wanted = sendable(rows, load.spool.dropped(part), load.answers(part))
        # Bodies are made of Python's bytes, which take more room than Arrow's: not of a whole part at once.
        yield from (wanted.slice(start, BODY_ROWS) for start in range(0, wanted.num_rows, BODY_ROWS))
