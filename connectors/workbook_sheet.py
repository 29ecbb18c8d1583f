"""The parts of a workbook (ECMA-376), read as XML in steps of bounded size: its sheets, strings, formats and rows."""

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO
from xml.parsers import expat

from connectors.workbook_cells import GENERAL, Cells, Format, Place, format_of_code, unescaped

BLOCK_BYTES = 256 << 10
LAST_ROW, LAST_COLUMN = 1_048_576, 16_384
Attributes = dict[str, str]


class NotXml(Exception):
    """A part of a workbook that no spreadsheet program has written like this."""


@dataclass(frozen=True, slots=True)
class Sheet:
    name: str
    part: str
    visible: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is there: its number, and its cells with a value, by column from 0."""

    number: int
    cells: dict[int, str]
    hidden: bool


def local(name: str) -> str:
    """An element's or attribute's name without the prefix that some programs write."""
    return name.rpartition(":")[2]


def feed(
    part: IO[bytes],
    start: Callable[[str, Attributes], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> Iterator[None]:
    """Parse a part step by step; what was found so far lies with the handlers after each.

    Raises:
        NotXml: no XML, or XML with a document type, which is what bombs are made of and no workbook has.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = _refuse
    block = None
    while block != b"":
        block = part.read(BLOCK_BYTES)
        try:
            parser.Parse(block, not block)
        except (expat.ExpatError, ValueError, LookupError):
            break
        yield
    else:
        return
    raise NotXml("no part of a workbook")


def _refuse(*_: object) -> None:
    raise ValueError("a document type")


def elements(part: IO[bytes]) -> list[tuple[str, Attributes]]:
    """All elements of a small part, in document order."""
    found: list[tuple[str, Attributes]] = []

    def start(name: str, attributes: Attributes) -> None:
        found.append((local(name), attributes))

    for _ in feed(part, start, lambda _name: None, lambda _text: None):
        pass
    return found


def related(part: IO[bytes], beside: str) -> dict[str, tuple[str, str]]:
    """The parts that another one speaks of: by id, their kind and name."""
    return {
        attributes["Id"]: (
            attributes["Type"].rpartition("/")[2],
            posixpath.normpath(posixpath.join("/", posixpath.dirname(beside), attributes["Target"])).lstrip("/"),
        )
        for name, attributes in elements(part)
        if name == "Relationship" and {"Id", "Type", "Target"} <= attributes.keys()
    }


def sheets_of(workbook: list[tuple[str, Attributes]], parts: dict[str, tuple[str, str]]) -> list[Sheet]:
    """The sheets with cells; charts have none."""
    found = []
    for name, attributes in workbook:
        ids = [value for key, value in attributes.items() if key.endswith(":id")]
        if name == "sheet" and ids and parts.get(ids[0], ("", ""))[0] == "worksheet":
            visible = attributes.get("state", "visible") == "visible"
            found.append(Sheet(attributes.get("name", ""), parts[ids[0]][1], visible))
    return found


def formats_of(styles: list[tuple[str, Attributes]]) -> list[Format]:
    """How each style shows numbers."""
    codes = {
        int(each["numFmtId"]): each["formatCode"]
        for name, each in styles
        if name == "numFmt" and {"numFmtId", "formatCode"} <= each.keys()
    }
    formats, inside = list[Format](), False
    for name, each in styles:
        if name in ("cellXfs", "cellStyles", "dxfs"):
            inside = name == "cellXfs"
        elif inside and name == "xf":
            number = int(each.get("numFmtId", "0"))
            shown = format_of_code(number, codes.get(number))
            formats.append(GENERAL if shown == GENERAL else shown)
    return formats or [GENERAL]


class Strings:
    """The texts that cells share, in the order of their numbers; readings of Chinese characters are left out."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._parts: list[str] = []
        self._taking, self._reading = False, False

    def start(self, name: str, _attributes: Attributes) -> None:
        name = local(name)
        self._taking = name == "t" and not self._reading
        if name == "si":
            self._parts = []
        elif name == "rPh":
            self._reading = True

    def end(self, name: str) -> None:
        name = local(name)
        self._taking = False
        if name == "si":
            self.found.append(unescaped("".join(self._parts)))
        elif name == "rPh":
            self._reading = False

    def text(self, text: str) -> None:
        if self._taking:
            self._parts.append(text)


class Rows:
    """The rows of a sheet as they are met, with the values of their cells as text."""

    def __init__(self, cells: Cells) -> None:
        self.found: list[Row] = []
        self.merged: list[Place] = []  # the first cell of each range
        self._cells = cells
        self._row, self._column, self._hidden = 0, -1, False
        self._values: dict[int, str] = {}
        self._kind, self._style, self._formula = "", "", False
        self._parts: list[str] = []
        self._taking, self._reading = False, False
        self._names: dict[str, str] = {}
        self._letters: dict[str, int] = {}

    def start(self, name: str, attributes: Attributes) -> None:
        name = self._names.get(name) or self._names.setdefault(name, local(name))
        if name == "c":
            self._cell(attributes)
        elif name in ("v", "t"):
            self._taking = not self._reading
        elif name == "f":
            self._formula = True
        elif name == "row":
            self._row = int(attributes.get("r", self._row + 1))
            self._column, self._values = -1, {}
            self._hidden = attributes.get("hidden") in ("1", "true")
            if self._row > LAST_ROW:
                raise ValueError("beyond the last row")
        elif name == "rPh":
            self._reading = True
        elif name == "mergeCell":
            self.merged.append(place_of(attributes.get("ref", "").partition(":")[0]))

    def end(self, name: str) -> None:
        name = self._names[name]
        if name in ("v", "t"):
            self._taking = False
        elif name == "c":
            value = self._value()
            if value is not None:
                self._values[self._column] = value
        elif name == "row":
            self.found.append(Row(self._row, self._values, self._hidden))
        elif name == "rPh":
            self._reading = False

    def text(self, text: str) -> None:
        if self._taking:
            self._parts.append(text)

    def _cell(self, attributes: Attributes) -> None:
        at = attributes.get("r", "").rstrip("0123456789")
        if at:
            column = self._letters.get(at)
            self._column = self._letters.setdefault(at, column_number(at)) if column is None else column
        else:
            self._column += 1
        self._kind, self._style = attributes.get("t", ""), attributes.get("s", "")
        self._formula, self._parts = False, []

    def _value(self) -> str | None:
        raw = "".join(self._parts)
        if not raw and not self._formula:
            return None
        return self._cells.text((self._row, self._column), self._kind, self._style, raw, formula=self._formula)


def place_of(cell: str) -> Place:
    """Row and column of a cell such as C5.

    Raises:
        ValueError: no cell of a sheet.
    """
    letters = cell.rstrip("0123456789")
    return int(cell[len(letters) :]), column_number(letters)


def column_number(letters: str) -> int:
    """A is 0, Z is 25, AA is 26.

    Raises:
        ValueError: no column of a sheet.
    """
    if not re.fullmatch("[A-Z]{1,3}", letters):
        raise ValueError("no column")
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    if number > LAST_COLUMN:
        raise ValueError("beyond the last column")
    return number - 1


def column_letters(number: int) -> str:
    """As people see it: A for 0."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
