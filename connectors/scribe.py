"""The ledger's pen in an asyncio loop: steps are durable when `write` returns, and the loop never waits for a disk."""

import asyncio
import queue
import threading
from collections.abc import Sequence
from typing import Self

from connectors.ledger import Ledger
from connectors.ledger_tables import IllegalMove, Op


class Scribe:
    """Writes a run's steps from an asyncio loop: one thread commits all that wait in one transaction.

    Leaving its `async with` writes what still waits. What a cancelled `write` asked for may have been written.
    """

    def __init__(self, ledger: Ledger, run: str) -> None:
        self._ledger, self._run = ledger, run
        self._waiting: queue.SimpleQueue[tuple[Op, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)

    async def write(self, op: Op) -> None:
        """Return when the step is durable; when it does not fit (IllegalMove), those beside it are written."""
        written = self._loop.create_future()
        self._waiting.put((op, written))
        await written

    def _work(self) -> None:
        going = True
        while going:
            group = [self._waiting.get()]
            while not self._waiting.empty():
                group.append(self._waiting.get())
            going = None not in group
            steps = [step for step in group if step is not None]
            problems = self._written([op for op, _ in steps])
            self._loop.call_soon_threadsafe(_tell, [written for _, written in steps], problems)

    def _written(self, ops: Sequence[Op]) -> list[Exception | None]:
        try:
            self._ledger.write(self._run, ops)
        except IllegalMove as error:
            # One step of the group does not fit; the others must not suffer for it.
            return [error] if len(ops) == 1 else [problem for op in ops for problem in self._written([op])]
        except Exception as error:  # whatever it is, whoever waits must hear of it: this thread has nobody to raise to
            return [error] * len(ops)
        return [None] * len(ops)


def _tell(told: Sequence[asyncio.Future[None]], problems: Sequence[Exception | None]) -> None:
    for written, problem in zip(told, problems, strict=True):
        if written.done():  # its waiter was cancelled
            continue
        if problem is None:
            written.set_result(None)
        else:
            written.set_exception(problem)
