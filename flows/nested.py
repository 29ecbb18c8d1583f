"""The nested table on its way into parts of its own, and its rows into the payloads of the leading ones."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.joins import write_joining
from connectors.nests import Nest, NestRules, nest, rows_schema
from connectors.sorted_rows import SortedRows
from connectors.spool import Part, Spool
from flows.pulling import Read, counted, grouped, no_rows, unreadable_of
from schemas.rows import ORIGIN, OURS, Reading
from transforms.children import Brood
from transforms.columns import Place
from transforms.customers import Changes
from transforms.frames import beside, frame_of, gathered
from transforms.nested import prepare_children
from transforms.prepared import Recipe

# The parts' own rows, and rows that stand in a further payload besides: as they were read, and prepared.
_OWN, _AGAIN = ("rows", "prepared"), ("again", "again_prepared")


@dataclass(frozen=True, slots=True)
class Family:
    """The nested rows of one leading part, as they travel to a worker with it."""

    table: str
    places: Mapping[str, Place]
    recipe: Recipe
    own: tuple[Part, ...] = ()
    again: tuple[Part, ...] = ()


def nest_table(
    reading: Reading, rules: NestRules, spool: Spool, parts: Sequence[Part], read: Read
) -> tuple[Nest, tuple[Part, ...]]:
    """Spool the nested table and cut it along the leading parts; its lines that are no rows are parts by themselves.

    Orphans that are not kept are not counted as read either.
    """
    rows, lines = 0, list[int]()
    for number, group in enumerate(grouped(counted(reading.batches(), rules.table, read), rules.part_rows)):
        batches = list(group)
        held = gathered(batches, rows, drop=OURS, keep=ORIGIN)
        write_joining(spool, rules.table, number, held)
        rows += held.num_rows
        if unreadable := [line for batch in batches for line in batch.unreadable]:
            spool.write("unreadable", Part(len(lines), 0, 0, table=rules.table), unreadable_of(unreadable))
            lines.append(len(unreadable))
    if not rows:
        write_joining(spool, rules.table, 0, gathered([no_rows(reading.columns)], 0, drop=OURS, keep=ORIGIN))
    found = nest(spool, parts, rules, first_number=len(lines))
    for place, left_out in found.left_out.items():
        read[rules.table, place] -= left_out
    row, broken = found.end_row, list[Part]()
    for number, count in enumerate(lines):
        broken.append(Part(number, row, 0, count, rules.table))
        spool.write("rows", broken[-1], rows_schema(rules).empty_table())
        row += count
    return found, tuple(broken)


def prepare_nested(spool: Spool, part: Part, family: Family, again: bool = False) -> Changes:
    """Prepare a part's children from its files."""
    raw_kind, kind = _AGAIN if again else _OWN

    def read(_: str, columns: list[str]) -> pa.Table:
        return spool.read(raw_kind, part, columns)

    raw, _ = frame_of(family.places, family.table, (), read)
    where = read(family.table, ["row", "file", "line", "parent", "siblings"])
    parent, siblings = (where.column(name).combine_chunks() for name in ("parent", "siblings"))
    prepared, changes = prepare_children(raw, parent, siblings, family.recipe)
    spool.write_slices(kind, part, beside(where.select(["row", "file", "line"]), prepared))
    return changes


def brood_of(spool: Spool, part: Part, family: Family) -> tuple[Brood, Changes]:
    """Prepare the children of a leading part's rows; their payloads are read when they are asked for."""
    changes: Changes = Counter()
    for own in family.own:
        changes += prepare_nested(spool, own, family)
    for again in family.again:
        prepare_nested(spool, again, family, again=True)
    return _brood(spool, part, family), changes


def _brood(spool: Spool, part: Part, family: Family) -> Brood:
    sorts = [(*_OWN, family.own), (*_AGAIN, family.again)]
    counts, sizes = np.zeros(part.rows, np.int64), np.zeros(part.rows, np.int64)
    for raw_kind, kind, parts in sorts:
        for each in parts:
            told = spool.read(raw_kind, each, ["parent", "siblings"])
            counts[told.column("parent").to_numpy() - part.first_row] = told.column("siblings").to_numpy()
            for piece in spool.slices(kind, each, ["parent", "size", "fate"]):
                there = piece.filter(pc.is_null(piece.column("fate")))
                # With the comma behind it.
                np.add.at(
                    sizes, there.column("parent").to_numpy() - part.first_row, there.column("size").to_numpy() + 1
                )
    streams = [SortedRows(_travelling(spool, kind, parts), "parent") for _, kind, parts in sorts]

    def take(end_row: int) -> Iterator[pa.Table]:
        for stream in streams:
            yield from stream.below(end_row)

    return Brood(part.first_row, counts, sizes, take)


def _travelling(spool: Spool, kind: str, parts: Sequence[Part]) -> Iterator[pa.Table]:
    for part in parts:
        for piece in spool.slices(kind, part, ["row", "parent", "fate", "identifiers", "payload"]):
            there = piece.filter(pc.is_null(piece.column("fate")))
            if there.num_rows:
                yield there
