"""What `bulkload forget` leaves behind on purpose: a receipt that names nobody."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.trace import moment_json

# What stands where a customer stood.
ERASED = "erased"
REMAINS = (
    "The keyed hash below, in the ledger's table `forgotten`: by it later files neither send nor credit the customer.",
    "Each row's file, line, fate, codes and points, and the requests that it was in: so that the runs' sums stay true.",
    "Source files, corrected files, backups and reports that were copied or sent: they are not bulkload's.",
    "Prefect's server keeps the reports that runs showed it; delete those runs there.",
    "The API still has the customer: it was not asked to delete anybody.",
)


@dataclass(frozen=True, slots=True)
class ErasedRun:
    """What was erased of one run: `rows`, and how much in which file of its folder."""

    run: str
    rows: int
    files: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """One customer of one job's memory: the lines erased per table of the ledger."""

    job: str
    key_hash: bytes
    ledger: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased, and what remains and why; never whose it was."""

    at_utc: datetime
    runs: tuple[ErasedRun, ...]
    forgotten: tuple[Forgotten, ...]
    not_searched: Mapping[str, str]  # run, and why nothing of it is left to look into

    @property
    def rows(self) -> int:
        """Rows of all runs."""
        return sum(run.rows for run in self.runs)

    def as_json(self) -> dict[str, Any]:
        """The receipt's file."""
        return {
            "schema": 1,
            "forgotten_at_utc": moment_json(self.at_utc),
            "rows": self.rows,
            "runs": [{"run": one.run, "rows": one.rows, "files": dict(one.files)} for one in self.runs],
            "forgotten": [
                {"job": one.job, "key_hash": one.key_hash.hex(), "ledger": dict(one.ledger)} for one in self.forgotten
            ],
            "not_searched": dict(self.not_searched),
            "remains": list(REMAINS),
        }
