"""Tables in local files: which files, what they were when they were opened, and their rows one after another.

A path may be a glob; its files are read sorted by name, have the same columns and are refused otherwise
before any row is given out.
"""

import difflib
import glob
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from connectors.archive import tables_in
from connectors.delimited import open_delimited
from connectors.fixed import open_fixed
from connectors.found import check_plain
from connectors.jsonlines import open_json_lines
from connectors.kinds import ENCRYPTED, FORMATS, format_of, is_pgp, suffixes
from connectors.lines import Limits
from connectors.local_names import matched
from connectors.parquet import open_parquet
from connectors.unpack import PackedFile, opened, unreadable
from connectors.workbook import open_workbook
from schemas.errors import SourceError, raise_all
from schemas.rows import OURS, RawRows, Reading, SourceFile
from schemas.tables import Csv, Table

HASH_BYTES = 1 << 20
HEADER_BYTES = 1 << 20
LIMITS = Limits()


class OpenedFile(Protocol):
    """What each format gives: the columns before the first row, what was found out, then the rows."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def notes(self) -> tuple[str, ...]: ...

    def batches(self, place: int) -> Iterator[RawRows]: ...


@dataclass(frozen=True, slots=True)
class Local:
    """A file on this machine, ready to be read.

    Its bytes are at `path`; people are told of it as `source`. Where these two are different files, `path` is ours: a
    landed or decrypted copy that nobody else writes. Format and packing come from the told name. `state` is that on
    disk before its digest was taken; none for a copy.
    """

    path: Path
    source: SourceFile
    state: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Stamped:
    """A table in a file, and how it reads."""

    local: Local
    label: str
    opened: OpenedFile


def open_table(table: Table, folder: Path, name: str, limits: Limits = LIMITS) -> Reading:
    """Find and look at the table's files; relative paths start at `folder`, `name` is for messages.

    Reads each file once for its digest (JSON Lines a second time for its columns).

    Raises:
        SourceError: nothing found, not readable, not of the format, or files with different columns.
    """
    found = _find(table, folder, name)
    for path in found:
        check_plain(str(path), name)
    return open_files([in_place(path, f"{name}: {path}") for path in found], table, name, limits)


def in_place(path: Path, label: str) -> Local:
    """A file that is read where it lies; it is read once for its digest.

    Raises:
        SourceError: not there, or not to be read.
    """
    state = _state(path, label)
    return Local(path, SourceFile(path, state[0], _sha256(path, label)), state)


def open_files(files: Sequence[Local], table: Table, name: str, limits: Limits = LIMITS) -> Reading:
    """Look at files that were found, landed or decrypted already; they are read in the order given.

    Raises:
        SourceError: not readable, not of the format, or files with different columns.
    """
    stamped = tuple(each for local in files for each in _open(local, table, name, limits))
    columns = stamped[0].opened.columns
    raise_all(SourceError, [problem for each in stamped[1:] for problem in _differences(each, stamped[0])])
    return Reading(
        columns,
        tuple(each.local.source for each in stamped),
        partial(_batches, stamped, columns),
        tuple(f"{each.local.source.path.name}: {note}" for each in stamped for note in each.opened.notes),
    )


def _batches(stamped: Sequence[_Stamped], columns: tuple[str, ...]) -> Iterator[RawRows]:
    """All rows, file after file, in file order.

    Raises:
        SourceError: a file that cannot be read to its end, or that changed since it was opened.
    """
    for place, each in enumerate(stamped):
        check_unchanged(each.local, each.label)
        aligned = each.opened.columns == columns
        try:
            for batch in each.opened.batches(place):
                yield batch if aligned else replace(batch, rows=batch.rows.select(list(columns)))
        except SourceError:
            check_unchanged(
                each.local, each.label
            )  # whatever is wrong with a file that changed: the change is what to tell
            raise
        check_unchanged(each.local, each.label)


def _find(table: Table, folder: Path, name: str) -> list[Path]:
    pattern = table.files or ""
    path = folder / pattern
    if not glob.has_magic(pattern) or os.path.lexists(path):  # a name may hold brackets
        _check_is_file(path, name)
        return [path]
    files = sorted(each for each in matched(pattern, folder) if each.is_file())
    if not files:
        raise SourceError(f"{name}: no file matches {path}; look at the folder and the spelling of files:")
    return files


def _check_is_file(path: Path, name: str) -> None:
    trouble = None
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise SourceError(f"{name}: {path} does not exist; {_near(path)}") from None
    except OSError as error:
        trouble = error
    if trouble is not None:
        raise unreadable(f"{name}: {path}", trouble)
    if stat.S_ISDIR(mode):
        raise SourceError(f"{name}: {path} is a folder; name its files, for example {path / '*.csv'}")
    if not stat.S_ISREG(mode):
        raise SourceError(f"{name}: {path} is no regular file; copy its content into one first")


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent} either"
    names = sorted(each.name for each in path.parent.iterdir() if each.is_file())
    near = difflib.get_close_matches(path.name, names, n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"the folder {path.parent} holds {len(names)} other files"


def _open(local: Local, table: Table, name: str, limits: Limits) -> Iterator[_Stamped]:
    """The table in a file, or the tables in an archive in the order of their names."""
    told = local.source.path
    label = f"{name}: {told}"
    if is_pgp(told) and table.decrypt is None:
        raise SourceError(f"{label}: the suffix {told.suffix} says {ENCRYPTED}")
    suffix, packing = suffixes(told)
    if packing != "zip":
        file = PackedFile(local.path, label, packing)
        if suffix == ".csv" and not packing and _is_rejected(local.path, label):
            yield _Stamped(local, label, open_delimited(file, Csv(), ",", limits))
            return
        yield _Stamped(local, label, _opened(file, table.format or format_of(suffix, label), table, limits))
        return
    members = tables_in(local.path, label, any_name=bool(table.format or suffix in FORMATS))
    for member in members:
        inner = local
        if len(members) > 1:
            inner = replace(local, source=replace(local.source, path=told / member.told))
        label = f"{name}: {inner.source.path}"
        kind = table.format or format_of(member.suffix if member.suffix in FORMATS else suffix or member.suffix, label)
        file = PackedFile(local.path, label, packing, member=member.name)
        yield _Stamped(inner, label, _opened(file, kind, table, limits))


def _is_rejected(path: Path, label: str) -> bool:
    """Whether this is a rejected.csv: commas and UTF-8, whatever the source it came from was written in."""
    with opened(path, label) as (file, _):
        header = file.readline(HEADER_BYTES).rstrip(b"\r\n").replace(b'"', b"")
    return header.endswith(",".join(OURS).encode())


def _opened(file: PackedFile, kind: str, table: Table, limits: Limits) -> OpenedFile:
    if kind in ("csv", "tsv"):
        delimiter = table.csv.delimiter or ("\t" if kind == "tsv" else None)
        return open_delimited(file, table.csv, delimiter, limits)
    if kind == "fixed":
        return open_fixed(file, table.fixed or {}, table.csv, limits)
    if kind == "xlsx":
        return open_workbook(file, table.xlsx, limits)
    if kind == "jsonl":
        return open_json_lines(file, limits)
    if kind == "parquet":
        return open_parquet(file, limits)
    raise AssertionError(f"the format {kind} has no reader")


def _state(path: Path, label: str) -> tuple[int, ...]:
    """Size first; then what the file system changes when somebody writes, replaces or restores the file."""
    trouble = None
    try:
        now = path.stat()
        return now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino
    except OSError as error:
        trouble = error
    raise unreadable(label, trouble)


def _sha256(path: Path, label: str) -> str:
    trouble = None
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(HASH_BYTES):
                digest.update(block)
        return digest.hexdigest()
    except OSError as error:
        trouble = error
    raise unreadable(label, trouble)


def check_unchanged(local: Local, label: str) -> None:
    """Refuse a file that somebody writes; one that was only touched or moved back is the same by its bytes.

    Raises:
        SourceError: it is not the file any more that was opened.
    """
    if local.state is None or _state(local.path, label) == local.state:
        return
    if _sha256(local.path, label) != local.source.sha256:
        raise SourceError(f"{label}: changed while it was read; wait until it is written, then run again")


def _differences(other: _Stamped, first: _Stamped) -> list[str]:
    theirs, ours = set(other.opened.columns), set(first.opened.columns)
    missing = [column for column in first.opened.columns if column not in theirs]
    additional = [column for column in other.opened.columns if column not in ours]
    told = [f"{words} {', '.join(names)}" for words, names in (("lacks", missing), ("adds", additional)) if names]
    if not told:
        return []
    return [
        f"{other.label}: {' and '.join(told)}, compared with {first.local.source.path.name}; "
        "load files of different columns as tables of their own"
    ]
