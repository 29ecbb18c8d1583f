"""What was sent, and what became of it: durable before the first byte leaves and before the next decision.

One file per home, one writer at a time; `connectors.scribe` writes it from an asyncio loop.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.dialects.sqlite import insert

from connectors.ledger_tables import (
    BatchState,
    IllegalMove,
    Op,
    Recorded,
    RunState,
    accepted,
    apply,
    batches,
    ledger_schema,
    metadata,
    microseconds,
    moment,
    row_results,
    runs,
    unpacked,
)
from schemas.batches import Batch, Delivered
from schemas.errors import Stopped, WrongInput
from schemas.outcomes import BatchReply, Verdict

SCHEMA_VERSION = 1
BUSY_S = 30.0  # another process of this machine is writing; its transactions take milliseconds
RESULTS = pa.schema(
    {"row": pa.int64(), "batch": pa.int64(), "attempt": pa.int32(), "fate": pa.string(), "codes": pa.string(),
     "entity_id": pa.string(), "request_id": pa.string(), "sent_at_utc": pa.timestamp("us", tz="UTC"),
     "answered_at_utc": pa.timestamp("us", tz="UTC")}
)  # fmt: skip
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


class LedgerStopped(Stopped):
    """The ledger cannot be written (disk full, locked, gone): nothing may be sent any more."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the ledger knows it."""

    run: str
    job: str
    mode: str
    folder: Path
    state: RunState
    started_at_utc: datetime
    finished_at_utc: datetime | None
    exit_code: int | None
    digest: str | None
    summary: Mapping[str, Any] | None


class Ledger:
    """The ledger at a path, made if there is none. Close it. Every method may raise LedgerStopped or WrongInput."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = open_engine(path)
        self._numbers: dict[str, int] = {}

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def start_run(self, run: str, *, job: str, mode: str, folder: Path, started_at_utc: datetime) -> None:
        """Begin a run in `preparing`; a second one of its name is an IllegalMove."""
        values = {"run": run, "job": job, "mode": mode, "folder": str(folder), "state": RunState.PREPARING.value}
        try:
            with self._writing() as connection:
                connection.execute(sa.insert(runs), {**values, "started_at_us": microseconds(started_at_utc)})
        except exc.IntegrityError:
            raise IllegalMove(f"run {run}: there is one of this name already") from None

    def set_run_state(self, run: str, state: RunState, *, digest: str | None = None) -> None:
        """Move a run on; `digest` is the plan's, kept from then on."""
        self._update_run(run, {"state": state.value} | ({} if digest is None else {"digest": digest}))

    def finish_run(
        self, run: str, state: RunState, *, exit_code: int, finished_at_utc: datetime, summary: Mapping[str, Any]
    ) -> None:
        """End a run; a resumed one is ended again."""
        told = {"summary_json": json.dumps(summary), "finished_at_us": microseconds(finished_at_utc)}
        self._update_run(run, told | {"state": state.value, "exit_code": exit_code})

    def run(self, run: str | None = None) -> RunRecord:
        """A run by name, or the one started last."""
        found = self._found(sa.true() if run is None else runs.c.run == run, limit=1)
        if not found:
            raise WrongInput(f"run {run}: is not in {self._path}" if run else f"{self._path}: has no run yet")
        return found[0]

    def runs(self, limit: int = 20) -> list[RunRecord]:
        """The latest first."""
        return self._found(sa.true(), limit)

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
        of_the_row = (r.row, r.batch, r.attempt, r.fate, r.codes, r.entity_id)
        wanted = (
            sa.select(*of_the_row, b.request_id, b.sent_at_us, r.answered_at_us)
            .join(batches, (b.run_no == r.run_no) & (b.batch == r.batch))
            .where(r.run_no == number, r.row.between(first_row, last_row))
            .order_by(r.row)
        )
        with self._reading() as connection:
            found = connection.execute(wanted).all()
        columns = zip(*found, strict=True) if found else [()] * len(RESULTS)
        return pa.table([pa.array(c, f.type) for c, f in zip(columns, RESULTS, strict=True)], schema=RESULTS)

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

    def unfinished(self, job: str, other_than: str = "") -> str | None:
        """Another run of the job that is being sent, or was killed while it was."""
        delivering = (runs.c.state == RunState.DELIVERING) & (runs.c.run != other_than)
        wanted = sa.select(runs.c.run).where(runs.c.job == job, delivering)
        with self._reading() as connection:
            found: str | None = connection.scalar(wanted.limit(1))
        return found

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

    def _found(self, wanted: sa.ColumnElement[bool], limit: int) -> list[RunRecord]:
        query = sa.select(runs).where(wanted).order_by(runs.c.run_no.desc()).limit(limit)
        with self._reading() as connection:
            return [_record_of(row) for row in connection.execute(query)]

    def _number(self, run: str) -> int:
        if run not in self._numbers:
            with self._reading() as connection:
                number = connection.scalar(sa.select(runs.c.run_no).where(runs.c.run == run))
            if number is None:
                raise WrongInput(f"run {run}: is not in {self._path}")
            self._numbers[run] = number
        return self._numbers[run]

    def _update_run(self, run: str, values: Mapping[str, Any]) -> None:
        number = self._number(run)
        with self._writing() as connection:
            connection.execute(sa.update(runs).where(runs.c.run_no == number), values)

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with told_plainly(self._path), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with told_plainly(self._path), self._engine.connect() as connection:
            yield connection.execution_options(reading=True)


def _record_of(row: Any) -> RunRecord:
    kept = {name: getattr(row, name) for name in ("run", "job", "mode", "exit_code", "digest")}
    finished_at_utc = None if row.finished_at_us is None else moment(row.finished_at_us)
    summary = None if row.summary_json is None else json.loads(row.summary_json)
    kept |= {"folder": Path(row.folder), "state": RunState(row.state), "started_at_utc": moment(row.started_at_us)}
    return RunRecord(**kept, finished_at_utc=finished_at_utc, summary=summary)


def open_engine(path: Path) -> sa.Engine:
    """The file made if there is none: for its owner's eyes only, and durable at every commit."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise WrongInput(f"{path.parent}: cannot be the home: {error.strerror}; choose another --home") from None
    with told_plainly(path):
        # SQLite gives its -wal and -shm files the mode of the database.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    # Without an isolation level the driver opens no transactions of its own; it would open them too late.
    how = {"timeout": BUSY_S, "isolation_level": None}
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), connect_args=how)
    event.listen(engine, "connect", _as_we_need_it)
    event.listen(engine, "begin", _begin)
    try:
        with told_plainly(path), engine.begin() as connection:
            ledger_schema.create(connection, checkfirst=True)
            version = connection.scalar(sa.select(ledger_schema.c.version)) or 0
            if version > SCHEMA_VERSION:
                newer = f"{path}: is of a newer bulkload (ledger schema {version}, this one reads {SCHEMA_VERSION})"
                raise WrongInput(f"{newer}; install that one, or choose another --home")
            metadata.create_all(connection)
            if version == 0:
                connection.execute(sa.insert(ledger_schema), {"version": SCHEMA_VERSION})
    except BaseException:
        engine.dispose()
        raise
    return engine


def _as_we_need_it(dbapi: Any, _record: object) -> None:
    for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on"):
        dbapi.execute(f"pragma {pragma}").close()


def _begin(connection: sa.Connection) -> None:
    # A reader that turns writer can fail half-way; writers say so at once.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("begin" if reading else "begin immediate")


@contextmanager
def told_plainly(path: Path) -> Iterator[None]:
    """Turn what the database says about its file into what to do."""
    try:
        yield
    except (exc.DBAPIError, sqlite3.DatabaseError, OSError) as error:
        why = getattr(error, "orig", error)
        if type(why) is sqlite3.DatabaseError:  # its own kinds are narrower: this one means the file
            raise WrongInput(f"{path}: {why}; move it away to start a new ledger") from None
        if isinstance(why, sqlite3.OperationalError | OSError):
            raise LedgerStopped(f"{path}: {why}; nothing is sent without it; then: bulkload resume") from None
        raise
