"""What a retried row was first: the run, file and line that it was read from, and its fate there."""

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

COLUMNS = ("first_run", "first_file", "first_line", "first_fate")
_FIRSTS = """
    with met as (
        select * from results
        union all by name
        -- Results of bulkload 0.1.0 have no firsts.
        select null::varchar as first_run, null::varchar as first_file, null::bigint as first_line,
               null::varchar as first_fate
        where false
    ),
    lines as (
        select coalesce(first_file, file) as file, coalesce(first_line, line) as line,
               {'run': coalesce(first_run, $run), 'fate': coalesce(first_fate, fate)} as first
        from met
    ),
    said as (
        select row, _file as file, try_cast(_line as bigint) as line from rows
        where trim(coalesce(_file, '') || coalesce(_line, '')) <> ''
    )
    -- A row that was retried twice in one file stands in the results twice, and was the same first.
    select row, min(first).run as first_run, file as first_file, line as first_line, min(first).fate as first_fate
    from said left join lines using (file, line)
    group by row, file, line
    order by row
"""


def first_fates(database: duckdb.DuckDBPyConnection, run: str) -> duckdb.DuckDBPyRelation:
    """What rows of a rejected file were first: `row` and `COLUMNS`, ordered by row.

    Of a row that `run` had from a retry itself, that is what it was before. A row that was added by hand names
    no line and is left out; one that names a line which `run` did not read has no `first_run`.

    The database has the views `rows` (`row, _file, _line`) and `results` (those of `run`).
    """
    return database.sql(_FIRSTS, params={"run": run})


def linked(closed: pa.Table, firsts: pa.Table) -> pa.Table:
    """A closed part with `COLUMNS` behind it, null where a row is no retry; `firsts` may have some rows or none."""
    at = pc.index_in(closed.column("row").combine_chunks(), value_set=firsts.column("row").combine_chunks())
    return pa.table(
        dict(zip(closed.column_names, closed.columns, strict=True))
        | {name: firsts.column(name).combine_chunks().take(at) for name in COLUMNS}
    )
