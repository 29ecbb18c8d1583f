"""What is asked before the first byte leaves: do the guards hold, and may the points be credited."""

from flows.hands import Audience
from flows.prepare import PreparedRun
from flows.settle import plan_of
from flows.underway import Load
from schemas.errors import BulkloadError, GuardStopped, Stopped
from schemas.outcomes import Fate
from schemas.runs import Plan
from transforms.guards import needs_approval


def left_of(load: Load, made: Plan, prepared: PreparedRun) -> Plan:
    """The plan as it stands now: what an earlier process sent of it has its answer and is not `not_sent`."""
    if load.ledger.next_batch(load.name) == 1:
        return made
    return plan_of(load.job, load.source, load.spool, prepared, load.name, load.answers, made.changed, made.vanished)


def held_back(load: Load, made: Plan, left: Plan, audience: Audience, approved: bool) -> BulkloadError | None:
    """Why nothing may be sent: guards judge the whole plan, a person only what is left of it to be sent."""
    if made.guards:
        return GuardStopped(*made.guards)
    if approved or not needs_approval(load.job.guards, left.totals) or audience.approve(left):
        return None
    points, asked = left.totals.points_of(Fate.NOT_SENT), load.job.guards.approve_above_points
    return Stopped(
        f"approval denied: nobody said yes to {points:,} points, and guards.approve_above_points asks above {asked:,}; "
        f"`bulkload resume {load.name}` asks again at a terminal, with --yes it does not ask"
    )
