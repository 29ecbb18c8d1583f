"""A batch as it leaves: body, rows, and what came back."""

from dataclasses import dataclass, field
from datetime import datetime

from schemas.outcomes import BatchReply


@dataclass(frozen=True, slots=True)
class Batch:
    """One request's worth of rows, encoded once, hashed once, sent as it is.

    `rows` are the run's row numbers in the order of the body's elements; `points` tells that the batch
    credits points (such rows never share a batch with others). `children` has, for each row, the row numbers of the
    customers that travel in its element, in their order there; it is empty when no row has any.
    """

    number: int
    rows: tuple[int, ...]
    body: bytes = field(repr=False)  # personal data
    points: bool = False
    children: tuple[tuple[int, ...], ...] = ()

    @property
    def all_rows(self) -> tuple[int, ...]:
        """Whatever the body speaks of, in its order: each row, then its children."""
        if not self.children:
            return self.rows
        families = zip(self.rows, self.children, strict=True)
        return tuple(row for parent, children in families for row in (parent, *children))


@dataclass(frozen=True, slots=True)
class NeverSent:
    """Not a byte of the request left: DNS, connect, TLS, no free connection. It may go again."""

    why: str  # "host unknown", "connection refused", "TLS: certificate has expired", … without any URL's secret


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request began to leave and no whole answer came: the batch is in doubt."""

    why: str  # "timed out after 60 s", "connection reset"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, whole. `retry_after_s` is the server's wish, from either form of Retry-After.

    `ahead_s` is how far the server's clock is ahead of ours, by its `Date`, which is whole seconds, at the moment
    when the answer had been read: never more than it really is. None without a `Date`.
    """

    status: int
    body: bytes = field(repr=False)
    request_id: str | None = None
    retry_after_s: float | None = None
    latency_ms: float = 0.0
    ahead_s: float | None = None


Sending = NeverSent | NoAnswer | Answer


@dataclass(frozen=True, slots=True)
class Delivered:
    """What is recorded of an attempt at a batch."""

    batch: Batch
    attempt: int
    reply: BatchReply
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """A row of a run that was sent, and nobody knows what became of it; `codes` say why."""

    row: int
    batch: int
    attempt: int
    sent_at_utc: datetime
    answered_at_utc: datetime  # when it was given up on
    request_id: str | None
    codes: tuple[str, ...]
