"""Folders for what nobody may keep, in the system's folder for such: customers in clear, private keys."""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.locks import LOCK, is_held, made_held

PREFIX = "bulkload-tmp-"
_OURS = re.compile(re.escape(PREFIX) + "[0-9a-f]{8}")


@contextmanager
def throwaway(among: Path | None = None) -> Iterator[Path]:
    """A private folder that goes away with everything in it; those that killed processes left go away first."""
    among = Path(tempfile.gettempdir()) if among is None else among
    clear_left(among)
    folder = among / f"{PREFIX}{os.urandom(4).hex()}"
    with made_held(folder):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def clear_left(among: Path) -> None:
    """Erase what killed processes of this user left; what has no lock was never ours."""
    for folder in among.glob(f"{PREFIX}*"):
        if _OURS.fullmatch(folder.name) and _is_private(folder) and (folder / LOCK).exists() and not is_held(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_private(folder: Path) -> bool:
    """Nobody but this user can have put anything there: the folder above is everybody's."""
    try:
        told = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(told.st_mode) and stat.S_IMODE(told.st_mode) == 0o700 and told.st_uid == os.getuid()
