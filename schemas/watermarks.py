"""How far a table was read: what `:since` stands for in its query."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What the column of a watermark holds; values of one kind are never compared with another's."""

    TIMESTAMPTZ = "timestamptz"
    TIMESTAMP = "timestamp"
    DATE = "date"
    INTEGER = "integer"
    DECIMAL = "decimal"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Bound:
    """What `:since` is bound to."""

    column: str  # the query's column that :since is compared with
    kind: Kind | None  # as the ledger knows it; none: not known yet
    value: str | None  # ISO form or digits; none: from the very beginning
