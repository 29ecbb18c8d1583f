"""A source that no job describes yet, opened by its path or URL alone, and the lines that a job file has of it."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from connectors.addresses import address_of, local_path
from connectors.database_url import FILES, SCHEMES, read_address
from connectors.dialect import Dialect
from connectors.dialects import dialect_of, is_known, is_workbook
from connectors.files import Local, open_files, open_table
from connectors.places import place_of
from connectors.throwaway import throwaway
from connectors.warehouse import open_query
from schemas.errors import SourceError, WrongInput
from schemas.job_text import Entry
from schemas.rows import OURS, Reading, SourceFile
from schemas.tables import Csv, Table, Workbook
from transforms.guessed_names import are_values, is_fixed_width
from transforms.yaml_words import can_be_written, scalar

TABLE = "customers"
LABEL = f"source.{TABLE}"
MARKS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars", "\x1f": "unit separators", "\x01": "^A"}
# What the written job takes from the environment, so that no secret stands in it.
DATABASE, ADDRESS, USER, PASSWORD = "WAREHOUSE_URL", "SOURCE_URL", "SOURCE_USER", "SOURCE_PASSWORD"


@dataclass(frozen=True, slots=True)
class Looked:
    """An opened source and the lines that a job file has of it.

    `environment` is what the job file takes from the environment besides the API's credentials, as it is now.
    """

    name: str
    reading: Reading
    lines: tuple[Entry, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()  # what was found out and no line says

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns, without those that a rejected.csv brings along."""
        return tuple(column for column in self.reading.columns if column not in OURS)


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a source is wanted: of a database a query or a whole table, of a workbook a sheet."""

    query: str | None = None
    table: str | None = None


@contextmanager
def look_at(source: str, asked: Asked, folder: Path) -> Iterator[Looked]:
    """Open a source; paths in its lines start at `folder`, where the job file will lie.

    Raises:
        WrongInput: it cannot be found or read, holds no names of columns, or is a database and has no query.
    """
    is_database = source.partition(":")[0] in SCHEMES
    _check_asked(source, asked, is_database)
    with ExitStack() as stack:
        path = local_path(source)
        if is_database:
            yield _database(source, asked, folder, stack)
        elif path is None:
            yield _remote(source, asked.table, stack)
        else:
            yield _local(path, asked.table, folder)


def _check_asked(source: str, asked: Asked, is_database: bool) -> None:
    if is_database and (asked.query is None) == (asked.table is None):
        raise WrongInput("a database needs --query or --table, one of them")
    if not is_database and asked.query is not None:
        raise WrongInput("--query goes with a database's URL")
    if not is_database and asked.table is not None and not is_workbook(source):
        raise WrongInput("--table goes with a database's URL or an Excel workbook")


def _database(url: str, asked: Asked, folder: Path, stack: ExitStack) -> Looked:
    query = asked.query or f"select * from {asked.table}"
    if not can_be_written(query):
        raise WrongInput("the query holds ${, which a job file takes for a placeholder; write it without")
    address = read_address(url, LABEL, Path().absolute())
    reading = open_query(url, query, None, TABLE, LABEL, stack, folder=Path().absolute()).reading
    line, environment = Entry(f"database: ${{{DATABASE}}}", f"{address}; set {DATABASE} to its URL"), {DATABASE: url}
    if address.scheme in FILES and not address.options and can_be_written(address.path):
        line, environment = Entry("database: " + scalar(f"{address.scheme}:///{_from(folder, address.path)}")), {}
    name = job_name((asked.table or TABLE).rpartition(".")[2])
    return Looked(name, reading, (line, Entry(f"query: {scalar(query)}")), environment, reading.notes)


def _remote(url: str, sheet: str | None, stack: ExitStack) -> Looked:
    """Of several files the first is looked at; it is copied here for as long."""
    place = place_of(url, None, None, Path(), LABEL, stack)
    found = place.found()
    if not found:
        raise SourceError(place.nothing())
    landed = place.land(found[0], stack.enter_context(throwaway()))
    told = Path(found[0].name)
    source = SourceFile(told, landed.size_bytes, landed.sha256, found[0].uri)
    reading, lines = _described(url, sheet, Local(landed.path, source))
    (where, *login), environment = _address_lines(url)
    if len(found) > 1:
        where = replace(where, why=f"{len(found):,} files, of which the first was looked at")
    return Looked(job_name(told.name), reading, (where, *login, *lines), environment, _untold(reading, lines))


def _address_lines(url: str) -> tuple[tuple[Entry, ...], Mapping[str, str]]:
    """A URL without its secrets, and the words that bring them back; a signature may be all of what is behind ?."""
    address = address_of(url, LABEL)
    if address.query or not can_be_written(url):
        return (Entry(f"files: ${{{ADDRESS}}}", f"{address.server}; set {ADDRESS} to its URL"),), {ADDRESS: url}
    if address.password is None:
        return (Entry(f"files: {scalar(url)}"),), {}
    bare = re.sub(r"(?<=://)[^/]*@", "", url)
    login = Entry(f'login: {{user: "${{{USER}}}", password: "${{{PASSWORD}}}"}}', "set both in the environment")
    return (Entry(f"files: {scalar(bare)}"), login), {USER: address.user or "", PASSWORD: address.password}


def _local(path: str, sheet: str | None, folder: Path) -> Looked:
    written = _from(folder, path)
    if not can_be_written(written):
        raise WrongInput("the file's name holds ${, which a job file takes for a placeholder; give it another name")
    reading, lines = _described(str(Path(path).absolute()), sheet, None)
    files = f"{len(reading.files)} files, " if len(reading.files) > 1 else ""
    line = Entry(f"files: {scalar(written)}", f"{files}{len(reading.columns)} columns")
    return Looked(job_name(Path(path).name), reading, (line, *lines), {}, _untold(reading, lines))


def _from(folder: Path, path: str) -> str:
    return os.path.relpath(Path(path).absolute(), folder.absolute())


def _described(files: str, sheet: str | None, landed: Local | None) -> tuple[Reading, tuple[Entry, ...]]:
    """Files with the lines that say how they are written; read as `landed` where they lie elsewhere."""

    def opened(table: Table) -> Reading:
        return open_table(table, Path(), LABEL) if landed is None else open_files([landed], table, LABEL)

    table, lines = Table(files=files), list[Entry]()
    if not is_known(files if landed is None else landed.source.path.name):
        table, lines = table.model_copy(update={"format": "csv"}), [Entry("format: csv", "the suffix says none")]
    if sheet is not None:
        table, lines = table.model_copy(update={"xlsx": Workbook(sheet=sheet)}), [_sheet_line(sheet)]
    reading = opened(table)
    paths = [(landed.path if landed else file.path, file.path) for file in reading.files]
    dialects = [found for file, told in paths if (found := dialect_of(file, told, table, LABEL))]
    first = next(iter(reading.batches()), None) if _has_header(reading) else None
    if first is not None and dialects and is_fixed_width(reading.columns, first.rows):
        raise SourceError(
            f"{LABEL}: no delimiter divides its lines, which look like columns of fixed width; write the job with "
            "format: fixed, and in fixed: where each column begins and ends"
        )
    if first is not None and are_values(reading.columns, first.rows):
        if not dialects:
            raise SourceError(f"{LABEL}: the first row holds values and no names of columns; give them names there")
        names = [f"column_{place}" for place in range(1, len(reading.columns) + 1)]
        table = table.model_copy(update={"csv": Csv(columns=names)})
        reading = opened(table)
    return reading, (*lines, *_csv_lines(dialects, table.csv.columns))


def _sheet_line(sheet: str) -> Entry:
    return Entry(f"xlsx: {{sheet: {scalar(sheet)}}}")


def _has_header(reading: Reading) -> bool:
    """In formats of its own every value has its name beside it, or a schema."""
    return reading.files[0].path.suffix.lower() not in (".jsonl", ".ndjson", ".parquet")


def _untold(reading: Reading, lines: Sequence[Entry]) -> tuple[str, ...]:
    """Of a file of text all notes are about its encoding, which stands in the lines."""
    return () if any(line.text.startswith("csv:") for line in lines) else reading.notes


def _csv_lines(dialects: Sequence[Dialect], columns: list[str] | None) -> Iterator[Entry]:
    """What all files have in common; the rest is found out anew for each of them."""
    words, told = list[str](), list[str]()
    if len(marks := {dialect.delimiter for dialect in dialects}) == 1:
        (mark,) = marks
        words.append(f"delimiter: {scalar(mark)}")
        told.append(f"most rows are equally wide when {MARKS[mark]} divide them")
    if len(codecs := {dialect.codec for dialect in dialects}) == 1:
        words.append(f"encoding: {codecs.pop()}")
        told += [note.partition(";")[0] for note in dialects[0].notes]
    if columns:
        words.append(f"columns: [{', '.join(columns)}]")
        told.append("the first line holds values and no names: write what the columns are called")
    if words:
        yield Entry(f"csv: {{{', '.join(words)}}}", "; ".join(told))


def job_name(file: str) -> str:
    """A job's name out of a file's: `Customers 2024.csv.gz` gives `customers-2024`."""
    stem = re.sub(r"(\.[A-Za-z]\w{0,7}){1,3}$", "", file)
    plain = re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-")[:64].strip("-")
    return plain.lower() or TABLE
