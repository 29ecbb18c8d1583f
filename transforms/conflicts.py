"""Conflicts: one identifier, many customers. The API would merge them, and a merge cannot be undone.

Who stands for evidence are all rows of customers that stand, sent or not: what is not sent today was sent before, or
will be. Looked at are the identifiers of rows to be sent, and whoever has one of these too.
"""

from typing import Literal

import duckdb

from transforms.clusters import write_components
from transforms.slices import OF_SLICE, gather_hashes, hash_slices, row_slices

Rule = Literal["hold", "hold all", "keep_first"]

# Where fewer than one row in so many is sent, theirs are looked for among all; else all that two customers have.
FEW = 10

_SIZES = """
    select coalesce(max(row) + 1, 0), count(*) filter (fate is null) - (select count(*) from dropped),
           (select coalesce(sum(len(identifiers)), 0) from people)
           + (select coalesce(sum(len(identifiers)), 0) from accepted)
    from prepared
"""
_ROWS = "create or replace temp view people as select row, key, fate, identifiers from prepared"
# Children and parents are people whom the row brings along.
_ROWS_AND_MENTIONS = f"""
    {_ROWS} union all
    select row, mentions.key, fate, mentions.identifiers from mentions join prepared using (row)
"""
# Whose an identifier is: by 64 bits of the key, so that nothing but numbers is kept. That the keys of two customers who
# share one look alike is less likely than that this computer errs.
_PEOPLE = """
    select row, hash(key) as whose, fate is null as sound, unnest(identifiers) as hash
    from people where key is not null and coalesce(fate, 'invalid') = 'invalid'
"""
# What the API has, or may have, of customers by now.
_REMEMBERED = "select hash(key) as whose, unnest(identifiers) as hash from accepted where digest is not null"
_OF_TWO = f"""
    select hash from (select whose, hash from ({_PEOPLE}) union all {_REMEMBERED})
    where {OF_SLICE} group by hash having min(whose) <> max(whose)
"""
_OF_FEW = """
    select distinct unnest(identifiers) as hash
    from (select row, identifiers from people where fate is null and row >= $start and row < $stop)
    anti join (select row from dropped where row >= $start and row < $stop) using (row)
"""
_MET = f"""
    select met.* from (select * from ({_PEOPLE}) semi join wanted using (hash)) as met
    anti join (select row from dropped where fate = 'duplicate') as duplicates using (row)
"""
# From the small side: of the millions of rows that are unchanged, few are met here.
_MARKED = """
    select met.row, whose, hash, sound and gone.row is null as to_be_sent
    from met left join (select distinct row from dropped semi join met using (row)) as gone using (row)
"""
_SHARES = """
    select marked.* from marked
    semi join (select hash from marked group by hash having min(whose) <> max(whose) and bool_or(to_be_sent)) as shared
    using (hash)
"""
_OF_ANOTHER = f"""
    select distinct row from marked join ({_REMEMBERED}) as remembered using (hash)
    where to_be_sent and marked.whose <> remembered.whose
"""
_SHARING = "select distinct row from shares where to_be_sent"
# Whom the ledger remembers comes first, then who stands first; unless one row brings two people whom the API would
# merge.
_BUT_FIRST = f"""
    with known as (select distinct whose from (select hash(key) as whose from accepted where digest is not null)
                   semi join shares using (whose)),
         kept as (select coalesce(min(row) filter (known.whose is not null), min(row)) as row
                  from shares join components using (row) left join known using (whose) group by root),
         twice as (select row from shares group by row, hash having min(whose) <> max(whose))
    select * from ({_SHARING}) anti join (select row from kept anti join twice using (row)) as sent using (row)
"""
_HELD = """
    select row, 'conflict' as fate,
           case when not bool_or(shared) then 'identity.of_another'
                when not bool_or(another) then 'identity.shared'
                else 'identity.shared;identity.of_another' end as code,
           null::bigint as stands_for
    from (select row, true as shared, false as another from sharing
          union all select row, false as shared, true as another from of_another)
    group by row order by row
"""
_CLUSTERS = """
    select row, root as cluster, hash as shared, to_be_sent from shares join components using (row) order by row, shared
"""


def conflicts(
    database: duckdb.DuckDBPyConnection, rule: Rule, *, with_mentions: bool = False
) -> duckdb.DuckDBPyRelation:
    """Rows that are held because they share an identifier: `row, fate, code, stands_for`, ordered by row.

    Several customers of the file that share one are a cluster, with whoever shares another with one of them. Under
    `keep_first` one row of it stays: that of a remembered customer, else the first; where that one is not sent,
    nobody is sent in its place, nor where it brings two people with one identifier itself. An identifier of another
    remembered customer holds a row under any rule.

    The database has the views `prepared` (`row, key, identifiers, fate`), `dropped` (`row, fate`) and `accepted`
    (`key, digest, identifiers`: what the API has, or may have, of customers by now); `with_mentions`, also `mentions`
    (`row, key, identifiers`: children and parents in the payload of a row).
    """
    database.execute(_ROWS_AND_MENTIONS if with_mentions else _ROWS)
    rows, to_be_sent, hashes = database.sql(_SIZES).fetchall()[0]
    few = to_be_sent * FEW < rows
    gather_hashes(database, "wanted", *((_OF_FEW, row_slices(rows)) if few else (_OF_TWO, hash_slices(hashes))))
    steps = {"met": _MET, "marked": _MARKED, "shares": _SHARES, "of_another": _OF_ANOTHER}
    for name, question in steps.items():
        database.execute(f"create or replace temp table {name} as {question}")
    database.execute("drop table wanted; drop table met; drop table marked")
    write_components(database)
    sharing = _BUT_FIRST if rule == "keep_first" else _SHARING
    database.execute(f"create or replace temp table sharing as {sharing}")
    return database.sql(_HELD)


def clusters(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """What `conflicts` found to hang together: `row, cluster, shared` (one hash a line), `to_be_sent`, by row.

    Rows that are not sent are in it too. A cluster goes by the number of its first row.
    """
    return database.sql(_CLUSTERS)
