"""Who says what became of each row, held against the sandbox's books: the columns of the scoreboard."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from benchmarks.fault_sandbox import Booked

# A fate says that the row was applied, or that it was not, or that nobody knows: that is never wrong.
APPLIED = frozenset({"accepted", "accepted_with_loss", "unchanged"})
UNKNOWN = "in_doubt"
IN_DOUBT_EXIT = 5


@dataclass(frozen=True, slots=True)
class Account:
    """What a loader says: a fate per customer; `memory` is what it will act on next time."""

    fates: Mapping[str, str]
    exits: tuple[int, ...]  # of each command, in order; negative is a signal
    memory: Mapping[str, str] = field(default_factory=dict)
    miscounted: int = 0  # rows by which its totals differ from its fates


@dataclass(slots=True)
class Score:
    """One line, or the sum of several times."""

    rows_twice: int = 0
    points_twice: int = 0  # customers whom a credit reached more than once
    lost: int = 0  # said or remembered to be applied, and are not; or have no fate
    wrong: int = 0
    in_doubt: int = 0
    wasted: int = 0  # requests beyond what an undisturbed run needs
    look_ups: int = 0
    ended_wrongly: int = 0  # times it did not come to 0, or to 5 with rows in doubt
    exits: dict[str, int] = field(default_factory=dict)  # how often which exit codes came one after the other

    def add(self, other: "Score") -> None:
        """Another time of the same line."""
        for one in fields(self):
            if one.name != "exits":
                setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
        for told, times in other.exits.items():
            self.exits[told] = self.exits.get(told, 0) + times

    @property
    def flawless(self) -> bool:
        """What must be zero is zero."""
        return not (self.rows_twice or self.points_twice or self.lost or self.wrong or self.ended_wrongly)


def score(account: Account, booked: Mapping[str, Booked], points: Mapping[str, int]) -> Score:
    """Judge one loader's account; `points` are the source's, so its keys are all customers."""
    judged = Score(wrong=account.miscounted, exits={" ".join(map(str, account.exits)): 1})
    for key, truth in booked.items():
        fate = account.fates.get(key)
        judged.rows_twice += truth.writes > 1
        judged.points_twice += len(truth.credits) > 1
        said_to_be_there = not APPLIED.isdisjoint({fate, account.memory.get(key)})
        judged.lost += fate is None or (said_to_be_there and not _is_there(truth))
        judged.wrong += _is_wrong(fate, truth, points[key])
        judged.in_doubt += fate == UNKNOWN
    judged.ended_wrongly = int(account.exits[-1] != (IN_DOUBT_EXIT if judged.in_doubt else 0))
    return judged


def _is_there(truth: Booked) -> bool:
    return bool(truth.writes and truth.credits)


def _is_wrong(fate: str | None, truth: Booked, points: int) -> bool:
    if fate in (None, UNKNOWN):
        return False
    if fate in APPLIED:
        return not _is_there(truth) or truth.credits[0] != points
    return bool(truth.writes or truth.credits)
