"""The bytes of a local file as they were before packing (.gz, .zst, .zip), read once from front to back.

What comes out is capped, names inside archives are never used as paths, and damage is a `SourceError` that
names the file.
"""

import errno
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import pyarrow as pa

from schemas.errors import NotTheFile, SourceError

# A bomb of 290 KB held 300 MB; the best packed real tables measured were under 100 : 1.
MAX_GROWTH = 500
SPARE_BYTES = 64 << 20

PACKINGS = {".gz": "gzip", ".zst": "zstd", ".zip": "zip"}
MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd", "zip": b"PK"}


class Bytes(Protocol):
    """What can be read in steps; fewer bytes than asked for mean the end."""

    def read(self, size: int, /) -> bytes: ...


class Unpacked:
    """A stream that counts what comes out of it, and says in our words what is wrong with it."""

    def __init__(self, inner: IO[bytes] | pa.NativeFile, label: str, packing: str, max_bytes: int) -> None:
        self._inner, self._label, self._packing = inner, label, packing
        self._max_bytes, self._seen_bytes = max_bytes, 0

    def read(self, size: int, /) -> bytes:
        """Exactly `size` bytes, or what is left."""
        parts: list[bytes] = []
        wanted = size
        while wanted > 0:
            part = self._step(wanted)
            if not part:
                break
            parts.append(part)
            wanted -= len(part)
        self._count(size - wanted)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _step(self, size: int) -> bytes:
        trouble = None
        try:
            return bytes(self._inner.read(size))
        except (OSError, EOFError, RuntimeError, NotImplementedError, zlib.error, zipfile.BadZipFile) as error:
            trouble = error
        if isinstance(trouble, OSError) and trouble.errno is not None:
            raise unreadable(self._label, trouble)
        raise damaged(self._label, self._packing)

    def _count(self, size: int) -> None:
        self._seen_bytes += size
        if self._seen_bytes > self._max_bytes:
            raise too_large(self._label, self._max_bytes) if self._packing else grows(self._label)


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A local file, and what has to be done to read it; `label` names it in messages.

    Of a zip archive it is the one `member`, which `archive.tables_in` has looked at.
    """

    path: Path
    label: str
    packing: str | None = None
    spare_bytes: int = SPARE_BYTES
    member: str = ""

    @contextmanager
    def open(self) -> Iterator[Unpacked]:
        """Its bytes, unpacked.

        Raises:
            SourceError: not to be opened, not packed as its name says, damaged, or larger than a cap.
        """
        with ExitStack() as stack:
            raw, size_bytes = stack.enter_context(opened(self.path, self.label))
            if self.packing is None:
                yield Unpacked(raw, self.label, "", size_bytes)
                return
            if not raw.read(4).startswith(MAGIC[self.packing]):
                raise wrong_suffix(self.label, self.packing)
            raw.seek(0)
            max_bytes = size_bytes * MAX_GROWTH + self.spare_bytes
            yield Unpacked(self._inside(raw, stack), self.label, self.packing, max_bytes)

    def _inside(self, raw: IO[bytes], stack: ExitStack) -> IO[bytes] | pa.NativeFile:
        if self.packing == "zip":
            return stack.enter_context(
                _opened(stack.enter_context(archive_of(raw, self.label)), self.member, self.label)
            )
        return stack.enter_context(pa.CompressedInputStream(stack.enter_context(pa.PythonFile(raw)), self.packing))


@contextmanager
def opened(path: Path, label: str) -> Iterator[tuple[IO[bytes], int]]:
    """A file and its size.

    Raises:
        SourceError: the operating system does not let us.
    """
    trouble = None
    try:
        raw = path.open("rb")
    except OSError as error:
        trouble = error
    if trouble is not None:
        raise unreadable(label, trouble)
    with raw:
        yield raw, os.fstat(raw.fileno()).st_size


def archive_of(raw: IO[bytes], label: str) -> zipfile.ZipFile:
    """The zip archive in a file.

    Raises:
        SourceError: it is none, or not a whole one.
    """
    trouble = None
    try:
        return zipfile.ZipFile(raw)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        trouble = error
    raise _unpackable(label, trouble)


def _opened(archive: zipfile.ZipFile, member: str, label: str) -> IO[bytes]:
    trouble = None
    try:
        return archive.open(member)
    except (KeyError, zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        trouble = error
    raise _unpackable(label, trouble)


def _unpackable(label: str, trouble: Exception) -> SourceError:
    why = trouble.__context__ if isinstance(trouble, zipfile.BadZipFile) else trouble
    # Seeking to before a file's start is refused as if by the system: that archive is cut off.
    if isinstance(why, OSError) and why.errno not in (None, errno.EINVAL):
        return unreadable(label, why)
    return damaged(label, "zip")


def unreadable(label: str, error: OSError) -> NotTheFile:
    """The operating system says no."""
    if isinstance(error, PermissionError):
        return NotTheFile(f"{label}: no permission to read it; give the user of this process read access")
    return NotTheFile(f"{label}: cannot be read ({error.strerror or 'input/output error'}); mend that, run again")


def wrong_suffix(label: str, packing: str) -> SourceError:
    """The first bytes are not those of the packing."""
    return SourceError(
        f"{label}: the name says {packing}, the content is something else; give the file its right suffix"
    )


def damaged(label: str, packing: str) -> SourceError:
    """The packing ends early or does not add up."""
    return SourceError(f"{label}: the {packing or 'file'} data is cut off or damaged; have the file sent again")


def grows(label: str) -> SourceError:
    """Somebody writes faster than we read: there is no end to wait for."""
    return SourceError(f"{label}: grows while it is read; wait until it is written, then run again")


def too_large(label: str, max_bytes: int) -> SourceError:
    """More came out than any table packs into so few bytes."""
    return SourceError(
        f"{label}: unpacks to more than {max_bytes / 1e6:,.0f} MB, {MAX_GROWTH} times its size; "
        "if it is no mistake, unpack it before loading"
    )
