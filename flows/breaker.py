"""When the host is in trouble nothing more is sent to it: it is asked now and then whether it is well again.

Every request that fails in transport may leave rows in doubt, so a dead host must not cost one batch after another.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from schemas.batches import Answer, NeverSent, Sending
from schemas.errors import BulkloadError, Stopped, Unreachable
from schemas.outcomes import BatchReply, Verdict

# Trouble in a row, or this share of the latest requests, opens the breaker.
IN_A_ROW = 5
LATEST, SHARE = 20, 0.5
# How long is waited before each probe: five minutes in all outlast a restart, not a night.
PROBE_WAITS_S = (2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 60.0, 60.0, 60.0)
# A host may answer probes and still fail every write: so many batches are risked to find out.
MOST_TRIALS = 3


def in_trouble(sending: Sending, reply: BatchReply) -> bool:
    """The host's trouble, not the batch's: no connection, no answer, or a 5xx that says nothing of the rows."""
    if not isinstance(sending, Answer):
        return True
    return sending.status >= 500 and reply.verdict in (Verdict.IN_DOUBT, Verdict.LATER)


class Breaker:
    """Lets everybody pass while the host is well, and one at a time while it is not known to be.

    `probe` asks the host for something cheap and tells whether it answered; `pause` waits so many seconds and
    tells whether the run goes on.
    """

    def __init__(
        self, host: str, probe: Callable[[], Awaitable[bool]], pause: Callable[[float], Awaitable[bool]]
    ) -> None:
        self._host, self._probe, self._pause = host, probe, pause
        self._latest: deque[bool] = deque(maxlen=LATEST)
        self._in_a_row = 0
        self._trials = 0
        self._never_sent = False
        self._one_at_a_time = asyncio.Lock()
        self.is_open = False

    def seen(self, sending: Sending, reply: BatchReply) -> None:
        """What became of one request."""
        trouble = in_trouble(sending, reply)
        self._latest.append(trouble)
        self._in_a_row = self._in_a_row + 1 if trouble else 0
        if not trouble:
            self.is_open, self._trials = False, 0
        elif self._in_a_row >= IN_A_ROW or sum(self._latest) >= LATEST * SHARE:
            self._latest.clear()
            self._never_sent = isinstance(sending, NeverSent)
            self.is_open = True

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[None]:
        """Hold this while sending. While the host is in trouble one probes it, and then goes first and alone.

        Raises:
            Stopped, Unreachable: the host did not recover.
        """
        if not self.is_open:
            yield
            return
        async with self._one_at_a_time:
            if self.is_open:
                await self._wait_until_well()
            yield

    async def _wait_until_well(self) -> None:
        if self._trials == MOST_TRIALS:
            raise self._given_up(f"answers, and failed every one of the last {IN_A_ROW + MOST_TRIALS} requests")
        for wait_s in PROBE_WAITS_S:
            if not await self._pause(wait_s):
                return  # the run has stopped: whoever waits here sends nothing more
            if await self._probe():
                self._trials += 1
                self._in_a_row = IN_A_ROW - 1  # the next trouble opens it again at once
                return
        raise self._given_up(f"did not answer for {sum(PROBE_WAITS_S):,.0f} s")

    def _given_up(self, what: str) -> BulkloadError:
        kind = Unreachable if self._never_sent else Stopped
        return kind(f"{self._host} {what}; when it is well again: bulkload resume")
