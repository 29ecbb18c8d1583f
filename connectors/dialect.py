"""How one delimited file is written: encoding, delimiter, names and first row, seen from its first lines."""

import csv
import io
from dataclasses import dataclass, replace
from typing import Literal

from connectors.detection import SAMPLE_BYTES, SET_ENCODING, encoding_of
from connectors.encodings import mostly_wrong
from connectors.kinds import HEAD_BYTES, check_is_text
from connectors.lines import Limits, LineReader, Lines, check_encoding, check_names
from connectors.records import record_bounds
from connectors.unpack import PackedFile
from schemas.errors import SourceError, raise_all
from schemas.tables import Csv

DELIMITERS = (",", ";", "\t", "|", "\x1f", "\x01")
LOOK_BYTES = 256 << 10
ROWS_TO_JUDGE_BY = 500


@dataclass(frozen=True, slots=True)
class Dialect:
    """What has to be known before the first row is read."""

    codec: str
    mark_bytes: int  # of the byte order mark
    delimiter: str
    quote: str | None
    columns: tuple[str, ...]
    lines_before: int  # skipped lines and the header
    trailing: bool  # every row ends in one delimiter too many
    notes: tuple[str, ...] = ()


def look(file: PackedFile, written: Csv, delimiter: str | None, limits: Limits) -> Dialect:
    """Look at the beginning of a file; what the job file says stands, only a byte order mark knows better.

    Raises:
        SourceError: empty, no text, in another encoding, without usable column names.
    """
    check_marks(delimiter, written.quote, file.label)
    with file.open() as stream:
        head = stream.read(SAMPLE_BYTES)
        if not head:
            raise SourceError(f"{file.label}: the file is empty; a file without rows still has a header line")
        codec, mark_bytes, notes = encoding_of(head, written.encoding, file.label)
        check_is_text(head[:HEAD_BYTES], codec, file.label)
        reader = LineReader(stream, codec, file.label, replace(limits, block_bytes=LOOK_BYTES), head[mark_bytes:])
        reader.skip(written.skip_rows)
        lines = _after_blank_lines(reader)
        check_encoding(lines, codec, file.label, SET_ENCODING)
        delimiter = delimiter or _guess(lines, written)
        dialect = Dialect(codec, mark_bytes, delimiter, written.quote, (), 0, trailing=False, notes=notes)
        names = written.columns or _take_header(reader, lines, dialect, limits, file.label)
        before = reader.taken
        rows = _rows(reader.more(), delimiter, written.quote)
    columns = _columns(names, rows, written, file.label)
    trailing = bool(rows) and all(len(row) == len(columns) + 1 and not row[-1] for row in rows)
    return replace(dialect, columns=columns, lines_before=before, trailing=trailing)


def check_marks(delimiter: str | None, quote: str | None, label: str) -> None:
    """Delimiter and quote are one ASCII character each, and two different ones.

    Raises:
        SourceError: they are not.
    """
    problems = [
        f"{label}: csv.{name} must be one ASCII character and no line end"
        for name, mark in (("delimiter", delimiter), ("quote", quote))
        if mark is not None and (not mark.isascii() or mark in "\r\n\0")
    ]
    if delimiter is not None and delimiter == quote:
        problems.append(f"{label}: csv.delimiter and csv.quote are the same; write the ones of the file")
    raise_all(SourceError, problems)


def _after_blank_lines(reader: LineReader) -> Lines:
    lines = reader.more()
    while len(lines.text_ends):
        blank = lines.blank()
        leading = len(blank) if blank.all() else int(blank.argmin())
        if not leading:
            break
        reader.take(leading)
        lines = reader.more()
    return lines


def _take_header(reader: LineReader, lines: Lines, dialect: Dialect, limits: Limits, label: str) -> list[str]:
    while True:
        bounds = record_bounds(lines, dialect.delimiter, dialect.quote, limits.value_lines, label)
        if len(bounds) > 1:
            break
        if lines.last:
            raise SourceError(f"{label}: no header line; give the names in csv.columns, or look at csv.skip_rows")
        lines = reader.more()
    stop = int(bounds[1])
    if lines.wrong is not None and bool(lines.wrong[:stop].any()):
        raise mostly_wrong(lines.raw_lines()[:stop], dialect.codec, f"{label}, header line", SET_ENCODING)
    reader.take(stop)
    text = lines.text[: lines.text_ends[stop - 1]].decode()
    return _parsed(text, dialect.delimiter, dialect.quote)[0]


def _columns(names: list[str], rows: list[list[str]], written: Csv, label: str) -> tuple[str, ...]:
    """The names as they stand; a delimiter too many at the header's end names no column when rows have none."""
    place = "the header line" if written.columns is None else "csv.columns"
    if len(names) > 1 and not names[-1].strip() and not any(any(row[len(names) - 1 :]) for row in rows):
        names = names[:-1]
    check_names(names, label, place)
    if written.columns is not None and rows and rows[0] == names:
        raise SourceError(f"{label}: the first line holds the names in csv.columns; remove csv.columns")
    return tuple(names)


def _guess(lines: Lines, written: Csv) -> str:
    """The delimiter by which most rows are as wide as the first one; a comma when none divides anything."""
    best, choice = (0.0, 0), ","
    for delimiter in DELIMITERS:
        rows = _rows(lines, delimiter, written.quote)
        width = len(written.columns) if written.columns else len(rows[0]) if rows else 0
        if width < 2 or delimiter == written.quote:
            continue
        share = sum(len(row) in (width, width + 1) for row in rows) / len(rows) if rows else 0.0
        if (share, width) > best:
            best, choice = (share, width), delimiter
    return choice


def _rows(lines: Lines, delimiter: str, quote: str | None) -> list[list[str]]:
    """The first whole rows, blank lines left out."""
    text = lines.text[: int(lines.text_ends[-1]) if len(lines.text_ends) else 0].decode(errors="replace")
    rows = _parsed(text, delimiter, quote)
    whole = rows if lines.last or len(rows) >= ROWS_TO_JUDGE_BY else rows[:-1]
    return [row for row in whole if row]


def _parsed(text: str, delimiter: str, quote: str | None) -> list[list[str]]:
    quoting: Literal[0, 3] = csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, quoting=quoting)
    rows = []
    try:
        for row, _ in zip(reader, range(ROWS_TO_JUDGE_BY), strict=False):
            rows.append(row)
    except csv.Error:  # a value beyond 128 KB; the rows before it say enough
        pass
    return rows or [[]]
