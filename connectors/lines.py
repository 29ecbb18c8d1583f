"""Physical lines of a stream, in blocks of bounded size: the file's own bytes beside the same lines in UTF-8.

A line ends in LF, CRLF or a lone CR. A line keeps its number, so whatever is found in the UTF-8 text leads
back to the exact bytes of the file.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from connectors.encodings import UNITS, is_utf8, mostly_wrong
from connectors.unpack import Bytes
from schemas.errors import SourceError, raise_all
from schemas.rows import RawRows

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Units = npt.NDArray[np.uint8]

LF, CR = 10, 13
LINES_TO_JUDGE_BY = 1000
MAX_COLUMNS = 5_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is held at a time, and what no sound file exceeds."""

    block_bytes: int = 1 << 20
    row_bytes: int = 16 << 20
    value_lines: int = 50  # an address has five; more is a quote that nobody closed
    batch_rows: int = 50_000


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines in a row; `raw_ends[i]` and `text_ends[i]` are where the i-th one ends, its line end included.

    `wrong` marks lines that are no text in the file's encoding; `text` holds a stand-in for them.
    """

    first: int  # number of the first line in its file, from 1
    raw: bytes
    raw_ends: Ints
    text: bytes
    text_ends: Ints
    wrong: Bools | None
    last: bool  # nothing follows

    def raw_of(self, start: int, stop: int) -> bytes:
        """The file's bytes of the lines `start` to `stop - 1`."""
        return self.raw[self.raw_ends[start - 1] if start else 0 : self.raw_ends[stop - 1]]

    def blank(self) -> Bools:
        """Which lines are nothing but a line end."""
        starts = np.concatenate([np.zeros(1, np.int64), self.text_ends[:-1]])
        first = np.frombuffer(self.text, np.uint8)[starts[: len(self.text_ends)]]
        blank: Bools = np.isin(first, (LF, CR))
        return blank

    def raw_lines(self) -> list[bytes]:
        """Each line's bytes."""
        return _cut(self.raw, self.raw_ends)


class LineReader:
    """Lines of a stream in turn: `more` shows what comes next, `take` says how much of it was used up.

    What was not taken comes again, with more behind it: `row_bytes` limits how long that may go on.
    """

    def __init__(self, stream: Bytes, codec: str, label: str, limits: Limits, head: bytes = b"") -> None:
        self._stream, self._codec, self._label, self._limits = stream, codec, label, limits
        self._held = head
        self._shown: Lines | None = None
        self.taken = 0

    def more(self) -> Lines:
        """The lines not yet taken, with at least one more block read behind them.

        Raises:
            SourceError: a row that is longer than `row_bytes`.
        """
        if self._shown is not None and len(self._held) >= self._limits.row_bytes:
            raise SourceError(
                f"{self._label}, line {self.taken + 1:,}: a row longer than {self._limits.row_bytes / 1e6:,.1f} MB; "
                "look for a missing line end, or a quote that is never closed"
            )
        size = max(self._limits.block_bytes, len(self._held))
        read = self._stream.read(size)
        self._shown = self._lines(self._held + read, last=len(read) < size)
        self._held = self._shown.raw
        return self._shown

    def take(self, count: int) -> None:
        """The first `count` lines of what `more` gave are done with."""
        if count and self._shown is not None:
            self._held = self._shown.raw[self._shown.raw_ends[count - 1] :]
            self.taken += count

    def skip(self, count: int) -> None:
        """Take `count` lines unseen, or all there are."""
        while count:
            lines = self.more()
            known = min(count, len(lines.raw_ends))
            self.take(known)
            count = 0 if lines.last else count - known

    def _lines(self, raw: bytes, *, last: bool) -> Lines:
        ends = line_ends(raw, UNITS.get(self._codec, "u1"), last=last)
        size = int(ends[-1]) if len(ends) else 0
        if self._codec == "utf-8":
            wrong = None if is_utf8(raw, size) else np.array([not _is_text(x) for x in _cut(raw, ends)])
            return Lines(self.taken + 1, raw, ends, raw, ends, wrong, last)
        text, wrong = _decoded(raw, ends, self._codec)
        return Lines(self.taken + 1, raw, ends, text, line_ends(text, "u1", last=True), wrong, last)


def line_ends(data: bytes, unit: str, *, last: bool) -> Ints:
    """Where each line of `data` ends, in bytes; an unfinished line counts only when it is the `last`.

    A CR at the very end may be half of a CRLF: it ends a line only when nothing follows.
    """
    width = np.dtype(unit).itemsize
    units = np.frombuffer(data, unit, count=len(data) // width)
    ends = np.flatnonzero(units == LF)
    returns = int(np.count_nonzero(units == CR))
    # A file with CRLF throughout is the common case and needs no merging.
    if returns and not (returns == len(ends) and ends[0] > 0 and bool(np.all(units[ends - 1] == CR))):
        found = np.flatnonzero(units == CR)
        if not last and found[-1] == len(units) - 1:
            found = found[:-1]
        alone = found[units[np.minimum(found + 1, len(units) - 1)] != LF]
        ends = np.sort(np.concatenate([ends, alone]))
    ends = (ends + 1) * width
    if last and len(data) > (ends[-1] if len(ends) else 0):
        ends = np.append(ends, len(data))
    return ends.astype(np.int64, copy=False)


def check_encoding(lines: Lines, codec: str, label: str, setting: str) -> None:
    """Refuse a file most of whose first lines are no text: its encoding is another one.

    Raises:
        SourceError: more than half of the first 1,000 lines are wrong.
    """
    if lines.wrong is None:
        return
    judged = lines.wrong[:LINES_TO_JUDGE_BY]
    if int(judged.sum()) * 2 > len(judged):
        raise mostly_wrong(lines.raw_lines()[:LINES_TO_JUDGE_BY], codec, label, setting)


def check_names(columns: Sequence[str], label: str, place: str) -> None:
    """Each column has a name of its own.

    Raises:
        SourceError: names that are blank, used twice, or too many; all at once.
    """
    blank = [str(number) for number, name in enumerate(columns, 1) if not name.strip()]
    several = sorted(name for name, count in Counter(columns).items() if name.strip() and count > 1)
    problems = [] if columns else [f"{label}: {place} names no columns; give the names in csv.columns"]
    if blank:
        problems.append(f"{label}: {place} has no name for column {', '.join(blank)}; give each a name")
    if several:
        problems.append(f"{label}: {place} has {', '.join(several)} more than once; rename all but one")
    if len(columns) > MAX_COLUMNS:
        problems.append(f"{label}: {place} has {len(columns):,} columns; {MAX_COLUMNS:,} are read at most")
    raise_all(SourceError, problems)


def in_batches(found: RawRows, batch_rows: int) -> Iterator[RawRows]:
    """At most `batch_rows` at a time; what is unreadable comes with the first ones."""
    if found.rows.num_rows <= batch_rows:
        if found.rows.num_rows or found.unreadable:
            yield found
        return
    for start in range(0, found.rows.num_rows, batch_rows):
        rows, lines = found.rows.slice(start, batch_rows), found.lines.slice(start, batch_rows)
        yield RawRows(found.file, rows, lines, () if start else found.unreadable)


def _cut(data: bytes, ends: Ints) -> list[bytes]:
    stops = ends.tolist()
    return [data[start:stop] for start, stop in zip([0, *stops], stops, strict=False)]


def _is_text(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decoded(raw: bytes, ends: Ints, codec: str) -> tuple[bytes, Bools | None]:
    """All lines as UTF-8; when that fails, line by line, and which of them were wrong."""
    try:
        text = raw[: ends[-1] if len(ends) else 0].decode(codec).encode()
        if len(line_ends(text, "u1", last=True)) == len(ends):
            return text, None
    except UnicodeError:
        pass
    lines = [_decoded_line(line, codec) for line in _cut(raw, ends)]
    return b"".join(text for text, _ in lines), np.array([wrong for _, wrong in lines], np.bool_)


def _decoded_line(line: bytes, codec: str) -> tuple[bytes, bool]:
    """One line as UTF-8; a wrong one becomes a stand-in that keeps its quotes, so its neighbours stay whole."""
    try:
        text = line.decode(codec).encode()
        if len(line_ends(text, "u1", last=True)) == 1:
            return text, False
    except UnicodeError:
        pass
    stand_in = line.decode(codec, "replace").replace("\n", " ").replace("\r", " ")
    return f"{stand_in}\n".encode("utf-8", "replace"), True
