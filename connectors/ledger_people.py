"""What the ledger knows of one customer, by keyed hash: what is told to who asks for it."""

from collections.abc import Collection

import sqlalchemy as sa

from connectors.ledger_runs import Runs
from connectors.ledger_tables import accepted, moment, runs
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
