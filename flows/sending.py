"""One batch to its verdict: in its turn, its intent durable before it leaves, its answer before anything else.

What a failed send means is decided by `connectors.transport` and `transforms.replies`; how often a batch is tried
by `flows.patience`; whether anything is tried at all by `flows.breaker` and `flows.window`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from connectors.bulk_api import BulkApi
from connectors.ledger_tables import Intent, Recorded, Withdrawn
from connectors.scribe import Scribe
from connectors.throttle import Pacer, Turn
from flows.breaker import Breaker
from flows.hands import Audience
from flows.patience import Tries
from flows.timeline import Timeline
from flows.window import closed, opens_in_s
from schemas.batches import Answer, Batch, Delivered, Doubt, NeverSent, NoAnswer, Sending
from schemas.errors import BulkloadError, CredentialsError, GuardStopped, Stopped, WrongInput
from schemas.job import Job
from schemas.outcomes import BatchReply, Fate, Verdict
from transforms.batches import alone, children_sent_of, pieces, sent_of
from transforms.guards import RefusedShare
from transforms.replies import read_reply

Result = TypeVar("Result")
FINAL = (Verdict.ANSWERED, Verdict.REFUSED, Verdict.TOO_LARGE, Verdict.IN_DOUBT)
BUSY = "521"
# What ends a run in a known state: nothing more is sent, and what is under way comes to its end.
ENDS = (Stopped, WrongInput, GuardStopped)


@dataclass
class Counts:
    """Of one process."""

    sent: int = 0
    answered: int = 0
    retried: int = 0
    throttled: int = 0
    looked_up: int = 0
    rows: int = 0
    batches_recorded: int = 0


@dataclass
class Sender:
    """What the workers of one delivery share."""

    job: Job
    api: BulkApi
    pacer: Pacer
    scribe: Scribe
    audience: Audience
    numbers: Iterator[int]
    now: Callable[[], datetime]  # at the job's place
    refused: RefusedShare
    most_rows: int = 1_000_000  # a request; learned when the API finds one too large
    afterwards: list[Batch] = field(default_factory=list)
    tries: dict[int, Tries] = field(default_factory=dict)  # of batches that were put off as a whole
    put_off: Counter[int] = field(default_factory=Counter)  # how often a row was answered "later"
    timeline: Timeline = field(default_factory=Timeline)
    counts: Counts = field(default_factory=Counts)
    doubted: dict[int, tuple[float, float]] = field(default_factory=dict)  # when a batch left and fell in doubt (loop)
    notes: list[str] = field(default_factory=list)  # what a person should know, beside fates and reasons
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: BulkloadError | None = None

    def __post_init__(self) -> None:
        self.breaker = Breaker(self.where, self._probe, self.pause)

    @property
    def where(self) -> str:
        return self.job.destination.host or self.job.destination.url or ""

    def stop(self, trouble: BulkloadError) -> None:
        """The first reason counts."""
        self.trouble = self.trouble or trouble
        self.stopping.set()

    async def pause(self, seconds: float) -> bool:
        """Wait, but not past the moment the run stops; whether it goes on."""
        await self.unless_stopped(asyncio.sleep(seconds))
        return not self.stopping.is_set()

    async def unless_stopped(self, waiting: Coroutine[Any, Any, Result]) -> Result | None:
        """Wait for something, but not past the moment the run stops."""
        wanted, stopped = asyncio.ensure_future(waiting), asyncio.ensure_future(self.stopping.wait())
        await asyncio.wait({wanted, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if wanted.done():
            return wanted.result()
        wanted.cancel()
        return None

    async def turn(self) -> Turn | None:
        """The right to let one request leave; None when the run stopped before it came.

        Raises:
            WindowClosed: the job's hours are over.
        """
        turn = await self.unless_stopped(self.pacer.turn())
        if turn is not None and self.job.window is not None and opens_in_s(self.job.window, self.now()) > 0:
            raise closed(self.job.window)
        return turn

    def sent_s_ago(self, doubt: Doubt) -> float:
        """How long ago a doubtful row left: a clock on the wall that was changed since then does not matter."""
        if doubt.batch in self.doubted:
            return asyncio.get_running_loop().time() - self.doubted[doubt.batch][0]
        return (self.now() - doubt.sent_at_utc).total_seconds()

    def doubted_s_ago(self, doubt: Doubt) -> float:
        """How long ago it was given up waiting for its answer."""
        if doubt.batch in self.doubted:
            return asyncio.get_running_loop().time() - self.doubted[doubt.batch][1]
        return (self.now() - doubt.answered_at_utc).total_seconds()

    async def _probe(self) -> bool:
        turn = await self.turn()
        return turn is not None and await self.api.answers(turn.left)


async def bring(sender: Sender, batch: Batch) -> None:
    """One batch, in as many requests as it takes, to its recorded end; after a stop it is left alone."""
    if sender.stopping.is_set():
        return
    if len(batch.rows) > sender.most_rows:
        for piece in pieces(batch, sender.most_rows, sender.numbers):
            await bring(sender, piece)
        return
    try:
        await _bring(sender, batch)
    except ENDS as trouble:
        sender.stop(trouble)


async def _bring(sender: Sender, batch: Batch) -> None:
    """One batch to its verdict, tried again as long as nothing of it was applied for sure."""
    tries = sender.tries.pop(batch.number, None) or Tries()
    while True:
        attempt = tries.attempt
        tried = await _try(sender, batch, attempt)
        if tried is None:
            return
        sending, reply = tried
        if reply.verdict in FINAL:
            await _record(sender, batch, attempt, sending, reply)
            return
        await sender.scribe.write(Withdrawn(batch.number, attempt, reply.code or reply.verdict.value))
        if _is_put_off(sender, batch, reply):
            sender.tries[batch.number] = tries
            sender.afterwards.append(batch)
            return
        tries.count(sending, reply.verdict)
        if (trouble := tries.give_up(sender.job, reply)) is not None:
            raise trouble
        await _wait(sender, reply.verdict, tries.wait_s(sending, reply.verdict))
        sender.counts.retried += 1


def _is_put_off(sender: Sender, batch: Batch, reply: BatchReply) -> bool:
    """The API works on a customer of the batch already, and does not say on which: it goes after its neighbours.

    Of a batch that is put off too often each further time is an attempt.
    """
    if reply.verdict is not Verdict.LATER or reply.code != BUSY:
        return False
    sender.put_off[batch.rows[0]] += 1
    return sender.put_off[batch.rows[0]] < sender.job.limits.attempts


async def _try(sender: Sender, batch: Batch, attempt: int) -> tuple[Sending, BatchReply] | None:
    """Send once, in turn; None when the run stopped before the turn came.

    The turn comes before the intent: a batch that waits has not been promised to anybody, and a process
    that dies while it waits leaves nothing in doubt. The departure is logged when it happens.
    """
    async with sender.breaker.passage():
        turn = await sender.turn()
        if turn is None:
            return None
        began_s = asyncio.get_running_loop().time()
        await sender.scribe.write(Intent(batch, attempt, sender.now()))
        sending = await _send(sender, batch, attempt, turn)
        reply = _read(sender.job, batch, sending)
        sender.breaker.seen(sending, reply)
        if Fate.IN_DOUBT in _fates(batch, reply):
            sender.doubted[batch.number] = began_s, asyncio.get_running_loop().time()
        return sending, reply


async def _send(sender: Sender, batch: Batch, attempt: int, turn: Turn) -> Sending:
    left = sender.timeline.start()
    try:
        sending = await sender.api.send(batch.body, turn.left)
    except CredentialsError:
        await sender.scribe.write(Withdrawn(batch.number, attempt, "unauthenticated"))
        raise
    sender.counts.sent += not isinstance(sending, NeverSent)
    sender.counts.answered += isinstance(sending, Answer)
    sender.timeline.end(left, sending, len(batch.all_rows))
    return sending


def _read(job: Job, batch: Batch, sending: Sending) -> BatchReply:
    match sending:
        case NeverSent(why):
            return BatchReply(Verdict.LATER, f"never sent: {why}")
        case NoAnswer(why):
            return BatchReply(Verdict.IN_DOUBT, f"no_answer: {why}")
        case Answer(status=status, body=body):
            sent, children = sent_of(batch), children_sent_of(batch)
            operation = job.destination.operation
            return read_reply(status, body, sent, operation, points=batch.points, children=children)


async def _wait(sender: Sender, verdict: Verdict, wait_s: float) -> None:
    """A 429 keeps every worker waiting, anything else this one batch."""
    if verdict is Verdict.THROTTLED:
        sender.counts.throttled += 1
        sender.pacer.pause(wait_s)
    else:
        await sender.pause(wait_s)


async def _record(sender: Sender, batch: Batch, attempt: int, sending: Sending, reply: BatchReply) -> None:
    """What is known is durable first; then rows that a definite no was meant for, or not, go their ways.

    Raises:
        GuardStopped: more rows are refused than the job allows.
    """
    request_id = sending.request_id if isinstance(sending, Answer) else None
    delivered = Delivered(batch, attempt, _finally(sender, batch, reply), request_id)
    await sender.scribe.write(Recorded(delivered, sender.now()))
    sender.counts.batches_recorded += 1
    unsettled = len(batch.rows) > 1 and reply.verdict in (Verdict.REFUSED, Verdict.TOO_LARGE)
    again = {row for row, said in zip(batch.rows, delivered.reply.rows, strict=False) if said.retry}
    fates = [] if unsettled else _fates(batch, delivered.reply)
    sender.counts.rows += len(fates)
    sender.audience.advance(sender.counts.rows, f"{sender.counts.sent:,} requests")
    sender.afterwards += alone(batch, again, sender.numbers) if again else []
    if unsettled:
        # Only definite refusals are halved: nothing of them was applied.
        half = (len(batch.rows) + 1) // 2
        if reply.verdict is Verdict.TOO_LARGE:
            sender.most_rows = min(sender.most_rows, half)
        for piece in pieces(batch, half, sender.numbers):
            await bring(sender, piece)
        return
    # The guard hears of every answer.
    if broken := sender.refused.add(fates):
        raise GuardStopped(*broken)


def _fates(batch: Batch, reply: BatchReply) -> list[Fate]:
    """Of rows and children that do not go again; where there is no reply but the batch's, it is that of each."""
    if reply.rows and not batch.children:
        return [row.fate for row in reply.rows if not row.retry]
    if reply.rows:
        return [one.fate for row in reply.rows if not row.retry for one in row.family]
    fate = Fate.IN_DOUBT if reply.verdict is Verdict.IN_DOUBT else Fate.REFUSED
    return [fate] * len(batch.all_rows)


def _finally(sender: Sender, batch: Batch, reply: BatchReply) -> BatchReply:
    """A row that the API puts off is tried alone, some times; then its refusal stands."""
    if len(batch.rows) > 1 or not any(row.retry for row in reply.rows):
        return reply
    sender.put_off[batch.rows[0]] += 1
    if sender.put_off[batch.rows[0]] < sender.job.limits.attempts:
        return reply
    return replace(reply, rows=tuple(replace(row, retry=False) for row in reply.rows))
