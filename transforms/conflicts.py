"""Conflicts: one identifier, many customers. The API would merge them, and a merge cannot be undone.

Who stands for evidence are all rows of customers that stand, sent or not: what is not sent today was sent before, or
will be. Looked at are the identifiers of rows to be sent, and whoever has one of these too.
"""

from typing import Literal

import duckdb

from transforms.clusters import write_components

Rule = Literal["hold", "hold all", "keep_first"]

# Where fewer than one row in so many is sent, theirs are looked for among all; else all that are met twice.
FEW = 10

_PEOPLE = """
    select row, key, fate is null as sound, unnest(identifiers) as hash
    from prepared where key is not null and coalesce(fate, 'invalid') = 'invalid'
"""
_TO_BE_SENT = "select row, key, identifiers from prepared anti join dropped using (row) where fate is null"
_COUNTS = """
    select (select count(*) from prepared), (select count(*) from prepared where fate is null)
           - (select count(*) from dropped)
"""
_OF_FEW = f"select distinct unnest(identifiers) as hash from ({_TO_BE_SENT})"
_MET_TWICE = f"select hash from ({_PEOPLE}) group by hash having count(*) > 1"
_MET = f"""
    select met.* from (select * from ({_PEOPLE}) semi join wanted using (hash)) as met
    anti join (select row from dropped where fate = 'duplicate') as duplicates using (row)
"""
# From the small side: of the millions of rows that are unchanged, few are met here.
_MARKED = """
    select met.row, key, hash, sound and gone.row is null as to_be_sent
    from met left join (select distinct row from dropped semi join met using (row)) as gone using (row)
"""
_LINKS = """
    select marked.* from marked
    semi join (select hash from marked group by hash having count(distinct key) > 1 and bool_or(to_be_sent)) as shared
    using (hash)
"""
# What the API may have of others; a row to be sent must not carry it.
_REMEMBERED = "select key as owner, unnest(identifiers) as hash from accepted where digest is not null"
_OF_ANOTHER_OF_FEW = f"""
    select distinct row from marked join ({_REMEMBERED}) as remembered using (hash) where to_be_sent and owner <> key
"""
_OF_ANOTHER = f"""
    select distinct row from ({_PEOPLE}) as people join ({_REMEMBERED}) as remembered using (hash)
    anti join dropped using (row)
    where sound and owner <> key
"""
_RANKED = """
    select row, root, to_be_sent,
           row_number() over (partition by root order by known desc, row) as place
    from (select distinct row, key, to_be_sent, key in (select key from accepted semi join links using (key)
                                                        where digest is not null) as known
          from links) as members
    join components using (row)
"""
_HELD = """
    select row, 'conflict' as fate, string_agg(code, ';' order by code desc) as code, null::bigint as stands_for
    from (select row, 'identity.shared' as code from ranked where to_be_sent and place > $kept
          union all select row, 'identity.of_another' as code from of_another)
    group by row order by row
"""
_CLUSTERS = """
    select row, cluster, shared, to_be_sent
    from (select row, list(hash order by hash) as shared, bool_or(to_be_sent) as to_be_sent from links group by row)
    join components using (row)
    join (select root, row_number() over (order by root) as cluster
          from (select distinct root from components)) as numbered using (root)
    order by row
"""


def conflicts(database: duckdb.DuckDBPyConnection, rule: Rule) -> duckdb.DuckDBPyRelation:
    """Rows that are held because they share an identifier: `row, fate, code, stands_for`, ordered by row.

    Several customers of the file that share one are a cluster, with whoever shares another with one of them. Under
    `keep_first` one row of it stays: that of a remembered customer, else the first; where that one is not sent,
    nobody is sent in its place. An identifier of another remembered customer holds a row under any rule.

    The database has the views `prepared` (`row, key, identifiers, fate`), `dropped` (`row, fate`) and `accepted`
    (`key, digest, identifiers`: what the API has, or may have, of customers by now).
    """
    everybody, to_be_sent = database.sql(_COUNTS).fetchall()[0]
    few = to_be_sent * FEW < everybody
    for name, question in {
        "wanted": _OF_FEW if few else _MET_TWICE,
        "met": _MET,
        "marked": _MARKED,
        "links": _LINKS,
        "of_another": _OF_ANOTHER_OF_FEW if few else _OF_ANOTHER,
    }.items():
        database.execute(f"create or replace temp table {name} as {question}")
    database.execute("drop table wanted; drop table met; drop table marked")
    write_components(database)
    database.execute(f"create or replace temp table ranked as {_RANKED}")
    return database.sql(_HELD, params={"kept": 1 if rule == "keep_first" else 0})


def clusters(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """What `conflicts` found to hang together: `row, cluster` (from 1), `shared` (hashes), `to_be_sent`, by row.

    Rows that are not sent are in it too. Clusters are numbered in the order of their first rows.
    """
    return database.sql(_CLUSTERS)
