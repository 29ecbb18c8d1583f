"""A one-off load of every customer from an old system. As a Prefect flow: `flows.migrate.migrate`."""

import flows.prefect_quiet  # noqa: F401  # Prefect reads the environment when it is imported

# isort: split

from prefect import flow
from prefect.client.schemas.objects import State

from flows.prefect_hands import run_in_prefect, run_name
from flows.wishes import Wishes


@flow(name="bulkload-migrate", flow_run_name=run_name, persist_result=False)
def migrate(
    job: str,
    home: str | None = None,
    limit: int | None = None,
    plan: str | None = None,
    approved: bool = False,
    full: bool = False,
    since: str | None = None,
    force: bool = False,
) -> State[dict[str, object]]:
    """A one-off load of every customer from an old system.

    Args:
        job: path of a job file whose mode is `migrate`
        home: where runs and the ledger live; default $BULKLOAD_HOME, else data/runs
        limit: only the first so many rows of the source
        plan: the name of a planned run, to be applied exactly
        approved: credit points above guards.approve_above_points without pausing for a person
        full: read queries from the beginning, not from their watermark
        since: read queries from this value, not from their watermark
        force: load dropped files again that were loaded before
    """
    return run_in_prefect("migrate", job, home, limit, plan, approved, Wishes(full, since, force))
