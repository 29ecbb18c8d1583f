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
from transforms.lookup import (
    NO_IDENTIFIER,
    NOT_WITH_PARENT,
    UNTOUCHED,
    conclude,
    judge,
    key_type,
    settled,
    wanted_of,
    was_before,
)
from transforms.mapping import template_of
from transforms.waves import by_wave, going_again

# `row`, `payload` and `points` of rows, again; `children`, `parent`, `wave` and `taken_out` where there are any
Recall = Callable[[Sequence[int]], pa.Table]
SendAll = Callable[[Iterator[Batch]], Awaitable[None]]
APPLIED = (Finding.APPLIED, Finding.APPLIED_WITH_LOSS)
# A row that was untouched and is sent again may be in doubt again, but not for ever.
MOST_ROUNDS = 4


async def settle_doubts(
    sender: Sender, ledger: Ledger, run: str, recall: Recall, send_all: SendAll, left_in_doubt: set[int]
) -> None:
    """Settle what can be, and send again what was not applied; what stays in doubt has been read twice.

    `left_in_doubt` are rows that did; those that do now are added.
    """
    limits = sender.job.limits
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
        heads = {family[0] for family in going_again(rows, untouched)} - _taken_out(rows)
        again = rows.filter(pa.array([row in heads for row in rows.column("row").to_pylist()], pa.bool_()))
        for wave in by_wave(again):
            await send_all(cut([wave], limits.rows_per_request, limits.bytes_per_request, sender.numbers))


def _taken_out(rows: pa.Table) -> set[int]:
    """Rows that are not in the plan any more, since the run went on: a later one loaded newer ones, for example."""
    if "taken_out" not in rows.column_names:
        return set()
    return set(rows.column("row").filter(rows.column("taken_out")).to_pylist())


async def look_up(sender: Sender, doubts: Sequence[Doubt], rows: pa.Table) -> set[int]:
    """Read each row's customer, and once more those that are not as they were sent; the rows that were not applied."""
    sender.audience.say(f"Looking up {len(doubts):,} rows in doubt")
    look = _Look(sender, rows)
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
    batches = {doubt.row: doubt.batch for doubt in doubts}
    out = _taken_out(rows)  # nobody looked: they stay in doubt
    harmless = [family for family in going_again(rows, batches) if not points[family[0]] and family[0] not in out]
    for family in harmless:
        await sender.scribe.write(Settled(batches[family[0]], dict.fromkeys(family), "resend", sender.now()))
    return {row for family in harmless for row in family}


class _Look:
    """Two reads of each row, by several at once; what was applied is settled at once.

    A child is applied only if its parent is: children may have been there before, as they were sent. Those that were
    go again with it; those that were written to since do not.
    """

    def __init__(self, sender: Sender, rows: pa.Table) -> None:
        self.sender, self.rows = sender, rows
        numbers, payloads = rows.column("row").to_pylist(), rows.column("payload").to_pylist()
        self.payloads: Mapping[int, bytes] = dict(zip(numbers, payloads, strict=True))
        parents = rows.column("parent").to_pylist() if "parent" in rows.column_names else []
        # Of children whose parents are in doubt too.
        self.parents = {row: parent for row, parent in zip(numbers, parents, strict=False) if parent in self.payloads}
        self.reads = CustomerReads(sender.api, sender.job.destination, sender.turn)
        self.key = key_type(template_of(sender.job))
        self.judged: dict[int, Judgement] = {}  # rows that are not settled, and how they stand
        self.applied: set[int] = set()
        self.of_old: set[int] = set()  # whose customers were last written to before the row was sent
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
        for doubt in doubts:
            if self.parents.get(doubt.row) in self.applied and self._is_there(doubt.row):
                await self._accept(doubt)

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
            self.of_old -= {doubt.row}
            if was_before(payload, seen, sent_at_utc):
                self.of_old.add(doubt.row)
        if doubt.row in self.judged:
            judgement = conclude(self.judged[doubt.row], judgement)
        self.judged[doubt.row] = judgement
        if doubt.row not in self.parents and self._is_there(doubt.row):
            await self._accept(doubt)

    def _is_there(self, row: int) -> bool:
        return row in self.judged and self.judged[row].finding in APPLIED

    async def _accept(self, doubt: Doubt) -> None:
        self.applied.add(doubt.row)
        await self._write(doubt.batch, {doubt.row: settled(self.judged.pop(doubt.row), _told_of(doubt))})

    async def write_down(self, doubts: Sequence[Doubt]) -> None:
        """After the second read: what was not applied is planned again, what is unclear says why.

        A family is planned again as a whole, in one step: no part of it may leave while another has a result.
        """
        if self.sender.stopping.is_set():
            return  # not all were read twice; the next process reads them again
        still = {doubt.row: doubt for doubt in doubts if doubt.row in self.judged}
        untouched = {row for row in still if self.judged[row].finding is Finding.UNTOUCHED}
        there = {row for row in still if self._is_there(row)} & self.of_old
        untouched |= {row for row in there if self.parents.get(row) in untouched}
        for family in going_again(self.rows, untouched):
            await self._write(still[family[0]].batch, dict.fromkeys(family))
            self.untouched.update(family)
        for row, doubt in still.items():
            if row not in self.untouched:
                judgement = NOT_WITH_PARENT if self._is_there(row) else self.judged[row]
                await self._write(doubt.batch, {row: settled(judgement, _told_of(doubt))})

    async def _write(self, batch: int, found: Mapping[int, RowReply | None]) -> None:
        await self.sender.scribe.write(Settled(batch, found, "look_up", self.sender.now()))


def _told_of(doubt: Doubt) -> RowReply:
    """Why it is in doubt, without what an earlier look-up said."""
    return RowReply(Fate.IN_DOUBT, tuple(code for code in doubt.codes if not code.startswith("look_up.")))


def left_behind(doubt: Doubt) -> RowReply:
    """Of a row that was not applied and cannot go again by itself, because its family does not."""
    return settled(UNTOUCHED, _told_of(doubt))
