"""Files of a run's folder written anew, whole or not at all, and no larger part of one in memory than it is made of."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.private import private
from connectors.spool import UNPACKED

# A rejected record ends with the file and line that it stood on; looked at is no more of it than these can take.
_ORIGIN = re.compile(rb',"((?:[^"]|"")*)","(\d+)"\r?\n?\Z')
_CELL = re.compile(rb'("(?:[^"]|"")*"|[^",\r\n]*)(,|\r?\n)')
_ORIGIN_BYTES = 10_000
Change = Callable[..., pa.Table]


def rewrite_table(path: Path, change: Change, *along: pa.Array) -> None:
    """Change a table piece by piece: with each piece `change` is given the same rows of what lies along the table."""
    rewrite = _rewrite_arrow if path.suffix == UNPACKED else _rewrite_parquet
    rewrite(path, change, along)


def _rewrite_arrow(path: Path, change: Change, along: Sequence[pa.Array]) -> None:
    with pa.memory_map(str(path)) as mapped:
        reader = pa.ipc.open_file(mapped)
        pieces = (pa.Table.from_batches([reader.get_batch(place)]) for place in range(reader.num_record_batches))
        with private(path) as file, pa.ipc.new_file(file, reader.schema) as writer:
            for changed in _changed(pieces, change, along):
                writer.write_table(changed)


def _rewrite_parquet(path: Path, change: Change, along: Sequence[pa.Array]) -> None:
    with pq.ParquetFile(path) as whole, private(path) as file:
        packed, with_dictionary = _packing(whole.metadata)
        pieces = (whole.read_row_group(group, use_threads=False) for group in range(whole.num_row_groups))
        with pq.ParquetWriter(file, whole.schema_arrow, compression=packed, use_dictionary=with_dictionary) as writer:
            for changed in _changed(pieces, change, along):
                writer.write_table(changed)


def _changed(pieces: Iterable[pa.Table], change: Change, along: Sequence[pa.Array]) -> Iterator[pa.Table]:
    start = 0
    for piece in pieces:
        yield change(piece, *(whole.slice(start, piece.num_rows) for whole in along))
        start += piece.num_rows


def _packing(metadata: pq.FileMetaData) -> tuple[str, bool]:
    """As the file was packed."""
    if not metadata.num_row_groups:
        return "none", False
    column = metadata.row_group(0).column(0)
    return column.compression.lower().replace("uncompressed", "none"), column.has_dictionary_page


def rewrite_text(path: Path, change: Callable[[str], str]) -> bool:
    """Change a text; whether it is another one now."""
    before = path.read_text(encoding="utf-8")
    after = change(before)
    if after == before:
        return False
    with private(path) as file:
        file.write(after.encode())
    return True


def cut_records(path: Path, cut: Callable[[str, int], bool]) -> int:
    """Take records out of a rejected.csv by the file and line at their end; the others keep every byte."""
    gone = 0
    with path.open("rb") as whole, private(path) as file:
        records = _records(whole)
        file.write(next(records, b""))
        for record in records:
            theirs = (origin := _origin(record)) is not None and cut(*origin)
            gone += theirs
            if not theirs:
                file.write(record)
    return gone


def blank_cells(path: Path, theirs: Callable[[str, int], bool], places: Collection[int]) -> int:
    """Empty some cells of a rejected.csv's records, by the file and line at their end; the others keep every byte."""
    emptied = 0
    with path.open("rb") as whole, private(path) as file:
        records = _records(whole)
        file.write(next(records, b""))
        for record in records:
            if (origin := _origin(record)) is not None and theirs(*origin):
                cells = _CELL.findall(record)
                file.writelines((b'""' if n in places else cell) + end for n, (cell, end) in enumerate(cells))
                emptied += 1
            else:
                file.write(record)
    return emptied


def _origin(record: bytes) -> tuple[str, int] | None:
    found = _ORIGIN.search(record, max(0, len(record) - _ORIGIN_BYTES))
    return (found[1].replace(b'""', b'"').decode(), int(found[2])) if found else None


def _records(lines: Iterable[bytes]) -> Iterator[bytes]:
    """A record ends with the line in which its quotes are closed."""
    held = b""
    for line in lines:
        held += line
        if held.count(b'"') % 2 == 0:
            yield held
            held = b""
    if held:
        yield held


def cut_lines(path: Path, raw: Iterable[bytes], cut: Callable[[list[bytes]], list[bool]]) -> int:
    """Take lines out of a file: those that are known byte for byte, and those of whom `cut` says so."""
    gone, known = 0, set(raw)
    with path.open("rb") as whole, private(path) as file:
        while lines := whole.readlines(1_000_000):
            theirs = [line in known or wanted for line, wanted in zip(lines, cut(lines), strict=True)]
            gone += sum(theirs)
            file.writelines(line for line, gone_ in zip(lines, theirs, strict=True) if not gone_)
    return gone


def names_of(path: Path) -> list[str]:
    """A table's columns."""
    if path.suffix == UNPACKED:
        with pa.memory_map(str(path)) as mapped:
            return list(pa.ipc.open_file(mapped).schema.names)
    return list(pq.read_schema(path).names)


def rows_of(path: Path) -> int:
    """How many rows a packed table has."""
    return int(pq.read_metadata(path).num_rows)


def column_of(path: Path, name: str) -> pa.Array:
    """One column of a table; the others are not read."""
    if path.suffix == UNPACKED:
        # Read, not mapped: the file is about to be replaced.
        with pa.OSFile(str(path)) as opened:
            options = pa.ipc.IpcReadOptions(included_fields=[names_of(path).index(name)])
            table = pa.ipc.open_file(opened, options=options).read_all()
    else:
        table = pq.read_table(path, columns=[name], use_threads=False)
    return pa.concat_arrays([pa.array([], table.schema.field(name).type), *table.column(name).chunks])


def clear_leftovers(folder: Path) -> None:
    """Remove what dead processes left half written in a folder that nobody is at."""
    for path in [*folder.rglob("*.part"), *(folder / "spill").glob("*")]:
        path.unlink()
