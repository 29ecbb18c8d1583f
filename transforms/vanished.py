"""Who vanished: customers that were loaded before and are in no row of a source that holds everybody."""

import duckdb

_KNOWN = """
    select key from accepted anti join forgotten using (key) where fate in ('accepted', 'accepted_with_loss')
"""
_GONE = f"""
    select key from ({_KNOWN}) as known anti join (select key from there where key is not null) as those using (key)
"""


def vanished(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """`key` of each, in no order; whatever became of a row, its customer is there.

    `database` has `accepted` and `forgotten` as the ledger remembers them, and `there`: the `key` of all rows.
    """
    return database.sql(_GONE)


def count_known(database: duckdb.DuckDBPyConnection) -> int:
    """How many customers were loaded before; as `vanished`."""
    return len(database.sql(_KNOWN))
