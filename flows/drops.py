"""Dropped files: which are whole, are nobody else's and were not loaded before; the oldest are loaded first."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

from msgspec import structs

from connectors.files import Local, open_files
from connectors.locks import claimed
from connectors.pgp import ForAnotherKey
from connectors.places import Place, place_of
from flows.claims import claim_of
from flows.taking import Taking, decrypted, landed, taken_of
from flows.whole import Drop, counted, whole_files
from schemas.errors import BulkloadError, NotTheFile, SourceError, raise_all
from schemas.job import Job
from schemas.manifests import FileManifest
from schemas.rows import RawRows, Reading
from schemas.tables import Table
from schemas.taken import Taken, TakenFile
from transforms.manifests import broken_by_file, read_manifest

MANIFEST_BYTES = 1 << 20
SAME = "has the same content as another one"


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

    @property
    def files(self) -> list[TakenFile]:
        """Those that are neither left nor bad."""
        return [_taken(drop, local) for drop, local in zip(self.drops, self.locals_, strict=True)]

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
        return locks is None or self.how.until_done.enter_context(claimed(locks, claim_of(drop.found.uri)))

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
            return SAME
        if self.how.ledger is None or self.how.wishes.force:
            return ""
        run = self.how.ledger.loaded_by(self.how.memory, self.name, sha256)
        return f"was loaded by run {run}" if run else ""

    def _take(self, drop: Drop, local: Local) -> None:
        said, trouble = self._said(drop), None
        try:
            manifest = read_manifest(said, f"{self.label}: {drop.manifest}")
            plain = decrypted(local, self.table, f"{self.label}: {drop.found.uri}", self.how)
            self._check(manifest, plain, drop.found.uri)
        except NotTheFile:
            raise  # all of them stay
        except SourceError as error:
            trouble = error
        if trouble is not None:
            self.bad.append((_taken(drop, local), trouble))
            return
        self.drops.append(drop)
        self.locals_.append(plain)
        self.manifests.append(manifest)

    def _said(self, drop: Drop) -> str:
        """Its manifest, as it stands there; one that says nothing where the job asks for none."""
        return self.place.read(drop.manifest, MANIFEST_BYTES).decode("utf-8", "replace") if drop.manifest else "{}"

    def _check(self, manifest: FileManifest, local: Local, uri: str) -> None:
        columns = None
        if manifest.columns is not None or manifest.columns_sha256 is not None:
            columns = open_files([local], self.table, self.label).columns
        raise_all(SourceError, broken_by_file(manifest, local.source.sha256, columns, f"{self.label}: {uri}"))

    def opened(self, named: Collection[str]) -> Reading:
        """All files as one table.

        Raises:
            BadFiles: those that cannot be opened each by itself, or lack columns that are `named` and others have.
            SourceError: their columns differ.
        """
        trouble = None
        try:
            return open_files(self.locals_, self.table, self.label)
        except SourceError as error:
            trouble = error
        files = self.files
        blamed = self.blamed(zip(files, self.locals_, strict=True), trouble, read=False)
        raise self._lacking(files, named, trouble) if blamed is trouble else blamed

    def _lacking(self, files: Sequence[TakenFile], named: Collection[str], trouble: SourceError) -> SourceError:
        """What to say of files whose columns differ: which of them lack some that the job names, if others have all."""
        columns = [open_files([local], self.table, self.label).columns for local in self.locals_]
        wanted = [name for name in dict.fromkeys(chain.from_iterable(columns)) if name in named]
        bad = [
            (file, SourceError(f"{self.label}: {file.uri} lacks {', '.join(lacks)}, which the job names"))
            for file, theirs in zip(files, columns, strict=True)
            if (lacks := [name for name in wanted if name not in theirs])
        ]
        return bad_files(self.name, bad, self.files) if 0 < len(bad) < len(files) else trouble

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
        if (elsewhere := next((why for _, why in bad if isinstance(why, NotTheFile)), None)) is not None:
            return elsewhere
        return bad_files(self.name, bad, self.files) if bad else trouble

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
        return Taken(tuple(files), twice=tuple(self.twice), left=self.left.total() - self.left[SAME])

    def told(self) -> list[str]:
        """Why files are left, in words."""
        return [counted(why, count) for why, count in self.left.items()]


def take_drop(table: Table, name: str, how: Taking, named: Collection[str]) -> tuple[Reading, Taken]:
    """Take all files of a drop that are ready; `named` are columns that the job names, of this table or of others.

    Raises:
        NothingToLoad: none is.
        BadFiles: some cannot be read, or are not as their manifests say; all of them are told.
        SourceError: where they lie cannot be reached, or their columns differ.
    """
    place = place_of(table.files or "", table.match, table.login, how.folder, f"source.{name}", how.until_read)
    if table.move_to is not None and not place.can_write:
        raise SourceError(f"source.{name}: files can only be read there; leave out move_to")
    picking = Picking(table, name, place, how)
    for drop in whole_files(table, place, picking.label, picking.left, wait=how.ledger is not None):
        picking.pick(drop)
    if picking.bad and not picking.drops and all(isinstance(why, ForAnotherKey) for _, why in picking.bad):
        raise NotTheFile(*(problem for _, why in picking.bad for problem in why.problems))
    if picking.bad:
        raise bad_files(name, picking.bad, picking.files)
    if not picking.drops:
        why = ", ".join(picking.told()) or place.nothing().removeprefix(f"source.{name}: ")
        raise NothingToLoad(f"source.{name}: nothing to load: {why}", name, Taken(twice=tuple(picking.twice)))
    reading = picking.opened(named)
    taken = picking.taken(reading)
    notes = (*reading.notes, *(f"source.{name}: {why}" for why in picking.told()))
    return replace(reading, notes=notes, batches=partial(picking.rows, reading, taken)), taken


def _taken(drop: Drop, local: Local) -> TakenFile:
    found, source = drop.found, local.source
    return TakenFile(found.uri, found.path, found.stamp, source.sha256, source.size_bytes, (), drop.beside)


def bad_files(name: str, bad: Sequence[tuple[TakenFile, SourceError]], files: Iterable[TakenFile]) -> BadFiles:
    """All that is wrong with some `files` of a table, at once; a marker that others share stays with them."""
    problems = chain.from_iterable(error.problems for _, error in bad)
    uris = {file.uri for file, _ in bad}
    staying = {path for file in files if file.uri not in uris for path in file.beside}
    going = [
        structs.replace(file, beside=tuple(path for path in file.beside if path not in staying)) for file, _ in bad
    ]
    return BadFiles(*dict.fromkeys(problems), table=name, files=going)


def done_with(job: Job, taken: Mapping[str, Taken]) -> dict[str, Sequence[TakenFile]]:
    """The dropped files that a run has loaded when it ends, by table."""
    return {name: each.files for name, each in taken.items() if job.source[name].is_drop}
