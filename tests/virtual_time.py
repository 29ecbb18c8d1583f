"""An event loop whose minutes take no time, so that hours of a run are tested in milliseconds."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

Told = TypeVar("Told")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time stands still while anything can run, and jumps to the next timer when nothing can.

    What would go to a thread is done at once, in the loop: a jump must not overtake it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        wait = self._selector.select

        def jump(timeout):
            if timeout:
                self.now += timeout
            return wait(0)

        self._selector.select = jump

    def time(self):
        return self.now

    def run_in_executor(self, executor: Executor | None, func, *args):
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done


def in_virtual_time(story: Coroutine[Any, Any, Told]) -> Told:
    """Run it to its end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story)
