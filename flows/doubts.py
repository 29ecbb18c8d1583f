"""Rows in doubt are looked up: read, read again later, and settled where there is no doubt any more.

What was applied is accepted, what was surely not is planned again, and the rest waits for a person. Reads take
their turns like writes: the API's allowance is one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import timedelta

import pyarrow as pa

from connectors.ledger import Ledger
from connectors.ledger_tables import Settled
from connectors.lookup import CustomerReads
from flows.sending import ENDS, Sender
from schemas.batches import Batch, Doubt
from schemas.lookups import Finding, Judgement
from schemas.outcomes import Fate, RowReply
from transforms.batches import cut
from transforms.lookup import NO_IDENTIFIER, conclude, judge, key_type, settled, wanted_of
from transforms.mapping import template_of

Recall = Callable[[Sequence[int]], pa.Table]  # `row`, `payload` and `points` of rows, again
SendAll = Callable[[Iterator[Batch]], Awaitable[None]]
# A row that was untouched and is sent again may be in doubt again, but not for ever.
MOST_ROUNDS = 4


async def settle_doubts(sender: Sender, ledger: Ledger, run: str, recall: Recall, send_all: SendAll) -> None:
    """Settle what can be, and send again what was not applied; what stays in doubt has been read twice."""
    limits, left_in_doubt = sender.job.limits, set[int]()
    for _ in range(MOST_ROUNDS):
        doubts = [doubt for doubt in ledger.doubts(run) if doubt.row not in left_in_doubt]
        if not doubts or sender.stopping.is_set():
            return
        rows = recall([doubt.row for doubt in doubts])
        if sender.job.destination.in_doubt == "look_up":
            untouched = await look_up(sender, doubts, rows)
        else:
            untouched = await _send_again(sender, doubts, rows)
        left_in_doubt |= {doubt.row for doubt in doubts} - untouched
        again = rows.filter(pa.array([row in untouched for row in rows.column("row").to_pylist()], pa.bool_()))
        await send_all(cut([again], limits.rows_per_request, limits.bytes_per_request, sender.numbers))


async def look_up(sender: Sender, doubts: Sequence[Doubt], rows: pa.Table) -> set[int]:
    """Read each row's customer, and once more those that are not as they were sent; the rows that were not applied."""
    sender.audience.say(f"Looking up {len(doubts):,} rows in doubt")
    payloads: Mapping[int, bytes] = dict(
        zip(rows.column("row").to_pylist(), rows.column("payload").to_pylist(), strict=True)
    )
    look = _Look(sender, payloads)
    first_s, second_s = sender.job.limits.look_up_after_s
    # A write that is still under way at the API must not pass for one that never came.
    await sender.pause(max(0.0, first_s - min(map(sender.doubted_s_ago, doubts))))
    await look.at_all(doubts)
    open_still = [doubt for doubt in doubts if doubt.row in look.judged]
    if open_still:
        await sender.pause(second_s - first_s)
        await look.at_all(open_still)
        await look.write_down(open_still)
    sender.counts.looked_up += look.reads.requests
    return look.untouched


async def _send_again(sender: Sender, doubts: Sequence[Doubt], rows: pa.Table) -> set[int]:
    """The job says so (`in_doubt: resend`): rows that credit nothing may be written twice; points never are."""
    points = dict(zip(rows.column("row").to_pylist(), rows.column("points").to_pylist(), strict=True))
    harmless = [doubt for doubt in doubts if not points[doubt.row]]
    for doubt in harmless:
        await sender.scribe.write(Settled(doubt.batch, {doubt.row: None}, "resend", sender.now()))
    return {doubt.row for doubt in harmless}


class _Look:
    """Two reads of each row, by several at once; what was applied is settled at once."""

    def __init__(self, sender: Sender, payloads: Mapping[int, bytes]) -> None:
        self.sender, self.payloads = sender, payloads
        self.reads = CustomerReads(sender.api, sender.job.destination, sender.turn)
        self.key = key_type(template_of(sender.job))
        self.judged: dict[int, Judgement] = {}  # rows that are not settled, and how they stand
        self.untouched: set[int] = set()

    async def at_all(self, doubts: Sequence[Doubt]) -> None:
        """One read of each."""
        waiting = iter(doubts)

        async def worker() -> None:
            try:
                for doubt in waiting:
                    if self.sender.stopping.is_set():
                        return
                    await self._at(doubt)
            except ENDS as trouble:
                self.sender.stop(trouble)

        async with asyncio.TaskGroup() as group:
            for _ in range(self.sender.job.limits.in_flight):
                group.create_task(worker())

    async def _at(self, doubt: Doubt) -> None:
        payload = self.payloads[doubt.row]
        sent_at_utc = self.sender.now() - timedelta(seconds=self.sender.sent_s_ago(doubt))
        wanted = wanted_of(payload, self.key, sent_at_utc)
        judgement = NO_IDENTIFIER
        if wanted is not None:
            seen = await self.reads.see(wanted)
            if seen is None:
                return
            judgement = judge(payload, seen, sent_at_utc)
        if doubt.row in self.judged:
            judgement = conclude(self.judged[doubt.row], judgement)
        self.judged[doubt.row] = judgement
        if judgement.finding in (Finding.APPLIED, Finding.APPLIED_WITH_LOSS):
            await self._write(doubt, self.judged.pop(doubt.row))

    async def write_down(self, doubts: Sequence[Doubt]) -> None:
        """After the second read: what was not applied is planned again, what is unclear says why."""
        if self.sender.stopping.is_set():
            return  # not all were read twice; the next process reads them again
        for doubt in doubts:
            if (judgement := self.judged.get(doubt.row)) is not None:
                await self._write(doubt, judgement)

    async def _write(self, doubt: Doubt, judgement: Judgement) -> None:
        told = tuple(code for code in doubt.codes if not code.startswith("look_up."))  # of an earlier look
        reply: RowReply | None = settled(judgement, RowReply(Fate.IN_DOUBT, told))
        if judgement.finding is Finding.UNTOUCHED:
            reply = None
        await self.sender.scribe.write(Settled(doubt.batch, {doubt.row: reply}, "look_up", self.sender.now()))
        if reply is None:
            self.untouched.add(doubt.row)
