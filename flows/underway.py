"""A run under way: what its stages share, and what is kept of it to go on later."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import pyarrow as pa

from connectors.ledger import Ledger
from connectors.spool import Part, Spool
from flows.prepare import PreparedRun, Source
from flows.settings import Home
from schemas.errors import WrongInput
from schemas.job import Job
from schemas.runs import Requests


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


class Manifest(msgspec.Struct):
    """What a planned run needs to be sent, now or later: kept in its folder as `prepared.json`."""

    job_file: str
    prepared: PreparedRun
    started: datetime
    seconds: dict[str, float]
    sections: dict[str, str] = {}  # of the job file, digests; empty in a run that an older version planned
    retry: Retry | None = None

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
