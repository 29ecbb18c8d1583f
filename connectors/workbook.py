"""Rows of Excel workbooks (.xlsx), cells as text; `lines` are the sheet's own row numbers.

A sheet is gone through twice, first for what has to be told: errors, digits that Excel dropped, formulas without a
value. openpyxl streams it; it is slow, and it knows what a workbook means.
"""

import difflib
import importlib
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import pyarrow as pa

from connectors.lines import Limits, check_names
from connectors.unpack import PackedFile
from connectors.workbook_cells import Cells, Odd
from connectors.workbook_parts import archive_in, has_formulas, sound
from schemas.errors import NotTheFile, SourceError
from schemas.rows import RawRows
from schemas.tables import Workbook

LAST_ROW = 1_048_576
ROWS_AT_A_TIME = 10_000  # which are Python objects first


@dataclass(frozen=True, slots=True)
class ExcelSheet:
    """One sheet of a workbook, gone through once; `places` are its columns, from 1."""

    file: PackedFile
    sheet: str
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
        with archive_in(self.file) as archive, _book(archive, self.file.label) as book:
            numbers, held = list[int](), list[dict[int, str]]()
            for number, texts in _rows(book[self.sheet], self.header_row + 1, Cells(book.epoch), self.file.label):
                if any(value.strip() for value in texts.values()):
                    numbers.append(number)
                    held.append(texts)
                if len(held) == min(ROWS_AT_A_TIME, self.limits.batch_rows):
                    yield self._batch(place, numbers, held)
                    numbers, held = [], []
            if held:
                yield self._batch(place, numbers, held)

    def _batch(self, place: int, numbers: Sequence[int], held: Sequence[dict[int, str]]) -> RawRows:
        arrays = [pa.array([texts.get(at) for texts in held], pa.string()) for at in self.places]
        rows = pa.RecordBatch.from_arrays(arrays, names=list(self.columns))
        return RawRows(place, rows, pa.array(numbers, pa.int64()))


def open_workbook(file: PackedFile, written: Workbook, limits: Limits) -> ExcelSheet:
    """Choose the sheet, and go through it.

    Raises:
        SourceError: no workbook, damaged, too large, no such sheet, no header, or formulas that were never calculated.
    """
    if file.packing is not None:
        raise SourceError(f"{file.label}: a workbook is packed already; unpack the {file.packing} around it")
    with ExitStack() as stack:
        archive = stack.enter_context(archive_in(file))
        book = stack.enter_context(_book(archive, file.label))
        sheet = _chosen(book.worksheets, written.sheet, file.label)
        label = f"{file.label}, sheet {sheet.title}"
        formulas = None
        if has_formulas(archive, file.label):
            formulas = stack.enter_context(_book(archive, file.label, formulas=True))[sheet.title]
        cells = Cells(book.epoch)
        header, unnamed = dict[int, str](), Odd()
        for number, texts in _rows(sheet, written.header_row, cells, file.label, formulas):
            if number == written.header_row:
                header = {at: name for at, name in texts.items() if name.strip()}
            for at, text in texts.items():
                if at not in header and text.strip():
                    unnamed.add(number, at)
    columns = tuple(header.values())
    _check_header(columns, unnamed, written.header_row, label)
    if cells.uncalculated.count:
        raise SourceError(
            f"{label}: {cells.uncalculated} a formula that was never calculated; "
            "open the workbook in Excel, save it, and run again"
        )
    notes = tuple(f"sheet {sheet.title}: {note}" for note in cells.notes())
    return ExcelSheet(file, sheet.title, written.header_row, columns, tuple(header), limits, notes)


def _rows(
    sheet: Any, first: int, cells: Cells, label: str, formulas: Any = None
) -> Iterator[tuple[int, dict[int, str]]]:
    """Rows from the `first` on: their numbers, and their values as text by column from 1.

    `formulas` is the same sheet, opened for its formulas.

    Raises:
        SourceError: damaged.
    """
    with sound(label):
        sheet.reset_dimensions()  # some programs write wrong ones, and openpyxl leaves out what lies beyond
        others: Iterable[tuple[Any, ...]] = repeat(())
        if formulas is not None:
            formulas.reset_dimensions()
            others = formulas.iter_rows()
        for number, (row, other) in enumerate(zip(sheet.iter_rows(), others, strict=False), 1):
            if number > LAST_ROW:
                raise ValueError("beyond the last row")
            if number < first or not row:
                continue
            for cell, formula in zip(row, other, strict=False):
                cells.compare(cell, formula)
            yield number, {cell.column: text for cell in row if (text := cells.text(cell)) is not None}


def _check_header(columns: tuple[str, ...], unnamed: Odd, row: int, label: str) -> None:
    if not columns:
        raise SourceError(f"{label}: row {row} names no columns; set xlsx.header_row to the row that does")
    check_names(columns, label, f"row {row}")
    if unnamed.count:
        raise SourceError(
            f"{label}: {unnamed} a value in a column that row {row} does not name; "
            "name the column or empty it, or set xlsx.header_row"
        )


def _chosen(sheets: Sequence[Any], name: str | None, label: str) -> Any:
    names = [sheet.title for sheet in sheets]
    if name is not None:
        found = next((sheet for sheet in sheets if sheet.title == name), None)
        if found is None:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it holds {', '.join(names) or 'none'}"
            raise SourceError(f"{label}: there is no sheet {name}; {hint}")
        return found
    visible = [sheet for sheet in sheets if sheet.sheet_state == "visible"]
    if len(visible) == 1:
        return visible[0]
    raise SourceError(
        f"{label}: the workbook holds {len(visible)} visible sheets; "
        f"say xlsx: {{sheet: …}} with one of {', '.join(names) or 'its sheets'}"
    )


@contextmanager
def _book(archive: zipfile.ZipFile, label: str, *, formulas: bool = False) -> Iterator[Any]:
    """The workbook, with its cells' values or with their `formulas`.

    Raises:
        NotTheFile: openpyxl is not installed.
        SourceError: damaged.
    """
    library = None
    with suppress(ImportError):
        library = importlib.import_module("openpyxl")
    if library is None:
        raise NotTheFile(f"{label}: .xlsx needs openpyxl; install it: pip install 'bulkload[xlsx]'")
    # What it does not read of validations, extensions and styles is none of ours; it warns from row to row.
    warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
    with sound(label):
        book = library.load_workbook(archive.fp, read_only=True, data_only=not formulas, keep_links=False)
    with closing(book):
        yield book
