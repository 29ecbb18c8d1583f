"""What changed: payloads against the ones the API accepted last, or may have accepted."""

from hashlib import blake2b

import duckdb
import pyarrow as pa

DIGEST_BYTES = 16

_LEFT_OUT = """
    select row,
           case when was = 'in_doubt' then 'in_doubt'
                when digest <> was_digest then 'invalid'
                else 'unchanged' end as fate,
           case when was = 'in_doubt' then 'in_doubt.earlier_run'
                when digest <> was_digest then 'points.credited_before' end as code,
           null as stands_for
    from (select row, key, digest, points from prepared where fate is null) as planned
    anti join dropped using (row)
    join (select key, digest as was_digest, fate as was, points as had_points from accepted) as accepted using (key)
    where digest = was_digest or (points and had_points)
    order by row
"""


def digests(payloads: pa.Array | pa.ChunkedArray, salt: bytes) -> pa.Array:
    """A keyed digest per payload, null where there is none: the ledger may know that a customer changed, not how.

    Members keep their order, so equal customers are equal.
    """
    keyed = blake2b(key=salt, digest_size=DIGEST_BYTES)  # a copy of it costs less than keying each anew
    made: list[bytes | None] = []
    for payload in payloads.to_pylist():
        if payload is None:
            made.append(None)
            continue
        one = keyed.copy()
        one.update(payload)
        made.append(one.digest())
    return pa.array(made, pa.binary(DIGEST_BYTES))


def left_out(prepared: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """What is not sent, or not sent again: `row, fate, code, stands_for`, ordered by row.

    The same payload as the last one accepted is unchanged. A customer whose last credit is in doubt still is in
    doubt, and one who has been credited is not credited by another payload a second time: that is invalid.

    `prepared` has `row, key, digest, points, fate`; its database has the views `dropped` and `accepted` (`key, digest,
    fate, points`: what is remembered of each customer).
    """
    found = prepared.query("prepared", _LEFT_OUT)
    assert found is not None
    return found
