"""Giving files of this machine other names: over file systems too, never overwriting, and never another's file."""

import errno
import filecmp
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

from connectors.doors import BLOCK_BYTES
from connectors.landing import shortened

# A file system that cannot give a file a second name.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK)


class Changed(Exception):
    """Somebody put another file under the name while its file was moved."""


def stamp_of(now: os.stat_result) -> str:
    """Another one when the file was written again or replaced."""
    return f"{now.st_size} {now.st_mtime_ns} {now.st_ino}"


def put_away(source: Path, target: Path, *, stamp: str | None = None, or_same: bool = False) -> bool:
    """Give a file another name; False: somebody else has it.

    What a crash left under both names is one file; with `or_same`, so are two files of the same bytes. With `stamp`,
    only the file that has it is moved: what its sender puts in its place meanwhile stays there.

    Raises:
        Changed: there is another file before this one could be moved.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        here, there = source.lstat(), target.lstat()
        apart = here.st_dev != there.st_dev and here.st_ino != there.st_ino  # else one mounted twice, perhaps
        if not os.path.samestat(here, there) and not ((or_same or apart) and _are_same(source, target)):
            return False
    except OSError as error:
        if error.errno not in (errno.EXDEV, *_NO_LINKS):
            raise
        if os.path.lexists(target):
            return False
        if error.errno != errno.EXDEV:
            source.rename(target)
            _check_is_meant(source, target, stamp)
            return True
        _copy(source, target, stamp)
    else:
        _check_is_meant(source, target, stamp)
    if stamp is None or stamp_of(source.lstat()) == stamp:
        source.unlink()
    return True


def unfinished_of(path: Path) -> Path:
    """What a file is called until it is whole."""
    return path.with_name(f".{shortened(path.name)}.part")


def write_new(path: Path, content: bytes | Path) -> None:
    """Write a whole file, on the disk when this returns; what lay under the name is gone, and no link is followed."""
    with _new(path) as file:
        if isinstance(content, bytes):
            file.write(content)
        else:
            with content.open("rb") as source:
                shutil.copyfileobj(source, file, BLOCK_BYTES)
        _sync(file)


def _check_is_meant(source: Path, target: Path, stamp: str | None) -> None:
    """Give another file its name back, unless the next one has it by now."""
    if stamp is None or stamp_of(target.lstat()) == stamp:
        return
    if os.path.lexists(source):
        target.unlink()
    else:
        target.rename(source)
    raise Changed


def _are_same(source: Path, target: Path) -> bool:
    return target.is_file() and filecmp.cmp(source, target, shallow=False)


def _copy(source: Path, target: Path, stamp: str | None) -> None:
    unfinished = unfinished_of(target)
    with source.open("rb") as old, _new(unfinished) as file:
        shutil.copyfileobj(old, file, BLOCK_BYTES)
        file.flush()  # else it is written after its time is set
        now = os.fstat(old.fileno())
        os.fchmod(file.fileno(), stat.S_IMODE(now.st_mode))
        os.utime(file.fileno(), ns=(now.st_atime_ns, now.st_mtime_ns))
        _sync(file)
    if stamp is not None and stamp_of(source.lstat()) != stamp:
        unfinished.unlink()
        raise Changed
    unfinished.rename(target)


def _new(path: Path) -> BinaryIO:
    """Whoever can guess a name could lead us to another file by it."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600), "wb")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
