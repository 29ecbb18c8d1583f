"""Which dropped files are whole: their sender put a marker beside them, or they stand still; and which are none."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

from connectors.kinds import stem_of
from connectors.places import Found, Place
from schemas.errors import SourceError
from schemas.spellings import seconds_of
from schemas.tables import Table

_LEFT_ALONE: Mapping[str, Callable[[Found], bool]] = {
    "is a link, which a move would take away from its file": lambda found: found.is_link,
    "has a name that is no UTF-8 and must be given another one": lambda found: not found.has_plain_name,
}
_LATE = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Drop:
    """A file that was dropped, and the paths of what its sender put beside it."""

    found: Found
    marker: str | None
    manifest: str | None

    @property
    def beside(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.marker, self.manifest)))


def whole_files(table: Table, place: Place, label: str, left: Counter[str], *, wait: bool) -> list[Drop]:
    """Files with their marker and manifest, the oldest first; the others are counted in `left`, by why.

    `wait` for files that come without a marker to stand still.

    Raises:
        SourceError: where they lie cannot be reached, or they would be put away where they lie.
    """
    drops = [
        Drop(found, _beside(place, found, table.ready), _beside(place, found, table.manifest))
        for found in place.found()
        if not _is_put_away(found, table, place, label)
    ]
    theirs = set(chain.from_iterable(drop.beside for drop in drops))
    drops = [drop for drop in drops if drop.found.path not in theirs]
    for why, is_out in _LEFT_ALONE.items():
        if count := sum(is_out(drop.found) for drop in drops):
            left[why] += count
            drops = [drop for drop in drops if not is_out(drop.found)]
    still = _a_while_later(table, place) if wait and table.ready is None and drops else None
    whole = []
    for drop in drops:
        if lacking := _lacking(table, place, drop):
            left[f"waits for its {lacking}"] += 1
        elif still is not None and still.get(drop.found.path) != drop.found.stamp:
            left["is still being written"] += 1
        else:
            whole.append(drop)
    return sorted(whole, key=lambda drop: (drop.found.modified_at_utc or _LATE, drop.found.name))


def _lacking(table: Table, place: Place, drop: Drop) -> str | None:
    if drop.marker is not None and not place.has(drop.marker):
        return table.ready
    # Yesterday's, while today's file of that name is still being sent.
    if drop.marker is not None and not place.has(drop.marker, since=drop.found.modified_at_utc):
        return f"{table.ready} to be written anew"
    return table.manifest if drop.manifest is not None and not place.has(drop.manifest) else None


def _a_while_later(table: Table, place: Place) -> Mapping[str, str]:
    """The stamps of the files then."""
    time.sleep(seconds_of(table.still_for))
    return {found.path: found.stamp for found in place.found()}


def _beside(place: Place, found: Found, spelled: str | None) -> str | None:
    if spelled is None:
        return None
    if "{" not in spelled:
        return place.beside(found, found.name + spelled)
    return place.beside(found, spelled.replace("{stem}", stem_of(found.name)).replace("{name}", found.name))


def _is_put_away(found: Found, table: Table, place: Place, label: str) -> bool:
    """Whether a file lies where files are put away: ** finds it there again."""
    to = table.move_to
    folders = filter(None, (to.done, to.failed, to.results)) if to is not None else ()
    lies_in = next((each for each in folders if place.lies_in(found, each)), None)
    if lies_in is not None and "**" not in (table.files or ""):
        raise SourceError(f"{label}.move_to: {lies_in} is where the files themselves lie; name another folder")
    return lies_in is not None


def counted(why: str, count: int) -> str:
    """One file waits for its .ok, two wait for their .ok."""
    if count == 1:
        return f"1 file {why}"
    for one, many in _PLURALS:
        if why.startswith(one):
            why = many + why.removeprefix(one)
    return f"{count:,} files {why}"


_PLURALS = (
    ("waits for its", "wait for their"),
    ("is a link", "are links"),
    ("is ", "are "),
    ("was ", "were "),
    ("has ", "have "),
)
