"""Pull and prepare: the source becomes parts on disk, and each part payloads and first fates."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa

from connectors.joins import join, write_joining
from connectors.nests import NestRules
from connectors.spool import Part, Spool
from flows.hands import Audience, Workers
from flows.nested import Family, brood_of, nest_table, prepare_nested
from flows.pulling import Read, counted, grouped, kept, no_rows, pull
from flows.source import Source, nest_key
from schemas.job import Job
from schemas.rows import ORIGIN, OURS
from schemas.runs import Change, Origin
from transforms.characters import EDGES
from transforms.columns import Place
from transforms.customers import Changes
from transforms.filters import read_filter
from transforms.frames import beside, frame_of, gathered
from transforms.mapping import child_template_of, locale_of, template_of
from transforms.prepared import Recipe, prepare_slices


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """What preparing found; the tables themselves lie in the spool. Parts of a nested table come last."""

    parts: tuple[Part, ...]
    origins: tuple[Origin, ...]
    changes: tuple[Change, ...]
    unmatched: Mapping[str, int]
    limited: bool = False  # to the first rows

    @property
    def leading(self) -> tuple[Part, ...]:
        """Parts whose rows are sent; nested ones travel in their payloads."""
        return tuple(part for part in self.parts if not part.table)

    @property
    def nested(self) -> str:
        """The nested table, if any of its rows or lines were read."""
        return next((part.table for part in self.parts if part.table), "")


@dataclass(frozen=True, slots=True)
class PartWork:
    """One part's work, as it travels to a worker: places and rules, no customer."""

    folder: Path
    part: Part
    lead: str
    places: Mapping[str, Place]
    joined: tuple[str, ...]
    recipe: Recipe
    family: Family | None = None


def prepare_run(
    job: Job, source: Source, spool: Spool, recipe: Recipe, workers: Workers, audience: Audience, limit: int | None
) -> tuple[PreparedRun, Sequence[PartWork]]:
    """Pull the source into parts and prepare each; parts of a single table are prepared while it is read.

    Returns the work of each part too, by which it may be prepared again.
    """
    audience.stage("prepare")
    _keep_little()
    read: Read = Counter()
    pulled = pull(source.tables[source.lead].batches(), source.lead, spool, job.run.part_rows, limit, read)
    joined = tuple(name for name, table in job.source.items() if table.join is not None)
    unmatched: dict[str, int] = {}
    families: Mapping[Part, Family] = {}
    if joined or source.nested:
        parts = list(pulled)
        unmatched = {name: _join(job, source, spool, parts, name, read) for name in joined}
        if source.nested:
            families, left_out = _nest(job, source, spool, parts, read, recipe, keep_orphans=limit is None)
            unmatched |= {source.nested: left_out} if left_out else {}
        pulled = iter([*parts, *(part for part in families if part.table)])
    works: list[PartWork] = []

    def taken() -> Iterator[PartWork]:
        for part in pulled:
            work = PartWork(spool.folder, part, source.lead, source.places, joined, recipe, families.get(part))
            works.append(work)
            yield work

    changes: Changes = Counter()
    done_parts: list[Part] = []
    for done, changed in workers(prepare_part, taken()):
        done_parts += done
        changes += changed
        audience.advance(done[0].end_row, "rows")
    # The next part takes the last one's memory, so that it is given back once and not after each: half of all time
    # in the kernel went there.
    pa.default_memory_pool().release_unused()
    done_parts.sort(key=lambda part: part.first_row)
    made = PreparedRun(
        tuple(done_parts), _origins(source, read), changes_told(changes), unmatched, limited=limit is not None
    )
    return made, works


def _join(job: Job, source: Source, spool: Spool, parts: list[Part], name: str, read: Read) -> int:
    """Spool a joined table and match it; returns its rows and lines without a leading row."""
    batches = kept(counted(source.tables[name].batches(), name, read), spool, source.kept_names(name))
    rows = 0
    for number, group in enumerate(grouped(batches, job.run.part_rows)):
        held = gathered(list(group), rows, drop=OURS)
        write_joining(spool, name, number, held)
        rows += held.num_rows
    unreadable = sum(read[name, place] for place in range(len(source.tables[name].files))) - rows
    if not parts:
        return rows + unreadable
    if not rows:
        write_joining(spool, name, 0, gathered([no_rows(source.tables[name].columns)], 0, drop=OURS))
    on = job.source[name].join
    assert on is not None
    keys = (source.places[f"{source.lead}.{on.on}"][1], source.places[f"{name}.{on.on}"][1])
    return unreadable + join(spool, parts, name, len(source.columns(name)), keys, EDGES)


def _nest(
    job: Job, source: Source, spool: Spool, parts: list[Part], read: Read, recipe: Recipe, keep_orphans: bool
) -> tuple[Mapping[Part, Family], int]:
    """Cut the nested table along the leading parts; how many of its rows were left out.

    Orphans and lines that are no rows have no leading part, and are families by themselves.
    """
    name, key = source.nested, nest_key(job, source.columns(source.lead))
    nesting, template = job.source[name].nest, child_template_of(job)
    assert nesting is not None and template is not None
    rules = NestRules(
        table=name,
        width=len(source.columns(name)),
        keys=(source.places[key][1], source.children[f"{name}.{nesting.on}"][1]),
        edges=EDGES,
        part_rows=job.run.part_rows,
        most=job.rules.max_children,
        keep_orphans=keep_orphans,
        also=tuple(column for column in source.tables[name].columns if column in ORIGIN),
    )
    found, broken = nest_table(source.tables[name], rules, spool, parts, read)
    family = Family(name, source.children, replace(recipe, template=template, filter=None))
    of_leading = {
        part: replace(family, own=found.children[part.number], again=found.again[part.number]) for part in parts
    }
    alone = dict.fromkeys((*found.orphans, *broken), family)
    return of_leading | alone, sum(found.left_out.values())


def prepare_part(work: PartWork) -> tuple[list[Part], Changes]:
    """Prepare one part, and the children of its rows, from its files.

    Runs in any thread, process or machine that sees the run's folder.
    """
    _keep_little()
    spool, family = Spool(work.folder), work.family
    if family is not None and work.part.table:
        return [work.part], prepare_nested(spool, work.part, family)
    brood, children = brood_of(spool, work.part, family) if family else (None, Counter[tuple[str, str]]())
    prepared, changes = prepare_slices(*frame_of_part(spool, work), work.recipe, brood)
    where = spool.read("rows", work.part, ["row", "file", "line"])
    spool.write_slices("prepared", work.part, beside(where, prepared))
    return [work.part, *(family.own if family else ())], changes + children


def frame_of_part(spool: Spool, work: PartWork) -> tuple[pd.DataFrame, pa.Array]:
    """A part's rows as they are prepared, and which of them a joined table has several rows for."""
    return frame_of(work.places, work.lead, work.joined, partial(_read, spool, work))


def _keep_little() -> None:
    """Arrow's own allocators keep what each thread has freed; the system's gives it back when asked to."""
    pa.set_memory_pool(pa.system_memory_pool())


def _read(spool: Spool, work: PartWork, table: str, columns: list[str]) -> pa.Table:
    return spool.read("rows" if table == work.lead else f"joined/{table}", work.part, columns)


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
        max_children=job.rules.max_children,
    )


def _origins(source: Source, read: Read) -> tuple[Origin, ...]:
    return tuple(
        Origin(table, name, file.size_bytes, file.sha256, read[table, place], file.uri)
        for table, reading in source.tables.items()
        for place, (file, name) in enumerate(zip(reading.files, source.names(table), strict=True))
    )


def changes_told(changes: Changes) -> tuple[Change, ...]:
    """Changes as people are told of them, most rows first."""
    return tuple(Change(subject, kind, rows) for (subject, kind), rows in changes.most_common())
