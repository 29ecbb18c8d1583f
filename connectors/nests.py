"""Nested tables: many rows to a leading one, matched on a key out of core, then cut along the leading parts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.joins import BARE
from connectors.sorted_rows import SortedRows
from connectors.spool import Part, Spool
from connectors.spool_tables import UNREADABLE

# A nested row belongs to the first of the leading rows that have its key, and stands in the payload of each of them.
# Its row number is its place among all nested rows, by leading row, and those without one last.
# One thread, and order only where it is asked for: wide rows are joined and sorted here, in little memory.
_NUMBERED = """
    set threads = 1;
    set preserve_insertion_order = false;
    create temp table keyed as select row as nested_row, bare("{theirs}") as key from nested_rows;
    create temp table leads as
        select row as lead_row, bare("{lead}") as key from lead_rows
        semi join (select key from keyed where key <> '') as known on known.key = bare("{lead}");
    create temp table parents as
        select key, min(lead_row) as parent from leads group by key;
    create temp table families as
        select parent, count(*) as siblings, min(nested_row) as eldest from keyed join parents using (key)
        group by parent;
    create temp table numbered as
        select nested_row, parent, {start} - 1 + row_number() over (order by parent nulls last, nested_row) as row
        from keyed left join parents using (key);
    create temp table echoes as
        select lead_row, parent from leads join parents using (key) where lead_row <> parent;
    drop table keyed;
    drop table leads;
    drop table parents
"""
_OWN = """
    select numbered.row, parent, siblings, {columns}, file, line
    from numbered left join families using (parent) join nested_rows on nested_rows.row = nested_row
    where parent is not null or {orphans} order by numbered.row
"""
_AGAIN = """
    select numbered.row, lead_row as parent, siblings, {columns}, file, line
    from echoes join families using (parent)
    join numbered on numbered.parent = echoes.parent and (siblings <= {most} or nested_row = eldest)
    join nested_rows on nested_rows.row = nested_row
    order by lead_row, numbered.row
"""
_ORPHANS = """
    select file, count(*) from numbered join nested_rows on nested_rows.row = nested_row
    where parent is null group by file
"""


@dataclass(frozen=True, slots=True)
class Nest:
    """A nested table's rows by the leading part (its number) that they belong to.

    `again`: rows that stand in a further payload, and belong to another leading row; their parts count no rows, and
    a family that is too large to be sent is told by its first row. `orphans` belong to none. `left_out`: orphans per
    file that were not kept. `end_row`: one past the last row's number.
    """

    children: Mapping[int, tuple[Part, ...]]
    again: Mapping[int, tuple[Part, ...]]
    orphans: tuple[Part, ...]
    left_out: Mapping[int, int]
    end_row: int


@dataclass(frozen=True, slots=True)
class NestRules:
    """`width`: columns of the nested table; `keys`: the key's places in the leading and in the nested table.

    Of `edges` no character around a key counts, as in `joins`. Parts are cut after `part_rows`, between families;
    those of more than `most` anywhere: they are not sent.
    """

    table: str
    width: int
    keys: tuple[int, int]
    edges: str
    part_rows: int
    most: int
    keep_orphans: bool
    also: tuple[str, ...] = ()  # columns that the rows have besides, by name


def nest(spool: Spool, parts: Sequence[Part], rules: NestRules, first_number: int) -> Nest:
    """Write the nested rows as parts of their own, sorted by leading row: `row`, `parent`, `siblings`, their text.

    Numbers of parts begin with `first_number`, numbers of rows after the last leading one.
    """
    lead, theirs = rules.keys
    names = [*map(str, range(rules.width)), *(name for name in rules.also)]
    columns = ", ".join(f'nested_rows."{name}"' for name in names)
    with spool.database() as database:
        database.execute(BARE.format(edges=rules.edges))
        if parts:
            database.register("lead_rows", spool.relation(database, "rows"))
        else:
            database.execute(f'create table lead_rows (row bigint, "{lead}" varchar)')
        database.register("nested_rows", spool.relation(database, f"joining/{rules.table}"))
        start = parts[-1].end_row if parts else 0
        database.execute(_NUMBERED.format(lead=lead, theirs=theirs, start=start))
        orphans = "true" if rules.keep_orphans else "false"
        own = _pieces(database.sql(_OWN.format(columns=columns, orphans=orphans)))
        writer = _Writer(spool, rules, "rows", first_number, start)
        children = {part.number: tuple(writer.write(own.below(part.end_row))) for part in parts}
        alone = tuple(writer.write(own.below(None)))
        again = _Writer(spool, rules, "again", 0, 0)
        rest = _pieces(database.sql(_AGAIN.format(columns=columns, most=rules.most)))
        echoes = {part.number: tuple(again.write(rest.below(part.end_row))) for part in parts}
        left_out = {} if rules.keep_orphans else dict(database.sql(_ORPHANS).fetchall())
        return Nest(children, echoes, alone, left_out, writer.row)


def rows_schema(rules: NestRules) -> pa.Schema:
    """Of the parts' rows, as they are written."""
    text = [pa.field(name, pa.string()) for name in (*map(str, range(rules.width)), *rules.also)]
    numbers = [pa.field(name, pa.int64()) for name in ("row", "parent", "siblings")]
    return pa.schema([*numbers, *text, pa.field("file", pa.int32()), pa.field("line", pa.int64())])


def _pieces(found: duckdb.DuckDBPyRelation) -> SortedRows:
    reader = found.to_arrow_reader(10_000)
    return SortedRows((pa.Table.from_batches([batch]) for batch in reader), "parent")


class _Writer:
    """Cuts sorted rows into parts and writes them."""

    def __init__(self, spool: Spool, rules: NestRules, kind: str, number: int, row: int) -> None:
        self.spool, self.rules, self.kind = spool, rules, kind
        self.number, self.row = number, row

    def write(self, pieces: Iterator[pa.Table]) -> Iterator[Part]:
        """The pieces as parts, each written before it is given."""
        held: list[pa.Table] = []
        for piece in pieces:
            at = self._may_end(held, piece) if sum(each.num_rows for each in held) >= self.rules.part_rows else None
            if at is not None:
                yield self._seal([*held, piece.slice(0, at)])
                held = []
            held.append(piece.slice(at or 0))
        if held:
            yield self._seal(held)

    def _may_end(self, held: Sequence[pa.Table], piece: pa.Table) -> int | None:
        """The first place in the piece where no family is torn that is sent."""
        parents = pc.fill_null(piece.column("parent"), -1).to_numpy()
        before = pc.fill_null(held[-1].column("parent"), -1)[-1].as_py()
        sent = pc.fill_null(pc.less_equal(piece.column("siblings"), self.rules.most), False).to_numpy()
        places = np.flatnonzero((parents != np.concatenate([[before], parents[:-1]])) | ~sent)
        return int(places[0]) if len(places) else None

    def _seal(self, held: Sequence[pa.Table]) -> Part:
        rows = pa.concat_tables(held).cast(rows_schema(self.rules))
        part = Part(self.number, self.row, rows.num_rows, table=self.rules.table)
        self.spool.write(self.kind, part, rows)
        if self.kind == "rows":
            self.spool.write("unreadable", part, UNREADABLE.empty_table())
        self.number, self.row = self.number + 1, part.end_row
        return part
