"""Control totals: what was read is the sum of what became of it, for rows and for points per programme."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.errors import OutOfBalance, raise_all
from schemas.outcomes import Fate
from schemas.runs import Totals


@dataclass(frozen=True, slots=True)
class Addition:
    """One sum as a person would check it: `parts` in the order of fates, without empty ones."""

    unit: str  # "rows", or "points of programme 1016"
    read: int
    parts: tuple[tuple[Fate, int], ...]

    @property
    def total(self) -> int:
        """All parts together."""
        return sum(part for _, part in self.parts)

    @property
    def difference(self) -> int:
        """Zero when it balances; above zero, something that was read has no fate."""
        return self.read - self.total


def add(parts: Iterable[Totals]) -> Totals:
    """The totals of several parts of one run; programmes in the order in which they are first met."""
    read = 0
    rows: Counter[Fate] = Counter()
    points_read: Counter[str] = Counter()
    points: dict[str, Counter[Fate]] = {}
    for part in parts:
        read += part.read
        rows.update(part.rows)
        points_read.update(part.points_read)
        for programme, per_fate in part.points.items():
            points.setdefault(programme, Counter()).update(per_fate)
    return Totals(
        read=read,
        rows=_in_order(rows),
        points_read=dict(points_read),
        points={
            programme: _in_order(points.get(programme, {})) for programme in dict.fromkeys((*points_read, *points))
        },
    )


def additions(totals: Totals) -> tuple[Addition, ...]:
    """The sum of rows first, then the sum of points of every programme."""
    programmes = dict.fromkeys((*totals.points_read, *totals.points))
    return (
        Addition("rows", totals.read, _filled(totals.rows)),
        *(
            Addition(
                f"points of programme {name}", totals.points_read.get(name, 0), _filled(totals.points.get(name, {}))
            )
            for name in programmes
        ),
    )


def check(totals: Totals) -> None:
    """Do nothing when rows and points balance.

    Raises:
        OutOfBalance: one sentence per sum that differs, with both sides and the difference.
    """
    raise_all(OutOfBalance, (_imbalance(sum_) for sum_ in additions(totals) if sum_.difference))


def _imbalance(sum_: Addition) -> str:
    missing = "without a fate" if sum_.difference > 0 else "counted more than once"
    return (
        f"{sum_.unit}: {sum_.read:,} read, {sum_.total:,} accounted for, {abs(sum_.difference):,} {missing}; "
        "this is a bug, please report it with the run's run.json"
    )


def _in_order(per_fate: Mapping[Fate, int]) -> dict[Fate, int]:
    return {fate: per_fate[fate] for fate in Fate if fate in per_fate}


def _filled(per_fate: Mapping[Fate, int]) -> tuple[tuple[Fate, int], ...]:
    return tuple((fate, per_fate[fate]) for fate in Fate if per_fate.get(fate))
