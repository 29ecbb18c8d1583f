"""Payloads become request bodies: cut by rows and bytes, points apart, in order.

A row that credits points never shares a batch with one that does not (design: never twice, never lost):
what is sent again without harm must not be held back by what is not.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import repeat
from typing import TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batches import Batch
from schemas.replies import Sent

BRACKETS = 2
Children: TypeAlias = "tuple[int, ...]"


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
        self.children: list[Children] = []
        self.size_bytes = 2  # the brackets

    def seal(self, number: int) -> Batch:
        children = tuple(self.children) if any(self.children) else ()
        body = b"[" + b",".join(self.payloads) + b"]"
        sealed = Batch(number, tuple(self.rows), body, self.points, children)
        self.rows, self.payloads, self.children, self.size_bytes = [], [], [], 2
        return sealed


def cut(parts: Iterable[pa.Table], max_rows: int, max_bytes: int, numbers: Iterator[int]) -> Iterator[Batch]:
    """Cut into request bodies, in input order within each of the two streams (with points, without).

    `parts` are `sendable` rows with `row`, `payload` and `points` (bool: credits any), and with `children` (row
    numbers of the customers within the payload) where the job nests.
    `max_bytes` limits the body as sent: UTF-8, commas and brackets included. A payload that fits in no
    body has been made invalid when it was prepared.
    """
    open_by_points = {False: _Open(False), True: _Open(True)}
    for part in parts:
        columns = (part.column(name).to_pylist() for name in ("row", "payload", "points"))
        for row, payload, points, children in zip(*columns, _children(part), strict=True):
            body = open_by_points[points]
            alone = len(payload)
            assert alone + 2 <= max_bytes, f"row {row} fits in no request; preparing it should have said so"
            if body.rows and (len(body.rows) == max_rows or body.size_bytes + alone + 1 > max_bytes):
                yield body.seal(next(numbers))
            body.rows.append(row)
            body.payloads.append(payload)
            body.children.append(children)
            body.size_bytes += alone + (1 if len(body.rows) > 1 else 0)
    for body in open_by_points.values():
        if body.rows:
            yield body.seal(next(numbers))


def _children(part: pa.Table) -> Iterable[Children]:
    if "children" not in part.column_names:
        return repeat((), part.num_rows)
    return [tuple(children or ()) for children in part.column("children").to_pylist()]


def count_batches(parts: Iterable[pa.Table], max_rows: int, max_bytes: int) -> int:
    """How many bodies `cut` makes; `parts` have `points` and `size` (bytes) and need no payloads."""
    counts = {points: _Count(max_rows, max_bytes) for points in (False, True)}
    for part in parts:
        points, sizes = part.column("points").to_numpy(), part.column("size").to_numpy().astype(np.int64)
        counts[True].add(sizes[points])
        counts[False].add(sizes[~points])
    return sum(count.sealed + (count.rows > 0) for count in counts.values())


class _Count:
    """Bodies of one stream, counted a body at a time and not a row at a time."""

    def __init__(self, max_rows: int, max_bytes: int) -> None:
        self.max_rows, self.max_bytes = max_rows, max_bytes
        self.sealed, self.rows, self.size_bytes = 0, 0, BRACKETS

    def add(self, sizes: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> None:
        ends = np.cumsum(sizes + 1)  # each payload with the comma before it, which the first of a body lacks
        at = 0
        while at < len(sizes):
            room = self.max_bytes - self.size_bytes + (self.rows == 0)
            done = int(ends[at - 1]) if at else 0
            fits = min(int(np.searchsorted(ends, done + room, side="right")) - at, self.max_rows - self.rows)
            if fits == 0:
                assert self.rows, "a payload that fits in no body has been made invalid before"
                self.sealed, self.rows, self.size_bytes = self.sealed + 1, 0, BRACKETS
                continue
            self.size_bytes += int(ends[at + fits - 1]) - done - (self.rows == 0)
            self.rows += fits
            at += fits


def split(batch: Batch, sizes: Sequence[int], numbers: Iterator[int]) -> Iterator[Batch]:
    """The same payloads, byte for byte, in several bodies of the given numbers of rows."""
    payloads = [bytes(payload) for payload in msgspec.json.decode(batch.body, type=list[msgspec.Raw])]
    start = 0
    for size in sizes:
        body = _Open(batch.points)
        body.rows, body.payloads = list(batch.rows[start : start + size]), payloads[start : start + size]
        body.children = list(batch.children[start : start + size])
        yield body.seal(next(numbers))
        start += size


def pieces(batch: Batch, most_rows: int, numbers: Iterator[int]) -> Iterator[Batch]:
    """Several bodies instead of one, of at most so many rows."""
    full, rest = divmod(len(batch.rows), most_rows)
    return split(batch, [most_rows] * full + [rest] * (rest > 0), numbers)


def alone(batch: Batch, rows: Collection[int], numbers: Iterator[int]) -> list[Batch]:
    """Some rows of a batch, each in a body of its own, with its children."""
    return [one for one in split(batch, [1] * len(batch.rows), numbers) if one.rows[0] in rows]


class _Profile(msgspec.Struct, gc=False):
    identifiers: tuple[dict[str, str | int], ...]


class _Customer(msgspec.Struct, gc=False):
    profiles: tuple[_Profile, ...]


class _Association(msgspec.Struct, gc=False, frozen=True, rename="camel"):
    child_customers: tuple[_Customer, ...] = ()


class _Parent(msgspec.Struct, gc=False, rename="camel"):
    association_details: _Association = _Association()


_CUSTOMERS = msgspec.json.Decoder(tuple[_Customer, ...])
_PARENTS = msgspec.json.Decoder(tuple[_Parent, ...])


def sent_of(batch: Batch) -> tuple[Sent, ...]:
    """The identifiers each row was sent with, in batch order: what the answer is matched against."""
    return tuple(_identifiers_of(customer) for customer in _CUSTOMERS.decode(batch.body))


def children_sent_of(batch: Batch) -> tuple[tuple[Sent, ...], ...]:
    """As `sent_of`, for the children of each row; nothing where no row has any."""
    if not batch.children:
        return ()
    parents = _PARENTS.decode(batch.body)
    sent = tuple(tuple(map(_identifiers_of, parent.association_details.child_customers)) for parent in parents)
    assert list(map(len, sent)) == list(map(len, batch.children)), f"batch {batch.number}: whose rows are its children?"
    return sent


def _identifiers_of(customer: _Customer) -> Sent:
    return tuple(
        (str(known["type"]), str(known["value"])) for profile in customer.profiles for known in profile.identifiers
    )
