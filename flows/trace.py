"""`bulkload trace`: each run that touched one customer, and what is remembered of them. Never says who it is."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from connectors.ledger import Ledger
from flows.finding import Finder, Found, Unsearched, operation_of
from flows.settings import Home
from flows.told import Told
from schemas.trace import Remembered, Touch, hex_json, moment_json
from transforms.masking import mask
from transforms.trace import touches


@dataclass(frozen=True, slots=True)
class Traced:
    """All that is known of a customer here; `customer` is masked."""

    customer: str
    touches: tuple[Touch, ...] = ()
    remembered: tuple[Remembered, ...] = ()
    unsearched: tuple[Unsearched, ...] = ()

    def as_json(self) -> dict[str, object]:
        """What `--json` prints."""
        return {
            "customer": self.customer,
            "touches": [touch.as_json() for touch in self.touches],
            "remembered": [one.as_json() for one in self.remembered],
            "not_searched": [{"run": one.record.run, "why": one.why} for one in self.unsearched],
        }


def trace(identifier: str, home: Home, told: Told) -> None:
    """Tell what became of one customer; who is not found is told so, which is no mistake."""
    traced = traced_by(identifier, home)
    told.result(traced.as_json(), lambda: _lines(traced))


def traced_by(identifier: str, home: Home) -> Traced:
    """What a home knows of whom an identifier means."""
    masked = mask(identifier)
    if not home.ledger.exists():
        return Traced(masked)
    with closing(Ledger(home.ledger)) as ledger:
        finder = Finder(home, ledger, identifier)
        looked = list(finder.runs())
        found = [one for one in looked if isinstance(one, Found)]
        keys = {key for one in found for key in one.rows.column("key").to_pylist() if key is not None}
        if not found and len(looked) > len(found):
            # Of runs that are gone only the ledger knows; it looks at everybody, which takes its time.
            keys |= {key for _, key in finder.holders()}
        return Traced(
            masked,
            tuple(touch for one in found for touch in _touches(one)),
            tuple(ledger.remembered_of(finder.keys | keys)),
            tuple(one for one in looked if isinstance(one, Unsearched)),
        )


def _touches(found: Found) -> list[Touch]:
    record = found.record
    same = {"run": record.run, "job": record.job, "started_at_utc": record.started_at_utc}
    return touches(found.rows, same, operation_of(record))


def _lines(traced: Traced) -> Iterator[str]:
    runs = len({touch.run for touch in traced.touches})
    if not runs and not traced.remembered:
        yield f"{traced.customer}: no run here has touched such a customer"
    else:
        rows = len(traced.touches)
        yield f"{traced.customer}: {rows} row{'' if rows == 1 else 's'} in {runs} run{'' if runs == 1 else 's'}"
    for touch in traced.touches:
        yield from _touch_lines(touch)
    for one in traced.remembered:
        yield from _remembered_lines(one)
    for unsearched in traced.unsearched:
        yield f"not searched: {unsearched.record.run}: {unsearched.why}"


def _touch_lines(touch: Touch) -> Iterator[str]:
    yield f"{touch.run} (job {touch.job}, started {touch.started_at_utc:%Y-%m-%d %H:%M:%S} UTC)"
    yield f"  {touch.file}:{touch.line} {touch.fate}"
    yield from (f"  {code}: {meaning}" for code, meaning in touch.codes)
    if touch.batch is not None:
        answered = moment_json(touch.answered_at_utc) or "never"
        yield f"  batch {touch.batch}, attempt {touch.attempt}, answered {answered}"
        yield f"  request id {touch.request_id or 'none'}, entity id {touch.entity_id or 'none'}"
    if touch.payload_digest is not None:
        yield f"  payload digest {touch.payload_digest.hex()}"


def _remembered_lines(one: Remembered) -> Iterator[str]:
    yield f"remembered of {one.job}:"
    for word in (one.accepted, one.refused):
        if word is not None:
            yield f"  {word.fate} by {word.run}, payload digest {hex_json(word.payload_digest)}"
    for credit in one.credits:
        points = f"{credit.points:,} points" if credit.points is not None else "points"
        yield f"  {points} of programme {credit.programme or 'any'} {credit.fate} by {credit.run}"
    if not (one.accepted or one.refused or one.credits or one.forgotten_at_utc):
        yield "  nothing but their identifiers, by which nobody else is merged with them"
    if one.forgotten_at_utc is not None:
        yield f"  forgotten {moment_json(one.forgotten_at_utc)}: no row of theirs is sent any more"
