"""What more customers share than one person's identifier could have is taken out: their rows are prepared again."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from connectors.spool import Spool
from flows.hands import Workers
from flows.prepare import PartWork, PreparedRun, changes_told, frame_of_part, prepare_part
from schemas.job import Job
from transforms.customers import Changes
from transforms.prepared import Recipe, prepare, prepare_slices
from transforms.widely_shared import Hashes, OftenMet, rows_that_share, widely_shared

Places = npt.NDArray[np.int64]


def without_widely_shared(
    job: Job, spool: Spool, prepared: PreparedRun, works: Sequence[PartWork], workers: Workers
) -> PreparedRun:
    """Find what customers share too widely, and prepare the rows that have it without it.

    The parts are changed where they lie; no others are touched than those that have such rows. Where rows bring
    children along, who may have it too, all parts are prepared again.
    """
    above = job.rules.placeholder_above
    if above is None or not prepared.leading:
        return prepared
    often = _often_met(spool, prepared, works[0].recipe, above)
    if not len(often):
        return prepared
    with spool.database() as database:
        spool.relation(database, "prepared").create_view("prepared")
        if prepared.nested:
            spool.relation(database, "prepared", prepared.nested).create_view("nested")
        found = widely_shared(database, often, above, with_children=bool(prepared.nested))
        if not found:
            return prepared
        spool.write_widely_shared(rows_that_share(database))
    again = (_without(work, found) for work in works if work.family or spool.widely_shared(work.part).num_rows)
    changes: Changes = Counter({(change.target, change.kind): change.rows for change in prepared.changes})
    for changed in workers(prepare_again, again):
        changes.update(changed)
    return replace(prepared, changes=changes_told(+changes))


def _without(work: PartWork, found: frozenset[int]) -> PartWork:
    """The same work, children's too, where some hashes stand for no value."""
    family = work.family
    if family is not None:
        family = replace(family, recipe=replace(family.recipe, widely_shared=found))
    return replace(work, recipe=replace(work.recipe, widely_shared=found), family=family)


def _often_met(spool: Spool, prepared: PreparedRun, recipe: Recipe, above: int) -> Hashes:
    most = sum(part.rows for part in prepared.parts) * len(recipe.template.identifiers)
    counts = OftenMet(most, above)
    for part in prepared.parts:
        counts.count(spool.read("prepared", part, ["identifiers"]).column(0))
    return counts.found(spool.read("prepared", part, ["identifiers"]).column(0) for part in prepared.parts)


def prepare_again(work: PartWork) -> Changes:
    """Prepare some rows of a part anew and put them in their places; by how much the part's changes differ."""
    if work.family is not None:
        return _whole_again(work)
    spool, part = Spool(work.folder), work.part
    frame, several = frame_of_part(spool, work)
    places = spool.widely_shared(part).column("row").to_numpy() - part.first_row
    some = frame.take(places).reset_index(drop=True)
    several = several.take(pa.array(places))
    # Both only clean and check; what is put in place is encoded slice by slice.
    before, after = (
        prepare_slices(some, several, recipe)[1]
        for recipe in (replace(work.recipe, widely_shared=frozenset()), work.recipe)
    )
    differ = Counter(after)
    differ.subtract(before)
    spool.write_slices("prepared", part, _spliced(spool, work, some, several, places))
    return differ


def _whole_again(work: PartWork) -> Changes:
    """With its children, whose payloads stand in those of their parents; what it was like before is counted anew."""
    (_, before), (_, after) = prepare_part(_without(work, frozenset())), prepare_part(work)
    differ = Counter(after)
    differ.subtract(before)
    return differ


def _spliced(spool: Spool, work: PartWork, some: pd.DataFrame, several: pa.Array, places: Places) -> Iterator[pa.Table]:
    """A prepared part slice by slice, some of its rows prepared anew."""
    start = 0
    for old in spool.written("prepared", work.part):
        first, end = np.searchsorted(places, [start, start + old.num_rows])
        if first == end:
            yield old
        else:
            anew, _ = prepare(some[first:end].reset_index(drop=True), several[first:end], work.recipe)
            yield _put(old, anew, places[first:end] - start)
        start += old.num_rows


def _put(old: pa.Table, anew: pa.Table, places: Places) -> pa.Table:
    """Rows of a table in place of others; columns that they lack are kept."""
    kept = old.take(pa.array(places))
    columns = {name: (anew if name in anew.column_names else kept).column(name) for name in old.column_names}
    order = np.arange(old.num_rows)
    order[places] = old.num_rows + np.arange(len(places))
    return pa.concat_tables([old, pa.table(columns).cast(old.schema)]).combine_chunks().take(pa.array(order))
