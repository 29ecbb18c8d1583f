"""A place on this machine: today's globs, a copy where one is wanted, and moves that never overwrite."""

import difflib
import glob
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from connectors.addresses import local_path
from connectors.doors import BLOCK_BYTES
from connectors.found import Found, Landed
from connectors.landing import land, numbered
from connectors.local_moves import Changed, put_away, stamp_of, unfinished_of, write_new
from connectors.local_names import entries, matched
from connectors.patterns import UNFINISHED, Entry, matching, pattern_of
from connectors.unpack import unreadable
from schemas.errors import SourceError


class LocalPlace:
    """Relative paths start at the job's folder: those of `files` and of where files go."""

    is_local = True
    can_write = True

    def __init__(self, files: str, match: str | None, folder: Path, label: str) -> None:
        self._files, self._match, self._folder, self._label = files, match, folder, label

    @property
    def uri(self) -> str:
        return uri_of(self._folder / self._files)

    def found(self) -> tuple[Found, ...]:
        if self._match is not None:
            return self._matched(self._match)
        path = self._folder / self._files
        if not glob.has_magic(self._files) or os.path.lexists(path):  # a name may hold brackets
            return () if self._is_missing(path) else (self._found(path),)
        paths = matched(self._files, self._folder)
        return self._files_of(each for each in paths if not each.name.lower().endswith(UNFINISHED))

    def nothing(self) -> str:
        path = self._folder / self._files
        if self._match is None and not glob.has_magic(self._files):
            return f"{self._label}: {path} does not exist; {_near(path)}"
        if self._match is not None:
            return f"{self._label}: no file in {path} has a name that match: means; look at the folder and at match:"
        return f"{self._label}: no file matches {path}; look at the folder and the spelling of files:"

    def beside(self, found: Found, name: str) -> str:
        return str(Path(found.path).with_name(name))

    def has(self, path: str, since: datetime | None = None) -> bool:
        return Path(path).is_file() and not self._found(Path(path)).is_older(since)

    def read(self, path: str, limit_bytes: int) -> bytes:
        with self._allowed(path), Path(path).open("rb") as file:
            content = file.read(limit_bytes + 1)
        if len(content) > limit_bytes:
            raise SourceError(f"{self._label}: {path} has more than {limit_bytes:,} bytes; that is no such file")
        return content

    def land(self, found: Found, into: Path) -> Landed:
        return land(
            found, into, f"{self._label}: {found.path}", lambda offset: self._blocks(found, offset),
            lambda: self.again(found), (),
        )  # fmt: skip

    def again(self, found: Found) -> Found | None:
        path = Path(found.path)
        return None if self._is_missing(path) else self._found(path)

    def lies_in(self, found: Found, to: str) -> bool:
        return _is_in(Path(found.path), self._target(to))

    def move(self, found: Found, to: str, name: str) -> Found:
        source, folder = Path(found.path), self._target(to)
        now = self.again(found)
        if now is None:
            return self._found(self._moved_before(found, folder, name))
        if now.stamp == found.stamp:
            with suppress(Changed), self._allowed(f"{source} cannot be moved to {folder}", "the file stays"):
                return self._moved(found, folder, name)
        raise SourceError(f"{self._label}: {source} was written again since it was read; it stays for the next run")

    def write(self, to: str, name: str, content: bytes | Path) -> str:
        folder = self._target(to)
        with self._allowed(f"{folder} cannot be written", "give the user of this process write access"):
            folder.mkdir(parents=True, exist_ok=True)
            unfinished = unfinished_of(folder / name)
            write_new(unfinished, content)
            for each in numbered(name):
                if put_away(unfinished, folder / each, or_same=True):
                    return uri_of(folder / each)
        raise AssertionError("numbers do not end")

    def delete(self, path: str) -> None:
        with self._allowed(f"{path} cannot be deleted", "give the user of this process write access to its folder"):
            Path(path).unlink(missing_ok=True)

    def _matched(self, match: str) -> tuple[Found, ...]:
        pattern = pattern_of(str(self._folder / self._files), match)
        assert pattern is not None
        if not Path(pattern.folder).is_dir():
            raise SourceError(f"{self._label}: there is no folder {pattern.folder}; look at its spelling")
        return self._files_of(Path(path) for path, _ in matching(pattern, self._entries))

    def _entries(self, folder: str) -> Sequence[Entry]:
        with self._allowed(folder):
            return entries(Path(folder))

    def _files_of(self, paths: Iterable[Path]) -> tuple[Found, ...]:
        return tuple(self._found(path) for path in sorted(paths) if path.is_file())

    def _is_missing(self, path: Path) -> bool:
        with self._allowed(str(path)):
            try:
                path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return True
        return False

    def _found(self, path: Path) -> Found:
        label = f"{self._label}: {path}"
        with self._allowed(str(path)):
            now = path.stat()
        if stat.S_ISDIR(now.st_mode):
            raise SourceError(f"{label} is a folder; name its files, for example {path / '*.csv'}")
        if not stat.S_ISREG(now.st_mode):
            raise SourceError(f"{label} is no regular file; copy its content into one first")
        modified_at_utc = datetime.fromtimestamp(now.st_mtime, UTC)
        return Found(str(path), uri_of(path), now.st_size, modified_at_utc, stamp_of(now), path.is_symlink())

    def _blocks(self, found: Found, offset: int) -> Iterator[bytes]:
        with self._allowed(found.path), Path(found.path).open("rb") as file:
            file.seek(offset)
            while block := file.read(BLOCK_BYTES):
                yield block

    def _moved(self, found: Found, folder: Path, name: str) -> Found:
        source = Path(found.path)
        if _is_in(source, folder):
            return found
        folder.mkdir(parents=True, exist_ok=True)
        for each in numbered(name):
            if put_away(source, folder / each, stamp=found.stamp):
                return self._found(folder / each)
        raise AssertionError("numbers do not end")

    def _moved_before(self, found: Found, folder: Path, name: str) -> Path:
        last = None
        for each in numbered(name):
            if not (folder / each).is_file():
                break
            now = (folder / each).stat()
            if found.stamp.startswith(f"{now.st_size} {now.st_mtime_ns} "):
                last = folder / each
        if last is None:
            raise SourceError(f"{self._label}: {found.path} is gone, and not in {folder}; who moved it?")
        return last

    def _target(self, to: str) -> Path:
        path = local_path(to)
        if path is None:
            raise SourceError(
                f"{self._label}: files of this machine go to folders of this machine; name one by its path"
            )
        return self._folder / path

    @contextmanager
    def _allowed(self, what: str, hint: str = "") -> Iterator[None]:
        """Say in words what the file system does not let us do."""
        trouble = None
        try:
            yield
        except OSError as error:
            trouble = error
        if trouble is not None and hint:
            why = (trouble.strerror or "input/output error").lower()
            raise SourceError(f"{self._label}: {what} ({why}); {hint}")
        if trouble is not None:
            raise unreadable(f"{self._label}: {what}", trouble)


def uri_of(path: Path) -> str:
    """Of a file on this machine."""
    return os.path.abspath(path)  # noqa: PTH100 - Path.absolute leaves .. in it, resolve follows links


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent} either"
    names = sorted(each.name for each in path.parent.iterdir() if each.is_file())
    near = difflib.get_close_matches(path.name, names, n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"the folder {path.parent} holds {len(names)} other files"


def _is_in(path: Path, folder: Path) -> bool:
    """Under whatever name: links and mounts lead to folders too."""
    return folder.is_dir() and path.parent.samefile(folder)
