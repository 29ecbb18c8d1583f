"""Files in object stores: s3, gs, az and abfs, with the clouds' own chains of credentials.

They have no folders and cannot rename: a move is a copy and a deletion, and what broke off between is told by the
store's own checksum of both.
"""

from collections.abc import Generator
from contextlib import suppress
from typing import Any

from connectors.addresses import BUCKETS
from connectors.doors import BLOCK_BYTES, Door, FileSystem, Info, library, run, stamp_of
from connectors.patterns import Entry
from schemas.errors import SourceError

# This code tries again itself, and tells it when it gives up.
_S3 = {"config_kwargs": {"connect_timeout": 10, "read_timeout": 60, "retries": {"total_max_attempts": 1}}}
_CLASSES = {
    "s3": ("s3fs", "S3FileSystem"),
    "gs": ("gcsfs", "GCSFileSystem"),
    "az": ("adlfs", "AzureBlobFileSystem"),
}
CLOSE_S = 5.0
_CHECKSUMS = ("ETag", "md5Hash", "crc32c")


class BucketDoor(Door):
    """Nothing is connected before the first request."""

    def open(self) -> FileSystem:
        options: dict[str, Any] = {"s3": _S3, "gs": {}}.get(self.address.scheme, {"anon": False})
        if self.address.scheme == "abfs" and "@" in self.address.host:
            options = {**options, "account_name": self.address.host.partition("@")[2].partition(".")[0]}
        module, name = _CLASSES[BUCKETS[self.address.scheme]]
        kind = getattr(library(module, self.address, self.label), name)
        system = kind(skip_instance_cache=True, use_listings_cache=False, **options)
        if self.address.scheme == "s3":
            system.retries = 2  # its 5 are nested: 25 attempts
        return system

    def close(self, system: FileSystem) -> None:
        client = getattr(system, "_s3", None)
        if client is not None:  # the others close by themselves, s3fs too late for its warnings
            system._s3 = None
            with suppress(Exception):
                run(system.loop, client.__aexit__, None, None, None, limit_s=CLOSE_S)

    def listed(self, system: FileSystem, folder: str) -> list[Entry]:
        with suppress(FileNotFoundError):  # nothing has a name that begins so
            return super().listed(system, folder)
        with suppress(FileNotFoundError):
            system.info(folder.partition("/")[0])
            return []
        raise SourceError(f"{self.at}: there is no such bucket; look at its spelling and region")

    def blocks(
        self, system: FileSystem, path: str, offset: int, size_bytes: int | None
    ) -> Generator[bytes, None, None]:
        while size_bytes is None or offset < size_bytes:
            end = offset + BLOCK_BYTES
            block = system.cat_file(path, start=offset, end=end if size_bytes is None else min(end, size_bytes))
            if not block:
                return
            yield block
            offset += len(block)

    def make_folder(self, system: FileSystem, folder: str) -> None:
        """There is nothing to make."""

    def rename(self, system: FileSystem, old: str, new: str, stamp: str | None = None) -> None:
        same = {"preserve_etag": True} if self.address.scheme == "s3" else {}
        system.cp_file(old, new, **same)
        if stamp is not None and ((now := self.now(system, old)) is None or stamp_of(now) != stamp):
            system.rm_file(new)  # which of the two it is, nobody knows
            raise SourceError(
                f"{self.label}: {self.address.uri(old)}: was written again since it was read; it stays for the next run"
            )
        try:
            system.rm_file(old)
        except PermissionError:
            system.rm_file(new)
            raise

    def is_copy(self, one: Info, other: Info) -> bool:
        return one.get("size") == other.get("size") and any(
            one.get(each) and one.get(each) == other.get(each) for each in _CHECKSUMS
        )
