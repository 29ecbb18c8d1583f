"""What is looked at in a workbook before openpyxl opens it: its size, and XML that no spreadsheet program writes."""

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO
from xml.parsers import expat

from connectors.archive import check_sizes
from connectors.unpack import PackedFile, archive_of, opened, unreadable
from schemas.errors import SourceError

# A sheet of a million rows and 10 columns has 527 MB; more columns than that are sent better in another way.
MAX_PART_BYTES = 600 << 20
BLOCK_BYTES = 256 << 10
FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
ROW = re.compile(rb"<(?:\w+:)?row\s(?:[^>]*?\s)?r=[\"'](\d+)")


@contextmanager
def archive_in(file: PackedFile) -> Iterator[zipfile.ZipFile]:
    """The zip archive of XML that a workbook is, when it is one that may be read.

    Raises:
        SourceError: no workbook, too large, damaged, or with a document type.
    """
    with opened(file.path, file.label) as (raw, size_bytes):
        _check_start(raw.read(8), file.label)
        with archive_of(raw, file.label) as archive:
            check_sizes(archive, size_bytes, file.label, file.spare_bytes)
            _check_parts(archive, file.label)
            yield archive


def has_formulas(archive: zipfile.ZipFile, label: str) -> bool:
    """Whether any sheet holds a formula.

    Raises:
        SourceError: damaged, or with rows out of order, of which openpyxl leaves some out without a word.
    """
    found = False
    with sound(label):
        for name in archive.namelist():
            with archive.open(name) as part:
                if _root(part) == "worksheet":
                    part.seek(0)
                    found |= _look_through(part)
    return found


@contextmanager
def sound(label: str) -> Iterator[None]:
    """Around what reads a workbook: openpyxl says damage by whatever exception it meets.

    Raises:
        SourceError: damaged.
    """
    trouble = None
    try:
        yield
    except (SourceError, MemoryError):
        raise
    except Exception as error:  # openpyxl raises whatever a damaged workbook leads it to
        trouble = error
    if isinstance(trouble, OSError) and trouble.errno is not None:
        raise unreadable(label, trouble)
    if trouble is not None:
        raise SourceError(
            f"{label}: the workbook is damaged, or was written by a program that Excel would not trust; "
            "open it in Excel and save it again, or have it sent again"
        )


def _check_start(start: bytes, label: str) -> None:
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise SourceError(f"{label}: an old Excel workbook, or one with a password; save it as .xlsx without one")
    if not start.startswith(b"PK"):
        raise SourceError(f"{label}: no Excel workbook; look at format: and the file")


def _check_parts(archive: zipfile.ZipFile, label: str) -> None:
    names = archive.namelist()
    if "[Content_Types].xml" not in names or "xl/workbook.bin" in names:
        raise SourceError(f"{label}: no Excel workbook of the kind .xlsx; save it as one, or as CSV")
    large = [info for info in archive.infolist() if info.file_size > MAX_PART_BYTES]
    if large:
        raise SourceError(
            f"{label}: {large[0].filename} has {large[0].file_size / 1e6:,.0f} MB; "
            f"{MAX_PART_BYTES / 1e6:,.0f} MB are read at most: save the sheet as CSV"
        )
    with sound(label):
        for name in names:
            with archive.open(name) as part:
                _root(part)


def _root(part: IO[bytes]) -> str:
    """The first element of a part; of a picture, none.

    Raises:
        ValueError: a document type stands before it, which is what bombs are made of, and no workbook has one.
    """
    found = list[str]()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = lambda name, _attributes: found.append(name.rpartition(" ")[2])
    parser.StartDoctypeDeclHandler = _refuse
    while not found and (block := part.read(BLOCK_BYTES)):
        with suppress(expat.ExpatError):
            parser.Parse(block)
            continue
        break
    return found[0] if found else ""


def _refuse(*_: object) -> None:
    raise ValueError("a document type")


def _look_through(part: IO[bytes]) -> bool:
    """Whether a sheet holds a formula; tags are looked at when they are whole."""
    found, last, held = False, 0, b""
    while block := part.read(BLOCK_BYTES):
        whole, start, rest = (held + block).rpartition(b"<")
        held = start + rest
        found = found or FORMULA.search(whole) is not None
        for row in ROW.finditer(whole):
            if int(row[1]) <= last:
                raise ValueError("rows out of order")
            last = int(row[1])
    return found
