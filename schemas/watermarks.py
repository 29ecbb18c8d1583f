"""How far a table was read: what `:since` stands for in its query, and what is kept of it from run to run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What the column of a watermark holds; values of one kind are never compared with another's."""

    TIMESTAMPTZ = "timestamptz"
    TIMESTAMP = "timestamp"
    DATE = "date"
    INTEGER = "integer"
    DECIMAL = "decimal"
    TEXT = "text"

    @property
    def is_time(self) -> bool:
        """Whether a while can be taken off its values."""
        return self in (Kind.TIMESTAMPTZ, Kind.TIMESTAMP, Kind.DATE)


@dataclass(frozen=True, slots=True)
class Bound:
    """What `:since` is bound to."""

    column: str  # the query's column that :since is compared with
    kind: Kind | None  # as the ledger knows it; none: not known yet
    value: str | None  # ISO form or digits; none: from the very beginning
    # The value is as a person wrote it, and this writes it for the kind that the column turns out to be.
    spelled: Callable[[Kind], str] | None = None

    def of(self, kind: Kind) -> str | None:
        """The value as its kind is written."""
        return self.value if self.value is None or self.spelled is None else self.spelled(kind)


@dataclass(frozen=True, slots=True)
class Watermark:
    """Up to where a run read a table: all rows until there were accepted or rejected for good."""

    column: str
    kind: Kind
    value: str
    query_sha256: str
    columns_sha256: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The values of a since column that a run read; `held` rows are neither accepted nor rejected for good."""

    highest: str | None = None
    held: int = 0
    lowest_held: str | None = None  # none, though rows are held: one of them has no value
    without: int = 0  # rows without a value


@dataclass(frozen=True, slots=True)
class ReadSince:
    """From where on a query was asked, and up to where it need not be asked again; texts are not told."""

    column: str
    from_: str | None  # none: from the very beginning
    to: str | None = None  # none: as before, or a plan's

    def as_json(self) -> dict[str, str]:
        """One entry of `since`."""
        told = {"column": self.column, "from": self.from_, "to": self.to}
        return {name: value for name, value in told.items() if value is not None}


def since_json(since: Mapping[str, ReadSince]) -> dict[str, Any]:
    """The key `since`, where a table has it."""
    return {"since": {table: read.as_json() for table, read in since.items()}} if since else {}
