"""What must outlast a power cut: a file's bytes, and the entry of its name in its folder."""

import errno
import os
from pathlib import Path


def keep_entries(folder: Path) -> None:
    """Let the names in a folder last: a new file is gone with its name, whatever became of its bytes."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def keep_all(folder: Path) -> None:
    """Let a folder last with all that lies in it by now, and its own name too."""
    for within, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync(Path(within, name), os.O_RDONLY)
        keep_entries(Path(within))
    keep_entries(folder.parent)


def make_folder(folder: Path) -> None:
    """A folder for its owner's eyes only, made to last; one that is there stays as it is."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in missing:
        keep_entries(each.parent)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder; they have no entries of their own to lose.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
