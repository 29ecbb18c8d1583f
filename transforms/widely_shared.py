"""Identifiers that so many customers have that they are nobody's own, whatever they look like."""

from collections.abc import Iterable

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]

_PEOPLE = """
    select row, key, unnest(identifiers) as hash
    from prepared where key is not null and coalesce(fate, 'invalid') = 'invalid'
"""
# A child that has no key of its own is told from others by its parent.
_CHILDREN = """
    select row, if(keyed, key, encode('parent ' || parent)) as key, unnest(identifiers) as hash
    from nested where parent is not null and coalesce(fate, 'invalid') = 'invalid'
"""
# Rows of one customer are counted once: of the few that are met often enough.
_WIDELY_SHARED = """
    select hash from ({people}) semi join often using (hash) group by hash having count(distinct key) > $above
"""
_ROWS = f"select distinct row from ({_PEOPLE}) semi join widely_shared using (hash) order by row"


class OftenMet:
    """Finds hashes that are met more than so many times, among several that only look so.

    Counted are their first bits, four hashes or so to a count: what is met often is looked at again, and all else costs
    two bytes a hash and no comparing. Show it all identifiers, and then again.
    """

    def __init__(self, hashes: int, above: int) -> None:
        bits = max(1, (hashes // 4).bit_length())
        self._above, self._shift = above, np.uint64(64 - bits)
        self._counts = np.zeros(2**bits, np.uint32)

    def count(self, identifiers: pa.ChunkedArray) -> None:
        """The first time: some rows' identifiers."""
        # In these very types: any other is cast one by one, thirty times as slowly.
        np.add.at(self._counts, (_flat(identifiers) >> self._shift).view(np.int64), np.uint32(1))

    def found(self, identifiers: Iterable[pa.ChunkedArray]) -> Hashes:
        """The second time: all rows' identifiers, some rows at a time."""
        often = self._counts > self._above
        if not often.any():
            return np.empty(0, np.uint64)
        met = (_flat(some) for some in identifiers)
        return np.unique(np.concatenate([np.unique(hashes[often[hashes >> self._shift]]) for hashes in met]))


def _flat(identifiers: pa.ChunkedArray) -> Hashes:
    flat: Hashes = identifiers.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat


def widely_shared(
    database: duckdb.DuckDBPyConnection, often: Hashes, above: int, *, with_children: bool = False
) -> frozenset[int]:
    """Those of some hashes that more than so many customers have; rows that are filtered out are not asked.

    The database has the view `prepared` (`row, key, identifiers, fate`); `with_children`, also `nested` (`row, key,
    keyed, parent, identifiers, fate`).
    """
    people = f"{_PEOPLE} union all {_CHILDREN}" if with_children else _PEOPLE
    database.from_arrow(pa.table({"hash": often})).create_view("often")
    database.execute(f"create temp table widely_shared as {_WIDELY_SHARED.format(people=people)}", {"above": above})
    return frozenset(hash_ for (hash_,) in database.sql("select hash from widely_shared").fetchall())


def rows_that_share(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """Rows that have what `widely_shared` found: `row`, in order."""
    return database.sql(_ROWS)
