"""Since: from where on a query is asked for rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

from connectors.ledger import Ledger
from connectors.warehouse import Query
from flows.wishes import Wishes
from schemas.errors import JobError
from schemas.job import Job
from schemas.tables import Since, Table
from schemas.taken import Pulled, Taken
from schemas.watermarks import Bound, Kind, ReadSince, Watermark
from transforms.watermarks import columns_digest, duration_of, earlier_by, query_digest, value_of

TRANSACTIONS = "transactions"
CLOCK_TURNS_BACK = timedelta(hours=1)


def check_wishes(job: Job, wishes: Wishes) -> None:
    """--full and --since are of a leading table that has since; joined ones are read in full each time.

    Raises:
        JobError: it has not, or both are wished.
    """
    asked = [word for word, is_asked in (("--full", wishes.full), ("--since", wishes.since is not None)) if is_asked]
    lead, table = next(iter(job.source.items()))
    if asked and table.since is None:
        raise JobError(f"{' and '.join(asked)}: source.{lead} has no since, all is read in full; leave it out")
    if len(asked) > 1:
        raise JobError("--full and --since: give one of them")


@dataclass(frozen=True, slots=True)
class Leading:
    """What of a job a leading table's rows go by, beside its query."""

    joined: tuple[str, ...] = ()  # the tables that join it
    filter: str = ""  # another one takes rows that this one left out


NOTHING_MORE = Leading()


@dataclass(frozen=True, slots=True)
class Asking:
    """From where on one query is asked, and why."""

    name: str
    since: Since
    digest: str  # of the query
    bound: Bound
    wishes: Wishes
    run: str = ""  # whose watermark it is
    before: Watermark | None = None
    joins: bool = False  # a leading row that changed needs its joined row whenever that one did
    leading: Leading = NOTHING_MORE

    @property
    def horizon(self) -> bool:
        return self.since.overlap == TRANSACTIONS and not self.joins

    @property
    def wished(self) -> bool:
        return self.wishes.full or self.wishes.since is not None

    def pulled(self, query: Query) -> Pulled | None:
        """What is kept of the query, which is running now; nothing where the next one asks for all again.

        Raises:
            JobError: its columns are not those that were read so far, or it cannot overlap as the job says.
        """
        if self.joins:
            return None
        columns = columns_digest(query.reading.columns)
        if self.before is not None and not self.wished and columns != self.before.columns_sha256:
            raise _changed(f"source.{self.name}: the query's columns", self.run, self.before)
        kind = query.kind
        _check_overlap(self.name, self.since, kind)
        value = None if kind is None else self.bound.of(kind)
        return Pulled(self.since.column, kind or "", self.digest, columns, value, query.horizon, self.wished)

    def notes(self, pulled: Pulled | None) -> Iterator[str]:
        """What people are told of it."""
        if pulled is None:
            every = f"all rows whose {self.since.column} has a value"
            yield f"{self.name}: {every}, whatever since says: a leading row needs its joined one, changed or not"
            return
        yield f"{self.name}: {self._from(pulled)}"
        if self.before is None and pulled.kind:
            yield from (f"{self.name}: {note}" for note in _once(self.since, Kind(pulled.kind)))
        if self.before is None and self.leading.joined:
            joined = ", ".join(self.leading.joined)
            yield (
                f"{self.name}: rows are read when they changed themselves: what changed in {joined} alone waits for "
                "that, or for --full; a join in the query sees it at once"
            )

    def _from(self, pulled: Pulled) -> str:
        if self.wishes.full:
            return f"all rows whose {self.since.column} has a value, as --full says"
        after = f"rows with {self.since.column} after {shown(pulled.kind, pulled.value) or 'the last one read'}"
        if self.wishes.since is not None:
            return f"{after}, as --since says"
        if self.before is None:
            return f"all rows whose {self.since.column} has a value, as no run says up to where it was read"
        is_moved = pulled.value != self.before.value
        return f"{after} ({f'{self.since.overlap} before ' if is_moved else ''}the watermark of run {self.run})"


def asking(
    name: str,
    table: Table,
    query: str,
    wishes: Wishes,
    ledger: Ledger | None,
    memory: str,
    timezone: str,
    leading: Leading = NOTHING_MORE,
) -> Asking:
    """From where on to ask; without a ledger somebody only looks, and sees the first rows.

    Raises:
        JobError: the query is another one than that which was read so far.
    """
    assert table.since is not None
    since = table.since
    by_time, by_transactions = (query_digest(query, more, leading.filter) for more in ("", TRANSACTIONS))
    digest = by_transactions if since.overlap == TRANSACTIONS else by_time
    if table.join is not None:
        return Asking(name, since, digest, Bound(since.column, None, None), wishes, joins=True)
    ask = partial(Asking, name, since, digest, wishes=wishes, leading=leading)
    found = ledger.watermark(memory, name) if ledger is not None else None
    run, before = found or ("", None)
    if wishes.full:
        return ask(Bound(since.column, None, None), run=run, before=before)
    if wishes.since is not None:
        spelled = partial(_spelled, told=wishes.since, timezone=timezone, column=since.column)
        return ask(Bound(since.column, None, wishes.since, spelled), run=run, before=before)
    if before is None:
        return ask(Bound(since.column, None, None))
    # Up to where a horizon was looked at nothing comes late, so that a while may be taken off it just as well.
    same = {digest, by_transactions}
    if before.query_sha256 not in same or before.column != since.column:
        raise _changed(f"source.{name}: the query, what since says, or rules.filter", run, before)
    value = before.value
    if before.kind.is_time and since.overlap != TRANSACTIONS:
        value = earlier_by(before.kind, value, duration_of(since.overlap))
    return ask(Bound(since.column, before.kind, value), run=run, before=before)


def _spelled(kind: Kind, told: str, timezone: str, column: str) -> str:
    return value_of(kind, told, ZoneInfo(timezone), column)


def _changed(what: str, run: str, before: Watermark) -> JobError:
    upto = shown(before.kind, before.value)
    return JobError(
        f"{what} changed since run {run} read{f' up to {upto}' if upto else ''}; rows it did not select then may be "
        "older: run once with --full, or --since VALUE"
    )


def _check_overlap(name: str, since: Since, kind: Kind | None) -> None:
    """A while cannot be taken off a number; the default is no wish."""
    if kind is None or kind.is_time or since.overlap == TRANSACTIONS or "overlap" not in since.model_fields_set:
        return
    if duration_of(since.overlap):
        raise JobError(
            f"source.{name}.since.overlap: {since.column} is no time but {kind}, and {since.overlap} cannot be taken "
            "off it; leave overlap out"
        )


def _once(since: Since, kind: Kind) -> Iterator[str]:
    """What to know of a column before it is gone by, told in the first run."""
    if not kind.is_time:
        if "overlap" not in since.model_fields_set:
            yield f"{since.column} is no time: no overlap reads before it for rows that come late"
    elif kind == Kind.TIMESTAMP and since.overlap != TRANSACTIONS and duration_of(since.overlap) <= CLOCK_TURNS_BACK:
        yield f"{since.column} has no time zone: where its clock is turned back, give an overlap of more than that hour"


def shown(kind: str, value: str | None) -> str | None:
    """A value as people may see it; what a text holds is nobody's business."""
    return None if kind == Kind.TEXT else value


def read_since(taken: Mapping[str, Taken]) -> dict[str, ReadSince]:
    """From where on the tables of a plan were read."""
    return {
        name: ReadSince(each.pulled.column, shown(each.pulled.kind, each.pulled.value))
        for name, each in taken.items()
        if each.pulled is not None
    }
