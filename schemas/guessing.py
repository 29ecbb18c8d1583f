"""What `bulkload init` guesses: which column is which word of the mapping, and what a guess tells people."""

from collections.abc import Mapping
from dataclasses import dataclass

MAP_FROM = 0.7  # below, a guess is told and not mapped


@dataclass(frozen=True, slots=True)
class Guess:
    """One column and what it seems to be. `reason` is words and counts, never a value."""

    target: str
    column: str
    confidence: float
    reason: str

    @property
    def is_sure(self) -> bool:
        return self.confidence >= MAP_FROM

    @property
    def is_mapped(self) -> bool:
        """Whether the job file uses it; the rest stands there commented out."""
        return self.is_sure and self.target not in LEFT_TO_PEOPLE


@dataclass(frozen=True, slots=True)
class Setting:
    """A word of the job's locale; None where the values do not tell it, and `perhaps` what it may be."""

    value: str | None
    confidence: float
    reason: str
    perhaps: str | None = None

    @property
    def is_sure(self) -> bool:
        return self.confidence >= MAP_FROM


@dataclass(frozen=True, slots=True)
class Guessed:
    """All that some rows tell of their columns; at most one guess for a target and for a column."""

    rows: int
    columns: tuple[str, ...]
    guesses: Mapping[str, Guess]  # by target
    country: Setting
    dates: Setting
    timezone: Setting
    least_repeated: Guess  # the column that a job names its customers by if no other can be
    others: tuple[Guess, ...] = ()  # of columns that look like a target for which another is the better guess
    remarks: tuple[str, ...] = ()  # sentences on rows that share a key or an identifier


@dataclass(frozen=True, slots=True)
class Tested:
    """What would become of the rows looked at; `invalid` and `left_out` count by the code of the reason."""

    read: int
    unreadable: int
    sent: int
    invalid: Mapping[str, int]
    left_out: Mapping[str, int]  # values that rows are sent without


# What nobody but the user decides, however sure it looks: money, consent, which rows, and the organisation's own words.
LEFT_TO_PEOPLE = frozenset({
    "name", "store", "status",
    "points_id", "loyaltyPoints", "pointsExpiryDate", "tierNumber", "tierExpiryDate", "programId",
    "commChannels.mobile.subscribed", "commChannels.mobile.verified",
    "commChannels.email.subscribed", "commChannels.email.verified",
})  # fmt: skip
