"""The steps by which a batch may move in the ledger; a step that does not fit is an IllegalMove."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from connectors.ledger_tables import (
    SENT_FATES,
    BatchState,
    IllegalMove,
    Intent,
    Op,
    Recorded,
    Settled,
    Withdrawn,
    batches,
    microseconds,
    packed,
    row_results,
    settlements,
)
from schemas.batches import Batch, Delivered
from schemas.outcomes import Fate, RowReply, Verdict

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
        case Settled():
            _settle(connection, run_no, op)


_sent = sqlite.insert(batches)
_TAKE = _sent.on_conflict_do_update(
    index_elements=[batches.c.run_no, batches.c.batch],
    set_={name: _sent.excluded[name] for name in ("state", "attempt", "code", "sent_at_us")},
    where=(batches.c.state == BatchState.PLANNED)
    & (batches.c.rows == _sent.excluded.rows)
    & (batches.c.body_sha256 == _sent.excluded.body_sha256)
    & (batches.c.attempt <= _sent.excluded.attempt),
).execution_options(preserve_rowcount=True)
_OF_ROWS = row_results.c.row.in_(sa.select(sa.func.json_each(sa.bindparam("rows")).table_valued("value").c.value))
_HAS_RESULT = (
    sa.select(row_results.c.row, row_results.c.batch, row_results.c.fate)
    .where(row_results.c.run_no == sa.bindparam("run_no"), row_results.c.batch != sa.bindparam("batch"))
    .where(_OF_ROWS)
    .limit(1)
)
_IN_DOUBT = (
    sa.select(row_results.c.row)
    .where(row_results.c.run_no == sa.bindparam("run_no"), row_results.c.batch == sa.bindparam("batch"))
    .where(_OF_ROWS, row_results.c.fate == Fate.IN_DOUBT)
)
_OF_ROW = (row_results.c.run_no == sa.bindparam("of_run")) & (row_results.c.row == sa.bindparam("of_row"))
_FOUND_OUT = sa.update(row_results).where(_OF_ROW)
_NOT_APPLIED = sa.delete(row_results).where(_OF_ROW)
_MOVE = (
    sa.update(batches)
    .where(batches.c.run_no == sa.bindparam("of_run"), batches.c.batch == sa.bindparam("of_batch"))
    .where(batches.c.state == BatchState.SENDING, batches.c.attempt == sa.bindparam("of_attempt"))
)


def _take(connection: sa.Connection, run_no: int, intent: Intent) -> None:
    batch, rows = intent.batch, intent.batch.all_rows
    # The last guard against crediting points twice, and the only one that has not left the house yet.
    _refuse_second_result(connection, run_no, batch.number, rows)
    key = {"run_no": run_no, "batch": batch.number, "state": BatchState.SENDING.value, "code": ""}
    content = {"rows": packed(rows), "body_sha256": hashlib.sha256(batch.body).digest(), "points": batch.points}
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
        if batch.children or any(one.children for one in reply.rows):
            return list(_each_reply(batch, reply.rows))
        return [pair for pair in zip(batch.rows, reply.rows, strict=True) if not pair[1].retry]
    if state is BatchState.REFUSED and len(batch.rows) > 1:
        return []
    fate = Fate.REFUSED if state is BatchState.REFUSED else Fate.IN_DOUBT
    return [(row, RowReply(fate, codes)) for row in batch.all_rows]


def _each_reply(batch: Batch, replies: Sequence[RowReply]) -> Iterator[tuple[int, RowReply]]:
    """Rows and their children with what was said of each; who goes again has no result, nor have their children."""
    families = batch.children or repeat((), len(batch.rows))
    for row, reply, children in zip(batch.rows, replies, families, strict=True):
        if len(reply.children) != len(children):
            raise IllegalMove(
                f"batch {batch.number}: row {row} has {len(children)} children and {len(reply.children)} replies"
            )
        if not reply.retry:
            yield from zip((row, *children), reply.family, strict=True)


def _settle(connection: sa.Connection, run_no: int, op: Settled) -> None:
    _refuse_settling(connection, run_no, op)
    at_us = microseconds(op.settled_at_utc)
    found = {row: reply for row, reply in op.rows.items() if reply is not None}
    answers = [
        {"of_run": run_no, "of_row": row, "fate": reply.fate.value, "codes": ";".join(reply.codes),
         "entity_id": reply.entity_id, "answered_at_us": at_us}
        for row, reply in found.items()
    ]  # fmt: skip
    unsent = [{"of_run": run_no, "of_row": row} for row in op.rows if row not in found]
    same = {"run_no": run_no, "batch": op.batch, "by": op.by, "settled_at_us": at_us}
    trace = [
        {**same, "row": row, "outcome": (reply.fate if reply else Fate.NOT_SENT).value}
        for row, reply in op.rows.items()
        if reply is None or reply.fate is not Fate.IN_DOUBT
    ]
    for statement, values in ((_FOUND_OUT, answers), (_NOT_APPLIED, unsent), (sa.insert(settlements), trace)):
        if values:
            connection.execute(statement, values)


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
    wanted = {"run_no": run_no, "batch": batch, "rows": _as_json(rows)}
    found = connection.execute(_HAS_RESULT, wanted).one_or_none()
    if found:
        raise IllegalMove(f"batch {batch}: row {found.row} has its result ({found.fate}, batch {found.batch}) already")


def _refuse_settling(connection: sa.Connection, run_no: int, op: Settled) -> None:
    for row, reply in op.rows.items():
        if reply is not None and reply.fate not in SENT_FATES:
            raise IllegalMove(f"batch {op.batch}: row {row} cannot be settled as {reply.fate}")
    wanted = {"run_no": run_no, "batch": op.batch, "rows": _as_json(op.rows)}
    if missing := sorted(set(op.rows).difference(connection.scalars(_IN_DOUBT, wanted))):
        raise IllegalMove(f"batch {op.batch}: row {missing[0]} is not in doubt under it; it cannot be settled")


def _as_json(rows: Iterable[int]) -> str:
    return f"[{','.join(map(str, rows))}]"
