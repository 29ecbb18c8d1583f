"""Which rows are one customer's, in all runs: by one key per kind of key, or nobody's."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from connectors.ledger import Ledger, RunRecord
from connectors.ledger_tables import RunState
from connectors.rewriting import column_of
from connectors.trace import FOUND, RESULTS_FILE, of_rows, rows_naming
from flows.finding import Finder, Found, Unsearched
from flows.underway import Manifest
from schemas.errors import JobError, raise_all
from schemas.outcomes import Fate
from schemas.trace import Wanted
from transforms.forget import others_identifiers
from transforms.masking import mask

# What a run can still do with a row of the customer, and how to have it done.
_GOES_ON = {
    RunState.PLANNED: "it is planned and would send them; apply it, or delete its folder {folder}",
    RunState.DELIVERING: "it is being sent, or was killed while it was; first: bulkload resume {run}",
}
_UNSENT = "it stopped before it sent them; first: bulkload resume {run}, or delete its folder {folder}"
_IN_DOUBT = "nobody knows what became of them; first: bulkload settle {run}"
_UNKNOWN = "{why}, so nobody knows whom it holds; wait for its end, or delete its folder {folder}"


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer: their key by kind of key, all their identifiers, and their rows by run."""

    keys: Mapping[str, frozenset[bytes]]
    identifiers: frozenset[int]
    found: tuple[Found, ...]
    unsearched: tuple[Unsearched, ...]

    def wanted_in(self, record: RunRecord, manifest: Manifest | None) -> Wanted:
        """Whom to look for in a run."""
        return Wanted(self.keys.get(kind_of_key(record, manifest), frozenset()), self.identifiers)


@dataclass
class _Keys:
    """Keys that an identifier leads to, and an example row of each."""

    rows: dict[bytes, tuple[Found, int]] = field(default_factory=dict)


def customer_of(finder: Finder) -> Customer:
    """Whom an identifier means.

    Raises:
        JobError: several customers, told by their masked keys.
    """
    looked = list(finder.runs())
    found = [one for one in looked if isinstance(one, Found)]
    kinds: dict[str, _Keys] = defaultdict(_Keys)
    identifiers: set[int] = set()
    for one in found:
        wanted = finder.wanted_in(one.record)
        rows = _meant(one.rows, wanted)
        identifiers |= wanted.identifiers | set(pc.list_flatten(rows.column("identifiers")).to_pylist())
        keys = kinds[kind_of_key(one.record, one.manifest)].rows
        for key, row in zip(rows.column("key").to_pylist(), rows.column("row").to_pylist(), strict=True):
            if key is not None:
                keys.setdefault(key, (one, row))
    raise_all(JobError, [_several(kind.rows) for kind in kinds.values() if len(kind.rows) > 1])
    by_kind = {name: frozenset(kind.rows) for name, kind in kinds.items()}
    unsearched = tuple(one for one in looked if isinstance(one, Unsearched))
    customer = Customer(by_kind, frozenset(identifiers), (), unsearched)
    return Customer(by_kind, customer.identifiers, tuple(_everywhere(finder, customer)), unsearched)


def kind_of_key(record: RunRecord, manifest: Manifest | None) -> str:
    """What the keys of a run are: those of one organisation and column tell customers apart, also in several jobs."""
    if manifest is None or manifest.spelling is None:
        return f"job {record.job}"
    return f"{manifest.memory.partition(' ')[2]} {manifest.spelling.key.source}"


def _meant(rows: pa.Table, wanted: Wanted) -> pa.Table:
    """Who gives a key means its customer, not others who have it as an identifier."""
    keys = rows.column("key")
    by_key = pc.is_in(keys, value_set=pa.array(sorted(wanted.keys), keys.type))
    return rows.filter(pc.or_(by_key, keys.is_null())) if pc.any(by_key).as_py() else rows


def _everywhere(finder: Finder, customer: Customer) -> Iterator[Found]:
    """Their rows by key, and rows without a key that have an identifier which is theirs alone."""
    could_not = {one.record.run for one in customer.unsearched}
    for record in finder.records:
        if record.run in could_not:
            continue
        wanted = customer.wanted_in(record, finder.manifests[record.run])
        one = finder.look_into(record, wanted)
        assert one is not None, "it was looked into before"
        rows = _theirs(one.rows, wanted)
        if rows.num_rows:
            yield Found(record, rows, one.manifest)


def _theirs(rows: pa.Table, wanted: Wanted) -> pa.Table:
    keys = rows.column("key")
    by_key = pc.is_in(keys, value_set=pa.array(sorted(wanted.keys), keys.type))
    alone = wanted.identifiers - others_identifiers(rows, by_key)
    told = [bool(alone.intersection(some or ())) for some in rows.column("identifiers").to_pylist()]
    return rows.filter(pc.or_(by_key, pc.and_(keys.is_null(), pa.array(told, pa.bool_()))))


def _several(keys: Mapping[bytes, tuple[Found, int]]) -> str:
    return _told_several(_raw_key(*example) or f"key hash {key.hex()}" for key, example in keys.items())


def _told_several(keys: Iterable[str]) -> str:
    return f"several customers have this identifier: {', '.join(sorted(keys))}; give the key of the one that is meant"


def _raw_key(found: Found, row: int) -> str | None:
    """A row's key as the source has it, masked; None where the run's rows are not there any more."""
    if found.manifest is None or found.manifest.spelling is None:
        return None
    table, place = found.manifest.places[found.manifest.spelling.key.source]
    lead = next(iter(found.manifest.tables))
    for path in sorted((found.record.folder / "rows").glob("*")):
        at = pc.index(column_of(path, "row"), row).as_py()
        holder = path if table == lead else found.record.folder / "joined" / table / f"{path.stem}.parquet"
        if at >= 0 and holder.exists():
            raw = column_of(holder, str(place))[at].as_py()
            return mask(raw) if raw else None
    return None


def memories_of(ledger: Ledger, finder: Finder, customer: Customer) -> list[tuple[str, bytes]]:
    """What jobs remember the customer under, or would: name and key.

    Raises:
        JobError: several customers, of runs whose folders are gone.
    """
    known = {
        (memory, key)
        for record in finder.records
        for memory in _memories(ledger, record, finder.manifests[record.run])
        for key in customer.keys.get(kind_of_key(record, finder.manifests[record.run]), ())
    }
    # Of a run whose folder is gone only the ledger knows.
    known |= {(one.job, one.key_hash) for one in ledger.remembered_of(finder.keys) if one.forgotten_at_utc is None}
    if not customer.found:
        known |= set(finder.holders())
    by_memory: dict[str, set[bytes]] = defaultdict(set)
    for memory, key in known:
        by_memory[memory].add(key)
    raise_all(JobError, [_told_several(f"key hash {k.hex()}" for k in v) for v in by_memory.values() if len(v) > 1])
    return sorted(known)


def _memories(ledger: Ledger, record: RunRecord, manifest: Manifest | None) -> Iterator[str]:
    """An older run did not keep what its job remembers customers under; it begins with the job's name."""
    if manifest is not None and manifest.memory:
        yield manifest.memory
    else:
        yield from (memory for memory in ledger.memories() if memory.partition(" ")[0] == record.job)


def check_that_all_is_over(ledger: Ledger, finder: Finder, customer: Customer) -> None:
    """Nothing may be sent of a customer any more who is about to be forgotten, nor in rows that name them as a parent.

    Raises:
        JobError: every run that can still go on with them, and what to do about it.
    """
    still_open = dict.fromkeys(_open(ledger, [*customer.found, *_naming(finder, customer)]))
    raise_all(JobError, [*_unknown(customer.unsearched), *still_open])


def _naming(finder: Finder, customer: Customer) -> Iterator[Found]:
    """Rows of others that name the customer as their parent."""
    for record in finder.records:
        manifest = finder.manifests[record.run]
        rows = rows_naming(record.folder, customer.wanted_in(record, manifest))
        if len(rows):
            ended = (record.folder / RESULTS_FILE).exists()
            found = of_rows(record.folder, rows.to_pylist()) if ended else FOUND.empty_table()
            yield Found(record, found, manifest)


def _unknown(unsearched: Sequence[Unsearched]) -> Iterator[str]:
    for one in unsearched:
        if one.record.folder.exists():
            yield f"run {one.record.run}: {_UNKNOWN.format(why=one.why, folder=one.record.folder)}"


def _open(ledger: Ledger, found: Sequence[Found]) -> Iterator[str]:
    for one in found:
        run, rows = one.record.run, set(one.rows.column("row").to_pylist())
        doubts = {doubt.row for doubt in ledger.doubts(run)}
        why = _GOES_ON.get(one.record.state)
        if why is None and doubts & rows:
            why = _IN_DOUBT
        if why is None and Fate.NOT_SENT in one.rows.column("fate").to_pylist():
            why = _UNSENT
        if why is not None:
            yield f"run {run}: {why.format(run=run, folder=one.record.folder)}"
