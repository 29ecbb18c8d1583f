"""Where a table's files lie, by what the job writes: one door for this machine, servers, buckets and web pages.

`files` is a path or URL of a file, with wildcards (`*`, `?`, `[...]`, `**` for any folders), or of a folder when
`match` is given, a regular expression for whole names. Folders that files are moved or written to are relative to the
job file for local places; for others to the folder that `files` begins in (before the first wildcard), from the
server's or bucket's root with a leading slash, or a URL of the same server.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from connectors.addresses import Address, address_of, local_path
from connectors.buckets import BucketDoor
from connectors.doors import Door
from connectors.found import Found, Landed, Place
from connectors.ftp import FtpDoor
from connectors.landing import PAUSES_S
from connectors.local_place import LocalPlace
from connectors.patterns import pattern_of
from connectors.remote_place import RemotePlace
from connectors.sftp import SftpDoor
from connectors.web import WebDoor
from schemas.errors import SourceError
from schemas.tables import Login

__all__ = ["Found", "Landed", "Place", "place_of"]


def place_of(
    files: str,
    match: str | None,
    login: Login | None,
    folder: Path,
    label: str,
    stack: ExitStack,
    pauses_s: Sequence[float] = PAUSES_S,
) -> Place:
    """The place of a table; relative paths start at `folder`, `label` is for messages, `stack` leaves the server.

    Nothing is asked for yet.

    Raises:
        SourceError: a URL that is none of ours, or words that do not go with it.
    """
    path = local_path(files)
    if path is not None:
        if login is not None:
            raise SourceError(f"{label}: login: goes with sftp, ftp and https; leave it out for files of this machine")
        return LocalPlace(path, match, folder, label)
    address = address_of(files, label)
    door = _door(address, login, folder, label)
    if not door.can_write and (match is not None or pattern_of(address.path, None) is not None):
        raise SourceError(f"{label}: {address.scheme}:// lists no files; name one file, without wildcards and match:")
    place = RemotePlace(address, match, door, label, pauses_s)
    stack.callback(place.close)
    return place


def _door(address: Address, login: Login | None, folder: Path, label: str) -> Door:
    if address.is_bucket:
        if login is not None:
            raise SourceError(
                f"{label}: login: goes with sftp, ftp and https; {address.scheme}:// finds its credentials where the "
                "cloud's own tools look for them (environment, profile, the machine's role)"
            )
        return BucketDoor(address, label)
    if address.scheme == "sftp":
        return SftpDoor(address, label, login, folder)
    if address.scheme == "ftp":
        return FtpDoor(address, label, login)
    return WebDoor(address, label, login)
