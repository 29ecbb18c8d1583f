"""One customer's way through the runs: what is searched for, and what is told of each line that is found."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.profiles import Column
from schemas.values import Locale


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a job reads what tells customers apart; kept with its runs, so that one can be found in them later."""

    locale: Locale
    key: Column
    identifiers: tuple[tuple[str, Column], ...]  # type of identifier ("mobile"), and how its column is read


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom to look for: keyed hashes of an identifier, as a key and as each type of identifier."""

    keys: frozenset[bytes] = frozenset()
    identifiers: frozenset[int] = frozenset()

    def __or__(self, other: "Wanted") -> "Wanted":
        """Whom either looks for."""
        return Wanted(self.keys | other.keys, self.identifiers | other.identifiers)


@dataclass(frozen=True, slots=True)
class Touch:
    """What one run did with one line of its source; codes come with their meaning in words."""

    run: str
    job: str
    started_at_utc: datetime
    file: str
    line: int
    key_hash: bytes | None
    fate: str
    codes: tuple[tuple[str, str], ...]
    batch: int | None
    attempt: int | None
    request_id: str | None
    entity_id: str | None
    payload_digest: bytes | None
    answered_at_utc: datetime | None

    def as_json(self) -> dict[str, Any]:
        """One entry of `bulkload trace --json`."""
        return {
            "run": self.run,
            "job": self.job,
            "started_at_utc": moment_json(self.started_at_utc),
            "file": self.file,
            "line": self.line,
            "key_hash": hex_json(self.key_hash),
            "fate": self.fate,
            "codes": [{"code": code, "meaning": meaning} for code, meaning in self.codes],
            "batch": self.batch,
            "attempt": self.attempt,
            "request_id": self.request_id,
            "entity_id": self.entity_id,
            "payload_digest": hex_json(self.payload_digest),
            "answered_at_utc": moment_json(self.answered_at_utc),
        }


@dataclass(frozen=True, slots=True)
class Word:
    """A payload that the API took or refused last, by which run."""

    fate: str
    run: str
    payload_digest: bytes
    sent_at_utc: datetime

    def as_json(self) -> dict[str, Any]:
        """Within an entry of `remembered`."""
        return {
            "fate": self.fate,
            "run": self.run,
            "payload_digest": hex_json(self.payload_digest),
            "sent_at_utc": moment_json(self.sent_at_utc),
        }


@dataclass(frozen=True, slots=True)
class Credited:
    """A credit that is not sent again; of an old ledger's, programme and points are not known."""

    programme: str
    statement_hash: bytes
    points: int | None
    fate: str
    run: str

    def as_json(self) -> dict[str, Any]:
        """Within an entry of `remembered`."""
        return {
            "programme": self.programme,
            "statement_hash": self.statement_hash.hex() or None,
            "points": self.points,
            "fate": self.fate,
            "run": self.run,
        }


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the ledger compares a customer's next rows with, in one job."""

    job: str  # with the place that it sends to
    key_hash: bytes
    accepted: Word | None = None  # without its points
    refused: Word | None = None  # with them
    credits: tuple[Credited, ...] = ()
    forgotten_at_utc: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """One entry of `remembered`."""
        return {
            "job": self.job,
            "key_hash": hex_json(self.key_hash),
            "accepted": self.accepted.as_json() if self.accepted else None,
            "refused": self.refused.as_json() if self.refused else None,
            "credits": [credit.as_json() for credit in self.credits],
            "forgotten_at_utc": moment_json(self.forgotten_at_utc),
        }


def moment_json(moment: datetime | None) -> str | None:
    """ISO 8601 to the second."""
    return moment.isoformat(timespec="seconds") if moment is not None else None


def hex_json(hashed: bytes | None) -> str | None:
    """A hash as people compare it."""
    return hashed.hex() if hashed is not None else None
