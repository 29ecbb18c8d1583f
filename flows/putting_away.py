"""Dropped files are put away once a run has ended, never before; what does not work is told and stops nothing."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

from connectors.places import Found, Place, place_of
from connectors.results import write_text
from connectors.spool import Spool
from flows.drops import BadFiles, NothingToLoad
from flows.hands import Audience
from flows.prepare import PreparedRun
from flows.result_files import name_of, result_files
from flows.underway import Load, Manifest
from schemas.errors import SourceError
from schemas.job import Job
from schemas.runs import RunReport
from schemas.tables import MoveTo, Table
from schemas.taken import TakenFile
from transforms.report_words import GUARD_EXIT

KEPT = "put_away.json"


class Put(msgspec.Struct, frozen=True):
    """A file or marker as a run left it, and the folder that it was about to move it to then."""

    path: str  # in its place
    uri: str
    stamp: str
    size_bytes: int | None
    to: str

    @classmethod
    def of(cls, found: Found, to: str) -> "Put":
        """As it lies now."""
        return cls(found.path, found.uri, found.stamp, found.size_bytes, to)

    @property
    def found(self) -> Found:
        """As a place knows it."""
        return Found(self.path, self.uri, self.size_bytes, None, self.stamp)


class PutAway(msgspec.Struct):
    """Where a run's files and their markers were put, by table and by where they lay.

    Kept as `put_away.json` in its folder, before and after each move: when a run that a guard stopped goes on, its
    files lie where it put them, though it was killed in the middle of that.
    """

    tables: dict[str, dict[str, Put]] = {}

    @classmethod
    def read(cls, spool: Spool) -> "PutAway":
        """Nothing where none was put away yet."""
        path = spool.folder / KEPT
        return msgspec.json.decode(path.read_bytes(), type=cls) if path.exists() else cls()

    def write(self, spool: Spool) -> None:
        """Whole, or as it was before."""
        unfinished = spool.folder / f".{KEPT}.part"
        write_text(unfinished, msgspec.json.encode(self).decode())
        unfinished.replace(spool.folder / KEPT)


@dataclass(frozen=True)
class Mover:
    """Puts files of one table away. `kept` has where a run put them before, and is added to and written."""

    table: Table
    label: str
    folder: Path  # of the job file
    stack: ExitStack
    kept: PutAway = field(default_factory=PutAway)
    spool: Spool | None = None  # where that is kept; None: no run goes on with the files

    @property
    def to(self) -> MoveTo:
        return self.table.move_to or MoveTo()

    @property
    def puts(self) -> dict[str, Put]:
        """Of this table: two servers may have files of one path."""
        return self.kept.tables.setdefault(self.label, {})

    @cached_property
    def place(self) -> Place:
        table = self.table
        return place_of(table.files or "", table.match, table.login, self.folder, self.label, self.stack)

    def put(self, files: Sequence[TakenFile], to: str | None) -> Iterator[str]:
        """Move files with what lies beside them; those that are not the same any more stay. Yields trouble."""
        if to is None or not files:
            return
        for file in files:
            try:
                self._put(file, to)
            except SourceError as error:
                yield from error.problems

    def _put(self, file: TakenFile, to: str) -> None:
        self._move(file.path, self._now(file), to)
        # Not before their file, which would wait for its marker for ever if this broke off in between: a marker that is
        # left is older than the next file of its name, and says nothing of that.
        for path in file.beside:
            beside = self._put_before(path) or self.place.again(Found(path, path, None, None, ""))
            if beside is not None:
                self._move(path, beside, to)

    def _move(self, path: str, found: Found, to: str) -> None:
        self._keep(path, Put.of(found, to))
        moved = self.place.move(found, to, path.rpartition("/")[2])
        self._keep(path, Put.of(moved, to))

    def _keep(self, path: str, put: Put) -> None:
        self.puts[path] = put
        if self.spool is not None:
            self.kept.write(self.spool)

    def _now(self, file: TakenFile) -> Found:
        now = self.place.again(Found(file.path, file.uri, file.size_bytes, None, file.stamp))
        if now is not None and now.stamp == file.stamp:
            return now
        if (before := self._put_before(file.path)) is not None:
            return before
        how = "is not there any more" if now is None else "was written again since it was read"
        raise SourceError(f"{self.label}: {file.uri} {how}; it is not moved")

    def _put_before(self, path: str) -> Found | None:
        """Where a run put it, or was about to when it was killed; None: nowhere."""
        put = self.puts.get(path)
        if put is None:
            return None
        now = self.place.again(put.found)
        if now is not None and now.stamp == put.stamp:
            return now
        return self.place.move(put.found, put.to, path.rpartition("/")[2])  # it was moved, or that says what is wrong


def put_away(load: Load, prepared: PreparedRun, report: RunReport, audience: Audience) -> RunReport:
    """Put the files of a run that has ended where it says, and a result file for each.

    What did not work is told at once, and is among the notes of the report that is given back.
    """
    drops = {name: taken for name, taken in load.source.taken.items() if load.job.source[name].move_to is not None}
    end = _end(report)
    if load.retry is not None or prepared.limited or not drops or end is None:
        return report
    troubles, kept = list[str](), PutAway.read(load.spool)
    folder = Path(Manifest.read(load.spool).job_file).parent
    with ExitStack() as stack, _telling(troubles):
        results = stack.enter_context(result_files(load, prepared, drops))
        for name, taken in drops.items():
            mover = Mover(load.job.source[name], f"source.{name}", folder, stack, kept, load.spool)
            to = getattr(mover.to, end)
            for file in taken.files:
                if file.uri in results and (mover.to.results or to):
                    with _telling(troubles):
                        mover.place.write(mover.to.results or to, name_of(load, file), results[file.uri])
            troubles += mover.put(taken.files, to)
            own = {file.sha256 for file in taken.files}
            for file in taken.twice:
                troubles += mover.put([file], to if file.sha256 in own else mover.to.done)
    for trouble in troubles:
        audience.warn(trouble)
    return replace(report, notes=(*report.notes, *troubles))


def _end(report: RunReport) -> Literal["done", "failed"] | None:
    """Where files go; None: the run goes on later, and they stay."""
    if report.state == "done":
        return "done"
    return "failed" if report.exit_code == GUARD_EXIT else None


@contextmanager
def _telling(troubles: list[str]) -> Iterator[None]:
    try:
        yield
    except SourceError as error:
        troubles += error.problems
    except OSError as error:
        troubles.append(f"files are not put away: {(error.strerror or 'input/output error').lower()}")


@contextmanager
def bad_files_put_away(job: Job, folder: Path, audience: Audience) -> Iterator[None]:
    """Files that cannot be loaded are put with the failed ones, so that the others are loaded by the next run."""
    try:
        yield
    except BadFiles as error:
        with ExitStack() as stack:
            mover = Mover(job.source[error.table], f"source.{error.table}", folder, stack)
            for trouble in mover.put(error.files, mover.to.failed):
                audience.warn(trouble)
            for file in error.files:
                if (put := mover.puts.get(file.path)) is not None and put.path != file.path:
                    audience.say(f"Put away: {put.uri}")
        raise


def put_loaded_away(job: Job, folder: Path, nothing: NothingToLoad, audience: Audience) -> list[str]:
    """Files that were loaded before go, though there is nothing to load; what did not work is told and given back."""
    with ExitStack() as stack:
        mover = Mover(job.source[nothing.table], f"source.{nothing.table}", folder, stack)
        troubles = list(mover.put(nothing.taken.twice, mover.to.done))
    for trouble in troubles:
        audience.warn(trouble)
    return troubles
