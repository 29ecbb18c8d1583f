"""Rows are sent without the credits that were sent before; their points are told apart, and none is lost."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.credits import without_credits

DIFFER = "points.differ_from_credited"


def withhold(prepared: pa.Table, withheld: pa.Table) -> pa.Table:
    """A prepared part's rows as they are to be sent: their credits that `withheld` has (`row, programme, differs`)
    become `withheld_N`, and go from `points_N`, `points`, `payload` and `size` where these are there.

    `prepared` has `row`, `points`, `points_N` and `programme_N`; a credit of another amount than the one before is told
    in `codes`.
    """
    programmes = _programmes(withheld)
    columns = {name: prepared.column(name) for name in prepared.column_names}
    left = pa.repeat(False, prepared.num_rows)
    for name in [name for name in columns if name.startswith("points_")]:
        before = _is_before(columns["row"], columns[name.replace("points_", "programme_")], programmes)
        zero, points = pa.scalar(0, pa.int64()), columns[name]
        columns[name.replace("points_", "withheld_")] = pc.if_else(before, points, zero)
        columns[name] = pc.if_else(before, zero, points)
        left = pc.or_(left, pc.not_equal(columns[name], 0))
    columns["points"] = left
    if "codes" in columns:
        columns["codes"] = _told(columns["row"], columns["codes"], withheld)
    if "payload" in columns:
        columns["payload"] = _bare(columns["row"], columns["payload"], withheld)
    if "size" in columns:
        columns["size"] = pc.binary_length(columns["payload"])
    return pa.table(columns)


def _programmes(withheld: pa.Table) -> dict[str, pa.Array]:
    """The rows that go without a credit, by its programme; a job has few of these."""
    row, programme = withheld.column("row"), withheld.column("programme")
    return {one: row.filter(pc.equal(programme, one)) for one in pc.unique(programme).to_pylist()}


def _is_before(row: pa.ChunkedArray, programme: pa.ChunkedArray, programmes: dict[str, pa.Array]) -> pa.ChunkedArray:
    before = pc.is_null(row)  # of none
    for one, rows in programmes.items():
        before = pc.or_(before, pc.and_(pc.equal(programme, one), pc.is_in(row, value_set=rows)))
    return before


def _told(row: pa.ChunkedArray, codes: pa.ChunkedArray, withheld: pa.Table) -> pa.ChunkedArray:
    differing = withheld.filter(withheld.column("differs")).column("row")
    also = pc.coalesce(pc.binary_join_element_wise(codes, DIFFER, ";"), pa.scalar(DIFFER))
    return pc.if_else(pc.is_in(row, value_set=differing), also, codes)


def _bare(row: pa.ChunkedArray, payload: pa.ChunkedArray, withheld: pa.Table) -> pa.Array:
    of_rows: dict[int, set[str]] = defaultdict(set)
    for one, programme in zip(*(withheld.column(name).to_pylist() for name in ("row", "programme")), strict=True):
        of_rows[one].add(programme)
    places = np.searchsorted(row.to_numpy(), np.fromiter(of_rows, np.int64, len(of_rows)))
    mask = np.zeros(len(row), dtype=bool)
    mask[places] = True
    whole = payload.take(pa.array(places)).to_pylist()
    bare = [without_credits(one, programmes) for one, programmes in zip(whole, of_rows.values(), strict=True)]
    return pc.replace_with_mask(payload.combine_chunks(), pa.array(mask), pa.array(bare, payload.type))
