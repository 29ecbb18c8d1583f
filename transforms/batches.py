"""Payloads become request bodies: cut by rows and bytes, points apart, in order.

A row that credits points never shares a batch with one that does not (design: never twice, never lost):
what is sent again without harm must not be held back by what is not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from schemas.batches import Batch


@dataclass(frozen=True, slots=True)
class Planned:
    """Rows to send, in order: `row` (int64), `payload` (binary), `points` (bool: credits points)."""

    row: pa.Array
    payload: pa.Array
    points: pa.Array


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


def cut(parts: Iterable[Planned], max_rows: int, max_bytes: int, first_number: int = 1) -> Iterator[Batch]:
    """Cut into request bodies, in input order within each of the two streams (with points, without).

    `max_bytes` limits the body as sent: UTF-8, commas and brackets included. A payload that fits in no
    body has been made invalid when it was prepared.
    """
    number = first_number
    open_by_points = {False: _Open(False), True: _Open(True)}
    for part in parts:
        columns = (part.row.to_pylist(), part.payload.to_pylist(), part.points.to_pylist())
        for row, payload, points in zip(*columns, strict=True):
            body = open_by_points[points]
            alone = len(payload)
            assert alone + 2 <= max_bytes, f"row {row} fits in no request; preparing it should have said so"
            if body.rows and (len(body.rows) == max_rows or body.size_bytes + alone + 1 > max_bytes):
                yield body.seal(number)
                number += 1
            body.rows.append(row)
            body.payloads.append(payload)
            body.size_bytes += alone + (1 if len(body.rows) > 1 else 0)
    for body in open_by_points.values():
        if body.rows:
            yield body.seal(number)
            number += 1
