"""A long table that comes in pieces, sorted by one of its columns, cut where that column passes a value."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa


class SortedRows:
    """Gives its rows once, from first to last; null sorts last."""

    def __init__(self, pieces: Iterator[pa.Table], by: str) -> None:
        self._pieces, self._by = pieces, by
        self._held: pa.Table | None = next(pieces, None)

    def below(self, limit: int | None) -> Iterator[pa.Table]:
        """The next rows whose value is less, a piece at a time; None: all that are left, nulls too."""
        while self._held is not None:
            count = self._held.num_rows if limit is None else self._less(self._held, limit)
            if count:
                yield self._held.slice(0, count)
            if count < self._held.num_rows:
                self._held = self._held.slice(count)
                return
            self._held = next(self._pieces, None)

    def _less(self, rows: pa.Table, limit: int) -> int:
        values = rows.column(self._by).drop_null().to_numpy()
        return int(np.searchsorted(values, limit))
