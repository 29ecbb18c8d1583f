"""`bulkload forget`: one customer goes out of ledger, runs and reports, for good, with a receipt that names nobody."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import typer

from connectors.durable import keep_entries, make_folder
from connectors.ledger import Ledger
from connectors.locks import only_one
from connectors.private import room_in
from connectors.results import UNREADABLE_FOLDER, write_text
from connectors.trace import FOUND
from flows.erasing import Eraser, joined_by
from flows.finding import ENDED, Finder
from flows.lease import holding
from flows.settings import Home
from flows.told import Told
from flows.whose import Customer, check_that_all_is_over, customer_of, kind_of_key, memories_of
from schemas.errors import JobError, Stopped
from schemas.forget import ErasedRun, Forgotten, Receipt
from transforms.forget import erased_json
from transforms.masking import mask

FOLDER = "forgotten"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What is about to be erased."""

    customer: Customer
    memories: tuple[tuple[str, bytes], ...]  # what jobs remember customers under, and the key there
    lines: bool  # whether there are lines that are no rows, which may hold the customer

    @property
    def nothing(self) -> bool:
        return not (self.customer.found or self.memories or self.lines)

    def said(self, masked: str) -> str:
        """What is asked about."""
        found = self.customer.found
        rows, jobs = sum(one.rows.num_rows for one in found), dict.fromkeys(one.record.job for one in found)
        of_jobs = f" of {', '.join(jobs)}" if jobs else ""
        return (
            f"{masked}: {rows:,} rows in {len(found):,} runs{of_jobs}, {len(self.memories):,} jobs that remember them. "
            "Erase all of it? It cannot be taken back, and later files are not sent for them"
        )


def forget(identifier: str, yes: bool, home: Home, told: Told) -> None:
    """Erase one customer; who is not found is told so.

    Raises:
        JobError: several customers are meant, a run can still go on with them, or nobody is there to be asked.
        Stopped: a person said no.
    """
    receipt, file = forgotten_by(identifier, yes, home)
    named = receipt.as_json() | {"customer": mask(identifier), "receipt": str(file) if file else None}
    told.result(named, lambda: _lines(receipt, file, mask(identifier)))


def forgotten_by(identifier: str, yes: bool, home: Home) -> tuple[Receipt, Path | None]:
    """Erase whom an identifier means; the receipt, and where it is kept if there was anything to erase."""
    nothing = Receipt(datetime.now(UTC), (), (), {})
    if not home.ledger.exists():
        return nothing, None
    with closing(Ledger(home.ledger)) as ledger, _alone(home, ledger), room_in(home.folder):
        finder = Finder(home, ledger, identifier)
        customer = customer_of(finder)
        check_that_all_is_over(ledger, finder, customer)
        erasure = Erasure(customer, tuple(memories_of(ledger, finder, customer)), _has_lines(finder))
        if erasure.nothing:
            return nothing, None
        _ask(erasure.said(mask(identifier)), yes)
        receipt = _erase(ledger, finder, erasure)
        return receipt, _keep(home, receipt) if receipt.runs or receipt.forgotten else None


@contextmanager
def _alone(home: Home, ledger: Ledger) -> Iterator[None]:
    """No run of any job sends or closes meanwhile, here or on another machine."""
    with ExitStack() as stack:
        for name in ledger.lease_names():
            holder = stack.enter_context(closing(Ledger(home.ledger)))
            stack.enter_context(holding(holder, home.folder, name, "forget"))
        for job in ledger.job_names():
            stack.enter_context(only_one(home.folder, job))
        yield


def _has_lines(finder: Finder) -> bool:
    return any((record.folder / UNREADABLE_FOLDER).exists() for record in finder.records)


def _ask(what: str, yes: bool) -> None:
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise JobError("forget erases for good: give --yes, or run it at a terminal and answer")
    if not typer.confirm(what, err=True):
        raise Stopped("nothing was erased")


def _erase(ledger: Ledger, finder: Finder, erasure: Erasure) -> Receipt:
    """The ledger first, so that no later run brings them back; who dies midway asks once more for the rest."""
    now_utc = datetime.now(UTC)
    forgotten = [Forgotten(job, key, ledger.forget(job, key, now_utc)) for job, key in erasure.memories]
    runs = list(_erased_runs(ledger, finder, erasure.customer))
    not_searched = {one.record.run: one.why for one in erasure.customer.unsearched}
    return Receipt(now_utc, tuple(runs), tuple(forgotten), not_searched)


def _erased_runs(ledger: Ledger, finder: Finder, customer: Customer) -> Iterator[ErasedRun]:
    found = {one.record.run: one.rows for one in customer.found}
    joined_on = _joined_on(finder, found)
    for record in finder.records:
        if record.state not in ENDED or not record.folder.exists():
            continue
        manifest, rows = finder.manifests[record.run], found.get(record.run, FOUND.empty_table())
        wanted, spellings = customer.wanted_in(record, manifest), finder.spellings_in(record)
        # What joins a table is a name of theirs only where their key is.
        joined_by_them = joined_on if kind_of_key(record, manifest) in customer.keys else {}
        eraser = Eraser(record, manifest, rows, wanted, spellings, finder.salt, joined_by_them)
        # Before the files, of which results go last: by them the rest is found again by whoever dies midway.
        entities = ledger.erase_entities(record.run, eraser.numbers.to_pylist())
        if record.summary and (summary := erased_json(record.summary, eraser.places)) != record.summary:
            ledger.tell_anew(record.run, summary)
        files = eraser.erase() | ({"ledger: entity ids": entities} if entities else {})
        if files:
            yield ErasedRun(record.run, len(eraser.numbers), files)


def _joined_on(finder: Finder, found: Mapping[str, pa.Table]) -> dict[str, frozenset[str]]:
    """A joined table's row may lie in a run whose leading table did not have the customer."""
    values: dict[str, frozenset[str]] = {}
    for record in finder.records:
        manifest = finder.manifests[record.run]
        if record.run in found and manifest is not None:
            for on, theirs in joined_by(record.folder, manifest, found[record.run].column("row").combine_chunks()):
                values[on] = values.get(on, frozenset()) | theirs
    return values


def _keep(home: Home, receipt: Receipt) -> Path:
    folder = home.folder / FOLDER
    make_folder(folder)
    whose = receipt.forgotten[0].key_hash.hex()[:8] if receipt.forgotten else "rows"
    file = folder / f"{receipt.at_utc:%Y%m%dT%H%M%SZ}-{whose}.json"
    write_text(file, json.dumps(receipt.as_json(), indent=1))
    keep_entries(folder)
    return file


def _lines(receipt: Receipt, file: Path | None, masked: str) -> Iterator[str]:
    if file is None:
        yield f"{masked}: nothing here is such a customer's; nothing was erased"
    for run in receipt.runs:
        yield f"{run.run}: {run.rows:,} rows; {', '.join(f'{name} ({many:,})' for name, many in run.files.items())}"
    for one in receipt.forgotten:
        erased = ", ".join(f"{lines:,} of {table}" for table, lines in one.ledger.items() if lines) or "nothing"
        yield f"ledger, {one.job}: {erased}; key hash {one.key_hash.hex()} stays"
    for name, why in receipt.not_searched.items():
        yield f"not searched: {name}: {why}"
    if file is not None:
        yield f"receipt: {file}"
