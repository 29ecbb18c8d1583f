"""Prefect's hands: its task runner prepares parts, its artifacts tell the run's story.

Prefect keeps parameters, results and messages in clear: it is given names and numbers, never a secret or a
customer. It costs a constant per run and per part, never per batch or row.
"""

import flows.prefect_quiet  # noqa: F401  # Prefect reads the environment when it is imported

# isort: split

import contextvars
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import get_client, get_run_logger, task
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run
from prefect.settings import get_current_settings
from prefect.states import Completed, Failed, Running

from flows import load, resume
from flows.hands import Stage, in_order, spare_cores
from flows.settings import home_of, load_job
from flows.wishes import Wishes
from schemas.errors import JobError
from schemas.outcomes import Fate
from schemas.runs import Plan, RunReport
from transforms.report_charts import duration
from transforms.report_words import verdict

PROGRESS_EVERY_S = 2.0
# From a night's run to the end of the next day's work.
APPROVAL_S = 18 * 3600
APPROVAL_POLL_S = 2


def api_is_configured() -> bool:
    """Whether the active profile names a server."""
    return get_current_settings().api.url is not None


def run_name() -> str:
    """A run's name in Prefect: its job file and the hour."""
    return f"{Path(str(flow_run.get_parameters()['job'])).stem} {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def run_in_prefect(
    mode: str, job: str, home: str | None, limit: int | None, plan: str | None, approved: bool, wishes: Wishes
) -> State[dict[str, object]]:
    """The body of both flows: one load, with Prefect's hands.

    When Prefect runs the same flow run again, the load that it began goes on where it stood.

    Raises:
        BulkloadError: what was wrong, in words that hold no secret and no customer.
    """
    job_file = Path(job)
    written = load_job(job_file, os.environ)
    if written.mode != mode:
        other = {"sync": "flows.sync.sync", "migrate": "flows.migrate.migrate"}[written.mode]
        raise JobError(f"{job}: mode is {written.mode}; deploy {other} for it")
    with PrefectAudience() as audience:
        place = home_of(Path(home) if home else None, os.environ)
        caller = str(flow_run.id)
        report = resume.of_caller(place, caller, audience, os.environ, approved)
        if report is None and plan is not None:
            report = resume.run_planned(job_file, place, plan, audience, os.environ, approved)
        elif report is None:
            report = load.run(
                job_file, place, prefect_workers, audience, os.environ, limit, wishes, approved=approved, caller=caller
            )
    told, words = report.as_json(), verdict(report) if report.run else ". ".join(report.notes)
    return Completed(message=words, data=told) if report.exit_code == 0 else Failed(message=words, data=told)


def prefect_workers(function: Callable[[Any], Any], works: Iterable[Any]) -> Iterator[Any]:
    """Each part is a task of the flow's own task runner; parts travel as places and rules, never as tables."""
    prepare = task(name="prepare part", cache_policy=NO_CACHE, persist_result=False)(function)
    return in_order(prepare.submit, works, ahead=spare_cores())


class Approval(RunInput):
    """What a person says to a paused flow run; resuming it without a word is a no."""

    approve: bool = False


class PrefectAudience:
    """Progress, tables and the report as artifacts of the flow run.

    Artifacts are made over HTTP, and progress is told from inside the delivery's event loop; so a thread of
    its own posts the latest number now and then, and delivery never waits for Prefect.
    """

    def __init__(self) -> None:
        self._latest: tuple[int, str] = (0, "")
        self._total: int | None = None
        self._artifact: Any = None
        self._over = threading.Event()
        self._lock = threading.Lock()
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=lambda: context.run(self._post), name="progress", daemon=True)

    def __enter__(self) -> "PrefectAudience":
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._over.set()
        self._thread.join()

    def stage(self, stage: Stage, total: int | None = None) -> None:
        """A progress artifact where there is something to count towards."""
        get_run_logger().info("%s%s", stage, f": {total:,} rows" if total else "")
        with self._lock:
            self._total, self._latest = total, (0, "")
            self._artifact = None
        if total:
            artifact = create_progress_artifact(
                progress=0.0, key=f"{stage}-progress", description=f"{stage}: {total:,} rows"
            )
            with self._lock:
                self._artifact = artifact

    def advance(self, done: int, note: str = "") -> None:
        """Remembered at once, posted later."""
        self._latest = (done, note)

    def say(self, line: str) -> None:
        """A line of the run's log."""
        get_run_logger().info("%s", line)

    def warn(self, line: str) -> None:
        """A warning in the run's log."""
        get_run_logger().warning("%s", line)

    def planned(self, plan: Plan) -> None:
        """What will be sent, as a table."""
        rows = plan.totals.rows
        create_table_artifact(
            key="plan",
            table=[
                {"fate": "to be sent" if fate is Fate.NOT_SENT else fate.value, "rows": rows[fate]}
                for fate in Fate
                if rows.get(fate)
            ],
            description=f"{plan.requests:,} requests to {plan.destination}",
        )

    def approve(self, plan: Plan) -> bool:
        """Pause the flow run until a person says yes or no in Prefect's UI; nobody in all that time is a no."""
        points, rows = plan.totals.points_of(Fate.NOT_SENT), plan.totals.rows.get(Fate.NOT_SENT, 0)
        asked = (
            f"Credit **{points:,} points** to {rows:,} customers at {plan.destination}, in {plan.requests:,} requests "
            f"({duration(plan.seconds_at_allowed_rate)})? Credited points cannot be taken back."
        )
        try:
            answer = pause_flow_run(
                Approval.with_initial_data(description=asked), timeout=APPROVAL_S, poll_interval=APPROVAL_POLL_S
            )
        except FlowPauseTimeout:
            # After a pause that ran out the server fails the run in its own words; this one has an end to tell.
            with get_client(sync_client=True) as client:
                client.set_flow_run_state(UUID(flow_run.get_id()), Running(), force=True)
            return False
        return answer.approve

    def reported(self, report: RunReport, markdown: str) -> None:
        """Fates, reasons and the report."""
        self._post_once(1.0)
        rows = report.totals.rows
        fates = [{"fate": fate.value, "rows": rows.get(fate, 0)} for fate in Fate]
        create_table_artifact(key="fates", table=fates, description=verdict(report))
        create_markdown_artifact(key="report", markdown=markdown, description=f"run {report.run}")

    def _post(self) -> None:
        while not self._over.wait(PROGRESS_EVERY_S):
            done, _ = self._latest
            self._post_once(done / self._total if self._total else 0.0)

    def _post_once(self, share: float) -> None:
        with self._lock:
            if self._artifact is not None:
                update_progress_artifact(self._artifact, progress=min(100.0, round(share * 100, 1)))
