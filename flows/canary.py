"""The first rows go alone: one request, whose answers are read in full before the rest goes.

A mapping that the API refuses, or swallows, should cost ten customers and not a million.
"""

import asyncio
from collections.abc import Iterator
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from connectors.ledger import Ledger
from flows.readback import read_back
from flows.sending import Sender, bring
from schemas.batches import Batch
from schemas.errors import GuardStopped
from schemas.outcomes import Fate
from transforms.batches import pieces

ROWS = 10
# Fewer refusals say nothing of a mapping: a nightly load may be a single wrong row.
ENOUGH = 5


async def send_canary(sender: Sender, batches: Iterator[Batch], ledger: Ledger, run: str) -> Iterator[Batch]:
    """Send batches of at most `ROWS` rows one by one until one is answered in full; returns those left to send.

    Raises:
        GuardStopped: every row was refused, or what was accepted is not there when it is read back.
    """
    while not sender.stopping.is_set():
        batch = await asyncio.to_thread(next, batches, None)
        if batch is None:
            break
        if len(batch.rows) > ROWS:
            batch, *rest = pieces(batch, ROWS, sender.numbers)
            batches = chain(rest, batches)
        await bring(sender, batch)
        answered = _answers(ledger, run, batch)
        if not answered:
            continue  # in doubt, put off, or cut smaller: the next one is the first that tells
        batches, more = await asyncio.to_thread(_peek, batches)
        if more and len(answered) >= ENOUGH and set(answered.values()) == {Fate.REFUSED}:
            raise GuardStopped(
                f"canary: all of the first {len(answered)} rows were refused, so nothing else was sent; see the "
                "reasons in the report. If they are right and the rest is to be sent all the same: bulkload resume"
            )
        if sender.job.destination.in_doubt == "look_up":
            await read_back(sender, batch, answered)
        break
    return batches


def _answers(ledger: Ledger, run: str, batch: Batch) -> dict[int, Fate]:
    """What is known of the batch's rows; nothing unless it is known of each."""
    known = ledger.results(run, min(batch.rows), max(batch.rows))
    known = known.filter(pc.is_in(known.column("row"), value_set=pa.array(batch.rows)))
    fates = {row: Fate(fate) for row, fate in zip(*(known.column(n).to_pylist() for n in ("row", "fate")), strict=True)}
    return fates if len(fates) == len(batch.rows) and Fate.IN_DOUBT not in fates.values() else {}


def _peek(batches: Iterator[Batch]) -> tuple[Iterator[Batch], bool]:
    first = next(batches, None)
    return (batches, False) if first is None else (chain((first,), batches), True)
