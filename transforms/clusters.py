"""Clusters: rows that hang together by what they share, however long the chain; out of core, in DuckDB.

Alternating large stars and small stars (Kiveris and others, Connected Components in MapReduce and Beyond, 2014): each
round hangs every row on the smallest row that it knows of, until all of a cluster hang on its smallest row alone. That
takes about as many rounds as the longest chain has binary digits.
"""

import duckdb

# Both ways, so that every row sees all its neighbours; then those above a row go to the smallest that it sees.
_LARGE_STARS = """
    with pairs as (select child as here, parent as there from edges
                  union all select parent as here, child as there from edges),
         least as (select here, least(here, min(there)) as root from pairs group by here)
    select distinct there as child, root as parent from pairs join least using (here) where there > here
"""
# What a row hangs on goes to the smallest of it, and so does the row.
_SMALL_STARS = """
    with least as (select child, min(parent) as root from edges group by child)
    select child, root as parent from least
    union
    select edges.parent as child, root as parent from edges join least using (child) where edges.parent <> root
"""
_ARE_STARS = """
    select not exists (select child from edges group by child having count(*) > 1)
       and not exists (from edges as lower semi join edges as upper on lower.parent = upper.child)
"""
_LINKED = """
    select distinct row as child, least_row as parent
    from shares join (select hash, min(row) as least_row from shares group by hash) using (hash)
    where row > least_row
"""
_CLUSTERED = """
    select child as row, parent as root from edges
    union all select distinct parent as row, parent as root from edges
"""


def write_components(database: duckdb.DuckDBPyConnection) -> None:
    """Make the table `components` (`row, root`: the smallest row of its cluster) of the table `shares` (`row, hash`).

    Rows hang together that have a hash in common. Whoever shares none is in no cluster.
    """
    database.execute(f"create or replace temp table edges as {_LINKED}")
    while not database.sql(_ARE_STARS).fetchall()[0][0]:
        for step in (_LARGE_STARS, _SMALL_STARS):
            database.execute(f"create or replace temp table further as {step}")
            database.execute("drop table edges; alter table further rename to edges")
    database.execute(f"create or replace temp table components as {_CLUSTERED}")
    database.execute("drop table edges")
