"""Dropped files: which are whole, are nobody else's and were not loaded before; the oldest are loaded first."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from itertools import chain
from pathlib import Path

from connectors.files import Local, open_files
from connectors.kinds import stem_of
from connectors.locks import claimed
from connectors.places import Found, Place, place_of
from flows.taking import Taking, decrypted, landed, taken_of
from schemas.errors import BulkloadError, SourceError, WrongInput, raise_all
from schemas.job import Job
from schemas.manifests import FileManifest
from schemas.rows import RawRows, Reading
from schemas.spellings import seconds_of
from schemas.tables import Table
from schemas.taken import Taken, TakenFile
from transforms.manifests import broken_by_file, read_manifest

MANIFEST_BYTES = 1 << 20
_LATE = datetime.max.replace(tzinfo=UTC)


class NothingToLoad(BulkloadError):
    """No dropped file of a table is there to be loaded; nothing is wrong."""

    exit_code = 0

    def __init__(self, problem: str, table: str = "", taken: Taken | None = None) -> None:
        super().__init__(problem)
        self.table = table
        self.taken = taken or Taken()  # what was loaded before and still lies there


class BadFiles(SourceError):
    """Dropped files that cannot be loaded as they are, whatever lies beside them."""

    def __init__(self, *problems: str, table: str = "", files: Sequence[TakenFile] = ()) -> None:
        super().__init__(*problems)
        self.table = table
        self.files = tuple(files)


@dataclass(frozen=True, slots=True)
class Drop:
    """A file that was dropped, and the paths of what its sender put beside it."""

    found: Found
    marker: str | None
    manifest: str | None

    @property
    def beside(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.marker, self.manifest)))


@dataclass
class Picking:
    """One table's drop, looked through file by file."""

    table: Table
    name: str
    place: Place
    how: Taking
    left: Counter[str] = field(default_factory=Counter)  # files that are not loaded now, by why
    drops: list[Drop] = field(default_factory=list)
    locals_: list[Local] = field(default_factory=list)
    manifests: list[FileManifest] = field(default_factory=list)
    twice: list[TakenFile] = field(default_factory=list)
    bad: list[tuple[TakenFile, SourceError]] = field(default_factory=list)

    @property
    def label(self) -> str:
        return f"source.{self.name}"

    def pick(self, drop: Drop) -> None:
        """Take a file, or count why not."""
        if not self._claimed(drop):
            self.left["is being loaded by another run"] += 1
            return
        local = self._landed(drop)
        if local is None:
            self.left["was taken away or written again before it could be read"] += 1
        elif why := self._met_before(local.source.sha256):
            self.left[why] += 1
            self.twice.append(_taken(drop, local))
        else:
            self._take(drop, local)

    def _claimed(self, drop: Drop) -> bool:
        locks = self.how.locks
        return locks is None or self.how.until_done.enter_context(claimed(locks, _claim(drop.found.uri)))

    def _landed(self, drop: Drop) -> Local | None:
        """None: it is not there any more as it was listed; whoever had claimed it may have put it away."""
        if not self._is_still_there(drop):
            return None
        trouble = None
        try:
            return landed(drop.found, self.place, self.label, self.how)
        except SourceError as error:
            trouble = error
        if self._is_still_there(drop):
            raise trouble
        return None

    def _is_still_there(self, drop: Drop) -> bool:
        now = self.place.again(drop.found)
        return now is not None and now.stamp == drop.found.stamp

    def _met_before(self, sha256: str) -> str:
        """What to tell of a file whose content was loaded, or is about to be; nothing of a new one."""
        if any(local.source.sha256 == sha256 for local in self.locals_):
            return "has the same content as another one"
        if self.how.ledger is None or self.how.wishes.force:
            return ""
        run = self.how.ledger.loaded_by(self.how.memory, self.name, sha256)
        return f"was loaded by run {run}" if run else ""

    def _take(self, drop: Drop, local: Local) -> None:
        trouble = None
        try:
            manifest = self._manifest(drop)
            plain = decrypted(local, self.table, f"{self.label}: {drop.found.uri}", self.how)
            self._check(manifest, plain, drop.found.uri)
        except SourceError as error:
            trouble = error
        if trouble is not None:
            self.bad.append((_taken(drop, local), trouble))
            return
        self.drops.append(drop)
        self.locals_.append(plain)
        self.manifests.append(manifest)

    def _manifest(self, drop: Drop) -> FileManifest:
        if drop.manifest is None:
            return FileManifest()
        label = f"{self.label}: {drop.manifest}"
        return read_manifest(self.place.read(drop.manifest, MANIFEST_BYTES).decode("utf-8", "replace"), label)

    def _check(self, manifest: FileManifest, local: Local, uri: str) -> None:
        columns = None
        if manifest.columns is not None or manifest.columns_sha256 is not None:
            columns = open_files([local], self.table, self.label).columns
        raise_all(SourceError, broken_by_file(manifest, local.source.sha256, columns, f"{self.label}: {uri}"))

    def opened(self) -> Reading:
        """All files as one table.

        Raises:
            BadFiles: those that cannot be opened each by itself.
            SourceError: their columns differ.
        """
        trouble = None
        try:
            return open_files(self.locals_, self.table, self.label)
        except SourceError as error:
            trouble = error
        files = [_taken(drop, local) for drop, local in zip(self.drops, self.locals_, strict=True)]
        raise self.blamed(zip(files, self.locals_, strict=True), trouble, read=False)

    def rows(self, reading: Reading, taken: Taken) -> Iterator[RawRows]:
        """The rows of all files.

        Raises:
            BadFiles: those that cannot be read each by itself.
        """
        place, trouble = 0, None
        try:
            for batch in reading.batches():
                place = batch.file
                yield batch
        except SourceError as error:
            trouble = error
        if trouble is not None:
            files = zip(taken.files, self.locals_, strict=True)
            raise self.blamed(((file, local) for file, local in files if file.files[-1] >= place), trouble, read=True)

    def blamed(self, files: Iterable[tuple[TakenFile, Local]], trouble: SourceError, *, read: bool) -> SourceError:
        """What to say of trouble with several files: which of them have it."""
        bad = [(file, why) for file, local in files if (why := self._wrong_with(local, read)) is not None]
        return bad_files(self.name, bad) if bad else trouble

    def _wrong_with(self, local: Local, read: bool) -> SourceError | None:
        try:
            reading = open_files([local], self.table, self.label)
            for _ in reading.batches() if read else ():
                pass
        except SourceError as error:
            return error
        return None

    def taken(self, reading: Reading) -> Taken:
        """What was taken, once it is opened."""
        whole = taken_of([drop.found for drop in self.drops], self.locals_, reading)
        told = zip(whole, self.drops, self.manifests, strict=True)
        files = (
            TakenFile(
                each.uri, each.path, each.stamp, each.sha256, each.size_bytes, each.files,
                drop.beside, manifest.rows, manifest.points,
            )
            for each, drop, manifest in told
        )  # fmt: skip
        return Taken(tuple(files), twice=tuple(self.twice))

    def told(self) -> list[str]:
        """Why files are left, in words."""
        return [_counted(why, count) for why, count in self.left.items()]


def take_drop(table: Table, name: str, how: Taking) -> tuple[Reading, Taken]:
    """Take all files of a drop that are ready.

    Raises:
        NothingToLoad: none is.
        BadFiles: some cannot be read, or are not as their manifests say; all of them are told.
        SourceError: where they lie cannot be reached, or their columns differ.
    """
    place = place_of(table.files or "", table.match, table.login, how.folder, f"source.{name}", how.until_read)
    if table.move_to is not None and not place.can_write:
        raise SourceError(f"source.{name}: files can only be read there; leave out move_to")
    picking = Picking(table, name, place, how)
    for drop in sorted(_whole(picking), key=_oldest_first):
        picking.pick(drop)
    if picking.bad:
        raise bad_files(name, picking.bad)
    if not picking.drops:
        why = ", ".join(picking.told()) or place.nothing().removeprefix(f"source.{name}: ")
        raise NothingToLoad(f"source.{name}: nothing to load: {why}", name, Taken(twice=tuple(picking.twice)))
    reading = picking.opened()
    taken = picking.taken(reading)
    notes = (*reading.notes, *(f"source.{name}: {why}" for why in picking.told()))
    return replace(reading, notes=notes, batches=partial(picking.rows, reading, taken)), taken


def _whole(picking: Picking) -> Iterator[Drop]:
    """Files with their marker and manifest, or that stood still; the others are counted."""
    table, place = picking.table, picking.place
    drops = [
        Drop(found, _beside(place, found, table.ready), _beside(place, found, table.manifest))
        for found in place.found()
        if not _is_put_away(found, picking)
    ]
    theirs = set(chain.from_iterable(drop.beside for drop in drops))
    drops = [drop for drop in drops if drop.found.path not in theirs]
    still = _still(picking) if table.ready is None and picking.how.ledger is not None and drops else None
    for drop in drops:
        lacking = [
            spelled
            for spelled, path in ((table.ready, drop.marker), (table.manifest, drop.manifest))
            if path is not None and not place.has(path)
        ]
        if lacking:
            picking.left[f"waits for its {lacking[0]}"] += 1
        elif still is not None and still.get(drop.found.path) != drop.found.stamp:
            picking.left["is still being written"] += 1
        else:
            yield drop


def _still(picking: Picking) -> Mapping[str, str]:
    """How the files are a while later."""
    time.sleep(seconds_of(picking.table.still_for))
    return {found.path: found.stamp for found in picking.place.found()}


def _beside(place: Place, found: Found, spelled: str | None) -> str | None:
    if spelled is None:
        return None
    if "{" not in spelled:
        return place.beside(found, found.name + spelled)
    return place.beside(found, spelled.replace("{stem}", stem_of(found.name)).replace("{name}", found.name))


def _is_put_away(found: Found, picking: Picking) -> bool:
    """Whether a file lies where it was put away: ** finds it there again.

    Raises:
        SourceError: files would be put away where they lie.
    """
    to = picking.table.move_to
    folders = filter(None, (to.done, to.failed, to.results)) if to is not None else ()
    lies_in = next((each for each in folders if picking.place.lies_in(found, each)), None)
    if lies_in is not None and "**" not in (picking.table.files or ""):
        raise SourceError(f"{picking.label}.move_to: {lies_in} is where the files themselves lie; name another folder")
    return lies_in is not None


def _oldest_first(drop: Drop) -> tuple[datetime, str]:
    return drop.found.modified_at_utc or _LATE, drop.found.name


def _taken(drop: Drop, local: Local) -> TakenFile:
    found, source = drop.found, local.source
    return TakenFile(found.uri, found.path, found.stamp, source.sha256, source.size_bytes, (), drop.beside)


def _counted(why: str, count: int) -> str:
    """One file waits for its .ok, two wait for their .ok."""
    if count == 1:
        return f"1 file {why}"
    for one, many in _PLURALS:
        if why.startswith(one):
            why = many + why.removeprefix(one)
    return f"{count:,} files {why}"


_PLURALS = (("waits for its", "wait for their"), ("is ", "are "), ("was ", "were "), ("has ", "have "))


def bad_files(name: str, bad: Sequence[tuple[TakenFile, SourceError]]) -> BadFiles:
    """All that is wrong with some files of a table, at once."""
    problems = chain.from_iterable(error.problems for _, error in bad)
    return BadFiles(*dict.fromkeys(problems), table=name, files=[file for file, _ in bad])


def _claim(uri: str) -> str:
    return f"drop-{blake2b(uri.encode(), digest_size=16).hexdigest()}"


def done_with(job: Job, taken: Mapping[str, Taken]) -> dict[str, Sequence[TakenFile]]:
    """The dropped files that a run has loaded when it ends, by table."""
    return {name: each.files for name, each in taken.items() if job.source[name].is_drop and not each.limited}


@contextmanager
def claimed_again(job: Job, taken: Mapping[str, Taken], locks: Path) -> Iterator[None]:
    """Let no other run take the files of one that goes on.

    Raises:
        WrongInput: another run is loading one of them.
    """
    with ExitStack() as stack:
        for name, of_it in taken.items():
            for file in of_it.files if job.source[name].is_drop else ():
                if not stack.enter_context(claimed(locks, _claim(file.uri))):
                    raise WrongInput(f"source.{name}: {file.uri} is being loaded by another run; wait for its end")
        yield
