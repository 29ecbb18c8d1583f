"""Moving a watermark: up to where the leading query need not be asked again, now that a run has ended."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from connectors.spool import Part
from flows.prepare import PreparedRun
from flows.since import shown
from flows.underway import Load
from schemas.outcomes import Fate
from schemas.taken import Pulled
from schemas.watermarks import Kind, ReadSince, Seen, Watermark
from transforms.watermarks import both, earliest, future, is_harmless, is_of_the_future, later, moved, seen_in

# Rows of these fates are still to be sent, or may be: a later run must meet them again.
_HELD = pa.array([Fate.NOT_SENT.value, Fate.IN_DOUBT.value])


@dataclass
class Moving:
    """Moves the watermark of a run that ends, once all its parts are closed: the leading table's, if it has since."""

    load: Load
    prepared: PreparedRun
    seen: Seen = field(default_factory=Seen)

    def __post_init__(self) -> None:
        whole = self.load.retry is None and not self.prepared.limited
        taken = self.load.source.taken.get(self.load.source.lead)
        self.pulled = taken.pulled if whole and taken and taken.pulled and taken.pulled.kind else None

    def part(self, part: Part, closed: pa.Table) -> None:
        """See a closed part: which of its rows are held."""
        if self.pulled is None or part.table or not part.rows:
            return
        fates = closed.column("fate").combine_chunks().slice(0, part.rows)
        place = str(self.load.source.columns(self.load.source.lead).index(self.pulled.column))
        values = self.load.spool.read("rows", part, [place]).column(0).combine_chunks()
        kind = Kind(self.pulled.kind)
        self.seen = both(kind, self.seen, seen_in(kind, values, pc.is_in(fates, value_set=_HELD)))

    def end(self) -> "Moved":
        """Where the watermark stands now, once all parts were seen."""
        return Moved(self.load, self._stands(self.pulled) if self.pulled is not None else None)

    def _stands(self, pulled: Pulled) -> "Stands":
        kind = Kind(pulled.kind)
        found = self.load.ledger.watermark(self.load.job.memory, self.load.source.lead, before=self.load.name)
        before = found[1].value if found is not None and found[1].kind == kind else None
        horizon = earliest(kind, pulled.horizon, future(kind, self.load.started))
        value = moved(kind, before, self.seen, asked=pulled.wished, start=pulled.value, horizon=horizon)
        return Stands(pulled, self.seen, value if kind != Kind.TEXT or is_harmless(value or "") else None)


@dataclass(frozen=True, slots=True)
class Stands:
    """Where a watermark stands after a run, and what of the table it goes by; without a value there is none."""

    pulled: Pulled
    seen: Seen
    value: str | None


@dataclass(frozen=True, slots=True)
class Moved:
    """Where the watermark stands after a run that had one to move."""

    load: Load
    stands: Stands | None

    def told(self) -> dict[str, ReadSince]:
        """For machines."""
        if self.stands is None:
            return {}
        pulled, value = self.stands.pulled, self.stands.value
        from_, to = (shown(pulled.kind, each) for each in (pulled.value, value))
        return {self.load.source.lead: ReadSince(pulled.column, from_, to)}

    def notes(self) -> Iterator[str]:
        """For people."""
        if self.stands is None:
            return
        name, seen, pulled = self.load.source.lead, self.stands.seen, self.stands.pulled
        yield f"{name}: {_upto(self.stands)}"
        if is_of_the_future(Kind(pulled.kind), seen.highest, self.load.started):
            highest = shown(pulled.kind, seen.highest)
            yield (
                f"{name}: the highest {pulled.column} is of the future{f' ({highest})' if highest else ''}: "
                "such rows are read again in every run until then; correct them where they are written"
            )
        if seen.without:
            yield f"{name}: rows without {pulled.column}, which only full runs read: {seen.without:,}"

    def keep(self) -> None:
        """Write it down; when a run ends anew, in place of what it left before."""
        if self.stands is None:
            return
        pulled, job, name = self.stands.pulled, self.load.job.memory, self.load.source.lead
        if self.stands.value is None:
            self.load.ledger.forget_watermark(self.load.name, job, name)
            return
        mark = Watermark(
            pulled.column, Kind(pulled.kind), self.stands.value, pulled.query_sha256, pulled.columns_sha256
        )
        self.load.ledger.move_watermark(self.load.name, job, name, mark, datetime.now(UTC))


def _upto(each: Stands) -> str:
    held, column, kind = each.seen.held, each.pulled.column, each.pulled.kind
    if each.value is None and kind == Kind.TEXT and each.seen.highest and not held:
        return f"{column} holds words: how far it was read is not kept, and the next run reads all; name a time"
    if each.value is None:
        return "the next run reads all rows" + (f": {held:,} are not sent or in doubt" if held else "")
    upto = shown(kind, each.value)
    if later(Kind(kind), each.value, each.pulled.value) != each.value:
        again = f"{column} {upto}" if upto else "where it would have without --since"
        return f"rows before those of this run are still to be read: the next run reads from {again}"
    if held:
        again = f"from {column} {upto} on again" if upto else "from where this one did"
        return f"{held:,} of the rows are not sent or in doubt: the next run reads {again}"
    return f"read up to {f'{column} {upto}' if upto else f'the last {column}'}, the next run reads from there"
