"""The ledger's pen in an asyncio loop: steps are durable when `write` returns, and the loop never waits for a disk."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from connectors.ledger import Ledger
from connectors.ledger_tables import IllegalMove, Op


class Scribe:
    """Writes a run's steps from an asyncio loop: one thread commits all that wait in one transaction.

    Leaving its `async with` writes what still waits. What a cancelled `write` asked for may have been written.
    """

    def __init__(self, ledger: Ledger, run: str) -> None:
        self._ledger, self._run = ledger, run
        self._waiting: list[tuple[Op, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._pen = ThreadPoolExecutor(1, thread_name_prefix="ledger")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            if self._writing is not None:
                await self._writing
        finally:
            self._pen.shutdown()

    async def write(self, op: Op) -> None:
        """Return when the step is durable; when it does not fit (IllegalMove), those beside it are written."""
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((op, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        await written

    async def _write_all(self) -> None:
        """What comes while a group is on its way to the disk is the next group."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            group, self._waiting = self._waiting, []
            problems = await loop.run_in_executor(self._pen, self._written, [op for op, _ in group])
            for (_, written), problem in zip(group, problems, strict=True):
                if written.done():  # its waiter was cancelled
                    continue
                if problem is None:
                    written.set_result(None)
                else:
                    written.set_exception(problem)
        self._writing = None

    def _written(self, ops: Sequence[Op]) -> list[Exception | None]:
        try:
            self._ledger.write(self._run, ops)
        except IllegalMove as error:
            # One step of the group does not fit; the others must not suffer for it.
            return [error] if len(ops) == 1 else [problem for op in ops for problem in self._written([op])]
        except Exception as error:  # whatever it is, whoever waits must hear of it: nobody else would
            return [error] * len(ops)
        return [None] * len(ops)
