"""What the ledger holds, and the steps by which a batch may move in it.

No personal data is in it: rows are a run's row numbers, customers are known by a keyed hash. Moments are
microseconds since 1970 in UTC.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from schemas.batches import Batch, Delivered
from schemas.errors import BulkloadError
from schemas.outcomes import Fate, RowReply, Verdict


class IllegalMove(BulkloadError):
    """A step that would make the ledger lie, such as a second answer to a batch; nothing of it was written."""


class BatchState(StrEnum):
    """`planned` again after a definite no; `answered` and `refused` are the end."""

    PLANNED = "planned"
    SENDING = "sending"
    ANSWERED = "answered"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"


class RunState(StrEnum):
    """Where a run stands."""

    PREPARING = "preparing"
    PLANNED = "planned"
    DELIVERING = "delivering"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


# The commonest first: the table compares them one by one, once per row.
SENT_FATES = (Fate.ACCEPTED, Fate.REFUSED, Fate.ACCEPTED_WITH_LOSS, Fate.IN_DOUBT)


def _one_of(column: str, values: Iterable[StrEnum]) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} in ({', '.join(repr(value.value) for value in values)})")


metadata = sa.MetaData()

ledger_schema = sa.Table("ledger_schema", metadata, sa.Column("version", sa.Integer, primary_key=True))

runs = sa.Table(
    "runs",
    metadata,
    # Millions of rows refer to a run: by a short number, not by its long name.
    sa.Column("run_no", sa.Integer, primary_key=True),
    sa.Column("run", sa.Text, nullable=False, unique=True),
    sa.Column("job", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("started_at_us", sa.BigInteger, nullable=False),
    sa.Column("finished_at_us", sa.BigInteger),
    sa.Column("exit_code", sa.Integer),
    sa.Column("digest", sa.Text),  # of the plan: job file and source
    sa.Column("summary_json", sa.Text),
    _one_of("state", RunState),
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("run_no", sa.ForeignKey("runs.run_no"), primary_key=True),
    sa.Column("batch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("rows", sa.LargeBinary, nullable=False),  # int64, little-endian, in the body's order
    sa.Column("body_sha256", sa.LargeBinary, nullable=False),
    sa.Column("points", sa.Boolean, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("code", sa.Text, nullable=False),  # why it stands where it stands
    sa.Column("request_id", sa.Text),
    sa.Column("sent_at_us", sa.BigInteger, nullable=False),
    sa.Column("answered_at_us", sa.BigInteger),
    _one_of("state", BatchState),
    sqlite_with_rowid=False,
)

row_results = sa.Table(
    "row_results",
    metadata,
    # The key is the rule: one row, one fate. A second result is refused by the table itself.
    sa.Column("run_no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("row", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("batch", sa.Integer, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("fate", sa.Text, nullable=False),
    sa.Column("codes", sa.Text, nullable=False),  # joined by ';', errors before warnings
    sa.Column("entity_id", sa.Text),
    sa.Column("answered_at_us", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(["run_no", "batch"], ["batches.run_no", "batches.batch"]),
    _one_of("fate", SENT_FATES),
    sqlite_with_rowid=False,
)

accepted = sa.Table(
    "accepted",
    metadata,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("key_hash", sa.LargeBinary, primary_key=True),
    sa.Column("payload_digest", sa.LargeBinary, nullable=False),
    sa.Column("points", sa.Boolean, nullable=False),  # whether any payload of the customer has credited points
    sa.Column("run_no", sa.ForeignKey("runs.run_no"), nullable=False),
    sa.Column("fate", sa.Text, nullable=False),
    sa.Column("accepted_at_us", sa.BigInteger, nullable=False),
    _one_of("fate", SENT_FATES),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class Intent:
    """The batch is about to leave. Of a 429 the same attempt may be made again."""

    batch: Batch
    attempt: int
    sent_at_utc: datetime


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Nothing of the batch was applied, for sure (never sent, or a definite "later"): it is planned again."""

    batch: int
    attempt: int
    code: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of a batch. A verdict that asks for another try (429 and kin) plans it again.

    Rows whose reply says `retry` get no result: they are the caller's to plan again. So are those of a batch
    refused as a whole, unless it is a single row, which is then refused.
    """

    delivered: Delivered
    answered_at_utc: datetime


Op = Intent | Withdrawn | Recorded

STATE_AFTER = {
    Verdict.ANSWERED: BatchState.ANSWERED,
    Verdict.REFUSED: BatchState.REFUSED,
    Verdict.TOO_LARGE: BatchState.REFUSED,
    Verdict.IN_DOUBT: BatchState.IN_DOUBT,
    Verdict.THROTTLED: BatchState.PLANNED,
    Verdict.LATER: BatchState.PLANNED,
    Verdict.UNAUTHENTICATED: BatchState.PLANNED,
    Verdict.MISCONFIGURED: BatchState.PLANNED,
}


def apply(connection: sa.Connection, run_no: int, op: Op) -> None:
    """One step of one batch, in the caller's transaction; an IllegalMove is for the caller to roll back."""
    match op:
        case Intent():
            _take(connection, run_no, op)
        case Withdrawn():
            _move(connection, run_no, op.batch, op.attempt, BatchState.PLANNED, code=op.code)
        case Recorded():
            _record(connection, run_no, op)


_sent = sqlite.insert(batches)
_TAKE = _sent.on_conflict_do_update(
    index_elements=[batches.c.run_no, batches.c.batch],
    set_={name: _sent.excluded[name] for name in ("state", "attempt", "code", "sent_at_us")},
    where=(batches.c.state == BatchState.PLANNED)
    & (batches.c.rows == _sent.excluded.rows)
    & (batches.c.body_sha256 == _sent.excluded.body_sha256)
    & (batches.c.attempt <= _sent.excluded.attempt),
).execution_options(preserve_rowcount=True)
_HAS_RESULT = (
    sa.select(row_results.c.row, row_results.c.batch, row_results.c.fate)
    .where(row_results.c.run_no == sa.bindparam("run_no"), row_results.c.batch != sa.bindparam("batch"))
    .where(row_results.c.row.in_(sa.select(sa.func.json_each(sa.bindparam("rows")).table_valued("value").c.value)))
    .limit(1)
)
_MOVE = (
    sa.update(batches)
    .where(batches.c.run_no == sa.bindparam("of_run"), batches.c.batch == sa.bindparam("of_batch"))
    .where(batches.c.state == BatchState.SENDING, batches.c.attempt == sa.bindparam("of_attempt"))
)


def _take(connection: sa.Connection, run_no: int, intent: Intent) -> None:
    batch = intent.batch
    # The last guard against crediting points twice, and the only one that has not left the house yet.
    _refuse_second_result(connection, run_no, batch.number, batch.rows)
    key = {"run_no": run_no, "batch": batch.number, "state": BatchState.SENDING.value, "code": ""}
    content = {"rows": packed(batch.rows), "body_sha256": hashlib.sha256(batch.body).digest(), "points": batch.points}
    values = key | content | {"attempt": intent.attempt, "sent_at_us": microseconds(intent.sent_at_utc)}
    if connection.execute(_TAKE, values).rowcount != 1:
        _refuse_move(connection, run_no, batch.number, intent.attempt, BatchState.SENDING)


def _move(connection: sa.Connection, run_no: int, batch: int, attempt: int, state: BatchState, **more: Any) -> None:
    key = {"of_run": run_no, "of_batch": batch, "of_attempt": attempt}
    if connection.execute(_MOVE, {**key, "state": state.value, **more}).rowcount != 1:
        _refuse_move(connection, run_no, batch, attempt, state)


def _record(connection: sa.Connection, run_no: int, op: Recorded) -> None:
    delivered, at_us = op.delivered, microseconds(op.answered_at_utc)
    number, attempt, reply = delivered.batch.number, delivered.attempt, delivered.reply
    more = {"code": reply.code, "request_id": delivered.request_id, "answered_at_us": at_us}
    _move(connection, run_no, number, attempt, STATE_AFTER[reply.verdict], **more)
    results = [
        (run_no, row, number, attempt, one.fate.value, ";".join(one.codes), one.entity_id, at_us)
        for row, one in _row_replies(delivered)
    ]
    if results:
        _insert_results(connection, run_no, number, results)


def _row_replies(delivered: Delivered) -> list[tuple[int, RowReply]]:
    batch, reply = delivered.batch, delivered.reply
    state, codes = STATE_AFTER[reply.verdict], (reply.code,) if reply.code else ()
    if state is BatchState.PLANNED:
        return []
    if reply.rows or reply.verdict is Verdict.ANSWERED:
        if len(reply.rows) != len(batch.rows):
            raise IllegalMove(f"batch {batch.number}: {len(batch.rows)} rows and {len(reply.rows)} replies")
        return [pair for pair in zip(batch.rows, reply.rows, strict=True) if not pair[1].retry]
    if state is BatchState.REFUSED and len(batch.rows) > 1:
        return []
    fate = Fate.REFUSED if state is BatchState.REFUSED else Fate.IN_DOUBT
    return [(row, RowReply(fate, codes)) for row in batch.rows]


# Written out once: to SQLAlchemy 50 rows are 50 dictionaries, which takes longer than SQLite does.
_RESULT = str(sa.insert(row_results).compile(dialect=sqlite.dialect()))


def _insert_results(connection: sa.Connection, run_no: int, batch: int, results: list[tuple[Any, ...]]) -> None:
    try:
        connection.exec_driver_sql(_RESULT, results)
    except sa.exc.IntegrityError as error:
        _refuse_second_result(connection, run_no, batch, [result[1] for result in results])
        raise IllegalMove(f"batch {batch}: {error.orig}") from None


def _refuse_move(connection: sa.Connection, run_no: int, batch: int, attempt: int, state: BatchState) -> None:
    is_ours = (batches.c.run_no == run_no) & (batches.c.batch == batch)
    found = connection.execute(sa.select(batches.c.state, batches.c.attempt).where(is_ours)).one_or_none()
    stands = f"is {found.state} (attempt {found.attempt})" if found else "was never sent"
    other = ", or has other rows or another body" if found and found.state == BatchState.PLANNED else ""
    raise IllegalMove(f"batch {batch}: {stands}{other}; attempt {attempt} cannot make it {state}")


def _refuse_second_result(connection: sa.Connection, run_no: int, batch: int, rows: Iterable[int]) -> None:
    wanted = {"run_no": run_no, "batch": batch, "rows": f"[{','.join(map(str, rows))}]"}
    found = connection.execute(_HAS_RESULT, wanted).one_or_none()
    if found:
        raise IllegalMove(f"batch {batch}: row {found.row} has its result ({found.fate}, batch {found.batch}) already")


def packed(rows: Sequence[int]) -> bytes:
    """Row numbers as they are stored."""
    return np.asarray(rows, dtype="<i8").tobytes()


def unpacked(blob: bytes) -> tuple[int, ...]:
    """The opposite of `packed`."""
    return tuple(np.frombuffer(blob, dtype="<i8").tolist())


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Since 1970 in UTC; exact. A moment without a zone is refused by Python itself."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(since_1970_us: int) -> datetime:
    """The opposite of `microseconds`."""
    return _EPOCH + timedelta(microseconds=since_1970_us)
