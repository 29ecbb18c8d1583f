"""Identifiers that so many customers have that they are nobody's own, whatever they look like."""

import duckdb

from transforms.slices import OF_SLICE, gather_hashes, hash_slices

_PEOPLE = """
    select row, key, unnest(identifiers) as hash
    from prepared where key is not null and coalesce(fate, 'invalid') = 'invalid'
"""
_OFTEN = f"select hash from ({_PEOPLE}) where {OF_SLICE} group by hash having count(*) > $above"
# Rows of one customer are counted once: of the few that are met often enough.
_WIDELY_SHARED = f"""
    select hash from ({_PEOPLE}) semi join often using (hash) group by hash having count(distinct key) > $above
"""
_ROWS = f"select distinct row from ({_PEOPLE}) semi join widely_shared using (hash) order by row"


def widely_shared(database: duckdb.DuckDBPyConnection, above: int) -> frozenset[int]:
    """Hashes of identifiers that more than so many customers have; rows that are filtered out are not asked.

    The database has the view `prepared` (`row, key, identifiers, fate`).
    """
    ((hashes,),) = database.sql("select coalesce(sum(len(identifiers)), 0) from prepared").fetchall()
    gather_hashes(database, "often", _OFTEN, ({**one, "above": above} for one in hash_slices(hashes)))
    database.execute(f"create or replace temp table widely_shared as {_WIDELY_SHARED}", {"above": above})
    return frozenset(hash_ for (hash_,) in database.sql("select hash from widely_shared").fetchall())


def rows_that_share(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """Rows that have what `widely_shared` found: `row`, in order."""
    return database.sql(_ROWS)
