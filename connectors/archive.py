"""Which tables a zip archive holds, and whether it may be unpacked at all.

Names inside are for telling members apart and never become paths on disk.
"""

import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from connectors.kinds import FORMATS, PGP_SUFFIXES
from connectors.unpack import MAX_GROWTH, PACKINGS, SPARE_BYTES, archive_of, damaged, opened, too_large, wrong_suffix
from schemas.errors import SourceError

MAX_MEMBERS = 1_000
HEADER_BYTES = 30  # of each member, before its name
LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class Member:
    """A table in an archive: its name there, and the same as told to people, without steps out of the archive."""

    name: str
    told: str

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.told).suffix.lower()


def tables_in(path: Path, label: str, *, any_name: bool = False, spare_bytes: int = SPARE_BYTES) -> list[Member]:
    """The tables of an archive by name; `any_name`: their format is known without a suffix.

    Raises:
        SourceError: empty, damaged, protected, a bomb, or with a member that is no table.
    """
    with opened(path, label) as (raw, size_bytes):
        if raw.read(2) != b"PK":
            raise wrong_suffix(label, "zip")
        with archive_of(raw, label) as archive:
            check_sizes(archive, size_bytes, label, spare_bytes)
            infos = archive.infolist()
    kept = [info for info in infos if not info.is_dir() and not _is_litter(info.filename)]
    if not kept:
        raise SourceError(f"{label}: the zip archive is empty; pack one table into it")
    if any(info.flag_bits & ENCRYPTED for info in kept):
        raise SourceError(f"{label}: the zip archive is protected by a password; send it without one")
    members = sorted((Member(info.filename, _told(info.filename)) for info in kept), key=lambda each: each.told)
    _check_names(members, label, any_name=any_name)
    return members


def check_sizes(archive: zipfile.ZipFile, size_bytes: int, label: str, spare_bytes: int) -> None:
    """What an archive unpacks to is bounded: no more members than sense, nor bytes, and none of them twice.

    Raises:
        SourceError: a bomb, or damage that looks like one.
    """
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise SourceError(f"{label}: the zip archive holds {len(infos):,} files; {MAX_MEMBERS:,} are read at most")
    _check_apart(infos, archive.start_dir, label)
    max_bytes = size_bytes * MAX_GROWTH + spare_bytes
    if sum(info.file_size for info in infos) > max_bytes:
        raise too_large(label, max_bytes)


def _check_apart(infos: Sequence[zipfile.ZipInfo], end: int, label: str) -> None:
    """Members that share their bytes are how a small archive unpacks to a huge one.

    Archives one behind the other are one to zip readers: the last.
    """
    starts = sorted((info.header_offset, info.compress_size) for info in infos)
    if starts and starts[0][0] >= HEADER_BYTES:  # a mark of four bytes is left by programs that split archives
        raise SourceError(
            f"{label}: before the zip archive's first file lies something else, perhaps another archive whose rows "
            "would be lost; have one archive sent in each file"
        )
    stops = [start for start, _ in starts[1:]] + [end]
    if any(start + HEADER_BYTES + size > stop for (start, size), stop in zip(starts, stops, strict=False)):
        raise damaged(label, "zip")


def _is_litter(name: str) -> bool:
    return any(part in LITTER for part in PurePosixPath(name).parts)


def _told(name: str) -> str:
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "//", "..")]
    return "".join(each if each.isprintable() else "?" for each in "/".join(parts)) or "?"


def _check_names(members: Sequence[Member], label: str, *, any_name: bool) -> None:
    twice = [name for name, count in Counter(each.told for each in members).items() if count > 1]
    if twice:
        raise SourceError(f"{label}: the zip archive holds {_listed(twice)} more than once; pack each table once")
    inner = [each.told for each in members if each.suffix in (*PACKINGS, *PGP_SUFFIXES)]
    if inner:
        raise SourceError(f"{label}: the zip archive holds {_listed(inner)}, packed again; pack the tables themselves")
    others = [each.told for each in members if each.suffix not in FORMATS]
    if others and not any_name:
        raise SourceError(
            f"{label}: the zip archive holds {_listed(others)}, whose suffix says no format; "
            f"pack nothing but tables ({' '.join(FORMATS)}), or set format:"
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
