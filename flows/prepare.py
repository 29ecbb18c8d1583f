"""Pull and prepare: the source becomes parts on disk, and each part payloads and first fates."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa

from connectors.files import Reading, open_table
from connectors.joins import join, write_joining
from connectors.lines import in_batches
from connectors.results import UnreadableLines, plain_names
from connectors.spool import UNREADABLE, Part, Spool
from flows.hands import Audience, Workers
from schemas.job import Job
from schemas.rows import ORIGIN, OURS, RawRows, Unreadable
from schemas.runs import Change, Origin
from transforms.characters import EDGES
from transforms.columns import Place, resolve
from transforms.customers import Changes
from transforms.filters import read_filter
from transforms.frames import frame_of, gathered
from transforms.mapping import askers, locale_of, template_of
from transforms.prepared import Recipe, prepare_slices
from transforms.results import told_apart


@dataclass(frozen=True, slots=True)
class Source:
    """The opened tables of a job and where each mapped column lies in them; nothing is read yet."""

    tables: Mapping[str, Reading]
    places: Mapping[str, Place]

    @property
    def lead(self) -> str:
        return next(iter(self.tables))

    def columns(self, table: str) -> tuple[str, ...]:
        """A table's columns, without those that a rejected file brings along."""
        return tuple(column for column in self.tables[table].columns if column not in OURS)

    def names(self, table: str) -> list[str]:
        """A table's files as people are told of them, in reading order."""
        return told_apart([file.path for file in self.tables[table].files])

    def kept_names(self, table: str) -> list[str]:
        """What the unreadable lines of a table's files are kept under; all tables share one folder."""
        shown = [
            (each, name if each == self.lead else f"{each}-{name}") for each in self.tables for name in self.names(each)
        ]
        kept = plain_names(name for _, name in shown)
        return [name for (each, _), name in zip(shown, kept, strict=True) if each == table]


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """What preparing found; the tables themselves lie in the spool."""

    parts: tuple[Part, ...]
    origins: tuple[Origin, ...]
    changes: tuple[Change, ...]
    unmatched: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PartWork:
    """One part's work, as it travels to a worker: places and rules, no customer."""

    folder: Path
    part: Part
    lead: str
    places: Mapping[str, Place]
    joined: tuple[str, ...]
    recipe: Recipe


def open_source(job: Job, folder: Path) -> Source:
    """Open every table and find every column the job names.

    Raises:
        SourceError: files are missing or unreadable, or columns are missing; all of a kind at once.
    """
    tables = {name: open_table(table, folder, f"source.{name}") for name, table in job.source.items()}
    columns = {name: tuple(c for c in reading.columns if c not in OURS) for name, reading in tables.items()}
    filtered = read_filter(job.rules.filter).columns if job.rules.filter else ()
    wanted = [*askers(job), *((name, "rules.filter") for name in filtered), *_join_keys(job)]
    on = {name: table.join.on for name, table in job.source.items() if table.join is not None}
    return Source(tables, resolve(wanted, columns, on))


def _join_keys(job: Job) -> Iterator[tuple[str, str]]:
    """The key of each join, in the leading and in the joined table, as `table.column`."""
    lead = next(iter(job.source))
    for name, table in job.source.items():
        if table.join is not None:
            yield f"{lead}.{table.join.on}", f"source.{name}.join.on"
            yield f"{name}.{table.join.on}", f"source.{name}.join.on"


def prepare_run(
    job: Job, source: Source, spool: Spool, recipe: Recipe, workers: Workers, audience: Audience, limit: int | None
) -> PreparedRun:
    """Pull the source into parts and prepare each; parts of a single table are prepared while it is read."""
    audience.stage("prepare")
    _keep_little()
    read: Counter[tuple[str, int]] = Counter()
    pulled = pull(source, spool, job.run.part_rows, limit, read)
    joined = tuple(name for name, table in job.source.items() if table.join is not None)
    unmatched: dict[str, int] = {}
    if joined:
        parts = list(pulled)
        unmatched = {name: _join(job, source, spool, parts, name, read) for name in joined}
        pulled = iter(parts)
    works = (PartWork(spool.folder, part, source.lead, source.places, joined, recipe) for part in pulled)
    changes: Changes = Counter()
    done_parts: list[Part] = []
    for part, changed in workers(prepare_part, works):
        done_parts.append(part)
        changes += changed
        audience.advance(part.end_row, "rows")
    # The next part takes the last one's memory, so that it is given back once and not after each: half of all time
    # in the kernel went there.
    pa.default_memory_pool().release_unused()
    return PreparedRun(tuple(done_parts), _origins(source, read), changes_told(changes), unmatched)


def pull(
    source: Source, spool: Spool, part_rows: int, limit: int | None, read: Counter[tuple[str, int]]
) -> Iterator[Part]:
    """Read the leading table into parts of about `part_rows` rows; counts rows per (table, file)."""
    reading = source.tables[source.lead]
    first_row = 0
    batches = _counted(_limited(reading.batches(), limit), source.lead, read)
    for number, group in enumerate(_grouped(batches, part_rows)):
        unreadable: list[Unreadable] = []
        rows = spool.write_slices("rows", Part(number, first_row, 0), _pulled(group, first_row, unreadable))
        part = Part(number, first_row, rows, len(unreadable))
        spool.write("unreadable", part, _unreadable(unreadable))
        yield part
        first_row = part.end_row


def _pulled(group: Iterator[RawRows], first_row: int, unreadable: list[Unreadable]) -> Iterator[pa.Table]:
    """A part's rows as they come; its lines that are none are added to `unreadable`."""
    for batch in group:
        unreadable += batch.unreadable
        yield gathered([batch], first_row, drop=OURS, keep=ORIGIN)
        first_row += batch.rows.num_rows


def _counted(batches: Iterator[RawRows], table: str, read: Counter[tuple[str, int]]) -> Iterator[RawRows]:
    for batch in batches:
        read[table, batch.file] += batch.rows.num_rows
        for line in batch.unreadable:
            read[table, line.file] += 1
        yield batch


def _limited(batches: Iterator[RawRows], limit: int | None) -> Iterator[RawRows]:
    left = limit
    for batch in batches:
        yield batch if left is None or batch.rows.num_rows < left else _first(batch, left)
        if left is not None:
            left -= batch.rows.num_rows
            if left <= 0:
                return


def _first(batch: RawRows, rows: int) -> RawRows:
    """The first rows of a batch, with the unreadable lines before the last of them."""
    lines = batch.lines.slice(0, rows)
    last = lines[-1].as_py()
    return RawRows(
        batch.file, batch.rows.slice(0, rows), lines, tuple(each for each in batch.unreadable if each.line < last)
    )


def _grouped(batches: Iterator[RawRows], part_rows: int) -> Iterator[Iterator[RawRows]]:
    """Groups of about `part_rows` rows and lines; each must be used up before the next is asked for."""
    pieces = (piece for whole in batches for piece in in_batches(whole, part_rows))
    for first in pieces:
        yield _group(first, pieces, part_rows)


def _group(batch: RawRows | None, further: Iterator[RawRows], part_rows: int) -> Iterator[RawRows]:
    rows = 0
    while batch is not None:
        yield batch
        rows += batch.rows.num_rows + len(batch.unreadable)
        batch = next(further, None) if rows < part_rows else None


def _unreadable(lines: list[Unreadable]) -> pa.Table:
    columns = ([x.file for x in lines], [x.line for x in lines], [x.code for x in lines], [x.raw for x in lines])
    return pa.table([pa.array(c, kind) for c, kind in zip(columns, UNREADABLE.types, strict=True)], schema=UNREADABLE)


def _join(job: Job, source: Source, spool: Spool, parts: list[Part], name: str, read: Counter[tuple[str, int]]) -> int:
    """Spool a joined table and match it; returns its rows and lines without a leading row."""
    batches = _kept(_counted(source.tables[name].batches(), name, read), spool, source.kept_names(name))
    rows = 0
    for number, group in enumerate(_grouped(batches, job.run.part_rows)):
        held = gathered(list(group), rows, drop=OURS)
        write_joining(spool, name, number, held)
        rows += held.num_rows
    unreadable = sum(read[name, place] for place in range(len(source.tables[name].files))) - rows
    if not parts:
        return rows + unreadable
    if not rows:
        write_joining(spool, name, 0, gathered([_no_rows(source.tables[name].columns)], 0, drop=OURS))
    on = job.source[name].join
    assert on is not None
    keys = (source.places[f"{source.lead}.{on.on}"][1], source.places[f"{name}.{on.on}"][1])
    return unreadable + join(spool, parts, name, len(source.columns(name)), keys, EDGES)


def _kept(batches: Iterator[RawRows], spool: Spool, names: Sequence[str]) -> Iterator[RawRows]:
    """A joined table's lines that are no rows are kept as they are met: they belong to no part."""
    kept = UnreadableLines(spool.folder)
    for batch in batches:
        for line in batch.unreadable:
            kept.write(names[line.file], line.raw)
        yield batch


def _no_rows(columns: Sequence[str]) -> RawRows:
    rows = pa.RecordBatch.from_arrays([pa.array([], pa.string())] * len(columns), names=list(columns))
    return RawRows(0, rows, pa.array([], pa.int64()))


def prepare_part(work: PartWork) -> tuple[Part, Changes]:
    """Prepare one part from its files; runs in any thread, process or machine that sees the run's folder."""
    _keep_little()
    spool = Spool(work.folder)
    prepared, changes = prepare_slices(*frame_of_part(spool, work), work.recipe)
    where = spool.read("rows", work.part, ["row", "file", "line"])
    spool.write_slices("prepared", work.part, _beside(where, prepared))
    return work.part, changes


def frame_of_part(spool: Spool, work: PartWork) -> tuple[pd.DataFrame, pa.Array]:
    """A part's rows as they are prepared, and which of them a joined table has several rows for."""
    return frame_of(work.places, work.lead, work.joined, partial(_read, spool, work))


def _keep_little() -> None:
    """Arrow's own allocators keep what each thread has freed; the system's gives it back when asked to."""
    pa.set_memory_pool(pa.system_memory_pool())


def _read(spool: Spool, work: PartWork, table: str, columns: list[str]) -> pa.Table:
    return spool.read("rows" if table == work.lead else f"joined/{table}", work.part, columns)


def _beside(left: pa.Table, slices: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The slices' columns behind those of a table that is as long as all of them."""
    start = 0
    for right in slices:
        here = left.slice(start, right.num_rows)
        yield pa.table({name: table.column(name) for table in (here, right) for name in table.column_names})
        start += right.num_rows


def recipe_of(job: Job, today: str, salt: bytes) -> Recipe:
    """What preparing any part of this job needs."""
    return Recipe(
        template=template_of(job),
        locale=locale_of(job),
        today=today,
        bad_optional=job.rules.bad_optional,
        filter=read_filter(job.rules.filter) if job.rules.filter else None,
        max_bytes=job.limits.bytes_per_request,
        salt=salt,
    )


def _origins(source: Source, read: Counter[tuple[str, int]]) -> tuple[Origin, ...]:
    return tuple(
        Origin(table, name, file.size_bytes, file.sha256, read[table, place])
        for table, reading in source.tables.items()
        for place, (file, name) in enumerate(zip(reading.files, source.names(table), strict=True))
    )


def changes_told(changes: Changes) -> tuple[Change, ...]:
    """Changes as people are told of them, most rows first."""
    return tuple(Change(subject, kind, rows) for (subject, kind), rows in changes.most_common())
