"""What the ledger holds, and the steps that may be asked of it (`connectors.ledger_steps` takes them).

No personal data is in it: rows are a run's row numbers, customers are known by a keyed hash. Moments are
microseconds since 1970 in UTC.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal

import numpy as np
import sqlalchemy as sa

from schemas.batches import Batch, Delivered
from schemas.errors import BulkloadError
from schemas.outcomes import Fate, RowReply


class IllegalMove(BulkloadError):
    """A step that would make the ledger lie, such as a second answer to a batch; nothing of it was written."""


class BatchState(StrEnum):
    """`planned` again after a definite no; the others are the end.

    A batch stays `in_doubt` when its rows are settled: it never got its answer, and must never leave again.
    """

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
FOUND_FATES = (Fate.ACCEPTED, Fate.ACCEPTED_WITH_LOSS, Fate.REFUSED)  # what a row in doubt can turn out to be


def one_of(column: str, values: Iterable[StrEnum]) -> sa.CheckConstraint:
    """The column holds one of the values."""
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
    sa.Column("caller", sa.Text),  # the Prefect flow run that started it
    sa.Column("retry_of", sa.Text),  # the run whose rejected rows it sends again
    one_of("state", RunState),
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("run_no", sa.ForeignKey("runs.run_no"), primary_key=True),
    sa.Column("batch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column(
        "rows", sa.LargeBinary, nullable=False
    ),  # int64, little-endian: the body's, each followed by its children
    sa.Column("body_sha256", sa.LargeBinary, nullable=False),
    sa.Column("points", sa.Boolean, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("code", sa.Text, nullable=False),  # why it stands where it stands
    sa.Column("request_id", sa.Text),
    sa.Column("sent_at_us", sa.BigInteger, nullable=False),
    sa.Column("answered_at_us", sa.BigInteger),
    one_of("state", BatchState),
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
    one_of("fate", SENT_FATES),
    sqlite_with_rowid=False,
)

settlements = sa.Table(
    "settlements",
    metadata,
    # One doubt is settled once; a row that goes again goes in another batch.
    sa.Column("run_no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("row", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("batch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("settled_at_us", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(["run_no", "batch"], ["batches.run_no", "batches.batch"]),
    one_of("outcome", (*FOUND_FATES, Fate.NOT_SENT)),
    sqlite_with_rowid=False,
)

leases = sa.Table(
    "leases",
    metadata,
    # Nobody's row is deleted: its token must never come again.
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("taken_at_us", sa.BigInteger, nullable=False),
    sa.Column("until_us", sa.BigInteger),  # null: released
    sqlite_with_rowid=False,
)

learned = sa.Table(
    "learned",
    metadata,
    sa.Column("host", sa.Text, primary_key=True),
    sa.Column("operation", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Integer, nullable=False),
    sa.Column("learned_at_us", sa.BigInteger, nullable=False),
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

    Rows whose reply says `retry` get no result, nor do their children: they are the caller's to plan again. So are
    those of a batch refused as a whole, unless it is a single row, which is then refused with its children.
    """

    delivered: Delivered
    answered_at_utc: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """Rows in doubt whose fate was found out later; a row told as None was not applied, for sure.

    Such a row loses its result and may be planned again, in a batch of another number. A row told as in doubt
    stays so, and tells why.
    """

    batch: int
    rows: Mapping[int, RowReply | None]
    by: Literal["look_up", "person", "resend"]
    settled_at_utc: datetime


Op = Intent | Withdrawn | Recorded | Settled


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
