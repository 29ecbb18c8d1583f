"""What a place tells of its files: where each lies, what it was when it was seen, and the copy that was landed."""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from schemas.errors import SourceError


@dataclass(frozen=True, slots=True)
class Found:
    """A file where it lies.

    `path` is in its file system, `uri` for people and the ledger: without credentials or signature; a local file's
    absolute path. `stamp` is another one when the file was written again, as far as the system tells. `is_link` says
    that its path is a link, which would be moved in its place.
    """

    path: str
    uri: str
    size_bytes: int | None
    modified_at_utc: datetime | None
    stamp: str
    is_link: bool = False

    @property
    def name(self) -> str:
        """Without its folders."""
        return self.path.rpartition("/")[2]

    def is_older(self, since: datetime | None) -> bool:
        """Whether it is known to have been written before that."""
        return since is not None and self.modified_at_utc is not None and self.modified_at_utc < since

    @property
    def has_plain_name(self) -> bool:
        """Whether ledger, reports and people can be told of it: a file system takes any bytes for a name."""
        return is_plain(self.path)


@dataclass(frozen=True, slots=True)
class Landed:
    """The local copy of a file, for its owner's eyes only; `sha256` is of the bytes as they lay in their place."""

    path: Path
    size_bytes: int
    sha256: str


def is_plain(path: str) -> bool:
    """Whether a path is UTF-8."""
    return not any("\ud800" <= each <= "\udfff" for each in path)


def check_plain(path: str, label: str) -> None:
    """Refuse a path that cannot be told.

    Raises:
        SourceError: it is no UTF-8.
    """
    if not is_plain(path):
        shown = os.fsencode(path).decode("utf-8", "replace")
        raise SourceError(f"{label}: {shown} is a name that is no UTF-8; give the file another one")


class Place(Protocol):
    """Where a table's files lie: on this machine or on a server. Everything raises SourceError in words.

    A lost connection is opened again, so that a place may be kept over a run of hours.
    """

    @property
    def is_local(self) -> bool: ...

    @property
    def uri(self) -> str:
        """What `files` says, for people and the ledger: without credentials or signature."""

    @property
    def can_write(self) -> bool:
        """Whether files can be moved and written there at all (not by https)."""

    def found(self) -> tuple[Found, ...]:
        """What matches now, sorted by name; never folders, nor files that are still being sent by their name."""

    def nothing(self) -> str:
        """Why nothing was found, and what to look at: a sentence for whoever needs files now."""

    def beside(self, found: Found, name: str) -> str:
        """The path of another file in its folder."""

    def has(self, path: str, since: datetime | None = None) -> bool:
        """Whether there was a file when `found()` looked last, and not one that is older, as far as a place tells.

        Asks only about folders it has not listed.
        """

    def read(self, path: str, limit_bytes: int) -> bytes:
        """A small file; refused beyond `limit_bytes`."""

    def land(self, found: Found, into: Path) -> Landed:
        """Copy it into a local folder, whole or not at all, under its own name made safe, beside what is there."""

    def again(self, found: Found) -> Found | None:
        """As it is now; None: gone."""

    def lies_in(self, found: Found, to: str) -> bool:
        """Whether a file lies in a folder that files are moved to."""

    def move(self, found: Found, to: str, name: str) -> Found:
        """Put a file away under `name` and give it as it is there; never overwrites, a number is added instead.

        A file that was written again since it was found stays. Done twice, it is done once. One that lies there
        already stays as it is.
        """

    def write(self, to: str, name: str, content: bytes | Path) -> str:
        """A new file, whole or not there, and its uri; never overwrites, except that the same content is there once."""

    def delete(self, path: str) -> None:
        """A marker; one that is gone is deleted."""
