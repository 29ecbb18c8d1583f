"""Closing a part: every row of it gets its one fate, from preparing, settling or the API's answers."""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.outcomes import Fate
from schemas.runs import Totals

# Fates whose rows say why; the others are told by their number alone.
TOLD = tuple(fate.value for fate in Fate if fate not in (Fate.FILTERED, Fate.UNCHANGED, Fate.NOT_SENT))
_KEPT = ("row", "file", "line", "key", "identifiers", "digest", "whole_digest", "statement")
_CREDITS = ("points", "programme_", "withheld_")
_ANSWER_COLUMNS = {
    "entity_id": pa.string(),
    "batch": pa.int64(),
    "attempt": pa.int64(),
    "request_id": pa.string(),
    "sent_at_utc": pa.timestamp("us", "UTC"),
    "answered_at_utc": pa.timestamp("us", "UTC"),
}


def close(prepared: pa.Table, unreadable: pa.Table, dropped: pa.Table, answered: pa.Table, first_row: int) -> pa.Table:
    """One line per row of a part, unreadable ones last; whatever has no fate by now was not sent.

    `prepared` without its payloads; `dropped` and `answered` are sorted by row. Columns: row, file, line,
    key, identifiers, digest and whole_digest (of its payload), statement, fate, codes, entity_id, batch, attempt,
    request_id, sent_at_utc, answered_at_utc, points_N, programme_N and withheld_N (points that were credited before).
    """
    fate, codes = prepared.column("fate").combine_chunks(), prepared.column("codes").combine_chunks()
    settled, sent = _mask(dropped, first_row, len(fate)), _mask(answered, first_row, len(fate))
    fate = pc.replace_with_mask(fate, settled, dropped.column("fate").combine_chunks())
    codes = pc.replace_with_mask(codes, settled, dropped.column("code").combine_chunks())
    fate = pc.replace_with_mask(fate, sent, answered.column("fate").combine_chunks())
    theirs = _spread(answered.column("codes"), sent, pa.string())
    codes = _both(codes, pc.if_else(pc.equal(theirs, ""), pa.scalar(None, pa.string()), theirs))
    closed = pa.table(
        {
            **{name: prepared.column(name) for name in _KEPT},
            "fate": pc.fill_null(fate, Fate.NOT_SENT.value),
            "codes": codes,
            **{name: _spread(answered.column(name), sent, kind) for name, kind in _ANSWER_COLUMNS.items()},
            **{n: prepared.column(n) for n in prepared.column_names if n.startswith(_CREDITS)},
        }
    )
    return pa.concat_tables([closed, _closed_unreadable(unreadable, closed, first_row)])


def _mask(rows: pa.Table, first_row: int, length: int) -> pa.Array:
    mask = np.zeros(length, dtype=bool)
    mask[rows.column("row").to_numpy() - first_row] = True
    return pa.array(mask)


def _spread(values: pa.ChunkedArray, where: pa.Array, kind: pa.DataType) -> pa.Array:
    """Values put back to the rows they belong to, null elsewhere."""
    return pc.replace_with_mask(pa.nulls(len(where), kind), where, values.combine_chunks().cast(kind))


def _both(ours: pa.Array, theirs: pa.Array) -> pa.Array:
    """An accepted row may carry what we dropped from it and what the API says of it."""
    return pc.coalesce(pc.binary_join_element_wise(ours, theirs, ";"), ours, theirs)


def _closed_unreadable(unreadable: pa.Table, closed: pa.Table, first_row: int) -> pa.Table:
    count = unreadable.num_rows
    known = {
        "row": pa.array(np.arange(count) + first_row + closed.num_rows, pa.int64()),
        "file": unreadable.column("file"),
        "line": unreadable.column("line"),
        "fate": pa.repeat(Fate.UNREADABLE.value, count),
        "codes": unreadable.column("code"),
    }
    numbers = (name for name in closed.column_names if name.startswith(("points_", "withheld_")))
    zero = {name: pa.repeat(pa.scalar(0, pa.int64()), count) for name in numbers}
    none = {name: pa.repeat("", count) for name in closed.column_names if name.startswith("programme_")}
    given = known | zero | none
    return pa.table({field.name: given.get(field.name, pa.nulls(count, field.type)) for field in closed.schema})


def tally(closed: pa.Table) -> Totals:
    """Rows and points by fate; `read` and `points_read` are summed without looking at fates.

    Points that were credited before are unchanged, also those of a row that is sent.
    """
    rows = Counter({Fate(fate): count for fate, count in _counts(closed)})
    points: dict[str, Counter[Fate]] = {}
    read: Counter[str] = Counter()
    unchanged = pa.repeat(Fate.UNCHANGED.value, closed.num_rows)
    of_rows = [(closed.column("fate"), *credits) for credits in _credits(closed, "points_")]
    for fates, programmes, credited in [*of_rows, *((unchanged, *held) for held in _credits(closed, "withheld_"))]:
        by = pa.table({"programme": programmes, "fate": fates, "points": credited})
        for line in by.group_by(["programme", "fate"]).aggregate([("points", "sum")]).to_pylist():
            if line["programme"] and (line["points_sum"] or fates is not unchanged):
                points.setdefault(line["programme"], Counter())[Fate(line["fate"])] += line["points_sum"]
        for line in by.group_by("programme").aggregate([("points", "sum")]).to_pylist():
            if line["programme"]:
                read[line["programme"]] += line["points_sum"]
    return Totals(closed.num_rows, rows, dict(sorted(read.items())), dict(sorted(points.items())))


def most_points(closed: pa.Table) -> int:
    """The most points that any one row to be sent would credit, over all its programmes."""
    to_be_sent = pc.equal(closed.column("fate"), Fate.NOT_SENT.value)
    credited = [points.filter(to_be_sent) for _, points in _credits(closed, "points_")]
    return int(pc.max(reduce(pc.add, credited)).as_py() or 0) if credited else 0


def _counts(closed: pa.Table) -> Iterator[tuple[str, int]]:
    for line in closed.group_by("fate").aggregate([([], "count_all")]).to_pylist():
        yield line["fate"], line["count_all"]


def _credits(closed: pa.Table, kind: str) -> Iterator[tuple[pa.ChunkedArray, pa.ChunkedArray]]:
    for name in closed.column_names:
        if name.startswith(kind):
            yield closed.column(name.replace(kind, "programme_")), closed.column(name)


def reasons(closed: pa.Table) -> pa.Table:
    """One line per row and reason: `at` (place in `closed`), `fate`, `code`; for fates that are told."""
    told = pc.and_(pc.is_in(closed.column("fate"), value_set=pa.array(TOLD)), closed.column("codes").is_valid())
    at = pc.indices_nonzero(told.combine_chunks())
    split = pc.split_pattern(closed.column("codes").combine_chunks().take(at), ";")
    where = at.take(pc.list_parent_indices(split))
    lines = pa.table({"at": where, "fate": closed.column("fate").take(where), "code": pc.list_flatten(split)})
    # The API may say the same of a row twice. Without threads, groups come in the order of their first line.
    return lines.group_by(lines.column_names, use_threads=False).aggregate([])


def count_reasons(lines: pa.Table) -> Mapping[tuple[Fate, str], int]:
    """Rows per fate and code."""
    grouped = lines.group_by(["fate", "code"]).aggregate([([], "count_all")]).to_pylist()
    return {(Fate(line["fate"]), line["code"]): line["count_all"] for line in grouped}


def first_of_each(lines: pa.Table, known: Mapping[tuple[Fate, str], int], most: int) -> Iterator[tuple[Fate, str, int]]:
    """Places of rows that can serve as examples; `known` says how many each reason has already."""
    wanted: Counter[tuple[Fate, str]] = Counter(known)
    for fate, code in {
        (line["fate"], line["code"])
        for line in lines.select(["fate", "code"]).group_by(["fate", "code"]).aggregate([]).to_pylist()
    }:
        reason = (Fate(fate), code)
        if wanted[reason] >= most:
            continue
        here = lines.filter(pc.and_(pc.equal(lines.column("fate"), fate), pc.equal(lines.column("code"), code)))
        for at in here.column("at").slice(0, most - wanted[reason]).to_pylist():
            yield (*reason, at)
