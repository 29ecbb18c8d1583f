"""One customer goes out of one run's folder, file by file; what finds them again goes last, for whoever dies midway."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from connectors.durable import keep_all
from connectors.ledger import RunRecord
from connectors.results import UNREADABLE_FOLDER
from connectors.rewriting import column_of, cut_lines, cut_records, names_of, rewrite_table, rewrite_text
from connectors.spool import UNPACKED
from connectors.trace import RESULTS_FILE, of_rows
from flows.underway import Manifest
from schemas.trace import Spelling, Wanted
from transforms.characters import EDGES
from transforms.forget import (
    Place,
    blanked,
    erased_html,
    erased_json,
    erased_markdown,
    holding,
    settled,
    without_keys,
    without_payload,
)

# Tables whose rows are the run's own, known by their number; those of `joined` lie beside `rows`, line by line.
_BY_ROW = ("rows", "again", "nested")


@dataclass
class Eraser:
    """Takes one customer out of one run: `rows` are theirs (as `connectors.trace.FOUND`)."""

    record: RunRecord
    manifest: Manifest | None
    rows: pa.Table
    customer: Wanted
    spellings: Sequence[Spelling]
    salt: bytes
    joined_on: Mapping[str, frozenset[str]]  # what the customer's rows were joined by, per column
    files: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.folder = self.record.folder
        self.numbers = pa.array(sorted({*self.rows.column("row").to_pylist(), *self._children()}), pa.int64())
        if (self.folder / RESULTS_FILE).exists():
            self.rows = of_rows(self.folder, self.numbers.to_pylist())
        self.places = frozenset(self._places("file", "line"))

    def erase(self) -> dict[str, int]:
        """Erase all of it; how much in which file."""
        self._lines()
        if len(self.numbers):
            self._joining()
            self._sources()
            self._prepared()
        self._memory()
        if len(self.numbers):
            self._people()
            self._results()
        if self.files:
            keep_all(self.folder)
        return dict(self.files)

    def _children(self) -> Iterator[int]:
        """Rows that are nested under one of the customer's go with it: they hold its key."""
        theirs = pa.array(self.rows.column("row").to_pylist(), pa.int64())
        for path in self._tables("prepared"):
            if "parent" in names_of(path):
                is_child = pc.is_in(column_of(path, "parent"), value_set=theirs)
                yield from column_of(path, "row").filter(is_child).to_pylist()

    def _places(self, file: str, line: str) -> Iterator[Place]:
        """Where the rows stand, as reports and rejected.csv say it."""
        columns = (self.rows.column(name).to_pylist() for name in (file, line, "file", "line"))
        for first_file, first_line, own_file, own_line in zip(*columns, strict=True):
            yield (first_file, first_line) if first_file is not None else (own_file, own_line)

    def _tables(self, kind: str) -> list[Path]:
        return sorted(path for path in (self.folder / kind).rglob("*") if path.suffix in (".arrow", ".parquet"))

    def _rewrite(self, path: Path, rows: int, change: "partial[pa.Table]") -> None:
        rewrite_table(path, change)
        self._count(path, rows)

    def _count(self, path: Path, many: int) -> None:
        if many:
            self.files[path.relative_to(self.folder).as_posix()] += many

    # lines that are no rows

    def _lines(self) -> None:
        cut = partial(holding, customer=self.customer, spellings=self.spellings, salt=self.salt)
        known: set[bytes] = set()
        for path in self._tables("unreadable"):
            raw = column_of(path, "raw").to_pylist()
            theirs = cut(raw)
            known.update(line for line, is_theirs in zip(raw, theirs, strict=True) if is_theirs)
            if any(theirs):
                self._rewrite(path, sum(theirs), partial(_emptied, theirs=theirs))
        for path in sorted((self.folder / UNREADABLE_FOLDER).glob("*")):
            self._count(path, cut_lines(path, known, cut))

    # what was read

    def _joining(self) -> None:
        """Rows of joined tables as they were read, by what they are joined by."""
        if self.manifest is None:
            return
        for table, on in self.manifest.joins.items():
            if (place := self.manifest.places.get(f"{table}.{on}")) is not None:
                for path in self._tables(f"joining/{table}"):
                    where = _among(column_of(path, str(place[1])), self.joined_on.get(on, frozenset()))
                    self._blank(path, where)

    def _sources(self) -> None:
        for path in self._tables("rows"):
            where = self._theirs(path)
            for beside in sorted((self.folder / "joined").glob(f"*/{path.stem}.parquet")):
                self._blank(beside, where)
        for kind in _BY_ROW:
            for path in self._tables(kind):
                self._blank(path, self._theirs(path))

    def _theirs(self, path: Path) -> pa.Array:
        return pc.is_in(column_of(path, "row"), value_set=self.numbers)

    def _blank(self, path: Path, where: pa.Array) -> None:
        if rows := pc.sum(where).as_py():
            self._rewrite(path, rows, partial(_blanked, where=where))

    # what was made of it

    def _prepared(self) -> None:
        answered = self.rows.column("batch").is_valid().to_pylist()
        told = zip(*(self.rows.column(name).to_pylist() for name in ("row", "fate", "codes")), answered, strict=True)
        fates = {row: (fate, codes) for row, fate, codes, has_answer in told if not has_answer}
        for path in self._tables("prepared"):
            where, around = self._theirs(path), self._around(path)
            if rows := pc.sum(pc.or_(where, around)).as_py():
                self._rewrite(path, rows, partial(_forgotten, where=where, around=around, fates=fates))

    def _around(self, path: Path) -> pa.Array:
        """Rows that are not the customer's, and hold them as a child."""
        row = column_of(path, "row")
        if "children" not in names_of(path):
            return pa.repeat(False, len(row))
        children = column_of(path, "children")
        theirs = pc.is_in(pc.list_flatten(children), value_set=self.numbers)
        return pc.is_in(row, value_set=row.take(pc.list_parent_indices(children).filter(theirs)))

    def _memory(self) -> None:
        """What the run knew of the ledger's memory."""
        for path in [*self.folder.glob("*.parquet"), *self._tables("memory")]:
            if "key" in names_of(path) and (rows := pc.sum(_has_key(column_of(path, "key"), self.customer)).as_py()):
                self._rewrite(path, rows, partial(_without, customer=self.customer))

    # what people got

    def _people(self) -> None:
        first = frozenset(self._places("first_file", "first_line"))
        for path in self.folder.glob("rejected*.csv"):
            self._count(path, cut_records(path, lambda file, line: (file, line) in first))
        texts = {"*.html": erased_html, "*.md": erased_markdown, "run.json": _json, "plan.json": _json}
        for pattern, erased in texts.items():
            for path in self.folder.glob(pattern):
                self._count(path, rewrite_text(path, partial(erased, places=self.places)))

    def _results(self) -> None:
        path = self.folder / RESULTS_FILE
        if path.exists():
            self._rewrite(path, len(self.numbers), partial(_results, rows=self.numbers))


def _json(text: str, places: Collection[Place]) -> str:
    return json.dumps(erased_json(json.loads(text), places), indent=1)


def _among(values: pa.Array, texts: Collection[str]) -> pa.Array:
    bare = pc.utf8_trim(values, characters=EDGES)
    return pc.fill_null(pc.is_in(bare, value_set=pa.array(sorted(texts), pa.string())), False)


def _emptied(piece: pa.Table, start: int, theirs: Sequence[bool]) -> pa.Table:
    here = pa.array(theirs[start : start + piece.num_rows])
    place = piece.schema.get_field_index("raw")
    return piece.set_column(place, piece.schema.field(place), pc.if_else(here, b"", piece.column("raw")))


def _blanked(piece: pa.Table, start: int, where: pa.Array) -> pa.Table:
    return blanked(piece, where.slice(start, piece.num_rows))


def _forgotten(
    piece: pa.Table, start: int, where: pa.Array, around: pa.Array, fates: Mapping[int, tuple[str, str | None]]
) -> pa.Table:
    blank = settled(blanked(piece, where.slice(start, piece.num_rows)), fates)
    return without_payload(blank, around.slice(start, piece.num_rows))


def _has_key(keys: pa.Array, customer: Wanted) -> pa.Array:
    return pc.is_in(keys, value_set=pa.array(sorted(customer.keys), keys.type))


def _without(piece: pa.Table, start: int, customer: Wanted) -> pa.Table:
    return without_keys(piece, customer)


def _results(piece: pa.Table, start: int, rows: pa.Array) -> pa.Table:
    numbers = pa.array(range(start, start + piece.num_rows), pa.int64())
    return blanked(piece, pc.is_in(numbers, value_set=rows))


def joined_by(folder: Path, manifest: Manifest, rows: pa.Array) -> Iterator[tuple[str, frozenset[str]]]:
    """Per column that tables are joined by: what only the customer's rows have there."""
    lead = next(iter(manifest.tables), "")
    files = sorted((folder / "rows").glob(f"*{UNPACKED}"))
    for on in dict.fromkeys(manifest.joins.values()):
        table, place = manifest.places.get(f"{lead}.{on}", ("", 0))
        if table == lead:
            theirs = set[str]().union(*(_bare(path, place, rows) for path in files))
            others = set[str]().union(*(theirs & _bare(path, place, rows, of_others=True) for path in files))
            yield on, frozenset(theirs - others)


def _bare(path: Path, place: int, rows: pa.Array, of_others: bool = False) -> set[str]:
    if str(place) not in names_of(path):
        return set()
    where = pc.is_in(column_of(path, "row"), value_set=rows)
    values = column_of(path, str(place)).filter(pc.invert(where) if of_others else where)
    return set(pc.utf8_trim(values, characters=EDGES).unique().drop_null().to_pylist()) - {""}
