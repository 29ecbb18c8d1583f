"""Rows of Excel workbooks (.xlsx), cells as text; `lines` are the sheet's own row numbers.

A sheet is gone through twice, first for what has to be told: errors, digits that Excel dropped, formulas without a
value. Read by the XML that Excel writes, because the libraries that are fast enough (python-calamine) hold the sheet
in memory and give neither errors, nor the zeros a format shows, nor whether a formula was ever calculated.
"""

import difflib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

import pyarrow as pa

from connectors.archive import check_sizes
from connectors.lines import Limits, check_names
from connectors.unpack import PackedFile, archive_of, unreadable
from connectors.workbook_cells import Cells, Odd, Place
from connectors.workbook_sheet import (
    NotXml,
    Row,
    Rows,
    Sheet,
    Strings,
    column_letters,
    elements,
    feed,
    formats_of,
    related,
    sheets_of,
)
from schemas.errors import SourceError
from schemas.rows import RawRows
from schemas.tables import Workbook

# A sheet of a million rows and 10 columns has 527 MB; more columns than that are sent better in another way.
MAX_PART_BYTES = 600 << 20
ROWS_AT_A_TIME = 10_000  # which are Python objects first
BROKEN = (
    NotXml, KeyError, ValueError, EOFError, RuntimeError, NotImplementedError, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExcelSheet:
    """One sheet of a workbook, gone through once; `places` are its columns, from 0."""

    file: PackedFile
    sheet: Sheet
    header_row: int
    columns: tuple[str, ...]
    places: tuple[int, ...]
    limits: Limits
    notes: tuple[str, ...]

    def batches(self, place: int) -> Iterator[RawRows]:
        """Its rows in sheet order, without blank ones; an empty cell is null.

        Raises:
            SourceError: damaged.
        """
        with _opened(self.file) as book:
            held: list[Row] = []
            for row in book.rows(self.sheet):
                if row.number > self.header_row and any(value.strip() for value in row.cells.values()):
                    held.append(row)
                if len(held) == min(ROWS_AT_A_TIME, self.limits.batch_rows):
                    yield self._batch(place, held)
                    held = []
            if held:
                yield self._batch(place, held)

    def _batch(self, place: int, held: Sequence[Row]) -> RawRows:
        arrays = [pa.array([row.cells.get(at) for row in held], pa.string()) for at in self.places]
        lines = pa.array([row.number for row in held], pa.int64())
        return RawRows(place, pa.RecordBatch.from_arrays(arrays, names=list(self.columns)), lines)


def open_workbook(file: PackedFile, written: Workbook, limits: Limits) -> ExcelSheet:
    """Choose the sheet, and go through it.

    Raises:
        SourceError: no workbook, damaged, too large, no such sheet, no header, or formulas that were never calculated.
    """
    if file.packing is not None:
        raise SourceError(f"{file.label}: a workbook is packed already; unpack the {file.packing} around it")
    with _opened(file) as book:
        sheet = _chosen(book.sheets, written.sheet, file.label)
        label = f"{file.label}, sheet {sheet.name}"
        seen = _Seen(written.header_row)
        for row in book.rows(sheet):
            seen.add(row)
        for cell in book.merged:
            if cell[0] > written.header_row:
                seen.merged.add(cell)
        places = tuple(sorted(seen.header))
        columns = tuple(seen.header[at] for at in places)
        _check_header(columns, seen, label)
        odd = book.cells.uncalculated
        if odd.count:
            raise SourceError(
                f"{label}: {_cells(odd)} a formula that was never calculated; "
                "open the workbook in Excel, save it, and run again"
            )
        notes = tuple(f"sheet {sheet.name}: {note}" for note in (*_notes(book.cells), *seen.notes()))
    return ExcelSheet(file, sheet, written.header_row, columns, places, limits, notes)


@dataclass(slots=True)
class _Seen:
    """What the first way through a sheet finds."""

    header_row: int
    header: dict[int, str] = field(default_factory=dict)
    unnamed: Odd = field(default_factory=Odd)
    merged: Odd = field(default_factory=Odd)
    hidden: int = 0

    def add(self, row: Row) -> None:
        if row.number == self.header_row:
            self.header = {at: name for at, name in row.cells.items() if name.strip()}
        if row.number <= self.header_row:
            return
        self.hidden += row.hidden and bool(row.cells)
        for at in row.cells.keys() - self.header.keys():
            if row.cells[at].strip():
                self.unnamed.add((row.number, at))

    def notes(self) -> Iterator[str]:
        if self.hidden:
            yield f"{self.hidden:,} hidden row{'s are' if self.hidden > 1 else ' is'} read like the others"
        if self.merged.count:
            yield f"{_cells(self.merged)} several merged ones together, and only the first of them has the value"


def _check_header(columns: tuple[str, ...], seen: _Seen, label: str) -> None:
    if not columns:
        raise SourceError(f"{label}: row {seen.header_row} names no columns; set xlsx.header_row to the row that does")
    check_names(columns, label, f"row {seen.header_row}")
    if seen.unnamed.count:
        raise SourceError(
            f"{label}: {_cells(seen.unnamed)} a value in a column that row {seen.header_row} does not name; "
            "name the column or empty it, or set xlsx.header_row"
        )


def _cells(odd: Odd) -> str:
    row, column = odd.first
    at = f"{column_letters(column)}{row}"
    return f"cell {at} holds" if odd.count == 1 else f"{odd.count:,} cells (the first is {at}) hold"


def _notes(cells: Cells) -> Iterator[str]:
    if cells.errors.count:
        yield f"{_cells(cells.errors)} an error such as #N/A or #REF!, which is read as that word"
    if cells.rounded.count:
        yield (
            f"{_cells(cells.rounded)} a number beyond 15 digits, all that Excel keeps: its last digits are lost; "
            "have such numbers sent as text"
        )


def _chosen(sheets: Sequence[Sheet], name: str | None, label: str) -> Sheet:
    names = [sheet.name for sheet in sheets]
    if name is not None:
        found = next((sheet for sheet in sheets if sheet.name == name), None)
        if found is None:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it holds {', '.join(names) or 'none'}"
            raise SourceError(f"{label}: there is no sheet {name}; {hint}")
        return found
    visible = [sheet for sheet in sheets if sheet.visible]
    if len(visible) == 1:
        return visible[0]
    raise SourceError(
        f"{label}: the workbook holds {len(visible)} visible sheets; "
        f"say xlsx: {{sheet: …}} with one of {', '.join(names) or 'its sheets'}"
    )


class _Book:
    """An open workbook: its sheets, and what their cells refer to."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        roots = related(self._part("_rels/.rels"), "").values()
        main = next((name for kind, name in roots if kind == "officeDocument"), "xl/workbook.xml")
        folder, _, stem = main.rpartition("/")
        parts = related(self._part(f"{folder}/_rels/{stem}.rels".lstrip("/")), main)
        workbook = elements(self._part(main))
        self.sheets = sheets_of(workbook, parts)
        self.merged: list[Place] = []  # of the sheet whose rows were read last
        by_kind = dict(parts.values())
        strings = Strings()
        if "sharedStrings" in by_kind:
            for _ in feed(self._part(by_kind["sharedStrings"]), strings.start, strings.end, strings.text):
                pass
        formats = formats_of(elements(self._part(by_kind["styles"])) if "styles" in by_kind else [])
        properties = next((each for name, each in workbook if name == "workbookPr"), {})
        self.cells = Cells(strings.found, formats, properties.get("date1904") in ("1", "true"))

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        rows = Rows(self.cells)
        for _ in feed(self._part(sheet.part), rows.start, rows.end, rows.text):
            yield from rows.found
            rows.found.clear()
        self.merged = rows.merged

    def _part(self, name: str) -> IO[bytes]:
        return self._archive.open(name)


@contextmanager
def _opened(file: PackedFile) -> Iterator[_Book]:
    """The workbook of a file, which is a zip archive of XML.

    Raises:
        SourceError: from the inside too, where a part turns out to be damaged.
    """
    trouble: Exception | None = None
    try:
        with file.path.open("rb") as raw:
            _check_start(raw.read(8), file.label)
            with archive_of(raw, file.label) as archive:
                check_sizes(archive, file.path.stat().st_size, file.label, file.spare_bytes)
                _check_parts(archive, file.label)
                yield _Book(archive)
    except (*BROKEN, OSError) as error:
        trouble = error
    if isinstance(trouble, OSError) and trouble.errno is not None:
        raise unreadable(file.label, trouble)
    if trouble is not None:
        raise SourceError(
            f"{file.label}: the workbook is damaged, or was written by a program that Excel would not trust; "
            "open it in Excel and save it again, or have it sent again"
        )


def _check_start(start: bytes, label: str) -> None:
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise SourceError(f"{label}: an old Excel workbook, or one with a password; save it as .xlsx without one")
    if not start.startswith(b"PK"):
        raise SourceError(f"{label}: no Excel workbook; look at format: and the file")


def _check_parts(archive: zipfile.ZipFile, label: str) -> None:
    if "_rels/.rels" not in archive.namelist() or "xl/workbook.bin" in archive.namelist():
        raise SourceError(f"{label}: no Excel workbook of the kind .xlsx; save it as one, or as CSV")
    large = [info for info in archive.infolist() if info.file_size > MAX_PART_BYTES]
    if large:
        raise SourceError(
            f"{label}: {large[0].filename} has {large[0].file_size / 1e6:,.0f} MB; "
            f"{MAX_PART_BYTES / 1e6:,.0f} MB are read at most: save the sheet as CSV"
        )
