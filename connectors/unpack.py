"""The bytes of a local file as they were before packing (.gz, .zst, .zip), read once from front to back.

What comes out is capped, names inside archives are never used as paths, and damage is a `SourceError` that
names the file.
"""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

import pyarrow as pa

from schemas.errors import SourceError

# A bomb of 290 KB held 300 MB; the best packed real tables measured were under 100 : 1.
MAX_GROWTH = 500
SPARE_BYTES = 64 << 20

PACKINGS = {".gz": "gzip", ".zst": "zstd", ".zip": "zip"}
MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd", "zip": b"PK"}
BESIDE_THE_DATA = ("__MACOSX/", ".DS_Store", "Thumbs.db")
ENCRYPTED = 0x1


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
    """A local file, and what has to be done to read it; `label` names it in messages."""

    path: Path
    label: str
    packing: str | None = None
    spare_bytes: int = SPARE_BYTES

    @contextmanager
    def open(self) -> Iterator[Unpacked]:
        """Its bytes, unpacked.

        Raises:
            SourceError: not to be opened, not packed as its name says, damaged, or larger than a cap.
        """
        with ExitStack() as stack:
            trouble = None
            try:
                raw = stack.enter_context(self.path.open("rb"))
                size_bytes = self.path.stat().st_size
                start = raw.read(4)
                raw.seek(0)
            except OSError as error:
                trouble = error
            if trouble is not None:
                raise unreadable(self.label, trouble)
            if self.packing is None:
                yield Unpacked(raw, self.label, "", size_bytes)
                return
            if not start.startswith(MAGIC[self.packing]):
                raise SourceError(
                    f"{self.label}: the name says {self.packing}, the content is something else; "
                    "give the file its right suffix"
                )
            max_bytes = size_bytes * MAX_GROWTH + self.spare_bytes
            yield Unpacked(self._inside(raw, stack, max_bytes), self.label, self.packing, max_bytes)

    def _inside(self, raw: IO[bytes], stack: ExitStack, max_bytes: int) -> IO[bytes] | pa.NativeFile:
        if self.packing == "zip":
            archive = stack.enter_context(_archive(raw, self.label))
            member = _only_member(archive, self.label)
            if member.file_size > max_bytes:
                raise too_large(self.label, max_bytes)
            return stack.enter_context(_opened(archive, member, self.label))
        return stack.enter_context(pa.CompressedInputStream(stack.enter_context(pa.PythonFile(raw)), self.packing))


def member_suffix(file: PackedFile) -> str:
    """The suffix of the one table in a zip archive, lower case."""
    with file.path.open("rb") as raw, _archive(raw, file.label) as archive:
        return PurePosixPath(_only_member(archive, file.label).filename).suffix.lower()


def _archive(raw: IO[bytes], label: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(raw)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        pass
    raise damaged(label, "zip")


def _opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo, label: str) -> IO[bytes]:
    try:
        return archive.open(member)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        pass
    raise damaged(label, "zip")


def _only_member(archive: zipfile.ZipFile, label: str) -> zipfile.ZipInfo:
    members = [
        member
        for member in archive.infolist()
        if not member.is_dir() and not any(part in member.filename for part in BESIDE_THE_DATA)
    ]
    if not members:
        raise SourceError(f"{label}: the zip archive is empty; pack one table into it")
    if len(members) > 1:
        names = ", ".join(sorted(member.filename for member in members)[:5])
        raise SourceError(
            f"{label}: the zip archive holds {len(members)} files ({names}{', …' if len(members) > 5 else ''}); "
            "one is allowed: unpack it, or pack each table by itself"
        )
    if members[0].flag_bits & ENCRYPTED:
        raise SourceError(f"{label}: the zip archive is protected by a password; send it without one")
    return members[0]


def unreadable(label: str, error: OSError) -> SourceError:
    """The operating system says no."""
    if isinstance(error, PermissionError):
        return SourceError(f"{label}: no permission to read it; give the user of this process read access")
    return SourceError(f"{label}: cannot be read ({error.strerror or 'input/output error'}); mend that, run again")


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
