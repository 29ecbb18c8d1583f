"""Files for their owner's eyes only, whole or not there, and what the file system says about where they lie."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from schemas.errors import Stopped

# What is wrong with a disk, and not with this code.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UNUSABLE = (*_FULL, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENOTDIR)


class NoRoom(Stopped):
    """The run's folder cannot be written."""


@contextmanager
def room_in(folder: Path) -> Iterator[None]:
    """Turn what the file system says about the home into what to do.

    Raises:
        NoRoom: the disk is full, or this user may not write there.
    """
    trouble = None
    try:
        yield
    except OSError as error:
        if error.errno not in _UNUSABLE:
            raise
        trouble = error
    except duckdb.IOException:
        trouble = OSError(errno.EIO, "DuckDB could not write there")
    if trouble is not None:
        hint = "make room" if trouble.errno in _FULL else "mend that, or choose another --home"
        raise NoRoom(f"{folder}: cannot be written ({(trouble.strerror or 'input/output error').lower()}); {hint}")


def private(path: Path) -> "PrivateFile":
    """A file that only its owner may read, replaced whole or not at all."""
    return PrivateFile(path)


class PrivateFile:
    """Writes beside the final name and moves into place at the end, so that a crash leaves no half file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unfinished = path.with_name(path.name + ".part")

    def __enter__(self) -> pa.NativeFile:
        descriptor = os.open(self.unfinished, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        self.file = os.fdopen(descriptor, "wb")
        return self.file

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.file.close()
        if kind is None:
            self.unfinished.replace(self.path)
        else:
            self.unfinished.unlink(missing_ok=True)
