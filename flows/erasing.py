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
from connectors.rewriting import (
    Change,
    clear_leftovers,
    column_of,
    cut_lines,
    cut_records,
    names_of,
    rewrite_table,
    rewrite_text,
    rows_of,
)
from connectors.spool import UNPACKED
from connectors.trace import RESULTS_FILE, of_rows, rows_naming
from flows.erasing_parents import erase_as_parent
from flows.underway import Manifest
from schemas.trace import Spelling, Wanted
from schemas.vanished import VANISHED_FILE
from transforms.forget import (
    KEPT,
    Place,
    among,
    bare,
    blanked,
    cut,
    emptied,
    erased_html,
    erased_json,
    erased_markdown,
    holding,
    marked,
    without_customer,
)

# Tables whose rows are known by their number, or by that of the row they are nested under. Those of `joined` lie beside
# the leading table's `rows`, line by line; those of `joining` are found by what they are joined by.
_BY_ROW = ("rows", "again", "again_prepared")


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
        self.naming = rows_naming(self.folder, self.customer)

    def erase(self) -> dict[str, int]:
        """Erase all of it; how much in which file."""
        if len(self.numbers) or len(self.naming):
            clear_leftovers(self.folder)
        self._lines()
        if len(self.numbers) or any(self.joined_on.values()):
            self._joining()
        if len(self.numbers):
            self._sources()
            self._prepared()
        self._memory()
        if len(self.naming) and self.manifest is not None:
            erase_as_parent(self.folder, self.manifest, self.naming, self._rewrite, self._count)
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
        """A kind's tables, of the leading table and of nested ones."""
        found = [*(self.folder / kind).glob("*"), *self.folder.glob(f"nested/*/{kind}/*")]
        return sorted(path for path in found if path.suffix in (".arrow", ".parquet"))

    def _rewrite(self, path: Path, change: Change, where: pa.Array, *along: pa.Array) -> None:
        """Change some rows of a table (`where`, bool), if there are any."""
        if rows := pc.sum(where).as_py():
            rewrite_table(path, change, where, *along)
            self._count(path, rows)

    def _count(self, path: Path, many: int) -> None:
        if many:
            self.files[path.relative_to(self.folder).as_posix()] += many

    # lines that are no rows

    def _lines(self) -> None:
        held = partial(holding, customer=self.customer, spellings=self.spellings, salt=self.salt)
        known: set[bytes] = set()
        for path in self._tables("unreadable"):
            raw = column_of(path, "raw").to_pylist()
            theirs = held(raw)
            known.update(line for line, is_theirs in zip(raw, theirs, strict=True) if is_theirs)
            self._rewrite(path, emptied, pa.array(theirs, pa.bool_()))
        for path in sorted((self.folder / UNREADABLE_FOLDER).glob("*")):
            self._count(path, cut_lines(path, known, held))

    # what was read

    def _joining(self) -> None:
        """Rows of joined tables as they were read: by what they are joined by, or by the place of a nested row."""
        joins = self.manifest.joins if self.manifest is not None else {}
        for folder in sorted((self.folder / "joining").glob("*")):
            on = joins.get(folder.name, "")
            place = self.manifest.places.get(f"{folder.name}.{on}") if self.manifest is not None else None
            nested = self._nested_lines(folder.name)
            for path in sorted(folder.glob("*.parquet")):
                where = _at(path, nested)
                if place is not None:
                    values = column_of(path, str(place[1]))
                    where = pc.or_(where, among(values, self.joined_on.get(on, frozenset())))
                self._rewrite(path, blanked, where)

    def _nested_lines(self, table: str) -> pa.Array:
        """File and line of the customer's rows in a nested table, each as one number."""
        found = [pa.array([], pa.int64())]
        for path in sorted((self.folder / "nested" / table / "rows").glob("*")):
            found.append(_lines_of(path).filter(self._theirs(path)))
        return pa.concat_arrays(found)

    def _sources(self) -> None:
        for path in sorted((self.folder / "rows").glob("*")):
            where = self._theirs(path)
            for beside in sorted((self.folder / "joined").glob(f"*/{path.stem}.parquet")):
                self._rewrite(beside, blanked, where)
        for kind in _BY_ROW:
            for path in self._tables(kind):
                self._rewrite(path, blanked, self._theirs(path))

    def _theirs(self, path: Path) -> pa.Array:
        theirs = pc.is_in(column_of(path, "row"), value_set=self.numbers)
        if "parent" not in names_of(path):
            return theirs
        return pc.or_(theirs, pc.is_in(column_of(path, "parent"), value_set=self.numbers))

    # what was made of it

    def _prepared(self) -> None:
        answered = self.rows.column("batch").is_valid().to_pylist()
        told = zip(*(self.rows.column(name).to_pylist() for name in ("row", "fate", "codes")), answered, strict=True)
        fates = {row: (fate, codes) for row, fate, codes, has_answer in told if not has_answer}
        for path in self._tables("prepared"):
            where, around = self._theirs(path), self._around(path)
            self._rewrite(path, partial(without_customer, fates=fates), pc.or_(where, around), where)

    def _around(self, path: Path) -> pa.Array:
        """Rows that are not the customer's, and hold them as a child."""
        row = column_of(path, "row")
        if "children" not in names_of(path):
            return pa.repeat(False, len(row))
        children = column_of(path, "children")
        theirs = pc.is_in(pc.list_flatten(children), value_set=self.numbers)
        return pc.is_in(row, value_set=row.take(pc.list_parent_indices(children).filter(theirs)))

    def _memory(self) -> None:
        """What settling made of it all: what the ledger remembered, and who shares an identifier with whom."""
        for path in [*self.folder.glob("*.parquet"), *self._tables("memory")]:
            if path.name == RESULTS_FILE:
                continue
            if "key" in (names := names_of(path)):
                keys = column_of(path, "key")
                self._rewrite(path, cut, pc.is_in(keys, value_set=pa.array(sorted(self.customer.keys), keys.type)))
            elif "row" in names and not KEPT.issuperset(names):
                self._rewrite(path, blanked, self._theirs(path))
        listed = self.folder / VANISHED_FILE
        if listed.exists():
            hashes = tuple(key.hex().encode() for key in self.customer.keys)
            self._count(listed, cut_lines(listed, (), lambda lines: [line[1:].startswith(hashes) for line in lines]))

    # what people got

    def _people(self) -> None:
        first = frozenset(self._places("first_file", "first_line"))
        for path in self.folder.glob("rejected*.csv"):
            self._count(path, cut_records(path, lambda file, line: (file, line) in first))
        texts = {"*.html": erased_html, "*.md": erased_markdown, "*.json": _json}
        for pattern, erased in texts.items():
            for path in self.folder.glob(pattern):
                self._count(path, rewrite_text(path, partial(erased, places=self.places)))

    def _results(self) -> None:
        path = self.folder / RESULTS_FILE
        if path.exists():
            self._rewrite(path, blanked, marked(self.numbers, rows_of(path)))


def _json(text: str, places: Collection[Place]) -> str:
    before = json.loads(text)
    after = erased_json(before, places)
    return json.dumps(after, indent=1) if after != before else text


def _lines_of(path: Path) -> pa.Array:
    """File and line of a table's rows as one number: no file has so many lines."""
    file, line = (column_of(path, name).cast(pa.int64()) for name in ("file", "line"))
    return pc.add(pc.multiply(file, 1 << 40), line)


def _at(path: Path, lines: pa.Array) -> pa.Array:
    return pc.is_in(_lines_of(path), value_set=lines)


def joined_by(folder: Path, manifest: Manifest, rows: pa.Array) -> Iterator[tuple[str, frozenset[str]]]:
    """Per column that tables are joined by: what only the customer's rows have there."""
    lead = next(iter(manifest.tables), "")
    files = sorted((folder / "rows").glob(f"*{UNPACKED}"))
    for on in dict.fromkeys(manifest.joins.values()):
        table, place = manifest.places.get(f"{lead}.{on}", ("", 0))
        if table == lead:
            theirs = set[str]().union(*(_values(path, place, rows) for path in files))
            others = set[str]().union(*(theirs & _values(path, place, rows, of_others=True) for path in files))
            yield on, frozenset(theirs - others)


def _values(path: Path, place: int, rows: pa.Array, of_others: bool = False) -> set[str]:
    if str(place) not in names_of(path):
        return set()
    where = pc.is_in(column_of(path, "row"), value_set=rows)
    return bare(column_of(path, str(place)).filter(pc.invert(where) if of_others else where))
