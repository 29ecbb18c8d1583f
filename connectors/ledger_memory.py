"""What the ledger keeps from run to run: customers as the API has them, and what the API taught of its limits."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from connectors.ledger_runs import Runs
from connectors.ledger_tables import accepted, learned, microseconds
from schemas.outcomes import Fate

DIGEST = pa.binary(16)
ACCEPTED = pa.schema([("key", DIGEST), ("digest", DIGEST), ("fate", pa.string()), ("points", pa.bool_())])
FETCHED = 50_000
_remember = insert(accepted)
REMEMBER = _remember.on_conflict_do_update(
    index_elements=[accepted.c.job, accepted.c.key_hash],
    set_={name: _remember.excluded[name] for name in ("payload_digest", "run_no", "fate", "accepted_at_us")}
    # Who was credited once stays so, whatever is sent afterwards.
    | {"points": accepted.c.points | _remember.excluded.points},
)
_learn = insert(learned)
LEARN = _learn.on_conflict_do_update(
    index_elements=[learned.c.host, learned.c.operation, learned.c.name],
    set_={name: _learn.excluded[name] for name in ("value", "learned_at_us")},
)


class Memory(Runs):
    """What later runs are to know."""

    def remember(self, run: str, job: str, rows: pa.Table, remembered_at_utc: datetime) -> None:
        """Remember customers as the API has them, or may have them: `rows` has `key`, `digest`, `fate`, `points`."""
        same = {"job": job, "run_no": self._number(run), "accepted_at_us": microseconds(remembered_at_utc)}
        columns = (rows.column(name).to_pylist() for name in ACCEPTED.names)
        values = [
            {**same, "key_hash": key, "payload_digest": digest, "fate": fate, "points": points}
            for key, digest, fate, points in zip(*columns, strict=True)
        ]
        if values:
            with self._writing() as connection:
                connection.execute(REMEMBER, values)

    def remembered(self, job: str, by_others_than: str) -> Iterator[pa.Table]:
        """What other runs left to remember of a job's customers (as `ACCEPTED`), some thousands at a time."""
        a = accepted.c
        elsewhere = (a.job == job) & (a.run_no != self._number(by_others_than))
        wanted = sa.select(a.key_hash, a.payload_digest, a.fate, a.points).where(elsewhere)
        with self._reading() as connection:
            for some in connection.execution_options(stream_results=True).execute(wanted).partitions(FETCHED):
                columns = zip(zip(*some, strict=True), ACCEPTED.types, strict=True)
                yield pa.table([pa.array(values, kind) for values, kind in columns], schema=ACCEPTED)

    def forget_doubtful(self, run: str) -> None:
        """Forget whom the run left in doubt, before it is closed again: who still is will be remembered anew.

        What the API accepted stays remembered.
        """
        doubtful = (accepted.c.run_no == self._number(run)) & (accepted.c.fate == Fate.IN_DOUBT)
        with self._writing() as connection:
            connection.execute(sa.delete(accepted).where(doubtful))

    def learned(self, host: str, operation: str) -> Mapping[str, int]:
        """Limits that the API taught about an operation of a host, by name."""
        of_both = (learned.c.host == host) & (learned.c.operation == operation)
        with self._reading() as connection:
            found = connection.execute(sa.select(learned.c.name, learned.c.value).where(of_both))
            return {row.name: row.value for row in found}

    def learn(
        self,
        host: str,
        operation: str,
        name: Literal["rows_per_request", "requests_per_minute"],
        value: int | None,
        at_utc: datetime,
    ) -> None:
        """Keep a limit for later runs, in place of what was learned before; None forgets it."""
        key = {"host": host, "operation": operation, "name": name}
        with self._writing() as connection:
            if value is None:
                connection.execute(sa.delete(learned).filter_by(**key))
            else:
                connection.execute(LEARN, {**key, "value": value, "learned_at_us": microseconds(at_utc)})
