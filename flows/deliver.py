"""Deliver: each batch's intent is durable before it leaves, and its answer before anything else is decided.

One asyncio loop: workers take batches in order, share one pacer and one scribe, and try nothing that a
verdict forbids. What a failed send means is decided by `connectors.transport` and `transforms.replies`.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from connectors.bulk_api import BulkApi
from connectors.ledger import Ledger, LedgerStopped
from connectors.ledger_tables import Intent, Recorded, Withdrawn
from connectors.scribe import Scribe
from connectors.throttle import Pacer
from flows.hands import Audience
from flows.patience import Tries
from flows.timeline import Timeline
from schemas.batches import Answer, Batch, Delivered, NeverSent, NoAnswer, Sending
from schemas.errors import BulkloadError, CredentialsError, Stopped, WrongInput
from schemas.job import Job
from schemas.outcomes import BatchReply, Verdict
from schemas.runs import Requests, Tick
from transforms.batches import alone, halves, sent_of
from transforms.replies import read_reply

Result = TypeVar("Result")
FINAL = (Verdict.ANSWERED, Verdict.REFUSED, Verdict.TOO_LARGE, Verdict.IN_DOUBT)
MINUTE = timedelta(minutes=1)
# Batches read ahead of the workers; a batch is at most limits.bytes_per_request.
AHEAD = 8
SIGNALS = (signal.SIGINT, signal.SIGTERM)
PUT_OFF_S = 1.0  # longer with each time that a row is put off


@dataclass(frozen=True, slots=True)
class Delivery:
    """What delivering came to; `trouble` is why it ended before its end, `notes` are sentences for a person."""

    requests: Requests
    ticks: tuple[Tick, ...]
    trouble: BulkloadError | None = None
    notes: tuple[str, ...] = ()


@dataclass
class _Counts:
    sent: int = 0
    answered: int = 0
    retried: int = 0
    throttled: int = 0
    rows: int = 0
    batches_recorded: int = 0


class _StopHere(Exception):
    """Nothing more is sent; what is under way comes to its end."""

    def __init__(self, trouble: BulkloadError) -> None:
        super().__init__()
        self.trouble = trouble


@dataclass
class _Run:
    """What the workers of one delivery share."""

    job: Job
    api: BulkApi
    pacer: Pacer
    scribe: Scribe
    audience: Audience
    numbers: Iterator[int]
    afterwards: list[Batch] = field(default_factory=list)
    put_off: Counter[int] = field(default_factory=Counter)  # how often a row was answered "later"
    timeline: Timeline = field(default_factory=Timeline)
    counts: _Counts = field(default_factory=_Counts)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: BulkloadError | None = None
    most_rows: int = 1_000_000  # a request; learned when the API finds one too large

    def stop(self, trouble: BulkloadError) -> None:
        """The first reason counts."""
        self.trouble = self.trouble or trouble
        self.stopping.set()


async def preflight(job: Job) -> None:
    """Prove host and credentials before anything is prepared or sent.

    Raises:
        CredentialsError, Unreachable, JobError: each says what to check.
    """
    async with BulkApi(job.destination, job.limits) as api:
        await api.preflight()


def deliver(
    job: Job, batches: Iterator[Batch], numbers: Iterator[int], ledger: Ledger, run: str, audience: Audience
) -> Delivery:
    """Send all batches, or stop in a known state; SIGINT and SIGTERM finish what is in flight.

    `numbers` gives the batches' numbers, and goes on for those that are made of others.
    """
    before = {name: signal.getsignal(name) for name in SIGNALS}
    try:
        return asyncio.run(_deliver(job, batches, numbers, ledger, run, audience))
    finally:
        # The loop leaves the default behind, which would end the process before its report.
        for name, handler in before.items():
            with suppress(ValueError):
                signal.signal(name, handler)


async def _deliver(
    job: Job, batches: Iterator[Batch], numbers: Iterator[int], ledger: Ledger, run: str, audience: Audience
) -> Delivery:
    async with BulkApi(job.destination, job.limits) as api, Scribe(ledger, run) as scribe:
        shared = _Run(job, api, Pacer(job.limits.requests_per_minute), scribe, audience, numbers)
        # What an earlier process sent counts towards this minute.
        now_utc = datetime.now(UTC)
        shared.pacer.prime([(now_utc - at).total_seconds() for at in ledger.sent_since(now_utc - MINUTE)])
        _heed_signals(shared)
        queue: asyncio.Queue[Batch | None] = asyncio.Queue(maxsize=AHEAD)
        async with asyncio.TaskGroup() as group:
            group.create_task(_feed(shared, batches, queue))
            for _ in range(job.limits.in_flight):
                group.create_task(_work(shared, queue))
        # The API works on these customers already (521): one by one, when their neighbours are done.
        for batch in shared.afterwards:
            await _unless_stopped(shared, asyncio.sleep(shared.put_off[batch.rows[0]] * PUT_OFF_S))
            await _guarded(shared, batch)
    counts = shared.counts
    requests = Requests(counts.sent, counts.answered, counts.retried, counts.throttled)
    return Delivery(requests, shared.timeline.ticks(), _as_told(shared))


def _as_told(shared: _Run) -> BulkloadError | None:
    """Wrong input (exit 2) only where nothing came of anything sent; later it is a stop that can be gone on from."""
    trouble = shared.trouble
    if isinstance(trouble, WrongInput) and shared.counts.batches_recorded:
        return Stopped(*trouble.problems)
    return trouble


def _heed_signals(shared: _Run) -> None:
    loop = asyncio.get_running_loop()
    for name in SIGNALS:
        # Only the main thread may; elsewhere (a worker of Prefect) whoever owns the process stops it.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(
                name, shared.stop, Stopped(f"stopped by {name.name}; what was in flight was finished")
            )


async def _feed(shared: _Run, batches: Iterator[Batch], queue: asyncio.Queue[Batch | None]) -> None:
    """Read ahead in a thread; each worker gets an end of its own."""
    while not shared.stopping.is_set():
        ahead = await asyncio.to_thread(lambda: list(islice(batches, AHEAD)))
        for batch in ahead:
            await queue.put(batch)
        if not ahead:
            break
    for _ in range(shared.job.limits.in_flight):
        await queue.put(None)


async def _work(shared: _Run, queue: asyncio.Queue[Batch | None]) -> None:
    while (batch := await queue.get()) is not None:
        await _guarded(shared, batch)


async def _guarded(shared: _Run, batch: Batch) -> None:
    """After a stop, batches are taken and left: the feeder is never kept waiting for room."""
    if shared.stopping.is_set():
        return
    if len(batch.rows) > shared.most_rows:
        for half in halves(batch, shared.numbers):
            await _guarded(shared, half)
        return
    try:
        await _bring(shared, batch)
    except _StopHere as stop:
        shared.stop(stop.trouble)
    except LedgerStopped as error:
        shared.stop(error)


async def _bring(shared: _Run, batch: Batch) -> None:
    """One batch to its verdict, tried again as long as nothing of it was applied for sure."""
    tries = Tries()
    while True:
        attempt = tries.attempt
        sending = await _try(shared, batch, attempt)
        if sending is None:
            return
        reply = _read(shared.job, batch, sending)
        if reply.verdict in FINAL:
            await _record(shared, batch, attempt, sending, reply)
            return
        await shared.scribe.write(Withdrawn(batch.number, attempt, reply.code or reply.verdict.value))
        tries.count(reply.verdict)
        if (trouble := tries.give_up(shared.job, sending, reply)) is not None:
            raise _StopHere(trouble)
        await _wait(shared, reply.verdict, tries.wait_s(sending, reply.verdict))
        shared.counts.retried += 1


async def _try(shared: _Run, batch: Batch, attempt: int) -> Sending | None:
    """Send once, in turn; None when the run stopped before the turn came.

    The turn comes before the intent: a batch that waits has not been promised to anybody, and a process
    that dies while it waits leaves nothing in doubt. The departure is logged when it happens.
    """
    turn = await _unless_stopped(shared, shared.pacer.turn())
    if turn is None:
        return None
    await shared.scribe.write(Intent(batch, attempt, datetime.now(UTC)))
    left = shared.timeline.start()
    try:
        sending = await shared.api.send(batch.body, turn.left)
    except CredentialsError as error:
        await shared.scribe.write(Withdrawn(batch.number, attempt, "unauthenticated"))
        raise _StopHere(error) from None
    shared.counts.sent += not isinstance(sending, NeverSent)
    shared.counts.answered += isinstance(sending, Answer)
    shared.timeline.end(left, sending, len(batch.rows))
    return sending


async def _unless_stopped(shared: _Run, waiting: Coroutine[Any, Any, Result]) -> Result | None:
    """Wait for something, but not past the moment the run stops."""
    wanted, stopped = asyncio.ensure_future(waiting), asyncio.ensure_future(shared.stopping.wait())
    await asyncio.wait({wanted, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if wanted.done():
        return wanted.result()
    wanted.cancel()
    return None


def _read(job: Job, batch: Batch, sending: Sending) -> BatchReply:
    match sending:
        case NeverSent(why):
            return BatchReply(Verdict.LATER, f"never sent: {why}")
        case NoAnswer(why):
            return BatchReply(Verdict.IN_DOUBT, f"no_answer: {why}")
        case Answer(status=status, body=body):
            return read_reply(status, body, sent_of(batch), job.destination.operation, points=batch.points)


async def _wait(shared: _Run, verdict: Verdict, wait_s: float) -> None:
    """A 429 keeps every worker waiting, anything else this one batch."""
    if verdict is Verdict.THROTTLED:
        shared.counts.throttled += 1
        shared.pacer.pause(wait_s)
    else:
        await _unless_stopped(shared, asyncio.sleep(wait_s))


async def _record(shared: _Run, batch: Batch, attempt: int, sending: Sending, reply: BatchReply) -> None:
    """What is known is durable first; then rows that a definite no was meant for, or not, go their ways."""
    request_id = sending.request_id if isinstance(sending, Answer) else None
    delivered = Delivered(batch, attempt, _finally(shared, batch, reply), request_id)
    await shared.scribe.write(Recorded(delivered, datetime.now(UTC)))
    shared.counts.batches_recorded += 1
    unsettled = len(batch.rows) > 1 and reply.verdict in (Verdict.REFUSED, Verdict.TOO_LARGE)
    again = {row for row, said in zip(batch.rows, delivered.reply.rows, strict=False) if said.retry}
    shared.counts.rows += 0 if unsettled else len(batch.rows) - len(again)
    shared.audience.advance(shared.counts.rows, f"{shared.counts.sent:,} requests")
    shared.afterwards += alone(batch, again, shared.numbers) if again else []
    if reply.verdict is Verdict.TOO_LARGE:
        shared.most_rows = min(shared.most_rows, max(1, len(batch.rows) - 1))
    if unsettled:
        # Only definite refusals are halved: nothing of them was applied.
        for half in halves(batch, shared.numbers):
            await _guarded(shared, half)


def _finally(shared: _Run, batch: Batch, reply: BatchReply) -> BatchReply:
    """A row that the API puts off is tried alone, some times; then its refusal stands."""
    if len(batch.rows) > 1 or not any(row.retry for row in reply.rows):
        return reply
    shared.put_off[batch.rows[0]] += 1
    if shared.put_off[batch.rows[0]] < shared.job.limits.attempts:
        return reply
    return replace(reply, rows=tuple(replace(row, retry=False) for row in reply.rows))
