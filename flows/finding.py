"""One customer is looked for in every run of a home: by keyed hashes, in whatever form the job's source has them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from connectors.ledger import Ledger, RunRecord
from connectors.ledger_tables import RunState
from connectors.spool import Part, Spool
from connectors.trace import FOUND, RESULTS_FILE, in_prepared, in_results
from flows.closing import closed_parts
from flows.settings import Home
from flows.underway import Manifest, known_source
from schemas.errors import BulkloadError, WrongInput
from schemas.trace import Spelling, Wanted
from transforms.results import Operation
from transforms.trace import any_spelling, wanted_of

ENDED = (RunState.DONE, RunState.STOPPED, RunState.FAILED)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in one run: `rows` as `FOUND`, in the order of its source."""

    record: RunRecord
    rows: pa.Table
    manifest: Manifest | None


@dataclass(frozen=True, slots=True)
class Unsearched:
    """A run that cannot be looked into, and why."""

    record: RunRecord
    why: str


class Finder:
    """Looks for an identifier in the runs of a home, as each of their jobs may have read it."""

    def __init__(self, home: Home, ledger: Ledger, identifier: str) -> None:
        self._ledger, self._identifier, self.salt = ledger, identifier, home.salt()
        self.records: Sequence[RunRecord] = ledger.runs(None)[::-1]
        self.manifests = {record.run: _manifest(record) for record in self.records}

    def runs(self) -> Iterator[Found | Unsearched]:
        """Every run that the customer is in, or may be in; the last one last."""
        for record in self.records:
            try:
                found = self.look_into(record, self.wanted_in(record))
            except BulkloadError as error:
                yield Unsearched(record, str(error))
                continue
            if found is None:
                yield Unsearched(record, _why_not(record))
            elif found.rows.num_rows:
                yield found

    @cached_property
    def keys(self) -> frozenset[bytes]:
        """The keyed hashes by which the ledger may know the customer, whatever the job."""
        known = (manifest.spelling for manifest in self.manifests.values() if manifest and manifest.spelling)
        return self._anyhow.keys | wanted_of(self._identifier, dict.fromkeys(known), self.salt).keys

    def holders(self) -> list[tuple[str, bytes]]:
        """Who has it as an identifier, by the ledger alone: what a job remembers customers under, and the key."""
        known = dict.fromkeys(manifest.spelling for manifest in self.manifests.values() if manifest)
        identifiers = wanted_of(self._identifier, filter(None, known), self.salt).identifiers
        return sorted({holder for one in identifiers for holder in self._ledger.holders(one)})

    @cached_property
    def _anyhow(self) -> Wanted:
        return wanted_of(self._identifier, self._any_spelling, self.salt)

    @cached_property
    def _any_spelling(self) -> Sequence[Spelling]:
        return list(any_spelling(m.spelling.locale for m in self.manifests.values() if m and m.spelling))

    def spellings_in(self, record: RunRecord) -> Sequence[Spelling]:
        """How a run's job read identifiers; every way where that was not kept."""
        manifest = self.manifests[record.run]
        return [manifest.spelling] if manifest and manifest.spelling else self._any_spelling

    def wanted_in(self, record: RunRecord) -> Wanted:
        """Whom the identifier means in a run."""
        spellings = self.spellings_in(record)
        return self._anyhow if spellings is self._any_spelling else wanted_of(self._identifier, spellings, self.salt)

    def look_into(self, record: RunRecord, wanted: Wanted) -> Found | None:
        """The rows of one run that are wanted; None where nothing of it is left to look into.

        Raises:
            WrongInput: an older version left it before its end.
        """
        manifest = self.manifests[record.run]
        if record.state in ENDED and (record.folder / RESULTS_FILE).exists():
            return Found(record, in_results(record.folder, wanted), manifest)
        if manifest is None or record.state is RunState.PREPARING:
            return None
        return Found(record, _prepared(self._ledger, record, manifest, wanted), manifest)


def _prepared(ledger: Ledger, record: RunRecord, manifest: Manifest, wanted: Wanted) -> pa.Table:
    """Rows of a run that has not ended, with the fates they have by now."""
    spool = Spool(record.folder)
    rows = pa.array(in_prepared(spool, wanted), pa.int64())
    source = known_source(manifest)
    parts = [part for part in manifest.prepared.parts if _has_any(part, rows.to_pylist())]

    def answers(part: Part) -> pa.Table:
        return ledger.results(record.run, part.first_row, part.end_row - 1)

    found = [FOUND.empty_table()]
    for part, closed in closed_parts(spool, parts, answers):
        files = pa.array(source.names(part.table or source.lead), pa.string())
        here = closed.filter(pc.is_in(closed.column("row"), value_set=rows))
        named = here.set_column(here.schema.get_field_index("file"), "file", files.take(here.column("file")))
        found.append(_as_found(named))
    return pa.concat_tables(found)


def _has_any(part: Part, rows: Sequence[int]) -> bool:
    return any(part.first_row <= row < part.end_row for row in rows)


def _as_found(closed: pa.Table) -> pa.Table:
    missing = [field for field in FOUND if field.name not in closed.column_names]
    for field in missing:
        closed = closed.append_column(field, pa.nulls(closed.num_rows, field.type))
    return closed.select(FOUND.names).cast(FOUND)


def _manifest(record: RunRecord) -> Manifest | None:
    try:
        return Manifest.read(Spool(record.folder))
    except WrongInput:
        return None


def _why_not(record: RunRecord) -> str:
    if not record.folder.exists():
        return "its folder is gone"
    if record.state is RunState.PREPARING:
        return "it is being prepared, or was killed while it was"
    return "its results are gone"


class _Plan(msgspec.Struct):
    operation: str


def operation_of(record: RunRecord) -> Operation:
    """What a run asked of the API: by it codes have their meaning."""
    try:
        told = msgspec.json.decode((record.folder / "plan.json").read_bytes(), type=_Plan).operation
    except (OSError, msgspec.DecodeError):
        told = "update"
    return next((known for known in get_args(Operation) if known == told), "update")
