"""Which names are meant: wildcards and expressions, matched here over listings, the same for every file system."""

import fnmatch
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from glob import has_magic
from typing import Any

# What programs call a file while they still send it.
UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload")
ANY_DEPTH = "**"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a folder's listing; `info` is what the file system tells besides."""

    name: str
    is_folder: bool
    info: Any
    is_link: bool = False


Listed = Callable[[str], Sequence[Entry]]


@dataclass(frozen=True, slots=True)
class Pattern:
    """`folder` is where to begin, each of `steps` leads to folders under it, `fits` says which names are meant there.

    A step is a name, a wildcard, or ** for any number of folders that are no links.
    """

    folder: str
    steps: tuple[str, ...]
    fits: Callable[[str], bool]


def pattern_of(path: str, match: str | None) -> Pattern | None:
    """The pattern that a path and an expression for names are; None: the path is one file's own."""
    parts = (path.rstrip("/") if match is not None else path).split("/")
    if match is None and not has_magic(path):
        return None
    first = next((place for place, part in enumerate(parts) if has_magic(part)), len(parts))
    if match is not None:
        expression = re.compile(match)
        return Pattern(
            _joined(parts[:first]), tuple(parts[first:]), lambda name: expression.fullmatch(name) is not None
        )
    first = min(first, len(parts) - 1)
    *steps, last = parts[first:]
    if last == ANY_DEPTH:
        steps, last = [*steps, ANY_DEPTH], "*"
    return Pattern(_joined(parts[:first]), tuple(steps), lambda name: _fits(last, name))


def matching(pattern: Pattern, listed: Listed) -> Iterator[tuple[str, Entry]]:
    """The path and entry of every file that is meant; hidden ones and those still being sent never are."""
    yield from _under(pattern.folder, pattern.steps, pattern.fits, listed)


def beside(path: str, name: str) -> str:
    """The path of another name in the same folder."""
    return within(path.rpartition("/")[0] or ("/" if path.startswith("/") else ""), name)


def within(folder: str, name: str) -> str:
    """The path of a name in a folder."""
    return f"{folder.rstrip('/')}/{name}" if folder else name


def _joined(parts: Sequence[str]) -> str:
    return "/" if list(parts) == [""] else "/".join(parts)


def _under(
    folder: str, steps: Sequence[str], fits: Callable[[str], bool], listed: Listed
) -> Iterator[tuple[str, Entry]]:
    if not steps:
        for entry in listed(folder):
            if not entry.is_folder and _is_ready(entry.name) and fits(entry.name):
                yield within(folder, entry.name), entry
        return
    step, *rest = steps
    if step == ANY_DEPTH:
        yield from _under(folder, rest, fits, listed)
    for entry in listed(folder):
        if entry.is_folder and not entry.name.startswith(".") and _leads_on(step, entry):
            yield from _under(within(folder, entry.name), steps if step == ANY_DEPTH else rest, fits, listed)


def _leads_on(step: str, folder: Entry) -> bool:
    return not folder.is_link if step == ANY_DEPTH else _fits(step, folder.name)


def _fits(wildcard: str, name: str) -> bool:
    """A name may hold brackets: it is meant by itself too."""
    return name == wildcard or re.match(fnmatch.translate(wildcard), name) is not None


def _is_ready(name: str) -> bool:
    return not name.startswith(".") and not name.lower().endswith(UNFINISHED)
