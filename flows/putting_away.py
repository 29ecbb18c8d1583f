"""Dropped files are put away once a run has ended, never before; what does not work is told and stops nothing."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
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


class PutAway(msgspec.Struct):
    """Where a run's files and their markers were put, by where they lay: kept as `put_away.json` in its folder."""

    uris: dict[str, str] = {}

    @classmethod
    def read(cls, spool: Spool) -> "PutAway":
        """Nothing where none was put away yet."""
        path = spool.folder / "put_away.json"
        return msgspec.json.decode(path.read_bytes(), type=cls) if path.exists() else cls()

    def write(self, spool: Spool) -> None:
        """Keep it: when a run that a guard stopped goes on, its files lie where it put them."""
        write_text(spool.folder / "put_away.json", msgspec.json.encode(self).decode())


@dataclass(frozen=True)
class Mover:
    """Puts files of one table away. `uris` has where a run put them before, and is added to."""

    table: Table
    label: str
    folder: Path  # of the job file
    stack: ExitStack
    uris: dict[str, str]

    @property
    def to(self) -> MoveTo:
        return self.table.move_to or MoveTo()

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
        place, found = self.place, self._now(file)
        # A marker that is left without its file would call the next file of its name ready.
        for path in file.beside:
            beside = self._put_before(path) or place.again(Found(path, path, None, None, ""))
            if beside is not None:
                self.uris[path] = place.move(beside, to, beside.name)
        self.uris[file.path] = place.move(found, to, file.name)

    def _now(self, file: TakenFile) -> Found:
        now = self.place.again(Found(file.path, file.uri, file.size_bytes, None, file.stamp))
        if now is not None and now.stamp == file.stamp:
            return now
        if (before := self._put_before(file.path)) is not None:
            return before
        how = "is not there any more" if now is None else "was written again since it was read"
        raise SourceError(f"{self.label}: {file.uri} {how}; it is not moved")

    def _put_before(self, path: str) -> Found | None:
        if path not in self.uris:
            return None
        with ExitStack() as stack:
            there = place_of(self.uris[path], None, self.table.login, self.folder, self.label, stack)
            return next(iter(there.found()), None)


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
            mover = Mover(load.job.source[name], f"source.{name}", folder, stack, kept.uris)
            to = getattr(mover.to, end)
            for file in taken.files:
                if file.uri in results and (mover.to.results or to):
                    with _telling(troubles):
                        mover.place.write(mover.to.results or to, name_of(load, file), results[file.uri])
            troubles += mover.put(taken.files, to)
            own = {file.sha256 for file in taken.files}
            for file in taken.twice:
                troubles += mover.put([file], to if file.sha256 in own else mover.to.done)
        kept.write(load.spool)
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
            mover = Mover(job.source[error.table], f"source.{error.table}", folder, stack, {})
            for trouble in mover.put(error.files, mover.to.failed):
                audience.warn(trouble)
            for file in error.files:
                if file.path in mover.uris:
                    audience.say(f"Put away: {mover.uris[file.path]}")
        raise


def put_loaded_away(job: Job, folder: Path, nothing: NothingToLoad, audience: Audience) -> list[str]:
    """Files that were loaded before go, though there is nothing to load; what did not work is told and given back."""
    with ExitStack() as stack:
        mover = Mover(job.source[nothing.table], f"source.{nothing.table}", folder, stack, {})
        troubles = list(mover.put(nothing.taken.twice, mover.to.done))
    for trouble in troubles:
        audience.warn(trouble)
    return troubles
