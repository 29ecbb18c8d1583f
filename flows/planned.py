"""The plan's rows as they are to be sent: wave by wave to be sent, and again when one was in doubt."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.spool import Part
from flows.prepare import PreparedRun
from flows.underway import Load
from flows.withheld import planned
from schemas.errors import Stopped
from transforms.batches import sendable
from transforms.waves import held_up, in_turn, only_rows, with_wave, within

BODY_ROWS = 2_000
SENT = ("row", "points", "payload", "children")


def left_in_waves(load: Load, prepared: PreparedRun) -> Iterator[Iterator[pa.Table]]:
    """Rows that have no answer yet, one wave after the other; nothing of a wave is read before it is asked for.

    Parents and companies go before those who need them, so that no two rows of a family are ever under way together.
    Whoever's parent may not be there, because what became of its row is not known, does not go.

    Raises:
        Stopped: at the end, where such rows are left.
    """
    parts = [part for part in prepared.parts if not part.table]  # children travel with their parents
    later = load.spool.waves()
    yield _first(load, parts, later)
    left = [_left(load, part, mine) for part in parts if (mine := within(later, part.first_row, part.end_row)).num_rows]
    waiting = set[int]()
    for wave in in_turn(pa.concat_tables([later.slice(0, 0), *left])):
        parents = pc.unique(wave.column("waits_for").drop_null()).to_pylist()
        waits = held_up(wave, waiting | load.ledger.in_doubt(load.name, parents))
        waiting.update(wave.column("row").filter(waits).to_pylist())
        rows = wave.column("row").filter(pc.invert(waits)).combine_chunks()
        yield _slices(planned(load.spool, part, SENT, some) for part, some in _by_part(parts, rows))
    if waiting:
        raise Stopped(
            f"rows that wait for a parent whose own row is in doubt: {len(waiting):,}; `bulkload settle {load.name}`, "
            f"then `bulkload resume {load.name}`"
        )


def _first(load: Load, parts: Sequence[Part], later: pa.Table) -> Iterator[pa.Table]:
    for part in parts:
        rows = planned(load.spool, part, ("fate", *SENT))
        waiting = within(later, part.first_row, part.end_row)
        yield from _slices([sendable(rows, load.spool.dropped(part), load.answers(part), waiting)])


def _left(load: Load, part: Part, later: pa.Table) -> pa.Table:
    rows = load.spool.read("prepared", part, ["row", "fate"])
    return only_rows(later, sendable(rows, load.spool.dropped(part), load.answers(part)))


def _slices(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Bodies are made of Python's bytes, which take more room than Arrow's: not of a whole part at once."""
    for table in tables:
        yield from (table.slice(start, BODY_ROWS) for start in range(0, table.num_rows, BODY_ROWS))


def _by_part(parts: Sequence[Part], rows: pa.Array) -> Iterator[tuple[Part, pa.Array]]:
    """Sorted row numbers, part by part."""
    ordered = sorted(parts, key=lambda part: part.first_row)
    ends = np.searchsorted(rows.to_numpy(), [part.end_row for part in ordered]).tolist()
    for part, start, end in zip(ordered, [0, *ends], ends, strict=False):
        if start < end:
            yield part, rows.slice(start, end - start)


def recalled(load: Load, prepared: PreparedRun, rows: Sequence[int]) -> pa.Table:
    """Rows as they were sent, with their wave: what was in doubt may have to be compared, or sent again.

    With `taken_out` where some may not: settling, when the run went on, found a reason.
    """
    wanted = pa.array(sorted(rows), pa.int64())
    columns = (*SENT, "parent")
    by_part = list(_by_part(prepared.parts, wanted))
    found = [planned(load.spool, part, columns, some) for part, some in by_part]
    told = with_wave(pa.concat_tables(found, promote_options="default"), load.spool.waves())
    dropped = pa.concat_tables([load.spool.dropped(part) for part, _ in by_part]).column("row")
    out = pc.is_in(told.column("row"), value_set=dropped)
    return told.append_column("taken_out", out) if pc.any(out).as_py() else told
