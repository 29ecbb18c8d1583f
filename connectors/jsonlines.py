"""Rows of JSON Lines files: one object a line, each value as text with every digit as written.

A file is gone through twice, first for its keys: a key that shows up in the last line is a column too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from connectors.encodings import of_file
from connectors.jsonvalues import NO_OBJECT, Keys, Objects, keys_of
from connectors.kinds import HEAD_BYTES, check_is_text
from connectors.lines import Ints, Limits, LineReader, Lines, check_encoding, check_names, in_batches
from connectors.unpack import PackedFile
from schemas.errors import SourceError
from schemas.rows import RawRows, Unreadable

NOT_JSON = "line.not_json"
NOT_AN_OBJECT = "line.not_an_object"
DUPLICATE_KEY = "line.duplicate_key"
WRONG_ENCODING = "line.wrong_encoding"
MAX_KEYS = 2_000  # keys that are data ("2024-01-01": …) would make columns without end
CONVERT = "convert the file to utf-8, which JSON Lines are always in"


@dataclass(frozen=True, slots=True)
class JsonLines:
    """One JSON Lines file whose keys are known; `columns` has them in the order they are first met."""

    file: PackedFile
    columns: tuple[str, ...]
    mark_bytes: int
    limits: Limits
    notes: tuple[str, ...] = ()

    def batches(self, place: int) -> Iterator[RawRows]:
        """Its rows in file order; a key that a line lacks is null, as is `null`.

        Raises:
            SourceError: damaged, or a line beyond the limits.
        """
        keys = Keys(self.columns)
        with self.file.open() as stream:
            stream.read(self.mark_bytes)
            reader = LineReader(stream, "utf-8", self.file.label, self.limits)
            last = False
            while not last:
                lines = reader.more()
                last = lines.last
                yield from in_batches(_read(place, lines, keys), self.limits.batch_rows)
                reader.take(len(lines.raw_ends))


def open_json_lines(file: PackedFile, limits: Limits) -> JsonLines:
    """Go through the file for its keys.

    Raises:
        SourceError: empty, no text, not UTF-8, no object in it, or keys that cannot be columns.
    """
    with file.open() as stream:
        head = stream.read(HEAD_BYTES)
        if not head:
            raise SourceError(f"{file.label}: the file is empty; a job without rows needs no file")
        codec, mark_bytes = of_file(head, "utf-8")
        check_is_text(head, codec, file.label)
        if codec != "utf-8":
            raise SourceError(f"{file.label}: the text is {codec}; {CONVERT}")
        if head[mark_bytes:].lstrip().startswith(b"["):
            raise SourceError(f"{file.label}: one JSON array, not an object per line; jq -c '.[]' makes lines of it")
        columns = _all_keys(LineReader(stream, codec, file.label, limits, head[mark_bytes:]), file.label)
    if not columns:
        raise SourceError(f"{file.label}: no line holds a JSON object; write one object per line, unindented")
    check_names(columns, file.label, "some object")
    return JsonLines(file, columns, mark_bytes, limits)


def _all_keys(reader: LineReader, label: str) -> tuple[str, ...]:
    """Every key of every object, in the order they are met."""
    keys = Keys(())
    last = False
    while not last:
        lines = reader.more()
        last = lines.last
        if reader.taken == 0:
            check_encoding(lines, "utf-8", label, CONVERT)
        names = dict.fromkeys((*keys.names, *_new_keys(lines, keys)))
        if len(names) > MAX_KEYS:
            raise SourceError(
                f"{label}, line {lines.first:,} and later: more than {MAX_KEYS:,} different keys; "
                "keys that are data cannot be columns"
            )
        if len(names) > len(keys.names):
            keys = Keys(tuple(names))
        reader.take(len(lines.raw_ends))
    return keys.names


def _new_keys(lines: Lines, keys: Keys) -> Iterator[str]:
    for line in lines.raw_lines():
        try:
            keys.decode(line)
        except msgspec.ValidationError:
            yield from keys_of(line)
        except (ValueError, RecursionError):  # told with the rows, where the line can be kept
            pass


def _read(place: int, lines: Lines, keys: Keys) -> RawRows:
    """All lines: rows, and what is no row. Blank lines are neither."""
    raw = lines.raw_lines()
    numbers, found, refused = _decoded(raw, lines, keys)
    objects = Objects(keys, raw if len(numbers) == len(raw) else [raw[number] for number in numbers], found)
    rows = pa.RecordBatch.from_arrays(objects.arrays(), names=list(keys.names))
    twice = objects.with_duplicate_keys()
    if twice:
        refused |= dict.fromkeys(numbers[twice].tolist(), DUPLICATE_KEY)
        kept = np.delete(np.arange(len(numbers)), twice)
        rows, numbers = rows.take(pa.array(kept)), numbers[kept]
    unreadable = tuple(
        Unreadable(place, lines.first + number, code, raw[number]) for number, code in sorted(refused.items())
    )
    return RawRows(place, rows, pa.array(numbers + lines.first), unreadable)


def _decoded(raw: list[bytes], lines: Lines, keys: Keys) -> tuple[Ints, list[Any], dict[int, str]]:
    """The objects with their places, and by place why other lines are none."""
    if lines.wrong is None:
        try:
            return np.arange(len(raw)), [keys.decode(line) for line in raw], {}
        except (ValueError, RecursionError):
            pass
    wrong = [False] * len(raw) if lines.wrong is None else lines.wrong.tolist()
    found: dict[int, Any] = {}
    refused: dict[int, str] = {}
    for number, line in enumerate(raw):
        if wrong[number]:
            refused[number] = WRONG_ENCODING
            continue
        try:
            found[number] = keys.decode(line)
        except (ValueError, RecursionError) as error:
            if not line.isspace():
                refused[number] = NOT_AN_OBJECT if str(error).startswith(NO_OBJECT) else NOT_JSON
    return np.array(list(found), np.int64), list(found.values()), refused
