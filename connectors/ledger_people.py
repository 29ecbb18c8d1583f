"""What the ledger knows of one customer: told to who asks for it, and taken out of what runs left."""

import json
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from connectors.ledger_runs import Runs
from connectors.ledger_tables import accepted, leases, moment, row_results, runs
from schemas.trace import Remembered


class People(Runs):
    """One customer at a time."""

    def remembered_of(self, keys: Collection[bytes]) -> list[Remembered]:
        """What later runs of each job are compared with, of customers by any of these keys."""
        a = accepted.c
        known = (a.job, a.key_hash, a.payload_digest, a.fate, a.points, runs.c.run, a.accepted_at_us)
        wanted = (
            sa.select(*known).join(runs, runs.c.run_no == a.run_no).where(a.key_hash.in_(sorted(keys))).order_by(a.job)
        )
        with self._reading() as connection:
            return [Remembered(*row[:-1], moment(row.accepted_at_us)) for row in connection.execute(wanted)]

    def erase_entities(self, run: str, rows: Collection[int]) -> int:
        """Forget whom the API knows some rows of a run by; how many were known."""
        r = row_results.c
        theirs = r.row.in_(sa.select(sa.func.json_each(json.dumps(sorted(rows))).table_valued("value").c.value))
        known = (r.run_no == self._number(run)) & theirs & r.entity_id.is_not(None)
        with self._writing() as connection:
            return connection.execute(sa.update(row_results).where(known).values(entity_id=None)).rowcount

    def tell_anew(self, run: str, summary: Mapping[str, Any]) -> None:
        """Replace what a run was told to end with."""
        self._update_run(run, {"summary_json": json.dumps(summary)})

    def lease_names(self) -> list[str]:
        """Every place that was ever sent to."""
        with self._reading() as connection:
            return list(connection.scalars(sa.select(leases.c.name).order_by(leases.c.name)))

    def job_names(self) -> list[str]:
        """Every job that ever ran."""
        with self._reading() as connection:
            return list(connection.scalars(sa.select(runs.c.job).distinct().order_by(runs.c.job)))
