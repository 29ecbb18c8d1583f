"""Tables that join the leading one: matched on a key out of core, then cut along the leading table's parts."""

from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.private import private
from connectors.spool import Part, Spool
from schemas.rows import RawRows

# DuckDB's `trim` with a set of characters builds the set for each row: 25 times as slow as looking first.
BARE = """
    create macro bare(key) as
    case when left(key, 1) between '!' and '~' and right(key, 1) between '!' and '~' then key
         else trim(key, '{edges}') end
"""
# The joined table's columns are named by place, as the leading one's are; `lead` and `theirs` are key columns.
_MATCHED = """
    with keyed as (select *, bare("{theirs}") as join_key from joined_rows),
    theirs as (
        select *,
               count(*) over (partition by join_key) > 1 as several,
               row_number() over (partition by join_key order by row) as nth
        from keyed where join_key <> ''
    )
    select lead_rows.row as lead_row, {columns}, coalesce(theirs.several, false) as several
    from lead_rows left join theirs on bare(lead_rows."{lead}") = theirs.join_key and theirs.nth = 1
    order by lead_rows.row
"""
_UNMATCHED = """
    select count(*) from joined_rows
    where coalesce(bare("{theirs}"), '') = ''
       or not exists (select 1 from lead_rows where bare(lead_rows."{lead}") = bare(joined_rows."{theirs}"))
"""


def join(spool: Spool, parts: Sequence[Part], table: str, width: int, keys: tuple[int, int], edges: str) -> int:
    """Write what `table` has for each leading row, part by part; return its rows that no leading row asked for.

    `keys` are the places of the key in the leading and the joined table; of `edges`, no character around a key counts;
    they are blanks and what cannot be seen, never printable ASCII.
    A row's first match in file order is written; `several` says that there are more.
    """
    lead, theirs = keys
    with spool.database() as database:
        database.execute(BARE.format(edges=edges))
        lead_rows = spool.relation(database, "rows")
        joined_rows = spool.relation(database, f"joining/{table}")
        database.register("lead_rows", lead_rows)
        database.register("joined_rows", joined_rows)
        columns = ", ".join(f'theirs."{place}"' for place in range(width))
        matched = database.sql(_MATCHED.format(lead=lead, theirs=theirs, columns=columns))
        _cut(spool, parts, table, matched)
        (unmatched,) = database.execute(_UNMATCHED.format(lead=lead, theirs=theirs)).fetchone() or (0,)
        return int(unmatched)


def _cut(spool: Spool, parts: Sequence[Part], table: str, matched: duckdb.DuckDBPyRelation) -> None:
    """Cut one long table, sorted by leading row, into files as long as the parts."""
    reader = matched.to_arrow_reader(50_000)
    held = pa.table(
        {name: pa.array([], kind) for name, kind in zip(reader.schema.names, reader.schema.types, strict=True)}
    )
    for part in parts:
        while held.num_rows < part.rows:
            held = pa.concat_tables([held, pa.Table.from_batches([reader.read_next_batch()])])
        spool.write(f"joined/{table}", part, held.slice(0, part.rows).drop_columns(["lead_row"]))
        held = held.slice(part.rows)


def write_joining(spool: Spool, table: str, number: int, rows: pa.Table) -> None:
    """Keep some rows of a joined table until they are matched."""
    folder = spool.folder / "joining" / table
    folder.mkdir(mode=0o700, exist_ok=True)
    with private(folder / f"{number:05}.parquet") as file:
        pq.write_table(rows, file, compression="lz4", use_dictionary=False)


def joining_rows(spool: Spool, table: str, columns: Sequence[str]) -> Iterator[RawRows]:
    """A joined table as a run read it, under its columns' names; its lines that were no rows are left out."""
    for path in sorted((spool.folder / "joining" / table).glob("*.parquet")):
        rows = pq.read_table(path)
        for place in pc.unique(rows.column("file")).to_pylist():
            of_file = rows.filter(pc.equal(rows.column("file"), place)).combine_chunks()
            arrays = [of_file.column(str(at)).combine_chunks() for at in range(len(columns))]
            batch = pa.RecordBatch.from_arrays(arrays, names=list(columns))
            yield RawRows(place, batch, of_file.column("line").combine_chunks())
