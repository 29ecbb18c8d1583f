"""A place on a server: found by listings, landed in blocks, moved and written without overwriting.

Every request goes through one door; what its library raises is told in words, and what was lost is asked again.
"""

import posixpath
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from connectors.addresses import Address, address_of, is_url
from connectors.doors import Door, FileSystem, Info, modified_at, stamp_of
from connectors.found import Found, Landed
from connectors.landing import Lost, Patience, land
from connectors.patterns import Entry, Pattern, beside, matching, pattern_of, within
from connectors.putting_away import is_in, moved, written
from connectors.told import in_words, is_missing
from schemas.errors import SourceError

Result = TypeVar("Result")


class RemotePlace:
    """`found()` looks anew; what it has listed answers `has()` until it looks again."""

    is_local = False

    def __init__(self, address: Address, match: str | None, door: Door, label: str, pauses_s: Sequence[float]) -> None:
        self._address, self._door, self._label, self._pauses_s = address, door, label, pauses_s
        self._pattern = pattern_of(address.path, match) if door.can_write else None
        self._system: FileSystem | None = None
        self._has_worked = False
        self._listed: dict[str, Sequence[Entry]] = {}

    @property
    def can_write(self) -> bool:
        return self._door.can_write

    @property
    def uri(self) -> str:
        return self._address.uri(self._address.path)

    def close(self) -> None:
        """Leave the server; the next request comes back to it."""
        system, self._system = self._system, None
        if system is not None:
            self._door.close(system)

    def found(self) -> tuple[Found, ...]:
        self._listed = {}
        if self._pattern is None:
            path = self._address.path
            found = self._now(path)
            return (
                ()
                if found is None
                else (replace(found, is_link=self._do(path, partial(self._door.is_link, path=path))),)
            )
        pattern = self._pattern
        listed = dict(matching(pattern, lambda folder: self._list(folder, pattern)))
        return tuple(
            replace(self._found(path, info), is_link=listed[path].info["type"] == "link")
            for path, info in self._files(listed)
        )

    def nothing(self) -> str:
        words = "no file matches" if self._pattern is not None else "does not exist"
        return f"{self._at()}: {words}; look at the folder and the spelling of files:"

    def beside(self, found: Found, name: str) -> str:
        return beside(found.path, name)

    def has(self, path: str, since: datetime | None = None) -> bool:
        folder, _, name = path.rpartition("/")
        listed = self._listed.get(folder or ("/" if path.startswith("/") else ""))
        if listed is not None:
            named = (self._found(path, entry.info) for entry in listed if entry.name == name and not entry.is_folder)
            there = next(named, None)
        else:
            there = self._now(path)
        return there is not None and not there.is_older(since)

    def read(self, path: str, limit_bytes: int) -> bytes:
        def read(system: FileSystem) -> bytes:
            content = bytearray()
            with closing(self._door.blocks(system, path, 0, self._door.info(system, path).get("size"))) as blocks:
                for block in blocks:
                    content += block
                    if len(content) > limit_bytes:
                        raise SourceError(
                            f"{self._at(path)}: has more than {limit_bytes:,} bytes; that is no such file"
                        )
            return bytes(content)

        return self._do(path, read)

    def land(self, found: Found, into: Path) -> Landed:
        return land(
            found, into, self._at(found.path), lambda offset: self._blocks(found, offset), lambda: self.again(found),
            self._pauses_s,
        )  # fmt: skip

    def again(self, found: Found) -> Found | None:
        return self._now(found.path)

    def lies_in(self, found: Found, to: str) -> bool:
        return is_in(found.path, self._folder(to))

    def move(self, found: Found, to: str, name: str) -> Found:
        folder = self._folder(to)
        doing = ": cannot be moved, the file stays"
        path = self._do(found.path, lambda system: moved(self._door, system, found, folder, name, self._label), doing)
        return self._now(path) or replace(found, path=path, uri=self._address.uri(path))

    def write(self, to: str, name: str, content: bytes | Path) -> str:
        folder = self._folder(to)
        return self._do(within(folder, name), lambda system: written(self._door, system, folder, name, content))

    def delete(self, path: str) -> None:
        self._must_write()

        def delete(system: FileSystem) -> None:
            if self._door.now(system, path) is not None:
                self._door.delete(system, path)

        self._do(path, delete)

    def _folder(self, to: str) -> str:
        """In this file system: relative to the folder the search begins in, or a URL of the same server."""
        self._must_write()
        own = self._pattern.folder if self._pattern is not None else self._address.path.rpartition("/")[0]
        if is_url(to):
            address = address_of(to, self._label)
            if address.server != self._address.server:
                raise SourceError(f"{self._label}: files are moved within {self._address.server} only, not to another")
            return address.path.rstrip("/")
        if to.startswith("/"):
            root = own.partition("/")[0] if self._address.is_bucket else ""
            return f"{root}{posixpath.normpath(to)}"
        return posixpath.normpath(within(own, to))

    def _must_write(self) -> None:
        if not self.can_write:
            raise SourceError(f"{self._label}: {self._address.scheme}:// is only read; leave out move_to and ready")

    def _blocks(self, found: Found, offset: int) -> Generator[bytes, None, None]:
        trouble = None
        try:
            yield from self._door.blocks(self._opened(), found.path, offset, found.size_bytes)
        except Exception as error:  # whatever a library raises may hold a URL with its secrets: it is told in words
            trouble = in_words(error, self._at(found.path))
        if trouble is not None:
            self.close()
            raise trouble

    def _list(self, folder: str, pattern: Pattern) -> Sequence[Entry]:
        if folder not in self._listed:
            self._listed[folder] = self._do(folder, lambda system: self._entries(system, folder, pattern))
        return self._listed[folder]

    def _entries(self, system: FileSystem, folder: str, pattern: Pattern) -> Sequence[Entry]:
        missing = False
        try:
            return self._door.listed(system, folder)
        except Exception as error:  # each library has its own kinds for "it is not there"
            if not is_missing(error):
                raise
            missing = True
        if missing and folder == pattern.folder:
            raise SourceError(f"{self._at(folder)}: there is no such folder; look at its spelling")
        return ()

    def _files(self, listed: Mapping[str, Entry]) -> Iterator[tuple[str, Info]]:
        """Links to files are the files."""
        for path in sorted(listed):
            info = listed[path].info
            if info["type"] == "link":
                info = self._do(path, partial(self._door.now, path=path))
            if info is not None and info["type"] == "file":
                yield path, info

    def _now(self, path: str) -> Found | None:
        info = self._do(path, lambda system: self._door.now(system, path))
        if info is None:
            return None
        if info.get("type") == "directory":
            raise SourceError(
                f"{self._at(path)}: is a folder; name its files, for example {self._address.uri(within(path, '*.csv'))}"
            )
        return self._found(path, info)

    def _found(self, path: str, info: Info) -> Found:
        size = info.get("size")
        size_bytes = None if size is None else int(size)
        return Found(path, self._address.uri(path), size_bytes, modified_at(info), stamp_of(info))

    def _do(self, path: str, action: Callable[[FileSystem], Result], doing: str = "") -> Result:
        """Until it is done; nothing that never worked is asked twice."""
        at = self._at(path) + doing
        patience = Patience(self._pauses_s, at)
        while True:
            trouble = None
            try:
                done = action(self._opened())
            except Exception as error:  # as above
                trouble = in_words(error, at)
            if trouble is None:
                self._has_worked = True
                return done
            self.close()
            if not isinstance(trouble, Lost):
                raise trouble
            if not self._has_worked:
                raise SourceError(f"{at}: {trouble}")
            patience.wait(str(trouble))

    def _opened(self) -> FileSystem:
        if self._system is None:
            self._system = self._door.open()
        return self._system

    def _at(self, path: str | None = None) -> str:
        return f"{self._label}: {self._address.uri(self._address.path if path is None else path)}"
