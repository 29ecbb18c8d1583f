"""A source that no job describes yet, opened by its name alone: what a job file will say of it."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connectors.dialects import is_known, written_in
from connectors.files import open_table
from schemas.errors import SourceError
from schemas.job_text import Entry
from schemas.rows import OURS, Reading
from schemas.tables import Csv, Table
from transforms.guessed_names import are_values
from transforms.yaml_words import can_be_written, scalar

TABLE = "customers"
LABEL = f"source.{TABLE}"
MARKS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars", "\x1f": "unit separators", "\x01": "^A"}


@dataclass(frozen=True, slots=True)
class Looked:
    """An opened source and the lines that a job file has of it.

    `environment` is what the job file takes from the environment besides the API's credentials, as it is here.
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
def look_at(source: str, folder: Path) -> Iterator[Looked]:
    """Open a source; paths in its lines start at `folder`, where the job file will lie.

    Raises:
        SourceError: it cannot be found or read, or holds no names of columns.
    """
    yield _local(source, folder)


def _local(source: str, folder: Path) -> Looked:
    written = os.path.relpath(Path(source).absolute(), folder.absolute())
    if not can_be_written(written):
        raise SourceError("the file's name holds ${, which a job file takes for a placeholder; give it another name")
    format_line = () if is_known(source) else (Entry("format: csv", "its suffix says none"),)
    table = Table(files=str(Path(source).absolute()), format=None if is_known(source) else "csv")
    reading = open_table(table, folder, LABEL)
    first = reading.files[0].path
    csv = written_in(first, table, LABEL)
    nameless = are_values(reading.columns)
    if nameless:
        if csv is None:
            raise SourceError(f"{LABEL}: the first row holds values and no names of columns; give them names there")
        csv = csv.model_copy(update={"columns": [f"column_{place}" for place in range(1, len(reading.columns) + 1)]})
        table = table.model_copy(update={"csv": csv})
        reading = open_table(table, folder, LABEL)
    lines = (Entry(f"files: {scalar(written)}", _told(reading)), *format_line, *_csv_lines(csv, nameless))
    return Looked(job_name(first.name), reading, lines)


def _told(reading: Reading) -> str:
    files = f"{len(reading.files)} files, " if len(reading.files) > 1 else ""
    return f"{files}{len(reading.columns)} columns"


def _csv_lines(csv: Csv | None, nameless: bool) -> Iterator[Entry]:
    if csv is None:
        return
    assert csv.delimiter is not None and csv.encoding is not None
    words = [f"delimiter: {scalar(csv.delimiter)}", f"encoding: {csv.encoding}"]
    why = f"most rows are equally wide when {MARKS.get(csv.delimiter, 'these')} divide them"
    if nameless:
        assert csv.columns is not None
        words.append(f"columns: [{', '.join(csv.columns)}]")
        why = "the first line holds values and no names: write what the columns are called"
    yield Entry(f"csv: {{{', '.join(words)}}}", why)


def job_name(file: str) -> str:
    """A job's name out of a file's: `Customers 2024.csv.gz` gives `customers-2024`."""
    stem = re.sub(r"(\.[A-Za-z]\w{0,7}){1,3}$", "", file)
    plain = re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-")[:64].strip("-")
    return plain.lower() or TABLE
