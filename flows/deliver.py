"""Deliver: the first rows alone, then the rest side by side, then what has to wait, then what is in doubt.

Where rows need others to be there before them, all of it goes in waves, each begun when the one before is done.

One asyncio loop: workers take batches in order, share one pacer, one breaker and one scribe, and try nothing that
a verdict forbids (`flows.sending`).
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count, islice
from typing import Any, Literal, TypedDict

from connectors.bulk_api import BulkApi
from connectors.ledger import Ledger
from connectors.scribe import Scribe
from connectors.throttle import Pacer
from flows.canary import send_canary
from flows.doubts import Recall, look_up, settle_doubts
from flows.hands import Audience
from flows.sending import ENDS, Sender, bring
from flows.settings import now
from flows.window import LONGEST_WAIT_S, closed, opens_in_s
from schemas.batches import Batch
from schemas.errors import BulkloadError, Stopped, WrongInput
from schemas.job import Job
from schemas.runs import Requests, Tick
from transforms.guards import RefusedShare

MINUTE = timedelta(minutes=1)
# Batches read ahead of the workers; a batch is at most limits.bytes_per_request.
AHEAD = 8
SIGNALS = (signal.SIGINT, signal.SIGTERM)
PUT_OFF_S = 1.0  # longer with each time that a row is put off
Api = Callable[[], AbstractAsyncContextManager[BulkApi]]
Limit = Literal["rows_per_request", "requests_per_minute"]
Clock = Callable[[], datetime]  # at the job's place


@dataclass(frozen=True, slots=True)
class Delivery:
    """What delivering came to; `trouble` is why it ended before its end, `notes` are sentences for a person."""

    requests: Requests
    ticks: tuple[Tick, ...]
    trouble: BulkloadError | None = None
    notes: tuple[str, ...] = ()


async def preflight(job: Job) -> None:
    """Prove host and credentials before anything is prepared or sent.

    Raises:
        CredentialsError, Unreachable, JobError: each says what to check.
    """
    async with BulkApi(job.destination, job.limits) as api:
        await api.preflight()


def deliver(
    job: Job,
    waves: Iterator[Iterator[Batch]],
    numbers: Iterator[int],
    ledger: Ledger,
    run: str,
    audience: Audience,
    recall: Recall,
) -> Delivery:
    """Send all batches, or stop in a known state; SIGINT and SIGTERM finish what is in flight.

    `waves` has the batches, one wave after the other; one is read when all before it are done and their doubts are
    settled. `numbers` gives the batches' numbers, and goes on for those that are made of others; `recall` gives the
    payloads of rows again.
    """
    return _with_signals(delivering(job, waves, numbers, ledger, run, audience, recall, **_real(job)))


def look_up_only(job: Job, ledger: Ledger, run: str, audience: Audience, recall: Recall) -> Delivery:
    """Look up the rows in doubt, and send nothing."""

    async def steps(sender: Sender) -> None:
        if doubts := ledger.doubts(run):
            await look_up(sender, doubts, recall([doubt.row for doubt in doubts]))

    return _with_signals(_under_way(job, count(), ledger, run, audience, steps, **_real(job)))


class _Real(TypedDict):
    api: Api
    clock: Clock


def _real(job: Job) -> _Real:
    return {"api": partial(BulkApi, job.destination, job.limits), "clock": partial(now, job)}


def _with_signals(story: Coroutine[Any, Any, Delivery]) -> Delivery:
    before = {name: signal.getsignal(name) for name in SIGNALS}
    try:
        return asyncio.run(story)
    finally:
        # The loop leaves the default behind, which would end the process before its report.
        for name, handler in before.items():
            with suppress(ValueError):
                signal.signal(name, handler)


async def delivering(
    job: Job,
    waves: Iterator[Iterator[Batch]],
    numbers: Iterator[int],
    ledger: Ledger,
    run: str,
    audience: Audience,
    recall: Recall,
    *,
    api: Api,
    clock: Clock,
) -> Delivery:
    """As `deliver`, in the caller's loop, against the caller's API and by the caller's clock on the wall."""

    async def steps(sender: Sender) -> None:
        left_in_doubt = set[int]()
        while not sender.stopping.is_set() and (wave := await asyncio.to_thread(next, waves, None)) is not None:
            left = await send_canary(sender, wave, ledger, run) if ledger.next_batch(run) == 1 else wave
            await send_all(sender, left)
            if job.destination.in_doubt != "hold" and not sender.stopping.is_set():
                await settle_doubts(sender, ledger, run, recall, partial(send_all, sender), left_in_doubt)

    return await _under_way(job, numbers, ledger, run, audience, steps, api=api, clock=clock)


async def _under_way(
    job: Job,
    numbers: Iterator[int],
    ledger: Ledger,
    run: str,
    audience: Audience,
    steps: Callable[[Sender], Awaitable[None]],
    *,
    api: Api,
    clock: Clock,
) -> Delivery:
    async with api() as opened, Scribe(ledger, run) as scribe:
        sender = _sender(job, opened, scribe, ledger, run, audience, numbers, clock)
        _heed_signals(sender)
        try:
            await _wait_for_window(sender)
            await steps(sender)
        except ENDS as trouble:
            sender.stop(trouble)
        _learn(sender, ledger)
    counts = sender.counts
    requests = Requests(counts.sent, counts.answered, counts.retried, counts.throttled, counts.looked_up)
    return Delivery(requests, sender.timeline.ticks(), _as_told(sender), tuple(sender.notes))


def _sender(
    job: Job,
    api: BulkApi,
    scribe: Scribe,
    ledger: Ledger,
    run: str,
    audience: Audience,
    numbers: Iterator[int],
    clock: Clock,
) -> Sender:
    pacer = Pacer(job.limits.requests_per_minute, clock=asyncio.get_running_loop().time)
    # What an earlier process sent counts towards this minute.
    pacer.prime([(clock() - at).total_seconds() for at in ledger.sent_since(clock() - MINUTE)])
    refused = RefusedShare(job.guards, ledger.fates(run))
    sender = Sender(job, api, pacer, scribe, audience, numbers, clock, refused)
    learned = ledger.learned(sender.where, job.destination.operation)
    if "requests_per_minute" in learned:
        pacer.start_at(learned["requests_per_minute"])
    sender.most_rows = learned.get("rows_per_request", sender.most_rows)
    return sender


async def send_all(sender: Sender, batches: Iterator[Batch]) -> None:
    """All batches, as many side by side as the job allows; then one by one what their answers put off."""
    queue: asyncio.Queue[Batch | None] = asyncio.Queue(maxsize=AHEAD)
    async with asyncio.TaskGroup() as group:
        group.create_task(_feed(sender, batches, queue))
        for _ in range(sender.job.limits.in_flight):
            group.create_task(_work(sender, queue))
    # The API works on these customers already (521): each alone, when its neighbours are done.
    while sender.afterwards and not sender.stopping.is_set():
        batch = sender.afterwards.pop(0)
        await sender.pause(sender.put_off[batch.rows[0]] * PUT_OFF_S)
        await bring(sender, batch)


async def _feed(sender: Sender, batches: Iterator[Batch], queue: asyncio.Queue[Batch | None]) -> None:
    """Read ahead in a thread; each worker gets an end of its own."""
    while not sender.stopping.is_set():
        ahead = await asyncio.to_thread(lambda: list(islice(batches, AHEAD)))
        for batch in ahead:
            await queue.put(batch)
        if not ahead:
            break
    for _ in range(sender.job.limits.in_flight):
        await queue.put(None)


async def _work(sender: Sender, queue: asyncio.Queue[Batch | None]) -> None:
    # After a stop, batches are taken and left: the feeder is never kept waiting for room.
    while (batch := await queue.get()) is not None:
        await bring(sender, batch)


async def _wait_for_window(sender: Sender) -> None:
    """A run that is ready before its hours waits for them.

    Raises:
        WindowClosed: they are over, or too far away.
    """
    if (window := sender.job.window) is None:
        return
    wait_s = opens_in_s(window, sender.now())
    if wait_s > LONGEST_WAIT_S:
        raise closed(window)
    if wait_s > 0:
        sender.audience.say(f"Waiting for the window, {window.from_} to {window.to}; Ctrl-C stops, resumable")
    # The clock on the wall may be changed meanwhile: looked at again each minute.
    while (left_s := opens_in_s(window, sender.now())) > 0 and await sender.pause(min(left_s, 60.0)):
        pass


def _learn(sender: Sender, ledger: Ledger) -> None:
    """What the API's refusals taught is known to the next run."""
    operation = sender.job.destination.operation
    rate, allowed = sender.pacer.requests_per_minute, sender.job.limits.requests_per_minute
    learned: list[tuple[Limit, int | None]] = [("requests_per_minute", rate if rate < allowed else None)]
    if sender.most_rows < sender.job.limits.rows_per_request:
        learned.append(("rows_per_request", sender.most_rows))
    for name, value in learned:
        if value is not None:
            sender.notes.append(f"{sender.where} takes less than limits.{name} says: {value:,} is used from now on")
        ledger.learn(sender.where, operation, name, value, sender.now())


def _as_told(sender: Sender) -> BulkloadError | None:
    """Wrong input (exit 2) only where nothing came of anything sent; later it is a stop that can be gone on from."""
    trouble = sender.trouble
    if isinstance(trouble, WrongInput) and sender.counts.batches_recorded:
        return Stopped(*trouble.problems)
    return trouble


def _heed_signals(sender: Sender) -> None:
    loop = asyncio.get_running_loop()
    for name in SIGNALS:
        # Only the main thread may; elsewhere (a worker of Prefect) whoever owns the process stops it.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(
                name, sender.stop, Stopped(f"stopped by {name.name}; what was in flight was finished")
            )
