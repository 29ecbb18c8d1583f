"""Which files of this machine a path with wildcards means."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from connectors.patterns import ANY_DEPTH, Entry, matching, pattern_of


def matched(files: str, folder: Path) -> list[Path]:
    """What a path with wildcards means, in any order; a relative one starts at `folder`.

    ** follows no links: one that leads to a folder above it would give every file again and again.
    """
    if ANY_DEPTH not in files.split("/"):
        return [folder / each for each in glob.glob(files, root_dir=folder)]  # noqa: PTH207 - takes absolute patterns too
    pattern = pattern_of(files, None)
    assert pattern is not None
    return [folder / path for path, _ in matching(pattern, lambda inner: _readable(folder / inner))]


def entries(folder: Path) -> Sequence[Entry]:
    """A folder's listing.

    Raises:
        OSError: there is none, or nobody may list it.
    """
    with os.scandir(folder) as listed:
        return [Entry(each.name, each.is_dir(), None, each.is_symlink()) for each in listed]


def _readable(folder: Path) -> Sequence[Entry]:
    """As other wildcards do, these pass over what is no folder of ours."""
    try:
        return entries(folder)
    except OSError:
        return ()
