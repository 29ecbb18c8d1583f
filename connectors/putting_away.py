"""Moving and writing files on a server: under a name that nobody has, and once, however often it is tried."""

import io
import posixpath
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from connectors.doors import Door, FileSystem, Info, stamp_of
from connectors.found import Found
from connectors.landing import numbered
from connectors.patterns import within
from schemas.errors import SourceError


def is_in(path: str, folder: str) -> bool:
    """Whether a file lies in a folder, however the folder is written."""
    return posixpath.normpath(posixpath.dirname(path)) == posixpath.normpath(folder)


def moved(door: Door, system: FileSystem, found: Found, folder: str, name: str, label: str) -> str:
    """Move a file that is still the one that was found; where it is already, it stays. Gives its path.

    Raises:
        SourceError: it was written again, or is gone and was not moved by us.
    """
    now = door.now(system, found.path)
    if now is None:
        return _moved_before(door, system, found, folder, name, label)
    if stamp_of(now) != found.stamp:
        raise SourceError(f"{label}: {found.uri}: was written again since it was read; it stays for the next run")
    if is_in(found.path, folder):
        return found.path
    door.make_folder(system, folder)
    for each in numbered(name):
        path = within(folder, each)
        there = door.now(system, path)
        if there is None:
            door.rename(system, found.path, path, found.stamp)
            return path
        if door.is_copy(now, there):
            door.delete(system, found.path)
            return path
    raise AssertionError("numbers do not end")


def written(door: Door, system: FileSystem, folder: str, name: str, content: bytes | Path) -> str:
    """Write a file and give its uri; one of the same content that is there already is it."""
    door.make_folder(system, folder)
    for each in numbered(name):
        path = within(folder, each)
        there = door.now(system, path)
        with _opened(content) as file:
            if there is None:
                _put(door, system, file, folder, each)
            elif not _is_same(door, system, path, there, file):
                continue
        return door.address.uri(path)
    raise AssertionError("numbers do not end")


def _moved_before(door: Door, system: FileSystem, found: Found, folder: str, name: str, label: str) -> str:
    last = None
    for each in numbered(name):
        there = door.now(system, within(folder, each))
        if there is None:
            break
        if there.get("size") == found.size_bytes:
            last = within(folder, each)
    if last is None:
        raise SourceError(f"{label}: {found.uri}: is gone, and not in {door.address.uri(folder)}; who moved it?")
    return last


def _put(door: Door, system: FileSystem, file: BinaryIO, folder: str, name: str) -> None:
    path = within(folder, name)
    if door.address.is_bucket:  # an object is there when it is whole
        door.put(system, file, path)
        return
    unfinished = within(folder, f".{name}.part")
    door.put(system, file, unfinished)
    door.rename(system, unfinished, path)


def _is_same(door: Door, system: FileSystem, path: str, there: Info, file: BinaryIO) -> bool:
    size_bytes = file.seek(0, io.SEEK_END)
    file.seek(0)
    if there.get("size") != size_bytes:
        return False
    with closing(door.blocks(system, path, 0, size_bytes)) as blocks:
        return all(block == file.read(len(block)) for block in blocks)


@contextmanager
def _opened(content: bytes | Path) -> Iterator[BinaryIO]:
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        yield file
