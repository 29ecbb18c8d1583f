"""Who is who among the rows: customers' keyed hashes, and several rows of one customer."""

from hashlib import blake2b
from typing import Literal

import duckdb
import pyarrow as pa

HASH_BYTES = 16

# How the rows of one customer are ranked: the first of them stands for the others.
_RANK = {
    "latest": 'partition by key order by "order" desc nulls last, row desc',
    "last": "partition by key order by row desc",
    "first": "partition by key order by row asc",
}
# Few customers have several rows: only those are ranked, so that memory does not grow with the file.
_SEVERAL = """
    with told as (select row, key, "order", fate from prepared
                  where key is not null and coalesce(fate, 'invalid') = 'invalid'),
         several as (select key from told group by key having count(*) > 1),
         rivals as (select told.* from told semi join several using (key))
"""
_ALL_INVALID = """
    select row, 'invalid' as fate, 'duplicates.several_rows' as code, null::bigint as stands_for
    from rivals where fate is null order by row
"""
_STANDS_FOR = """
    select row, 'duplicate' as fate, 'duplicates.another_row' as code, first_value(row) over ({rank}) as stands_for
    from rivals qualify row_number() over ({rank}) > 1 and fate is null order by row
"""


def key_hashes(keys: pa.Array, salt: bytes) -> pa.Array:
    """A keyed hash per key, null where there is none: what the ledger may know of a customer."""
    keyed = blake2b(key=salt, digest_size=HASH_BYTES)  # a copy of it costs less than keying each anew
    hashed: list[bytes | None] = []
    for key in keys.cast(pa.binary()).to_pylist():
        if key is None:
            hashed.append(None)
            continue
        one = keyed.copy()
        one.update(key)
        hashed.append(one.digest())
    return pa.array(hashed, pa.binary(HASH_BYTES))


def duplicates(
    prepared: duckdb.DuckDBPyRelation, keep: Literal["latest", "first", "last", "none"]
) -> duckdb.DuckDBPyRelation:
    """Rows another row stands for: `row, fate, code, stands_for`, ordered by row.

    `prepared` has `row, key, order, fate`. An invalid row competes too: where the latest word of a customer is
    wrong, an older one (and its points) must not be sent in its place. Under `none` all rows of such a
    customer are invalid, and nobody stands for them.
    """
    chosen = _ALL_INVALID if keep == "none" else _STANDS_FOR.format(rank=_RANK[keep])
    found = prepared.query("prepared", _SEVERAL + chosen)
    assert found is not None
    return found
