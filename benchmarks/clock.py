"""Which stage the time goes to."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Clock:
    """CPU and wall seconds by stage, in any thread; a stage inside another is taken out of it."""

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = defaultdict(float)
        self.wall_s: dict[str, float] = defaultdict(float)
        self._here = threading.local()
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time until the end of the block goes to this stage."""
        stack = self._here.__dict__.setdefault("stack", [])
        self._book(stack)
        stack.append(name)
        try:
            yield
        finally:
            self._book(stack)
            stack.pop()

    def _book(self, stack: list[str]) -> None:
        now = time.thread_time(), time.perf_counter()
        if stack:
            with self._lock:
                self.cpu_s[stack[-1]] += now[0] - self._here.since[0]
                self.wall_s[stack[-1]] += now[1] - self._here.since[1]
        self._here.since = now

    def wrap(self, owner: Any, name: str, stage: str) -> None:
        """From now on, calls of `owner.name` are timed."""
        function = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.stage(stage):
                return function(*args, **kwargs)

        setattr(owner, name, timed)

    def wrap_iterator(self, owner: Any, name: str, stage: str) -> None:
        """The same for a function whose work is done as its results are asked for."""
        function = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Iterator[Any]:
            results = function(*args, **kwargs)
            while True:
                with self.stage(stage):
                    try:
                        result = next(results)
                    except StopIteration:
                        return
                yield result

        setattr(owner, name, timed)
