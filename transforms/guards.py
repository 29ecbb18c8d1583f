"""Guards: what a run may not pass without a person, and what to do where it would."""

from collections.abc import Iterable, Iterator, Mapping

from schemas.job import Guards
from schemas.outcomes import Fate
from schemas.runs import Changed, Totals
from schemas.vanished import NOBODY_VANISHED, VANISHED_FILE, Vanished

# Of fewer answers, one refusal would say too much.
SAMPLE_ROWS = 100


def broken_before(
    guards: Guards,
    totals: Totals,
    most_points_per_customer: int,
    changed: Changed,
    vanished: Vanished = NOBODY_VANISHED,
) -> tuple[str, ...]:
    """What the guards say of a plan, one sentence each; `totals` count what would be sent as `not_sent`."""
    return (
        *_too_few_rows(guards, totals),
        *_too_many_invalid(guards, totals),
        *_too_many_points(guards, totals.points_of(Fate.NOT_SENT), most_points_per_customer),
        *_too_many_changed(guards, changed),
        *_too_many_vanished(guards, vanished),
    )


def _too_few_rows(guards: Guards, totals: Totals) -> Iterator[str]:
    if guards.min_rows is not None and totals.read < guards.min_rows:
        yield (
            f"guards.min_rows: {_rows(totals.read)} read, at least {guards.min_rows:,} must be; "
            "see whether the source is whole, or lower it in the job file"
        )


def _too_many_invalid(guards: Guards, totals: Totals) -> Iterator[str]:
    wrong = totals.rows.get(Fate.INVALID, 0) + totals.rows.get(Fate.UNREADABLE, 0)
    whole = totals.read - totals.rows.get(Fate.FILTERED, 0)
    if guards.max_invalid_percent is not None and wrong * 100 > guards.max_invalid_percent * whole:
        yield (
            f"guards.max_invalid_percent: invalid or unreadable are {_share(wrong, whole)}, "
            f"{guards.max_invalid_percent:g} % are allowed; see the reasons in the report, or raise it in the job file"
        )


def _too_many_points(guards: Guards, points: int, most_points_per_customer: int) -> Iterator[str]:
    way_out = "see whether the mapped column holds points, or raise it in the job file"
    if guards.max_points is not None and points > guards.max_points:
        yield f"guards.max_points: {points:,} points would be sent, {guards.max_points:,} are allowed; {way_out}"
    allowed = guards.max_points_per_customer
    if allowed is not None and most_points_per_customer > allowed:
        yield (
            f"guards.max_points_per_customer: {most_points_per_customer:,} points would go to one customer, "
            f"{allowed:,} are allowed; {way_out}"
        )


def _too_many_changed(guards: Guards, changed: Changed) -> Iterator[str]:
    allowed = guards.max_changed_percent
    if allowed is not None and changed.changed * 100 > allowed * changed.known:
        why = "the mapping changed since the last load; " if changed.mapping_changed else ""
        yield (
            f"guards.max_changed_percent: {_share(changed.changed, changed.known)} of known customers changed, "
            f"{allowed:g} % are allowed; {why}see `bulkload preview`, or raise it in the job file"
        )


def _too_many_vanished(guards: Guards, vanished: Vanished) -> Iterator[str]:
    allowed = guards.max_vanished_percent
    if allowed is not None and vanished.gone * 100 > allowed * vanished.known:
        yield (
            f"guards.max_vanished_percent: {_share(vanished.gone, vanished.known, 'customer')} that were loaded before "
            f"are not in the source, {allowed:g} % are allowed; see whether it is whole, and {VANISHED_FILE}, or raise "
            "it in the job file"
        )


class RefusedShare:
    """How many of the rows that the API has answered it refused, while a run is sent and at its end."""

    def __init__(self, guards: Guards, before: Mapping[Fate, int]) -> None:
        """`before` are rows by fate as they stand: an earlier process may have sent a part of it."""
        self._most_percent = guards.max_refused_percent
        self._answered = self._refused = 0
        for fate, rows in before.items():
            self._count(fate, rows)

    def add(self, fates: Iterable[Fate]) -> tuple[str, ...]:
        """Count rows that now have their last answer; what the guard says, once enough are answered."""
        for fate in fates:
            self._count(fate, 1)
        return self.broken() if self._answered >= SAMPLE_ROWS else ()

    def broken(self) -> tuple[str, ...]:
        """What the guard says of all rows counted, however few: none, or one sentence."""
        most = self._most_percent
        if most is None or self._refused * 100 <= most * self._answered:
            return ()
        return (
            f"guards.max_refused_percent: the API refused {_share(self._refused, self._answered)} answered, "
            f"{most:g} % are allowed; see the reasons in the report, or raise it in the job file",
        )

    def _count(self, fate: Fate, rows: int) -> None:
        # A row in doubt has no answer: it says nothing of what the API thinks of the data.
        self._answered += rows if fate.applied or fate is Fate.REFUSED else 0
        self._refused += rows if fate is Fate.REFUSED else 0


def needs_approval(guards: Guards, totals: Totals) -> bool:
    """Whether a person must say yes before the rows that are `not_sent` are sent."""
    above = guards.approve_above_points
    return above is not None and totals.points_of(Fate.NOT_SENT) > above


def _rows(number: int) -> str:
    return f"{number:,} {'row was' if number == 1 else 'rows were'}"


def _share(part: int, whole: int, what: str = "row") -> str:
    """ "146 of 2,000 rows (7.3 %)"; rounded up, so that it never looks like what is allowed."""
    hundredths = -(-part * 10_000 // whole)
    return f"{part:,} of {whole:,} {what}{'' if whole == 1 else 's'} ({hundredths / 100:g} %)"
