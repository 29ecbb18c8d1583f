"""Taking a source: files are found, copied and decrypted, queries are run; what was taken stays readable."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from connectors.durable import make_folder
from connectors.files import Local, check_unchanged, in_place, open_files, open_table
from connectors.found import check_plain
from connectors.ledger import Ledger
from connectors.locks import is_held, made_held
from connectors.pgp import decrypt
from connectors.places import Found, Place, place_of
from connectors.throwaway import throwaway
from connectors.warehouse import open_query
from flows.since import NOTHING_MORE, Leading, asking
from flows.wishes import AS_WRITTEN, Wishes
from schemas.errors import SourceError
from schemas.rows import Reading, SourceFile
from schemas.tables import Table
from schemas.taken import Taken, TakenFile

LANDED = "landed"


@dataclass(frozen=True, slots=True)
class Taking:
    """How a source is taken. Copies lie in `landing` and connections are open until `until_read` is closed."""

    folder: Path  # of the job file
    landing: Path
    memory: str
    until_read: ExitStack
    until_done: ExitStack  # what nobody else may take in the meantime
    ledger: Ledger | None = None  # None: somebody only looks
    wishes: Wishes = AS_WRITTEN
    locks: Path | None = None  # where dropped files are claimed; None: they are not
    timezone: str = "UTC"  # of times that a person wishes without one
    leading: Leading = NOTHING_MORE  # what more there is to know of the leading table
    # Tables that were taken before and are not taken again: what is left of them.
    known: Mapping[str, tuple[Reading, Taken]] = field(default_factory=dict)


@contextmanager
def looking(folder: Path) -> Iterator[Taking]:
    """Take a source to look at it: nothing of it is remembered, and its copies are gone afterwards."""
    with throwaway() as landing, ExitStack() as stack:
        yield Taking(folder, landing, "", stack, stack)


@contextmanager
def landing_in(run: Path) -> Iterator[Path]:
    """Where a run's copies lie; they are erased at the end, and the run's folder too if nothing else is in it."""
    landing = run / LANDED
    make_folder(run)
    with made_held(landing):
        try:
            yield landing
        finally:
            shutil.rmtree(landing, ignore_errors=True)
            with suppress(OSError):
                run.rmdir()


def clear_landings(home: Path) -> None:
    """Erase the copies of runs that were killed while they read their source: they are people's data, in clear."""
    for landing in home.glob(f"*/{LANDED}"):
        if not is_held(landing):
            shutil.rmtree(landing, ignore_errors=True)


def take(table: Table, name: str, how: Taking) -> tuple[Reading, Taken | None]:
    """Open one table; what was taken of it, where it is not read in its place.

    Raises:
        SourceError: not there, not reachable, not readable, or not of the format.
    """
    label = f"source.{name}"
    if name in how.known:
        return how.known[name]
    if table.database is not None:
        return _queried(table, name, label, how)
    files = table.files or ""
    if "://" not in files and table.decrypt is None and table.match is None:
        return open_table(table, how.folder, label), None
    place = place_of(files, table.match, table.login, how.folder, label, how.until_read)
    found = place.found()
    if not found:
        raise SourceError(place.nothing())
    for each in found:
        check_plain(each.path, label)
    locals_ = [local_of(each, place, table, label, how) for each in found]
    reading = open_files(locals_, table, label)
    return reading, Taken(taken_of(found, locals_, reading))


def local_of(found: Found, place: Place, table: Table, label: str, how: Taking) -> Local:
    """A file made ready to be read on this machine: copied if it lies elsewhere, decrypted if the job says so."""
    return decrypted(landed(found, place, label, how), table, f"{label}: {found.uri}", how)


def landed(found: Found, place: Place, label: str, how: Taking) -> Local:
    """A file on this machine, copied if it lies elsewhere."""
    if place.is_local:
        return in_place(Path(found.path), label)
    copy = place.land(found, how.landing)
    # What it is called there says what it is; what the copy is called may be another name.
    return Local(copy.path, SourceFile(Path(found.path), copy.size_bytes, copy.sha256, found.uri))


def decrypted(local: Local, table: Table, label: str, how: Taking) -> Local:
    """The same file in clear, if the job says that it is encrypted."""
    if table.decrypt is None:
        return local
    secret = table.decrypt.passphrase
    plain = decrypt(
        local.path,
        Path(tempfile.mkdtemp(dir=how.landing)),  # two files of one name, from two folders
        how.folder / table.decrypt.pgp_key,
        secret.get_secret_value() if secret else None,
        label,
    )
    check_unchanged(local, label)
    return replace(local, path=plain, state=None)


def taken_of(found: Sequence[Found], locals_: Sequence[Local], reading: Reading) -> tuple[TakenFile, ...]:
    """What is kept of files, with the places that the reading gave to each: an archive's members have several."""
    places = {(local.source.uri, local.source.path): list[int]() for local in locals_}
    for place, file in enumerate(reading.files):
        # A member's path lies below its archive's.
        whole = next(each for each in (file.path, *file.path.parents) if (file.uri, each) in places)
        places[file.uri, whole].append(place)
    return tuple(
        TakenFile(each.uri, each.path, each.stamp, own.sha256, own.size_bytes, tuple(places[own.uri, own.path]))
        for each, own in zip(found, (local.source for local in locals_), strict=True)
    )


def changed_since(table: Table, name: str, taken: Taken, how: Taking) -> Iterator[str]:
    """The files that are no longer as they were taken, by name."""
    if table.files is None:
        return
    place = place_of(table.files, table.match, table.login, how.folder, f"source.{name}", how.until_read)
    now = {each.path: each.stamp for each in place.found()}
    yield from (file.uri for file in taken.files if now.get(file.path) != file.stamp)


def _queried(table: Table, name: str, label: str, how: Taking) -> tuple[Reading, Taken]:
    assert table.database is not None
    url, query = table.database.get_secret_value(), _query_of(table, label, how.folder)
    if table.since is None:
        return open_query(url, query, None, name, label, how.until_read, folder=how.folder).reading, Taken()
    asked = asking(name, table, query, how.wishes, how.ledger, how.memory, how.timezone, how.leading)
    opened = open_query(url, query, asked.bound, name, label, how.until_read, horizon=asked.horizon, folder=how.folder)
    pulled = asked.pulled(opened)
    notes = asked.notes(pulled) if how.ledger is not None else ()
    return replace(opened.reading, notes=(*opened.reading.notes, *notes)), Taken(pulled=pulled)


def _query_of(table: Table, label: str, folder: Path) -> str:
    if table.query is not None:
        return table.query
    file = folder / (table.query_file or "")
    trouble = ""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        trouble = error.strerror or "input/output error"
    except UnicodeDecodeError:
        trouble = "it is not UTF-8 text"
    raise SourceError(f"{label}.query_file: {file} cannot be read: {trouble}")
