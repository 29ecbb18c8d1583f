"""Rows of files of fixed width: a column is a range of characters of each line, and blanks around it are padding."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.delimited import TOO_FEW, TOO_MANY, WRONG_ENCODING
from connectors.detection import SAMPLE_BYTES, SET_ENCODING, encoding_of
from connectors.encodings import UNITS
from connectors.kinds import HEAD_BYTES, check_is_text
from connectors.lines import Ints, Limits, LineReader, Lines, check_encoding, check_names, in_batches
from connectors.unpack import PackedFile
from schemas.errors import SourceError, raise_all
from schemas.rows import RawRows, Unreadable
from schemas.tables import Csv


@dataclass(frozen=True, slots=True)
class Span:
    """A column's characters: `first` from 0, `stop` behind the last."""

    name: str
    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class Fixed:
    """One file of fixed width, looked at and not yet read."""

    file: PackedFile
    spans: tuple[Span, ...]
    codec: str
    mark_bytes: int
    skip_rows: int
    limits: Limits
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(span.name for span in self.spans)

    def batches(self, place: int) -> Iterator[RawRows]:
        """Its rows in file order; `place` is the file's place in the reading.

        Raises:
            SourceError: damaged, a line beyond the limits, or columns that are padded to bytes.
        """
        with self.file.open() as stream:
            stream.read(self.mark_bytes)
            reader = LineReader(stream, self.codec, self.file.label, self.limits)
            reader.skip(self.skip_rows)
            last = False
            while not last:
                lines = reader.more()
                last = lines.last
                if len(lines.text_ends):
                    _check_counted(lines, self.spans, self.codec, self.file.label)
                    yield from in_batches(_read(lines, self.spans, place), self.limits.batch_rows)
                reader.take(len(lines.text_ends))


def open_fixed(file: PackedFile, columns: Mapping[str, str], written: Csv, limits: Limits) -> Fixed:
    """Look at the file's first lines; `columns` are ranges such as `11-20`, from 1, both ends included.

    Raises:
        SourceError: ranges that overlap or end before they begin; empty, no text, in another encoding, or with
            columns that are padded to bytes.
    """
    spans = _spans(columns, written, file.label)
    with file.open() as stream:
        head = stream.read(SAMPLE_BYTES)
        if not head:
            raise SourceError(f"{file.label}: the file is empty; have it sent again")
        codec, mark_bytes, notes = encoding_of(head, written.encoding, file.label)
        check_is_text(head[:HEAD_BYTES], codec, file.label)
        reader = LineReader(stream, codec, file.label, limits, head[mark_bytes:])
        reader.skip(written.skip_rows)
        lines = reader.more()
        check_encoding(lines, codec, file.label, SET_ENCODING)
        _check_counted(lines, spans, codec, file.label)
    return Fixed(file, spans, codec, mark_bytes, written.skip_rows, limits, notes)


def _spans(columns: Mapping[str, str], written: Csv, label: str) -> tuple[Span, ...]:
    check_names(list(columns), label, "fixed")
    spans = []
    for name, text in columns.items():
        first, last = (int(each) for each in text.split("-"))
        spans.append(Span(name, first - 1, last))
    problems = [
        f"{label}: csv.{name} goes not with format: fixed, whose columns are named in fixed:; remove it"
        for name in ("columns", "delimiter")
        if getattr(written, name) is not None
    ]
    problems += [
        f"{label}: fixed.{span.name} {columns[span.name]} ends before it begins; write the smaller number first"
        for span in spans
        if span.first >= span.stop
    ]
    ordered = sorted(spans, key=lambda span: span.first)
    problems += [
        f"{label}: fixed.{one.name} {columns[one.name]} and fixed.{other.name} {columns[other.name]} overlap; "
        "a character belongs to one column"
        for one, other in pairwise(ordered)
        if other.first < one.stop
    ]
    raise_all(SourceError, problems)
    return tuple(spans)


def _check_counted(lines: Lines, spans: tuple[Span, ...], codec: str, label: str) -> None:
    """Refuse lines that are alike in bytes and not in characters: every column behind a name would be shifted.

    Hosts pad so in cp932, gb18030 and utf-8 alike. Lines whose blanks at the end were cut off tell nothing.
    """
    if codec in UNITS:
        return
    wrong = np.zeros(len(lines.text_ends), np.bool_) if lines.wrong is None else lines.wrong
    texts = pc.utf8_rtrim(_texts(lines, np.arange(len(wrong))), "\r\n")
    characters = _lengths(texts)
    endings = pc.binary_length(_texts(lines, np.arange(len(wrong)))).to_numpy() - pc.binary_length(texts).to_numpy()
    size_bytes = np.diff(lines.raw_ends, prepend=0) - endings
    judged = ~wrong & (characters > 0)
    if np.array_equal(size_bytes[judged], characters[judged]):
        return
    (width_bytes, alike_bytes), (width, alike) = _commonest(size_bytes[judged]), _commonest(characters[judged])
    fits_bytes = width < width_bytes == max(span.stop for span in spans)
    if 2 * alike_bytes > judged.sum() and (alike_bytes > alike or (alike_bytes == alike and fits_bytes)):
        raise SourceError(
            f"{label}: its columns are padded to bytes (lines have {width_bytes:,} bytes and not as many characters "
            f"each), and fixed: counts characters; have it sent padded to characters, or with a delimiter"
        )


def _commonest(lengths: Ints) -> tuple[int, int]:
    """A length, and how many lines have it."""
    each, count = np.unique(lengths, return_counts=True)
    return int(each[count.argmax()]), int(count.max())


def _read(lines: Lines, spans: tuple[Span, ...], place: int) -> RawRows:
    """All lines: rows, and what is no row. Blank lines are neither.

    Blanks that a line lacks at its end were cut off by its sender, but one that ends before its last column begins
    was cut off itself.
    """
    wrong = np.zeros(len(lines.text_ends), np.bool_) if lines.wrong is None else lines.wrong
    fed = np.flatnonzero(~wrong)
    texts = pc.utf8_rtrim(_texts(lines, fed), "\r\n")
    given, filled = _lengths(texts), _lengths(pc.utf8_rtrim(texts, " "))
    short = (filled > 0) & (given <= max(span.first for span in spans))
    long = filled > max(span.stop for span in spans)
    kept = np.flatnonzero((filled > 0) & ~short & ~long)
    unreadable = [
        Unreadable(place, lines.first + number, code, lines.raw_of(number, number + 1))
        for code, numbers in (
            (WRONG_ENCODING, np.flatnonzero(wrong)),
            (TOO_FEW, fed[short]),
            (TOO_MANY, fed[long]),
        )
        for number in numbers.tolist()
    ]
    texts = texts if len(kept) == len(texts) else texts.take(pa.array(kept))
    values = [pc.utf8_trim(pc.utf8_slice_codeunits(texts, span.first, span.stop), " ") for span in spans]
    rows = pa.RecordBatch.from_arrays(values, names=[span.name for span in spans])
    return RawRows(
        place, rows, pa.array(lines.first + fed[kept]), tuple(sorted(unreadable, key=lambda each: each.line))
    )


def _texts(lines: Lines, fed: Ints) -> pa.Array:
    """The lines `fed` with their line ends; all of them without a copy."""
    offsets = np.concatenate([np.zeros(1, np.int64), lines.text_ends]).astype(np.int32)
    texts = pa.StringArray.from_buffers(len(lines.text_ends), pa.py_buffer(offsets), pa.py_buffer(lines.text))
    return texts if len(fed) == len(texts) else texts.take(pa.array(fed))


def _lengths(texts: pa.Array) -> Ints:
    lengths: Ints = pc.utf8_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths
