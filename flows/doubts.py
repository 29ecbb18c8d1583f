"""Rows in doubt are looked up: read, read again later, and settled where there is no doubt any more.

What was applied is accepted, what was surely not is planned again, and the rest waits for a person. Reads take
their turns like writes: the API's allowance is one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import repeat

import pyarrow as pa

from connectors.ledger import Ledger
from connectors.ledger_tables import Settled
from connectors.lookup import see
from flows.sending import ENDS, Sender
from schemas.batches import Batch, Doubt
from schemas.lookups import Judgement, Ruling
from schemas.outcomes import RowReply
from transforms.batches import cut
from transforms.lookup import conclude, judge

Recall = Callable[[Sequence[int]], pa.Table]  # rows' `row`, `payload` and `points` again, in the order of rows
SendAll = Callable[[Iterator[Batch]], Awaitable[None]]
# A row that is found untouched and sent again may be in doubt again, but not for ever.
MOST_ROUNDS = 4


async def settle_doubts(sender: Sender, ledger: Ledger, run: str, recall: Recall, send_all: SendAll) -> None:
    """Look up all rows in doubt, and send again what was not applied; what stays in doubt has been read twice."""
    limits, unclear = sender.job.limits, set[int]()
    for _ in range(MOST_ROUNDS):
        doubts = [doubt for doubt in ledger.doubts(run) if doubt.row not in unclear]
        if not doubts or sender.stopping.is_set():
            return
        payloads = recall([doubt.row for doubt in doubts])
        untouched = await _settled(sender, doubts, payloads)
        unclear |= {doubt.row for doubt in doubts} - untouched
        if untouched:
            again = payloads.filter(pa.array([row in untouched for row in payloads.column("row").to_pylist()]))
            await send_all(cut([again], limits.rows_per_request, limits.bytes_per_request, sender.numbers))


async def _settled(sender: Sender, doubts: Sequence[Doubt], payloads: pa.Table) -> set[int]:
    """Read each row, and once more those that do not stand as they were sent; the rows that were not applied."""
