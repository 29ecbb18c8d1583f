"""Who is whose child in a whole file: every mention of a person, and the links between persons.

A person is a customer by key; where a mention has no identifier of the key's type, the customer who has the mention's
first identifier: of the leading table, or one whom the ledger remembers; else somebody else, by that identifier.

The database has the views `prepared` (leading rows; `children` says whom each bears), `nested` (rows of the nested
table; left out where the job has none), `dropped`, in which duplicates are by then, and `accepted` and `known_children`
as the ledger remembers them.
"""

import duckdb

# Nobody filtered or stood for by another row is evidence of anything; invalid rows are.
_STANDING = """
    create or replace temp view standing as
        select prepared.* from prepared
        anti join (select row from dropped where fate = 'duplicate') as dropped using (row)
        where key is not null and coalesce(fate, '') <> 'filtered'
"""
_NO_NESTED = """
    create temp table nested as
        select row, fate, key, digest, true as keyed, identifiers, row as parent from prepared where false
"""
# Several rows bear a child who is in the payload of each: one customer's, or those of a household with one key.
_BEARERS = """
    create or replace temp table bearers as
        select unnest(children) as row, row as lead_row, key,
               case coalesce(prepared.fate, dropped.fate, '') when '' then 0 when 'unchanged' then 1
                    when 'filtered' then 3 when 'duplicate' then 3 else 2 end as worse
        from prepared left join dropped using (row) where len(children) > 0
"""
_NO_BEARERS = """
    create or replace temp table bearers as select row, row as lead_row, key, 0 as worse from prepared where false
"""
# A child belongs to the row that is sent with it; to one that is not where there is none. Nobody bears a child who has
# a fate: it belongs to the row that stands for its parent's.
_BORN = """
    create or replace temp table born as
        select nested.row, coalesce(bearer.lead_row, stands_for, nested.parent) as lead_row, fate, key, keyed,
               identifiers
        from nested
        left join (select row, arg_min(lead_row, (worse, lead_row)) as lead_row from bearers where worse < 3
                   group by row) as bearer using (row)
        left join (select row as parent, stands_for from dropped where fate = 'duplicate') using (parent)
        where nested.parent is not null and coalesce(fate, '') <> 'duplicate'
"""
# Rows of other customers that bear the child too.
_BORN_AGAIN = """
    create or replace temp table born_again as
        select born.row, bearers.lead_row, born.key, keyed, born.identifiers
        from bearers join born using (row) join standing on standing.row = born.lead_row
        where worse < 3 and bearers.key <> standing.key
"""
# What the API said of children, or did not say, when they were sent last as they are.
_SENT_BEFORE = """
    create or replace temp table sent_before as
        select born.row, lead_row, known_children.fate from born join nested on nested.row = born.row
        join known_children on known_children.key = nested.key and known_children.digest = nested.digest
        where born.fate is null and known_children.fate in ('refused', 'in_doubt')
"""
# The parent's payload was made without them (`children.bear`).
_OWN = """
    create or replace temp table of_own_parent as
        select born.row from born join standing on standing.row = lead_row
        where list_has_any(born.identifiers, standing.identifiers)
"""
_NAMED = """
    select row, true as stands, key as child, parent_key, relatives from standing where len(relatives) > 0
    union all
    -- A row that another one stands for says still who the parent is.
    select row, false, key, parent_key, relatives from prepared
    semi join (select row from dropped where fate = 'duplicate') as dropped using (row) where len(relatives) > 0
"""
_NOBODY_NAMED = """
    select row, true as stands, key as child, key as parent_key, identifiers as relatives from prepared where false
"""
# Persons are numbers here: keys take room, and with many people most of it.
_PEOPLE = """
    create or replace temp table unkeyed as
        select distinct identifiers[1] as first from born where not keyed and len(identifiers) > 0
        union select distinct relatives[1] from named where parent_key is null;
    create or replace temp table owners as
        select first, key
        from (select first, min(row) as row
              from (select row, unnest(identifiers) as first from standing) semi join unkeyed using (first)
              group by first)
        join standing using (row);
    insert into owners
        select first, min(key) as key
        from (select key, unnest(identifiers) as first from accepted
              union all select key, unnest(identifiers) from known_children)
        semi join unkeyed using (first) anti join owners using (first) group by first;
    create or replace temp table links as
        select row, lead_row, flat, stands, identifiers, mentioned,
               hash(case when flat then mentioned else key end) as parent,
               hash(case when flat then key else mentioned end) as child
        from (
            select born.row, lead_row, false as flat, true as stands, born.identifiers, standing.key,
                   case when keyed then born.key else coalesce(owners.key, {other_child}) end as mentioned
            from (select row, lead_row, key, keyed, identifiers from born anti join of_own_parent using (row)
                  union all from born_again) as born
            join standing on standing.row = lead_row
            left join owners on owners.first = born.identifiers[1]
            where len(born.identifiers) > 0
            union all
            select row, row, true, stands, relatives, child, coalesce(parent_key, owners.key, {other_parent})
            from named left join owners on owners.first = relatives[1]
        )
"""
# Keys are 16 bytes long; this is longer, and nobody's key.
_OTHER = "encode('identifier ' || {identifier}::varchar)"
_MENTIONS = """
    create or replace temp view mentions as
        select lead_row as row, mentioned as key, identifiers from links where stands
"""


def read_kinship(database: duckdb.DuckDBPyConnection) -> None:
    """Find all mentions and links: the view `mentions`, and the tables that `families` asks for."""
    columns = set(database.view("prepared").columns)
    database.execute(_STANDING)
    if not _has(database, "nested"):
        database.execute(_NO_NESTED)
    database.execute(_BEARERS if "children" in columns else _NO_BEARERS)
    database.execute(_BORN)
    database.execute(_BORN_AGAIN)
    database.execute(_SENT_BEFORE)
    database.execute(_OWN)
    named = _NAMED if "relatives" in columns else _NOBODY_NAMED
    database.execute(f"create or replace temp view named as {named}")
    other_child = _OTHER.format(identifier="born.identifiers[1]")
    database.execute(_PEOPLE.format(other_child=other_child, other_parent=_OTHER.format(identifier="relatives[1]")))
    database.execute(_MENTIONS)


def mentions(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """Children and parents as people: `row` (of the leading row that sends them), `key`, `identifiers`, by row.

    They are in the same form as the leading rows themselves, so that an identifier of two persons is found among all.
    """
    return database.sql("from mentions order by row")


def _has(database: duckdb.DuckDBPyConnection, name: str) -> bool:
    return bool(_number(database, f"select count(*) from duckdb_views() where view_name = '{name}'"))


# Each person's way up: `node`, `top` (the farthest ancestor found), `steps`; doubled until nobody gets farther.
_HOPS = "create or replace temp table hops as select node, top, 1 as steps from ({links})"
_DOUBLED = """
    create or replace temp table farther as
        select hops.node, coalesce(up.top, hops.top) as top, hops.steps + coalesce(up.steps, 0) as steps
        from hops left join hops as up on up.node = hops.top;
    create or replace temp table hops as select * from farther
"""
_ON_THE_WAY = """
    select count(*) from (select distinct top from hops semi join (select node as top from hops) using (top))
"""


def climb(database: duckdb.DuckDBPyConnection, links: str) -> None:
    """Follow `links` (a query of `node, top`, one a node) to the end, as the table `hops`.

    What then still leads on, leads in a circle: each person's `top` there is in a cycle, and each of a cycle is
    somebody's `top`. For while more steps reach fewer persons, ways end; when they reach the same, none does.
    """
    database.execute(_HOPS.format(links=links))
    before = -1
    while (reached := _number(database, _ON_THE_WAY)) not in (0, before):
        before = reached
        database.execute(_DOUBLED)


def _number(database: duckdb.DuckDBPyConnection, question: str) -> int:
    ((number,),) = database.sql(question).fetchall()
    return int(number)
