"""Who is who among the rows: customers' keyed hashes, and several rows of one customer."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import blake2b
from typing import Literal

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

HASH_BYTES = 16
IDENTIFIERS = pa.list_(pa.uint64())

# How the rows of one customer are ranked: the first of them stands for the others.
_RANK = {
    "latest": 'partition by key order by "order" desc nulls last, row desc',
    "last": "partition by key order by row desc",
    "first": "partition by key order by row asc",
}
# Few customers have several rows: only those are ranked, so that memory does not grow with the file.
_SEVERAL = """
    with told as (select row, key, "order", fate, points, statement from prepared
                  where key is not null and coalesce(fate, 'invalid') = 'invalid'),
         several as (select key from told group by key having count(*) > 1),
         rivals as (select told.* from told semi join several using (key))
"""
_ALL_INVALID = """
    select row, 'invalid' as fate, 'duplicates.several_rows' as code, null::bigint as stands_for
    from rivals where fate is null order by row
"""
# Points of another statement are another credit, which the chosen row does not make; unless it was made before.
_STANDS_FOR = """
    , ranked as (select row, fate, row_number() over ranking as place, first_value(row) over ranking as chosen,
                        points and statement is distinct from first_value(statement) over ranking
                        and paid is null as lost
                 from rivals left join (select distinct key, statement, true as paid from credited
                                        semi join several using (key)) as before using (key, statement)
                 window ranking as ({rank}))
    select row,
           if(lost, 'invalid', 'duplicate') as fate,
           if(lost, 'points.another_statement', 'duplicates.another_row') as code,
           if(lost, null, chosen) as stands_for
    from ranked where place > 1 and fate is null order by row
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


def identifier_hashes(values: Mapping[str, pa.Array], rows: int, salt: bytes) -> pa.Array:
    """Each row's identifiers as keyed hashes (`IDENTIFIERS`, never null): what tells who shares one with whom.

    `values`: per type of identifier ("mobile") its cleaned values. Of 64 bits: among 30 million identifiers against
    as many, one false meeting in 20,000 loads, which holds a row back and merges nobody.
    """
    if not values:
        return pa.array([[]] * rows, IDENTIFIERS)
    there = np.column_stack([array.is_valid().to_numpy(zero_copy_only=False) for array in values.values()])
    hashed = np.zeros(there.shape, dtype=np.uint64)
    for place, (kind, array) in enumerate(values.items()):
        hashed[there[:, place], place] = hashes_of(kind, array.drop_null(), salt)
    ends = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(hashed[there]))


def hashes_of(kind: str, values: pa.Array, salt: bytes) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    """Identifiers of one type, none of them null, as keyed hashes: SipHash, as pandas has it.

    Its key is 16 characters made of the salt.
    """
    texts = values.cast(pa.string())
    # Nobody tells people apart by the case of their e-mail; the API may not either.
    named = pc.binary_join_element_wise(kind, pc.utf8_lower(texts) if kind == "email" else texts, ":")
    key = b64encode(blake2b(salt, digest_size=12).digest()).decode()
    objects = named.to_numpy(zero_copy_only=False)
    return np.asarray(pd.util.hash_array(objects, hash_key=key, categorize=False), dtype=np.uint64)


def duplicates(
    prepared: duckdb.DuckDBPyRelation, keep: Literal["latest", "first", "last", "none"]
) -> duckdb.DuckDBPyRelation:
    """Rows another row stands for: `row, fate, code, stands_for`, ordered by row.

    `prepared` has `row, key, order, fate, points, statement`; its database has the view `credited` (`key, statement`:
    what was credited before). An invalid row competes too: where the latest word of a
    customer is wrong, an older one (and its points) must not be sent in its place. For a row with points of another
    statement nobody stands: it is invalid. Under `none` all rows of such a customer are.
    """
    chosen = _ALL_INVALID if keep == "none" else _STANDS_FOR.format(rank=_RANK[keep])
    found = prepared.query("prepared", _SEVERAL + chosen)
    assert found is not None
    return found
