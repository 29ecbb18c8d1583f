"""When a drop has no new file that is ready: no run is made, and what is told looks like a run of no rows."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from flows.drops import NothingToLoad
from flows.hands import Audience
from flows.putting_away import put_loaded_away
from flows.settings import now
from schemas.errors import GuardStopped
from schemas.job import Job
from schemas.runs import Requests, RunReport, Totals


def check_least(job: Job, nothing: NothingToLoad) -> None:
    """Do nothing where a job may have no rows.

    Raises:
        GuardStopped: it asks for some.
    """
    if job.guards.min_rows:
        raise GuardStopped(*nothing.problems, f"guards.min_rows: 0 read, at least {job.guards.min_rows:,} must be")


def without_a_run(
    job: Job,
    folder: Path,
    started: datetime,
    nothing: NothingToLoad,
    audience: Audience,
    before: RunReport | None = None,
) -> RunReport:
    """What is told in place of a run. Files that were loaded before are put away.

    `before`: a run that its window had stopped went first; it loaded what there was, and its end is what is told.

    Raises:
        GuardStopped: the job asks for some rows.
    """
    troubles = put_loaded_away(job, folder, nothing, audience)
    if before is None:
        check_least(job, nothing)
    told = [*nothing.problems, *_waiting(job, nothing)]
    for each in told:
        audience.say(each)
    if before is not None:
        return before
    return RunReport(
        run="", job=job.name, mode=job.mode, state="done", exit_code=0,
        started=started.isoformat(timespec="seconds"), finished=now(job).isoformat(timespec="seconds"),
        destination=job.destination.host or job.destination.url or "", operation=job.destination.operation,
        totals=Totals(0, {}, {}, {}), requests=Requests(), requests_per_minute=job.limits.requests_per_minute,
        seconds={}, reasons=(), changes=(), origins=(), ticks=(), notes=(*told, *troubles),
    )  # fmt: skip


def _waiting(job: Job, nothing: NothingToLoad) -> Iterator[str]:
    """What goes with the table that has nothing is not loaded without it."""
    lead = next(iter(job.source))
    if nothing.table != lead and job.source[lead].is_drop:
        yield f"source.{lead}: files that lie there wait until source.{nothing.table} has one to go with them"
