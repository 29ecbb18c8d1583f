"""One process at a time: a lock that a dead process lets go of."""

import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from schemas.errors import WrongInput

LOCK = ".lock"
MANY_FILES = 65_536


@contextmanager
def made_held(folder: Path) -> Iterator[None]:
    """Make a folder, private, that other processes of this machine see in use from its first moment on (`is_held`)."""
    unready = folder.with_name(f".{folder.name}")
    unready.mkdir(mode=0o700)
    with _opened(unready / LOCK) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        unready.rename(folder)
        yield


def is_held(folder: Path) -> bool:
    """Whether a living process uses a folder; nobody does one that is gone, or is about to be."""
    try:
        with (folder / LOCK).open("rb") as file:
            return not _locked(file)
    except FileNotFoundError:
        return False


@contextmanager
def only_one(folder: Path, name: str) -> Iterator[None]:
    """Let no other process of this machine do what is locked under this name.

    Raises:
        WrongInput: another process is at it.
    """
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    with _opened(folder / f".{name}.lock") as file:
        if not _locked(file):
            raise WrongInput(f"job {name}: another process is loading it; wait for its end")
        yield


@contextmanager
def claimed(folder: Path, name: str) -> Iterator[bool]:
    """Claim something by name, if no other process of this machine has; whether it is ours now.

    The lock's file is gone afterwards: of names that come once there would be ever more.
    """
    path = folder / f".{name}.lock"
    _open_many()
    with _opened(path) as file:
        # Who let go in between has taken the file away: it is another one's to be made anew.
        if not (_locked(file) and _is_still(path, file)):
            yield False
            return
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)


def _open_many() -> None:
    """A claim is an open file, and a drop of thousands is claimed at once: more than a process is given at first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _is_still(path: Path, file: IO[bytes]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _opened(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb")


def _locked(file: IO[bytes]) -> bool:
    """Whether the lock was free; it is this process's then, until the file is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
