"""A run under way: what its stages share, and what is kept of it to go on later."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec
import pyarrow as pa

from connectors.ledger import Ledger
from connectors.spool import Part, Spool
from flows.prepare import PreparedRun
from flows.settings import Home
from flows.source import Source
from schemas.errors import JobError, WrongInput
from schemas.job import Job
from schemas.rows import Reading, SourceFile
from schemas.runs import Requests
from schemas.taken import Taken
from schemas.trace import Spelling
from transforms.columns import Place


class Retry(msgspec.Struct, frozen=True):
    """Rejected rows that are sent again: the run that rejected them, and the file they stand in now."""

    run: str
    file: str


@dataclass
class Load:
    """One run under way."""

    job: Job
    source: Source
    home: Home
    ledger: Ledger
    name: str
    started: datetime
    spool: Spool
    seconds: dict[str, float] = field(default_factory=dict)
    earlier: Requests = field(default_factory=Requests)  # of a process that began this run and stopped
    retry: Retry | None = None
    closed_before: bool = False  # an earlier process wrote its report, and what the ledger remembers of it

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds up what a stage takes."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.monotonic() - began

    def answers(self, part: Part) -> pa.Table:
        """What the API said of a part's rows, sorted by row; those it was not asked about are absent."""
        return self.ledger.results(self.name, part.first_row, part.end_row - 1)


class KnownTable(msgspec.Struct, frozen=True):
    """What a table of the source was: enough to close a run again whose files are gone."""

    columns: tuple[str, ...]
    files: tuple[tuple[str, int, str], ...]  # path, size in bytes, SHA-256
    uris: tuple[str, ...] = ()  # of each file; empty in a run that an older version planned


def known_tables(source: Source) -> dict[str, KnownTable]:
    """What is kept of a source."""
    return {
        name: KnownTable(
            table.columns,
            tuple((str(f.path), f.size_bytes, f.sha256) for f in table.files),
            tuple(f.uri for f in table.files),
        )
        for name, table in source.tables.items()
    }


def known_source(manifest: "Manifest") -> Source:
    """A run's source as it was, whether or not its files are still there; none of its rows can be read.

    Raises:
        JobError: an older version planned the run, and did not keep it.
    """
    if not manifest.tables:
        raise JobError("an older bulkload planned this run; settle it with that one")
    return Source(
        {name: known_reading(table) for name, table in manifest.tables.items()},
        manifest.places,
        manifest.children,
        manifest.taken,
        manifest.notes,
    )


def known_reading(table: KnownTable) -> Reading:
    """A table as it was."""
    uris = table.uris or ("",) * len(table.files)
    files = zip(table.files, uris, strict=True)
    return Reading(table.columns, tuple(SourceFile(Path(path), size, sha, uri) for (path, size, sha), uri in files))


class Manifest(msgspec.Struct):
    """What a planned run needs to be sent, now or later: kept in its folder as `prepared.json`."""

    job_file: str
    prepared: PreparedRun
    started: datetime
    seconds: dict[str, float]
    sections: dict[str, str] = {}  # of the job file, digests; empty in a run that an older version planned
    retry: Retry | None = None
    tables: dict[str, KnownTable] = {}  # empty in a run that an older version planned
    places: dict[str, Place] = {}
    spelling: Spelling | None = None  # None in a run that an older version planned
    joins: dict[str, str] = {}  # the column by which a table meets the leading one
    memory: str = ""  # what the ledger remembers the run's customers under
    children: dict[str, Place] = {}
    parents: tuple[str, ...] = ()  # columns by which rows name their parents
    taken: dict[str, Taken] = {}  # of the tables that were not read in their place
    notes: tuple[str, ...] = ()  # what was found out about the source

    @classmethod
    def read(cls, spool: Spool) -> "Manifest":
        """The manifest of a run that has been planned.

        Raises:
            WrongInput: the run's folder is gone, or was prepared by another version.
        """
        try:
            return msgspec.json.decode((spool.folder / "prepared.json").read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError):
            pass
        raise WrongInput(f"{spool.folder}: what was prepared is not there any more; `bulkload run` starts anew")
