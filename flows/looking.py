"""A source that no job describes yet, opened by its path or URL alone, and the lines that a job file has of it."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from connectors.addresses import address_of, local_path
from connectors.database_url import FILES, SCHEMES, read_address
from connectors.dialect import Dialect
from connectors.dialects import dialect_of, is_known
from connectors.files import Local, open_files, open_table
from connectors.places import place_of
from connectors.warehouse import open_query
from schemas.errors import SourceError, WrongInput
from schemas.job_text import Entry
from schemas.rows import OURS, Reading, SourceFile
from schemas.tables import Csv, Table
from transforms.guessed_names import are_values
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

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns, without those that a rejected.csv brings along."""
        return tuple(column for column in self.reading.columns if column not in OURS)


@contextmanager
def look_at(source: str, query: str | None, folder: Path) -> Iterator[Looked]:
    """Open a source; paths in its lines start at `folder`, where the job file will lie.

    Raises:
        WrongInput: it cannot be found or read, holds no names of columns, or is a database and has no query.
    """
    database = source.partition(":")[0] in SCHEMES
    if database != (query is not None):
        goes = "a database needs --query or --table" if database else "--query and --table go with a database's URL"
        raise WrongInput(f"{goes}; files are told by their path or URL alone")
    with ExitStack() as stack:
        path = local_path(source)
        if query is not None:
            yield _database(source, query, folder, stack)
        elif path is None:
            yield _remote(source, stack)
        else:
            yield _local(path, folder)


def _database(url: str, query: str, folder: Path, stack: ExitStack) -> Looked:
    if not can_be_written(query):
        raise WrongInput("the query holds ${, which a job file takes for a placeholder; write it without")
    address = read_address(url, LABEL, Path().absolute())
    reading = open_query(url, query, None, TABLE, LABEL, stack, folder=Path().absolute()).reading
    line, environment = Entry(f"database: ${{{DATABASE}}}", f"{address}; set {DATABASE} to its URL"), {DATABASE: url}
    if address.scheme in FILES and not address.options and can_be_written(address.path):
        line, environment = Entry("database: " + scalar(f"{address.scheme}:///{_from(folder, address.path)}")), {}
    found = re.fullmatch(r'select \* from (?:.*\.)?"?(\w+)"?', query)
    return Looked(
        job_name(found[1] if found else TABLE), reading, (line, Entry(f"query: {scalar(query)}")), environment
    )


def _remote(url: str, stack: ExitStack) -> Looked:
    """Of several files the first is looked at; it is copied here for as long."""
    place = place_of(url, None, None, Path(), LABEL, stack)
    found = place.found()
    if not found:
        raise SourceError(place.nothing())
    landed = place.land(found[0], Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bulkload-init-"))))
    told = Path(found[0].name)
    source = SourceFile(told, landed.size_bytes, landed.sha256, found[0].uri)
    table, reading, csv = _described(Table(files=url), Local(landed.path, source))
    (where, *login), environment = _address_lines(url)
    if len(found) > 1:
        where = replace(where, why=f"{len(found):,} files, of which the first was looked at")
    return Looked(job_name(told.name), reading, (where, *login, *_format_line(table), *csv), environment)


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


def _local(path: str, folder: Path) -> Looked:
    written = _from(folder, path)
    if not can_be_written(written):
        raise WrongInput("the file's name holds ${, which a job file takes for a placeholder; give it another name")
    table, reading, csv = _described(Table(files=str(Path(path).absolute())), None)
    files = f"{len(reading.files)} files, " if len(reading.files) > 1 else ""
    line = Entry(f"files: {scalar(written)}", f"{files}{len(reading.columns)} columns")
    return Looked(job_name(Path(path).name), reading, (line, *_format_line(table), *csv))


def _from(folder: Path, path: str) -> str:
    return os.path.relpath(Path(path).absolute(), folder.absolute())


def _described(table: Table, landed: Local | None) -> tuple[Table, Reading, Iterator[Entry]]:
    """A table of files with all that has to be said of it; of `landed`, where it lies elsewhere."""

    def opened(table: Table) -> Reading:
        return open_table(table, Path(), LABEL) if landed is None else open_files([landed], table, LABEL)

    assert table.files is not None
    if not is_known(table.files.partition("?")[0] if landed is None else landed.source.path.name):
        table = table.model_copy(update={"format": "csv"})
    reading = opened(table)
    paths = [(landed.path if landed else file.path, file.path) for file in reading.files]
    dialects = [found for file, told in paths if (found := dialect_of(file, told, table, LABEL))]
    if _has_header(reading) and are_values(reading.columns):
        if not dialects:
            raise SourceError(f"{LABEL}: the first row holds values and no names of columns; give them names there")
        names = [f"column_{place}" for place in range(1, len(reading.columns) + 1)]
        table = table.model_copy(update={"csv": Csv(columns=names)})
        reading = opened(table)
    return table, reading, _csv_lines(dialects, table.csv.columns)


def _has_header(reading: Reading) -> bool:
    """In formats of its own every value has its name beside it, or a schema."""
    return reading.files[0].path.suffix.lower() not in (".jsonl", ".ndjson", ".parquet")


def _format_line(table: Table) -> tuple[Entry, ...]:
    return (Entry("format: csv", "the suffix says none"),) if table.format else ()


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
