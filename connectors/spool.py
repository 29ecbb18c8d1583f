"""A run's folder: parts on disk between the stages, and what people get in the end.

    landed/                 copies of remote and encrypted files, while they are read
    rows/00000.arrow        the source's rows as text: one column per source column, by place, plus file and line
    joining/T/00000.parquet what table T holds, as it was read
    joined/T/00000.parquet  what table T has for the rows, row by row
    unreadable/00000.parquet  lines that are no rows
    prepared/00000.parquet  payloads and first fates, row by row
    nested/T/KIND/…         the same of nested table T: its rows, unreadable lines and prepared children; again/ and
                            again_prepared/ have the children that stand in more payloads than one
    dropped/STEP.parquet    rows that a step of settling took out of the plan
    firsts.parquet          in a retry: what each row was in the run that first met it
    withheld.parquet        credits that rows to be sent go without, as they were sent before
    memory/NAME.parquet     what the ledger remembers of a job's customers, while it is compared
    accepted.parquet        what of it concerns the rows to be sent: what the API accepted last, by customer
    waves.parquet           rows that go after others: in which wave, and after whom of the run
    widely_shared.parquet   rows that were prepared again, without what too many customers share
    clusters.parquet        rows of customers that share an identifier
    clusters.json           the largest clusters as people are told of them

Row numbers count through the parts in order, unreadable lines of a part after its rows. The folder is
private (0700): it holds customers until `purge`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from connectors.private import private
from connectors.spool_tables import CLUSTERS, DROPPED, FIRSTS, KNOWN, WAVES, WIDELY_SHARED, WITHHELD
from schemas.memory import ACCEPTED

SLICE_ROWS = 4_000
# The source's rows are written, read back at once and hardly ever again: packed they took a third of the time that
# preparing takes, to save a third of the run's disk.
UNPACKED = ".arrow"
# What DuckDB may hold before it spills to the run's folder. It spills what it joins, and needs room to do it: ten
# millions against as many were joined in 176 MB and not in 128; with two credits each, 3 millions in 276, not in 196.
LEAST_MB, SETTLE_MB, SETTLE_MB_PER_MILLION = 256, 96, 30


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the source: `rows` readable rows from row number `first_row` on, then its unreadable lines.

    `table` is the nested table whose rows they are, or nothing: they are the leading table's.
    """

    number: int
    first_row: int
    rows: int
    unreadable: int = 0
    table: str = ""  # the nested table whose rows these are; none: the leading table's

    @property
    def end_row(self) -> int:
        """One past the part's last row number."""
        return self.first_row + self.rows + self.unreadable


@dataclass(frozen=True, slots=True)
class Spool:
    """The files of one run, by what they hold."""

    folder: Path

    def create(self) -> None:
        """Make the folder, private to its owner."""
        self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)  # its source may have been copied there already
        for name in ("rows", "unreadable", "prepared", "joining", "joined", "nested", "dropped"):
            (self.folder / name).mkdir(mode=0o700)

    def path(self, kind: str, part: Part) -> Path:
        """Where a part's table of a kind lies."""
        return self._of(kind, part.table) / f"{part.number:05}{UNPACKED if kind == 'rows' else '.parquet'}"

    def _of(self, kind: str, table: str) -> Path:
        return self.folder / "nested" / table / kind if table else self.folder / kind

    def write(self, kind: str, part: Part, table: pa.Table) -> None:
        """Write one part's table."""
        self.write_slices(kind, part, iter([table]))

    def write_slices(self, kind: str, part: Part, slices: Iterator[pa.Table]) -> int:
        """Write one part's table as its slices come, at least one; how many rows they had."""
        path = self.path(kind, part)
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        first = next(slices)
        with private(path) as file, _writer(path, file, first.schema) as writer:
            rows = 0
            for table in chain([first], slices):
                writer.write_table(table)
                rows += table.num_rows
        return rows

    def read(self, kind: str, part: Part, columns: Sequence[str] | None = None) -> pa.Table:
        """Read one part's table, or some of its columns."""
        path = self.path(kind, part)
        if path.suffix == UNPACKED:
            whole = _opened(path).read_all()
            return whole if columns is None else whole.select(columns)
        wanted = list(columns) if columns is not None else None
        # In the caller's thread: parts are prepared side by side already, and each thread keeps memory of its own.
        return pq.ParquetFile(path).read(columns=wanted, use_threads=False)

    def rows_of(self, kind: str, part: Part, rows: pa.Array, columns: Sequence[str]) -> pa.Table:
        """Some rows of a part's table, by their sorted numbers; what lies far from them is not read.

        Of the columns those that the table has.
        """
        file = pq.ParquetFile(self.path(kind, part))
        ends = np.cumsum([file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)])
        groups = np.unique(np.searchsorted(ends, rows.to_numpy() - part.first_row, side="right"))
        wanted = [name for name in columns if name in file.schema_arrow.names]
        found = file.read_row_groups(groups.tolist(), columns=wanted, use_threads=False)
        return found.filter(pc.is_in(found.column("row"), value_set=rows))

    def slices(self, kind: str, part: Part, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Some columns of a packed table, some thousand rows at a time."""
        file = pq.ParquetFile(self.path(kind, part))
        for batch in file.iter_batches(batch_size=SLICE_ROWS, columns=list(columns), use_threads=False):
            yield pa.Table.from_batches([batch])

    def write_waves(self, found: duckdb.DuckDBPyRelation) -> None:
        """Keep which rows are sent later than all others, sorted by wave and row."""
        self._write_found("waves", found, WAVES)

    def write_dropped(self, step: str, found: duckdb.DuckDBPyRelation) -> None:
        """Keep what a step of settling took out: no row that another one has."""
        self._write_found(f"dropped/{step}", found, DROPPED)

    def write_many_dropped(
        self, step: str, found: duckdb.DuckDBPyRelation, database: duckdb.DuckDBPyConnection
    ) -> None:
        """As `write_dropped`, of rows in no order: joining and sorting millions at once takes more memory than both."""
        self._write_found("memory/unsorted", found, DROPPED)
        self.write_dropped(step, database.read_parquet(str(self.folder / "memory" / "unsorted.parquet")).order("row"))

    def write_firsts(self, found: duckdb.DuckDBPyRelation) -> None:
        """Keep what a retry's rows were first, sorted by row."""
        self._write_found("firsts", found, FIRSTS)

    def _write_found(self, name: str, found: duckdb.DuckDBPyRelation, schema: pa.Schema) -> None:
        batches = found.to_arrow_reader(100_000)
        self._write_whole(name, (pa.Table.from_batches([batch.cast(schema)]) for batch in batches), schema)

    def _write_whole(self, name: str, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
        with private(self.folder / f"{name}.parquet") as file, pq.ParquetWriter(file, schema) as writer:
            for table in tables:
                writer.write_table(table)

    def written(self, kind: str, part: Part) -> Iterator[pa.Table]:
        """One part's table as it was written, slice by slice."""
        with pq.ParquetFile(self.path(kind, part)) as file:
            for place in range(file.num_row_groups):
                yield file.read_row_group(place, use_threads=False)

    def names(self, kind: str, part: Part) -> list[str]:
        """A part's columns."""
        path = self.path(kind, part)
        return list((_opened(path).schema if path.suffix == UNPACKED else pq.read_schema(path)).names)

    def dropped(self, part: Part) -> pa.Table:
        """What settling took out of one part, sorted by row; before settling, nothing."""
        steps = sorted((self.folder / "dropped").glob("*.parquet"))
        return pa.concat_tables([DROPPED.empty_table(), *(_rows_of(path, part) for path in steps)]).sort_by("row")

    def firsts(self, part: Part) -> pa.Table:
        """What one part's rows were first, sorted by row; nothing when this is no retry."""
        path = self.folder / "firsts.parquet"
        return _rows_of(path, part) if path.exists() else FIRSTS.empty_table()

    def write_withheld(self, found: duckdb.DuckDBPyRelation) -> None:
        """Keep what rows to be sent go without, sorted by row."""
        self._write_found("withheld", found, WITHHELD)

    def withheld(self, part: Part) -> pa.Table:
        """What rows of one part go without, sorted by row; before settling, nothing."""
        path = self.folder / "withheld.parquet"
        return _rows_of(path, part) if path.exists() else WITHHELD.empty_table()

    def write_accepted(self, found: duckdb.DuckDBPyRelation) -> None:
        """Keep what is remembered of the customers that the run is about, beside it."""
        self._write_found("accepted", found, ACCEPTED)

    def write_memory(self, name: str, remembered: Iterable[pa.Table], schema: pa.Schema) -> int:
        """Lay out something that the ledger remembers, for questions by that name; how many lines it is."""
        (self.folder / "memory").mkdir(mode=0o700, exist_ok=True)
        path = self.folder / "memory" / f"{name}.parquet"
        with private(path) as file, _writer(path, file, schema) as writer:
            lines = 0
            for table in remembered:
                writer.write_table(table)
                lines += table.num_rows
        return lines

    def write_known(self, found: duckdb.DuckDBPyRelation) -> None:
        """Lay out what of the run's credits the ledger remembers, beside the memory."""
        self._write_found("memory/known", found, KNOWN)

    def view_memory(self, database: duckdb.DuckDBPyConnection) -> None:
        """Let questions ask for all that was laid out."""
        for path in (self.folder / "memory").glob("*.parquet"):
            database.read_parquet(str(path)).create_view(path.stem, replace=True)

    def clear_memory(self) -> None:
        """The ledger has it."""
        for path in (self.folder / "memory").glob("*.parquet"):
            path.unlink()

    def waves(self) -> pa.Table:
        """Rows that go after others and when, by wave (1, 2, …) and row; rows that are not in it go first.

        `waits_for` is the row that has the parent, where one of the run has.
        """
        path = self.folder / "waves.parquet"
        return pq.read_table(path, columns=WAVES.names).cast(WAVES) if path.exists() else WAVES.empty_table()

    def write_widely_shared(self, found: duckdb.DuckDBPyRelation) -> None:
        """Keep which rows are prepared again, sorted by row."""
        self._write_found("widely_shared", found, WIDELY_SHARED)

    def widely_shared(self, part: Part) -> pa.Table:
        """Which of one part's rows are prepared again, sorted by row."""
        return _rows_of(self.folder / "widely_shared.parquet", part)

    def write_clusters(self, found: duckdb.DuckDBPyRelation) -> None:
        """Keep who shares an identifier with whom, one line a row and identifier, sorted by row."""
        self._write_found("clusters", found, CLUSTERS)

    def clusters(self, part: Part) -> pa.Table:
        """One part's rows that are in a cluster, sorted by row; before settling, none."""
        path = self.folder / "clusters.parquet"
        return _rows_of(path, part) if path.exists() else CLUSTERS.empty_table()

    def database(self, remembered: int = 0) -> duckdb.DuckDBPyConnection:
        """DuckDB for questions about whole tables: it spills to the run's folder and keeps nothing.

        `remembered` is how many lines of memory are laid out.
        """
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{max(LEAST_MB, SETTLE_MB + SETTLE_MB_PER_MILLION * remembered // 1_000_000)}MB",
            "temp_directory": str(self.folder / "spill"),
            "threads": 2,
        }
        return duckdb.connect(":memory:", config=config)

    def relation(self, database: duckdb.DuckDBPyConnection, kind: str, table: str = "") -> duckdb.DuckDBPyRelation:
        """All parts of a kind as one lazy table: the leading table's, or a nested one's."""
        if kind == "rows":
            return database.from_arrow(ds.dataset(self._of(kind, table), format="ipc"))
        return database.read_parquet(str(self._of(kind, table) / "*.parquet"))

    def view(self, database: duckdb.DuckDBPyConnection, name: str) -> None:
        """Let questions ask for `accepted`, `clusters`, `firsts` or `results` by name."""
        database.read_parquet(str(self.folder / f"{name}.parquet")).create_view(name)

    def view_dropped(self, database: duckdb.DuckDBPyConnection) -> None:
        """Let questions ask for `dropped`: what the steps so far took out."""
        database.read_parquet(str(self.folder / "dropped" / "*.parquet")).create_view("dropped", replace=True)

    def keep_dropped(self) -> None:
        """What version 2 took out of the plan, in one step, becomes a step."""
        whole, steps = self.folder / "dropped.parquet", self.folder / "dropped"
        steps.mkdir(mode=0o700, exist_ok=True)
        if whole.exists():
            whole.rename(steps / "earlier_version.parquet")

    def undrop(self) -> None:
        """Settling begins anew."""
        for path in (self.folder / "dropped").glob("*.parquet"):
            path.unlink()


def _rows_of(path: Path, part: Part) -> pa.Table:
    return pq.read_table(path, filters=[("row", ">=", part.first_row), ("row", "<", part.end_row)])


def _writer(path: Path, file: pa.NativeFile, schema: pa.Schema) -> "pq.ParquetWriter | pa.ipc.RecordBatchFileWriter":
    if path.suffix == UNPACKED:
        return pa.ipc.new_file(file, schema)
    # Text is packed, not made into dictionaries: most columns are unique.
    return pq.ParquetWriter(file, schema, compression="lz4", use_dictionary=False, write_statistics=False)


def _opened(path: Path) -> pa.ipc.RecordBatchFileReader:
    """Over the file's own pages: what is not asked for is not read."""
    return pa.ipc.open_file(pa.memory_map(str(path)))
