"""How one kind of server is asked for its files: what all have in common, over an fsspec file system.

File systems are made anew for each place, keep no listings, and are closed by hand: fsspec's own caches outlive a run.
"""

import importlib
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, BinaryIO

from connectors.addresses import BUCKETS, Address
from connectors.patterns import Entry
from connectors.told import is_missing
from schemas.errors import SourceError

BLOCK_BYTES = 8 << 20  # few large requests: each is a round trip
# fsspec's file systems carry no types of their own.
FileSystem = Any
Info = Mapping[str, Any]
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modify", "Last-Modified")
_MARKS = ("ETag", "etag", "generation", "md5Hash", "unique")


class Door:
    """Opens file systems at an address. Methods raise what the libraries raise.

    Each kind of server has its own `open` and `blocks`, and its own `rename` where files can be written.
    """

    can_write = True

    def __init__(self, address: Address, label: str) -> None:
        self.address, self.label = address, label
        self.at = f"{label}: {address.server}"

    def open(self) -> FileSystem:
        """Connect; SourceError when nobody may, or a library is missing."""
        raise NotImplementedError

    def close(self, system: FileSystem) -> None:
        """Leave no connection behind, whatever became of it."""

    def listed(self, system: FileSystem, folder: str) -> list[Entry]:
        """A folder's entries as they are now."""
        system.invalidate_cache()
        entries = []
        for info in system.ls(folder or ".", detail=True):
            path = str(info["name"]).rstrip("/")
            if path != folder.rstrip("/"):  # object stores list a folder's own marker too
                entries.append(Entry(path.rpartition("/")[2], info["type"] == "directory", info))
        return entries

    def info(self, system: FileSystem, path: str) -> Info:
        """One file as it is now."""
        system.invalidate_cache()
        told: Info = system.info(path)
        return told

    def now(self, system: FileSystem, path: str) -> Info | None:
        """One file as it is now; None: there is none."""
        try:
            return self.info(system, path)
        except Exception as error:  # each library has its own kinds for "it is not there"
            if not is_missing(error):
                raise
        return None

    def is_link(self, system: FileSystem, path: str) -> bool:
        """Whether a path that `info` told of leads elsewhere, as far as the server tells."""
        return False

    def blocks(
        self, system: FileSystem, path: str, offset: int, size_bytes: int | None
    ) -> Generator[bytes, None, None]:
        """A file's bytes from a byte on; memory holds a few blocks."""
        raise NotImplementedError

    def make_folder(self, system: FileSystem, folder: str) -> None:
        """Make it and those above it where there is none."""
        system.makedirs(folder, exist_ok=True)

    def rename(self, system: FileSystem, old: str, new: str, stamp: str | None = None) -> None:
        """To a name that nobody has; with `stamp`, only the file that has it, where that takes more than one step."""
        raise NotImplementedError

    def is_copy(self, one: Info, other: Info) -> bool:
        """Whether a move that broke off left both behind."""
        return False

    def put(self, system: FileSystem, content: BinaryIO, path: str) -> None:
        """Send a file."""
        with system.open(path, "wb") as file:
            while block := content.read(BLOCK_BYTES):
                file.write(block)

    def delete(self, system: FileSystem, path: str) -> None:
        """Of one file."""
        system.rm_file(path)


def library(module: str, address: Address, label: str) -> Any:
    """What reads this scheme: imported when it is needed, because it is optional and heavy.

    Raises:
        SourceError: it is not installed.
    """
    with suppress(ImportError):
        return importlib.import_module(module)
    extra = BUCKETS.get(address.scheme, address.scheme)
    raise SourceError(f"{label}: {address.scheme}:// needs a library; install it: pip install 'bulkload[{extra}]'")


def run(loop: Any, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any, limit_s: float = 0) -> Any:
    """Run something asynchronous to its end, in fsspec's own thread."""
    return importlib.import_module("fsspec.asyn").sync(loop, function, *args, timeout=limit_s or None)


def modified_at(info: Info) -> datetime | None:
    """In UTC, however a file system tells it."""
    told = next((info[key] for key in _TIMES if info.get(key)), None)
    if isinstance(told, datetime):
        return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
    return _parsed(told) if isinstance(told, str) else None


def stamp_of(info: Info) -> str:
    """Another one when the file was written again, as far as it is told."""
    when = modified_at(info)
    told = [
        info.get("size"),
        when.replace(microsecond=0) if when is not None else info.get("modify"),  # some listings tell more than others
        *(info.get(key) for key in _MARKS),
    ]
    return " ".join(str(each).strip('"') for each in told if each is not None)


def _parsed(told: str) -> datetime | None:
    for form in ("%Y%m%d%H%M%S", "%Y%m%d%H%M%S.%f", "%a, %d %b %Y %H:%M:%S GMT"):
        try:
            return datetime.strptime(told, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
