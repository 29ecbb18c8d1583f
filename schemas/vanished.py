"""Who is in the source no more, though the source holds everybody."""

from dataclasses import dataclass

import pyarrow as pa

from schemas.memory import HASH

VANISHED_FILE = "vanished.csv"
MOST_LISTED = 100_000
# Customers by keyed hash, and who loaded them last; `entity_id` is the API's, empty where nobody wrote it down.
VANISHED = pa.schema(
    [("key", HASH), ("entity_id", pa.string()), ("run", pa.string()), ("accepted_at_utc", pa.timestamp("us", "UTC"))]
)


@dataclass(frozen=True, slots=True)
class Vanished:
    """Customers whom the job's memory knows, and how many of them are not in a source that holds everybody."""

    known: int = 0
    gone: int = 0
    not_looked: str = ""  # why nobody can say

    @property
    def told(self) -> str:
        """As a sentence without its full stop; empty when there is nothing to tell."""
        if self.not_looked:
            return f"Who vanished is not known: {self.not_looked}"
        if not self.gone:
            return ""
        which = f"{self.gone:,} of {self.known:,} customers that were loaded before are not in the source"
        return f"{which}; {VANISHED_FILE} lists {_how_many(self.gone)}, and nothing was deleted"


def _how_many(gone: int) -> str:
    return "them" if gone <= MOST_LISTED else f"{MOST_LISTED:,} of them"


NOBODY_VANISHED = Vanished()
