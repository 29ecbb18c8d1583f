"""The ledger's batches and rows: what left, what came of it, and what nobody knows."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
import sqlalchemy as sa

from connectors.ledger_runs import Runs
from connectors.ledger_steps import apply
from connectors.ledger_tables import (
    BatchState,
    Op,
    Recorded,
    batches,
    microseconds,
    moment,
    row_results,
    unpacked,
)
from schemas.batches import Batch, Delivered, Doubt
from schemas.outcomes import BatchReply, Fate, Verdict
from schemas.runs import Requests

RESULTS = pa.schema(
    {"row": pa.int64(), "batch": pa.int64(), "attempt": pa.int32(), "fate": pa.string(), "codes": pa.string(),
     "entity_id": pa.string(), "request_id": pa.string(), "sent_at_utc": pa.timestamp("us", tz="UTC"),
     "answered_at_utc": pa.timestamp("us", tz="UTC")}
)  # fmt: skip
AT_ONCE = 1_000  # variables that a statement takes
_OF_ITS_BATCH = (batches.c.run_no == row_results.c.run_no) & (batches.c.batch == row_results.c.batch)


class Batches(Runs):
    """The batches of each run and the results of their rows."""

    def write(self, run: str, ops: Sequence[Op]) -> None:
        """All steps in one transaction, durable when this returns; when one does not fit (IllegalMove), none."""
        number = self._number(run)
        with self._writing() as connection:
            for op in ops:
                apply(connection, number, op)

    def doubt_leftovers(self, run: str, found_at_utc: datetime) -> list[int]:
        """Put in doubt the batches that a dead process left in `sending`; call it while nobody else sends."""
        number, died = self._number(run), BatchReply(Verdict.IN_DOUBT, "process_died")
        left = (batches.c.run_no == number) & (batches.c.state == BatchState.SENDING)
        found = sa.select(batches.c.batch, batches.c.attempt, batches.c.rows).where(left).order_by(batches.c.batch)
        with self._writing() as connection:
            left_over = [(Batch(one.batch, unpacked(one.rows), b""), one.attempt) for one in connection.execute(found)]
            for batch, attempt in left_over:
                apply(connection, number, Recorded(Delivered(batch, attempt, died), found_at_utc))
        return [batch.number for batch, _ in left_over]

    def results(self, run: str, first_row: int, last_row: int) -> pa.Table:
        """What is known of rows `first_row` to `last_row` (both included), by row; unsent rows are absent."""
        number, r, b = self._number(run), row_results.c, batches.c
        answer = (r.row, r.batch, r.attempt, r.fate, r.codes, r.entity_id)
        wanted = (
            sa.select(*answer, b.request_id, b.sent_at_us, r.answered_at_us)
            .join(batches, _OF_ITS_BATCH)
            .where(r.run_no == number, r.row.between(first_row, last_row))
            .order_by(r.row)
        )
        with self._reading() as connection:
            found = connection.execute(wanted).all()
        columns = zip(*found, strict=True) if found else [()] * len(RESULTS)
        return pa.table([pa.array(c, f.type) for c, f in zip(columns, RESULTS, strict=True)], schema=RESULTS)

    def doubts(self, run: str) -> list[Doubt]:
        """The rows of a run that are in doubt, by row."""
        r, b = row_results.c, batches.c
        wanted = (
            sa.select(r.row, r.batch, r.attempt, b.sent_at_us, r.answered_at_us, b.request_id, r.codes)
            .join(batches, _OF_ITS_BATCH)
            .where(r.run_no == self._number(run), r.fate == Fate.IN_DOUBT)
            .order_by(r.row)
        )
        with self._reading() as connection:
            return [
                Doubt(
                    row, batch, attempt, moment(sent), moment(answered), request, tuple(filter(None, codes.split(";")))
                )
                for row, batch, attempt, sent, answered, request, codes in connection.execute(wanted)
            ]

    def in_doubt(self, run: str, rows: Sequence[int]) -> set[int]:
        """Which of these rows are in doubt; looked up one by one, however many rows the run has."""
        r, number = row_results.c, self._number(run)
        found = set[int]()
        with self._reading() as connection:
            for start in range(0, len(rows), AT_ONCE):
                some = r.row.in_(rows[start : start + AT_ONCE])
                wanted = sa.select(r.row).where(r.run_no == number, some, r.fate == Fate.IN_DOUBT)
                found.update(connection.scalars(wanted))
        return found

    def requests(self, run: str) -> Requests:
        """What batches tell of a run's requests: one for each attempt, answers of 429 and probes not among them."""
        b = batches.c
        sent = sa.func.coalesce(sa.func.sum(b.attempt), 0)
        retried = sa.func.coalesce(sa.func.sum(b.attempt - 1), 0)
        wanted = sa.select(sent, sa.func.count(b.answered_at_us).filter(b.state != BatchState.IN_DOUBT), retried)
        with self._reading() as connection:
            told = connection.execute(wanted.where(b.run_no == self._number(run))).one()
        return Requests(sent=told[0], answered=told[1], retried=told[2])

    def fates(self, run: str) -> Counter[Fate]:
        """How many rows of a run have which fate by an answer, a look-up or a person."""
        r = row_results.c
        wanted = sa.select(r.fate, sa.func.count()).where(r.run_no == self._number(run)).group_by(r.fate)
        with self._reading() as connection:
            return Counter({Fate(fate): rows for fate, rows in connection.execute(wanted)})

    def may_have_credited(self, run: str) -> bool:
        """Whether a batch with points left, whatever came of it."""
        left = batches.c.points & (batches.c.state != BatchState.PLANNED)
        wanted = sa.select(sa.func.count()).where(batches.c.run_no == self._number(run), left)
        with self._reading() as connection:
            return bool(connection.scalar(wanted))

    def sent_since(self, moment_utc: datetime) -> list[datetime]:
        """When requests of any run of this home left; they count towards the API's allowance."""
        wanted = sa.select(batches.c.sent_at_us).where(batches.c.sent_at_us >= microseconds(moment_utc))
        with self._reading() as connection:
            return [moment(at_us) for at_us in connection.scalars(wanted)]

    def next_batch(self, run: str) -> int:
        """A number that no batch of the run has had, from 1."""
        last = sa.select(sa.func.max(batches.c.batch)).where(batches.c.run_no == self._number(run))
        with self._reading() as connection:
            return int(connection.scalar(last) or 0) + 1
