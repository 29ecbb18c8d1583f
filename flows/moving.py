"""Moving watermarks: up to where a query need not be asked again, now that a run has ended."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from connectors.joins import joining_column
from connectors.spool import Part
from flows.prepare import PreparedRun
from flows.since import shown
from flows.underway import Load
from schemas.outcomes import Fate
from schemas.taken import Pulled
from schemas.watermarks import Kind, ReadSince, Seen, Watermark
from transforms.watermarks import both, is_harmless, moved, seen_in

# Rows of these fates are still to be sent, or may be: a later run must meet them again.
_HELD = pa.array([Fate.NOT_SENT.value, Fate.IN_DOUBT.value])


@dataclass
class Moving:
    """Moves the watermarks of a run that ends, once all its parts are closed."""

    load: Load
    prepared: PreparedRun
    seen: dict[str, Seen] = field(default_factory=dict)

    def __post_init__(self) -> None:
        whole = self.load.retry is None and not self.prepared.limited
        taken = self.load.source.taken.items()
        self.pulled = {name: each.pulled for name, each in taken if whole and each.pulled and each.pulled.kind}
        self.seen = {name: Seen() for name in self.pulled}

    def part(self, part: Part, closed: pa.Table) -> None:
        """See a closed part: which of its rows are held."""
        if part.table or not part.rows:
            return
        fates = closed.column("fate").combine_chunks().slice(0, part.rows)
        held = pc.is_in(fates, value_set=_HELD)
        for name, pulled in self.pulled.items():
            place = self._place(name, pulled.column)
            if name == self.load.source.lead:
                values = self.load.spool.read("rows", part, [place]).column(0).combine_chunks()
                self._add(name, values, held)
            elif pc.any(held).as_py():
                values, key = self._joined(name, part, place)
                self._add(name, values, pc.and_(held, key.is_valid()), only_held=True)

    def _joined(self, name: str, part: Part, place: str) -> tuple[pa.Array, pa.Array]:
        """The since-values of the rows that a joined table has for a part, and their keys: null where it has none."""
        on = self.load.job.source[name].join
        assert on is not None
        key = str(self.load.source.places[f"{name}.{on.on}"][1])
        rows = self.load.spool.read(f"joined/{name}", part, list(dict.fromkeys([place, key])))
        return rows.column(place).combine_chunks(), rows.column(key).combine_chunks()

    def _place(self, name: str, column: str) -> str:
        return str(self.load.source.columns(name).index(column))

    def _add(self, name: str, values: pa.Array, held: pa.Array, *, only_held: bool = False) -> None:
        if only_held:
            values, held = values.filter(held), held.filter(held)
        kind = Kind(self.pulled[name].kind)
        self.seen[name] = both(kind, self.seen[name], seen_in(kind, values, held))

    def end(self) -> "Moved":
        """Where the watermarks stand now, once all parts were seen."""
        return Moved(self.load, {name: self._stands(name, pulled) for name, pulled in self.pulled.items()})

    def _stands(self, name: str, pulled: Pulled) -> "Stands":
        if name != self.load.source.lead:
            theirs = self.seen[name]
            self.seen[name] = Seen(None, theirs.held, theirs.lowest_held, 0)
            for values in joining_column(self.load.spool, name, self._place(name, pulled.column)):
                self._add(name, values, pa.repeat(False, len(values)))
        kind, seen = Kind(pulled.kind), self.seen[name]
        found = self.load.ledger.watermark(self.load.job.memory, name, before=self.load.name)
        start = pulled.value if pulled.wished else None
        before = found[1].value if found is not None and found[1].kind == kind else None
        value = moved(kind, before, seen, asked=pulled.wished, start=start, horizon=pulled.horizon)
        return Stands(pulled, seen, value if kind != Kind.TEXT or is_harmless(value or "") else None)


@dataclass(frozen=True, slots=True)
class Stands:
    """Where one watermark stands after a run, and what of the table it goes by; without a value it is not kept."""

    pulled: Pulled
    seen: Seen
    value: str | None


@dataclass(frozen=True, slots=True)
class Moved:
    """Where the watermarks stand after a run."""

    load: Load
    tables: Mapping[str, Stands]

    def told(self) -> dict[str, ReadSince]:
        """For machines."""
        return {
            name: ReadSince(each.pulled.column, *(shown(each.pulled.kind, v) for v in (each.pulled.value, each.value)))
            for name, each in self.tables.items()
        }

    def notes(self) -> Iterator[str]:
        """For people."""
        for name, each in self.tables.items():
            yield f"{name}: {_upto(each)}"
            if each.seen.without:
                yield f"{name}: rows without {each.pulled.column}, which only full runs read: {each.seen.without:,}"

    def keep(self) -> None:
        """Write them down; when a run ends anew, in place of what it left before."""
        for name, each in self.tables.items():
            if each.value is not None:
                pulled = each.pulled
                mark = Watermark(
                    pulled.column, Kind(pulled.kind), each.value, pulled.query_sha256, pulled.columns_sha256
                )
                self.load.ledger.move_watermark(self.load.name, self.load.job.memory, name, mark, datetime.now(UTC))


def _upto(each: Stands) -> str:
    held, column, kind = each.seen.held, each.pulled.column, each.pulled.kind
    if each.value is None and kind == Kind.TEXT and each.seen.highest and not held:
        return f"{column} holds words: how far it was read is not kept, and the next run reads all; name a time"
    if each.value is None:
        return "the next run reads all rows" + (f": {held:,} are not sent or in doubt" if held else "")
    upto = shown(kind, each.value)
    if held:
        again = f"from {column} {upto} on again" if upto else "from where this one did"
        return f"{held:,} of the rows are not sent or in doubt: the next run reads {again}"
    return f"read up to {f'{column} {upto}' if upto else f'the last {column}'}, the next run reads from there"
