"""What all kernels share: numpy's view of a text column, and judging the odd rows one by one.

A kernel settles the common shapes of a column with Arrow and numpy and leaves the rest open. Open rows are
judged one distinct value at a time by the kernel's `judge`, which is also the definition of what is right:
the vectorized half may be faster, never different (`tests/transforms/test_kernels.py` holds it to that).

A column whose values repeat (names, cities, dates) is cleaned one distinct value at a time: `Column` sees to it.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.values import Cleaned

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.signedinteger[Any]]
Octets = npt.NDArray[np.uint8]


class Verdict(NamedTuple):
    """What becomes of one raw text. With a problem there is neither a value nor a change."""

    value: Any = None
    problem: str | None = None
    changes: tuple[str, ...] = ()


Judge = Callable[[str], Verdict]

# A column is worth taking apart into its distinct values if of so many rows few enough have one of their own.
SAMPLED_ROWS = 2_000
REPEATING = 0.85


def wrong(problem: str) -> Verdict:
    """The verdict on a text that cannot be made a value."""
    return Verdict(problem=problem)


def words(line: str) -> frozenset[str]:
    """A set of words, written as a line of text."""
    return frozenset(line.split())


def flags_of(column: pa.Array) -> Mask:
    """A boolean column without nulls for numpy."""
    flags: Mask = column.to_numpy(zero_copy_only=False)
    return flags


def byte_set(characters: str) -> Mask:
    """A table that tells of each byte whether it is one of these ASCII characters."""
    table = np.zeros(256, dtype=bool)
    table[list(characters.encode("ascii"))] = True
    return table


def byte_range(low: int, high: int) -> Mask:
    """A table that tells of each byte whether it lies in `low..high`, both included."""
    codes = np.arange(256)
    return (codes >= low) & (codes <= high)


DIGITS = byte_range(0x30, 0x39)
NOT_ASCII = byte_range(0x80, 0xFF)


def are_digits(octets: Octets) -> Mask:
    """Which bytes are ASCII digits; what is below "0" wraps round to above 9."""
    found: Mask = (octets - np.uint8(0x30)) < 10
    return found


class Bytes:
    """The UTF-8 of a text column without nulls, uncopied, so that numpy can ask all rows at once."""

    def __init__(self, column: pa.Array) -> None:
        _, offsets, data = column.buffers()
        bounds = np.frombuffer(offsets, np.int32, len(column) + 1, column.offset * 4)
        whole = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
        self.data: Octets = whole[bounds[0] : bounds[-1]]
        self.bounds: Ints = bounds - bounds[0]
        self.starts, self.ends = self.bounds[:-1], self.bounds[1:]
        self.lengths: Ints = np.diff(self.bounds)

    def is_ascii(self) -> bool:
        """Whether all rows are ASCII."""
        return not len(self.data) or int(self.data.max()) < 0x80

    def count(self, wanted: str | Mask) -> Ints:
        """How many bytes each row has that are this ASCII character, or in this table."""
        hits = self._hits(wanted)
        if not hits.any():
            return np.zeros(len(self.lengths), np.int32)
        counts: Ints = np.diff(running_total(hits)[self.bounds])
        return counts

    def has(self, wanted: str | Mask) -> Mask:
        """Which rows have such a byte."""
        places = np.flatnonzero(self._hits(wanted))
        found = np.zeros(len(self.lengths), dtype=bool)
        found[np.searchsorted(self.bounds, places, side="right") - 1] = True
        return found

    def has_pair(self, character: str) -> bool:
        """Whether a character stands twice in a row anywhere; at a border between rows it may."""
        hits = self._hits(character)
        return bool((hits[1:] & hits[:-1]).any())

    def at(self, place: int) -> Octets:
        """The byte at a place, counted from the end when negative; 0 where the row is too short."""
        if not len(self.data):
            return np.zeros(len(self.lengths), np.uint8)
        inside = self.lengths > place if place >= 0 else self.lengths >= -place
        found = (self.starts if place >= 0 else self.ends) + place
        octets: Octets = self.data.take(found, mode="clip") * inside
        return octets

    def head(self, rows: Ints, width: int) -> Octets:
        """The first bytes of some rows, place by place: `[3]` is every row's fourth. Past its end stands anything."""
        return self._window(self.starts[rows], np.arange(width, dtype=np.int32))

    def tail(self, rows: Ints, width: int) -> Octets:
        """The last bytes of some rows, place by place: `[-1]` is every row's last."""
        return self._window(self.ends[rows], np.arange(-width, 0, dtype=np.int32))

    def _window(self, anchors: Ints, places: Ints) -> Octets:
        if not len(self.data):
            return np.zeros((len(places), len(anchors)), np.uint8)
        octets: Octets = self.data.take(anchors + places[:, None], mode="clip")
        return octets

    def _hits(self, wanted: str | Mask) -> Mask:
        return self.data == ord(wanted) if isinstance(wanted, str) else wanted.take(self.data)


class Column:
    """A raw column: as it is in `raw`, without nulls and without spaces at its rows' edges in `text`.

    Where values repeat, the rows of `raw` and `text` are the distinct values; `settle` puts them back in place.
    """

    def __init__(self, raw: pa.Array) -> None:
        self.raw = pc.fill_null(raw, "")
        self._places: pa.Array | None = None
        self._times: Ints | None = None
        if repeats(self.raw, REPEATING):
            encoded = self.raw.dictionary_encode()
            self.raw, self._places = encoded.dictionary, encoded.indices
            self._times = np.bincount(self._places.to_numpy())
        self.text = self.raw
        self.view = Bytes(self.raw)
        self.present: Mask = self.view.lengths > 0
        self.trimmed: Mask = (self.view.at(0) == 0x20) | (self.view.at(-1) == 0x20)
        if self.trimmed.any():
            self.text = pc.ascii_trim(self.raw, characters=" ")
            self.view = Bytes(self.text)

    def settle(self, values: pa.Array, settled: Mask, judge: Judge, **changes: Mask) -> Cleaned:
        """Judge what is not settled. `values` is null there; `changes` tells which settled rows were changed."""
        told = tally(self._times, trimmed=settled & self.trimmed, **changes)
        cleaned = finish(self.raw, values, self.present & ~settled, judge, told, self._times)
        if self._places is None:
            return cleaned
        values, problems = cleaned.values.take(self._places), cleaned.problems.take(self._places)
        return Cleaned(values, problems, cleaned.changes)

    def judge_all(self, kind: pa.DataType, judge: Judge) -> Cleaned:
        """Every row by its distinct value, where there are a handful."""
        rows = len(self.raw)
        return self.settle(pa.nulls(rows, kind), np.zeros(rows, dtype=bool), judge)


def repeats(text: pa.Array, share: float) -> bool:
    """Whether of the first rows that are not blank no larger share has a value of its own; never in a short column."""
    if len(text) < SAMPLED_ROWS:
        return False
    sample = text.slice(0, SAMPLED_ROWS)
    present = np.count_nonzero(Bytes(sample).lengths)
    return len(sample.unique()) <= max(present * share, 1)


def running_total(hits: Mask) -> Ints:
    """How many of the bytes before each place are hits; one longer than `hits`."""
    total = np.zeros(len(hits) + 1, np.int32)
    np.cumsum(hits.view(np.int8), dtype=np.int32, out=total[1:])
    return total


def texts_of(octets: Octets, bounds: Ints) -> pa.Array:
    """A text column over bytes and row bounds."""
    offsets = pa.py_buffer(bounds.astype(np.int32))
    return pa.StringArray.from_buffers(len(bounds) - 1, offsets, pa.py_buffer(np.ascontiguousarray(octets)))


def fixed_texts(table: Octets, rows: Mask) -> pa.Array:
    """Texts of one width, one per true row, in a column as long as `rows`; null elsewhere."""
    bounds = running_total(rows) * table.shape[1]
    dense = texts_of(table.ravel(), bounds)
    return kept(dense, rows)


def kept(column: pa.Array, rows: Mask) -> pa.Array:
    """The column with null wherever `rows` is false."""
    return pc.if_else(pa.array(rows), column, pa.scalar(None, column.type))


def finish(
    text: pa.Array,
    values: pa.Array,
    still_open: Mask,
    judge: Judge,
    changes: Counter[str],
    times: Ints | None = None,
) -> Cleaned:
    """Judge the open rows and put them among the settled ones.

    `values` is null in open rows; `changes` counts the settled rows and is added to. `times`: how many rows of the
    source each row stands for, if not for one.
    """
    problems = pa.nulls(len(text), pa.string())
    if still_open.any():
        rows = pa.array(still_open)
        odd = text.filter(rows).dictionary_encode()
        verdicts = [judge(one) for one in odd.dictionary.to_pylist()]
        weights = None if times is None else times[still_open]
        for verdict, rows_of in zip(verdicts, np.bincount(odd.indices.to_numpy(), weights), strict=True):
            for kind in verdict.changes:
                changes[kind] += int(rows_of)
        judged = pa.array([v.value for v in verdicts], values.type)
        told = pa.array([v.problem for v in verdicts], pa.string())
        values = pc.replace_with_mask(values, rows, judged.take(odd.indices))
        problems = pc.replace_with_mask(problems, rows, told.take(odd.indices))
    assert len(values) == len(problems) == len(text)
    return Cleaned(values, problems, {kind: times for kind, times in changes.items() if times})


def tally(times: Ints | None = None, /, **rows: Mask) -> Counter[str]:
    """Rows per kind of change; `times` as `finish` has it."""
    return Counter(
        {kind: int(np.count_nonzero(mask) if times is None else times[mask].sum()) for kind, mask in rows.items()}
    )
