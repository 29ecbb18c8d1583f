"""What changed: payloads against the ones the API accepted last."""

from hashlib import blake2b

import duckdb
import pyarrow as pa

DIGEST_BYTES = 16

_UNCHANGED = """
    select row, fate, code, stands_for from dropped
    union all
    select row, 'unchanged' as fate, null as code, null as stands_for
    from (select row, key, digest from prepared where fate is null) as planned
    anti join dropped using (row) semi join accepted using (key, digest)
    order by row
"""


def digests(payloads: pa.Array) -> pa.Array:
    """A digest per payload, null where there is none. Members keep their order, so equal customers are equal."""
    made = [None if p is None else blake2b(p, digest_size=DIGEST_BYTES).digest() for p in payloads.to_pylist()]
    return pa.array(made, pa.binary(DIGEST_BYTES))


def with_unchanged(prepared: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """What is dropped already and what need not be sent again: `row, fate, code, stands_for`, ordered by row.

    `prepared` has `row, key, digest, fate`; its database has the views `dropped` and `accepted` (key, digest).
    """
    found = prepared.query("prepared", _UNCHANGED)
    assert found is not None
    return found
