"""Payloads become request bodies: cut by rows and bytes, points apart, in order.

A row that credits points never shares a batch with one that does not (design: never twice, never lost):
what is sent again without harm must not be held back by what is not.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batches import Batch
from schemas.replies import Sent


def sendable(prepared: pa.Table, *taken_out: pa.Table) -> pa.Table:
    """Rows of a part that have no fate yet, in order; `taken_out` are tables with the `row` of those that have."""
    rows = prepared.column("row")
    wanted = pc.is_null(prepared.column("fate"))
    for table in taken_out:
        wanted = pc.and_(wanted, pc.invert(pc.is_in(rows, value_set=table.column("row"))))
    return prepared.filter(wanted)


class _Open:
    """A body in the making."""

    def __init__(self, points: bool) -> None:
        self.points = points
        self.rows: list[int] = []
        self.payloads: list[bytes] = []
        self.size_bytes = 2  # the brackets

    def seal(self, number: int) -> Batch:
        sealed = Batch(number, tuple(self.rows), b"[" + b",".join(self.payloads) + b"]", self.points)
        self.rows, self.payloads, self.size_bytes = [], [], 2
        return sealed


def cut(parts: Iterable[pa.Table], max_rows: int, max_bytes: int, numbers: Iterator[int]) -> Iterator[Batch]:
    """Cut into request bodies, in input order within each of the two streams (with points, without).

    `parts` are `sendable` rows with `row`, `payload` and `points` (bool: credits any).
    `max_bytes` limits the body as sent: UTF-8, commas and brackets included. A payload that fits in no
    body has been made invalid when it was prepared.
    """
    open_by_points = {False: _Open(False), True: _Open(True)}
    for part in parts:
        columns = (part.column(name).to_pylist() for name in ("row", "payload", "points"))
        for row, payload, points in zip(*columns, strict=True):
            body = open_by_points[points]
            alone = len(payload)
            assert alone + 2 <= max_bytes, f"row {row} fits in no request; preparing it should have said so"
            if body.rows and (len(body.rows) == max_rows or body.size_bytes + alone + 1 > max_bytes):
                yield body.seal(next(numbers))
            body.rows.append(row)
            body.payloads.append(payload)
            body.size_bytes += alone + (1 if len(body.rows) > 1 else 0)
    for body in open_by_points.values():
        if body.rows:
            yield body.seal(next(numbers))


def count_batches(parts: Iterable[pa.Table], max_rows: int, max_bytes: int) -> int:
    """How many bodies `cut` makes; `parts` have `points` and `size` (bytes) and need no payloads."""
    sealed, rows, size_bytes = 0, {False: 0, True: 0}, {False: 2, True: 2}
    for part in parts:
        columns = (part.column(name).to_pylist() for name in ("size", "points"))
        for alone, points in zip(*columns, strict=True):
            if rows[points] and (rows[points] == max_rows or size_bytes[points] + alone + 1 > max_bytes):
                sealed, rows[points], size_bytes[points] = sealed + 1, 0, 2
            size_bytes[points] += alone + (1 if rows[points] else 0)
            rows[points] += 1
    return sealed + sum(held > 0 for held in rows.values())


def split(batch: Batch, sizes: Sequence[int], numbers: Iterator[int]) -> Iterator[Batch]:
    """The same payloads, byte for byte, in several bodies of the given numbers of rows."""
    payloads = [bytes(payload) for payload in msgspec.json.decode(batch.body, type=list[msgspec.Raw])]
    start = 0
    for size in sizes:
        body = _Open(batch.points)
        body.rows, body.payloads = list(batch.rows[start : start + size]), payloads[start : start + size]
        yield body.seal(next(numbers))
        start += size


def halves(batch: Batch, numbers: Iterator[int]) -> Iterator[Batch]:
    """Two bodies instead of one: which half holds the row that sinks the batch?"""
    first = (len(batch.rows) + 1) // 2
    return split(batch, (first, len(batch.rows) - first), numbers)


def alone(batch: Batch, rows: Collection[int], numbers: Iterator[int]) -> list[Batch]:
    """Some rows of a batch, each in a body of its own."""
    return [one for one in split(batch, [1] * len(batch.rows), numbers) if one.rows[0] in rows]


class _Profile(msgspec.Struct, gc=False):
    identifiers: tuple[dict[str, str | int], ...]


class _Customer(msgspec.Struct, gc=False):
    profiles: tuple[_Profile, ...]


_CUSTOMERS = msgspec.json.Decoder(tuple[_Customer, ...])


def sent_of(batch: Batch) -> tuple[Sent, ...]:
    """The identifiers each row was sent with, in batch order: what the answer is matched against."""
    return tuple(
        tuple(
            (str(known["type"]), str(known["value"])) for profile in customer.profiles for known in profile.identifiers
        )
        for customer in _CUSTOMERS.decode(batch.body)
    )
