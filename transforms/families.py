"""Family rules over a whole file: who is held for whose sake, and who is sent after whom."""

import duckdb

from transforms.kinship import climb

# Leading rows with what became of them so far; children of rows that are sent have no fate yet.
_BEGIN = """
    create or replace temp view fates as
        select standing.row, hash(key) as person, coalesce(standing.fate, dropped.fate) as fate
        from standing left join dropped using (row);
    create or replace temp view of_file as select hash(key) as person from standing;
    create or replace temp view undecided as
        select row from fates where fate is null union all select row from born where fate is null;
    create or replace temp table held (row bigint, fate varchar, code varchar)
"""
_HOLD = """
    insert into held
        select distinct row, '{fate}', '{code}' from ({rows}) as found
        semi join undecided using (row) anti join held using (row)
"""
# Who is forgotten stands in the payload of the parent, who waits until they are out of the source.
_FORGOTTEN = "select {row} as row from born semi join forgotten on forgotten.key = born.key"
_TOO_MANY = """
    select row from links
    semi join (select parent from links where flat and stands group by parent having count(*) > {most}) using (parent)
    where flat and stands
"""
_TORN = """
    create or replace temp table torn as
        select child from links group by child having min(parent) <> max(parent);
    create or replace temp table tree as
        select child as node, any_value(parent) as top from links anti join torn using (child)
        where stands group by child
"""
# In nested form the child is in both parents' payloads.
_TWO_PARENTS = "select unnest([row, lead_row]) as row from links semi join torn using (child)"
_CIRCLES = """
    create or replace temp table circles as
        select distinct top as person from hops semi join (select node as top from hops) using (top)
"""
_CYCLE = """
    select row from fates semi join circles using (person)
    union all
    select row from links semi join (select person as child from circles) using (child) where not flat
"""
# People of this file who will not be there when their children are sent.
_MISSING = """
    create or replace temp table missing as
        select person from fates left join held using (row)
        where coalesce(held.fate, fates.fate, 'unchanged') <> 'unchanged'
        union
        select person from (select hash(key) as person from prepared where fate = 'filtered' and key is not null)
        anti join of_file using (person)
        union
        select child from links join born using (row) left join held using (row)
        anti join of_file on of_file.person = child
        where not flat and coalesce(held.fate, born.fate) is not null
"""
# Ways up from whoever goes by the parent: rows that name one, and children without a row of their own. A way ends at
# the first who is missing, and at rows that are not sent because nothing changed.
_GOING_BY_PARENTS = """
    select node, top from tree
    anti join (select person as node from missing) as missing using (node)
    anti join (select person as node from fates where fate is not null) as decided using (node)
    semi join (select child as node from links where flat and stands
               union select child from links anti join of_file on of_file.person = child) as going using (node)
"""
_NOT_LOADED = """
    select row from links join hops on hops.node = child semi join missing on missing.person = hops.top
    where flat and stands
"""
_WITH_PARENTS = """
    insert into held
        select born.row, coalesce(held.fate, prepared.fate, dropped.fate), 'family.parent'
        from born join prepared on prepared.row = lead_row
        left join held on held.row = lead_row left join dropped on dropped.row = lead_row
        anti join (select row from held) as already on already.row = born.row
        where born.fate is null and coalesce(held.fate, prepared.fate, dropped.fate) is not null
"""
_HELD = "select row, fate, code, null::bigint as stands_for from held order by row"
# Whoever is in nobody's family is no `node` and no `top`.
_WAVES = """
    create or replace temp table sent as
        select row, person, coalesce(hops.top, person) as root, coalesce(hops.steps, 0) as steps
        from fates anti join held using (row) left join hops on hops.node = person
        semi join (select node as relative from hops union select top from hops) on relative = person
        where fate is null;
    create or replace temp table waiting as
        select sent.* from sent
        semi join (select root from sent group by root having count(*) > 1) as several using (root)
"""
_WAVE = """
    select waiting.row, row_number() over (partition by root order by steps, waiting.row) as wave,
           parents.row as waits_for
    from waiting left join tree on tree.node = person
    left join (select who, min(row) as row
               from (select person as who, row from sent
                     union all
                     select child, links.row from links semi join sent on sent.row = lead_row where not flat)
               group by who) as parents on who = tree.top
    order by wave, waiting.row
"""


def held_for_families(database: duckdb.DuckDBPyConnection, max_children: int) -> duckdb.DuckDBPyRelation:
    """Rows that are not sent for their family's sake: `row, fate, code, stands_for`, ordered by row.

    A row that breaks several rules is told of the first: a child who is forgotten, a child who shares an identifier
    with the parent, too many children, two parents, a cycle, a parent who is not loaded, and a child in the payload of
    such a parent.
    The database is one that `kinship.read_kinship` has read; what became of rows before is in its view `dropped`, and
    whom the ledger has forgotten in `forgotten`.
    """
    database.execute(_BEGIN)
    _hold(database, "invalid", "customer.forgotten", _FORGOTTEN.format(row="born.row"))
    _hold(database, "invalid", "family.child_forgotten", _FORGOTTEN.format(row="lead_row"))
    _hold(database, "invalid", "family.own_parent", "select row from of_own_parent")
    _hold(database, "invalid", "family.too_many_children", _TOO_MANY.format(most=max_children))
    database.execute(_TORN)
    _hold(database, "conflict", "family.two_parents", _TWO_PARENTS)
    climb(database, "select node, top from tree")
    database.execute(_CIRCLES)
    _hold(database, "conflict", "family.cycle", _CYCLE)
    database.execute(_MISSING)
    climb(database, _GOING_BY_PARENTS)
    _hold(database, "invalid", "family.parent_not_loaded", _NOT_LOADED)
    database.execute(_WITH_PARENTS)
    return database.sql(_HELD)


def _hold(database: duckdb.DuckDBPyConnection, fate: str, code: str, rows: str) -> None:
    database.execute(_HOLD.format(fate=fate, code=code, rows=rows))


def waves(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """Rows that go one after another, parents first: `row, wave` (1, 2, …), `waits_for`, ordered by wave and row.

    `waits_for`: the row of the parent, or of the parent in somebody's payload; null where none is sent. Of a family,
    connected over links from child to parent, no two rows have one wave; a family of which one row is sent has none.
    Asked after `held_for_families`, of the same database.
    """
    # Nobody of a cycle is sent, but a child of one may be: by a row of its own that names no parent.
    climb(database, "select node, top from tree anti join (select person as node from circles) using (node)")
    database.execute(_WAVES)
    return database.sql(_WAVE)
