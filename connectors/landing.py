"""A file's local copy, taken block by block: going on where a transfer broke, whole or not there."""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from connectors.durable import make_folder
from connectors.found import Found, Landed
from connectors.private import room_in
from schemas.errors import SourceError

PAUSES_S = (1.0, 3.0, 10.0, 30.0)
NAME_BYTES = 150


class Lost(Exception):
    """The connection broke, or the server is not ready: the same may be asked again. Its words hold no secret."""


class Patience:
    """Waits longer after every loss in a row, and gives up in the end."""

    def __init__(self, pauses_s: Sequence[float], label: str) -> None:
        self._pauses_s, self._label = pauses_s, label
        self.renew()

    def renew(self) -> None:
        """Something came through."""
        self._left = iter(self._pauses_s)

    def wait(self, trouble: str) -> None:
        """Before the next attempt.

        Raises:
            SourceError: there were enough of them.
        """
        pause_s = next(self._left, None)
        if pause_s is None:
            raise SourceError(f"{self._label}: {trouble}; run again when it is back")
        time.sleep(pause_s)


def land(
    found: Found,
    into: Path,
    label: str,
    blocks: Callable[[int], Iterator[bytes]],
    again: Callable[[], Found | None],
    pauses_s: Sequence[float] = PAUSES_S,
) -> Landed:
    """Copy `blocks(offset)`, which begin at a byte and may raise Lost, and see by `again` that it is the same file yet.

    Raises:
        SourceError: it does not come through, or is not the file any more that was found.
        NoRoom: the folder cannot be written.
    """
    with room_in(into):
        make_folder(into)
        path, file = _new(into, safe_name(found.name))
    whole = False
    try:
        with file:
            size_bytes, sha256 = _copied(found, file, label, blocks, again, pauses_s)
        check_unchanged(found, again(), label)
        whole = True
    finally:
        if not whole:
            path.unlink(missing_ok=True)
    return Landed(path, size_bytes, sha256)


def check_unchanged(found: Found, now: Found | None, label: str) -> None:
    """Refuse a file that somebody wrote, replaced or took away while it was read."""
    if now is None:
        raise SourceError(f"{label}: was taken away while it was read; run again when it is there")
    if now.stamp != found.stamp:
        raise SourceError(f"{label}: changed while it was read; wait until it is written, then run again")


def safe_name(name: str) -> str:
    """One that every file system takes, with its ending."""
    return shortened(re.sub(r"[^\w.\-]+", "_", name).lstrip(".") or "file")


def shortened(name: str) -> str:
    """The end of a name, with room for what is written around it where 255 bytes are the most."""
    while len(name.encode()) > NAME_BYTES:
        name = name[1:]
    return name


def numbered(name: str) -> Iterator[str]:
    """The name, then others that have its ending: a.csv.gz, a-2.csv.gz, a-3.csv.gz."""
    yield name
    stem, dot, ending = name.partition(".")
    number = 2
    while True:
        yield f"{stem}-{number}{dot}{ending}"
        number += 1


def _new(into: Path, name: str) -> tuple[Path, BinaryIO]:
    for each in numbered(name):
        try:
            descriptor = os.open(into / each, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            continue
        return into / each, os.fdopen(descriptor, "wb")
    raise AssertionError("numbers do not end")


def _copied(
    found: Found,
    file: BinaryIO,
    label: str,
    blocks: Callable[[int], Iterator[bytes]],
    again: Callable[[], Found | None],
    pauses_s: Sequence[float],
) -> tuple[int, str]:
    digest, size_bytes, patience = hashlib.sha256(), 0, Patience(pauses_s, label)
    folder = Path(file.name).parent if isinstance(file.name, str) else Path()
    while True:
        trouble = "ended before its size"
        try:
            for block in blocks(size_bytes):
                with room_in(folder):
                    file.write(block)
                digest.update(block)
                size_bytes += len(block)
                patience.renew()
                if found.size_bytes is not None and size_bytes > found.size_bytes:
                    break
        except Lost as lost:
            trouble = str(lost)
        else:
            if found.size_bytes is None or size_bytes == found.size_bytes:
                with room_in(folder):
                    file.flush()
                    os.fsync(file.fileno())
                return size_bytes, digest.hexdigest()
            check_unchanged(found, again(), label)
            if size_bytes > found.size_bytes:
                raise SourceError(f"{label}: is larger than the server says; have it sent again")
        patience.wait(trouble)
