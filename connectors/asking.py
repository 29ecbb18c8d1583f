"""What a database is asked and what it answers; and how its troubles are told."""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

import pyarrow as pa

from connectors.database_url import Address
from connectors.query_words import Words
from schemas.errors import SourceError
from schemas.watermarks import Bound, Kind

BATCH_ROWS = 20_000
BATCH_BYTES = 8 << 20  # a batch of wide rows is cut there
CONNECT_S = 30  # a host that does not answer is told after that
LOCKED_S = 300  # a table that somebody else holds for longer is told as held
SILENT_S = (60, 15, 4)  # a host that falls silent is asked after so long, then so often, so many times
# For libpq: a host that falls silent in the middle of a stream is given up after two minutes, not two hours.
KEPT_ALIVE = {"connect_timeout": str(CONNECT_S)} | dict(
    zip(("keepalives_idle", "keepalives_interval", "keepalives_count"), map(str, SILENT_S), strict=True)
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a driver's error says: `text` names no value of a row, `gone` is for a connection that broke."""

    text: str
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver's errors and how to read them."""

    errors: tuple[type[Exception], ...]
    read: Callable[[Exception], Trouble]


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of one database; `stack` closes whatever is opened for it."""

    address: Address
    words: Words
    bound: Bound | None
    horizon: bool
    label: str
    stack: ExitStack

    def trying(self, driver: Driver, doing: str, work: Callable[[], T]) -> T:
        """Do it; a driver's error is told as a sentence, without the error behind it."""
        try:
            return work()
        except driver.errors as error:
            text = driver.read(error).text
        raise SourceError(f"{self.label}: {self.address}: {doing}: {self.address.censored(text)}")

    def streamed(self, driver: Driver, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches; an error on the way says how far they came."""
        rows = 0
        while (batch := self._next(driver, batches, rows)) is not None:
            rows += batch.num_rows
            yield batch

    def _next(self, driver: Driver, batches: Iterator[pa.RecordBatch], rows: int) -> pa.RecordBatch | None:
        try:
            return next(batches, None)
        except driver.errors as error:
            trouble = driver.read(error)
        said = f"{self.label}: {self.address}: "
        if trouble.gone:
            raise SourceError(
                f"{said}the connection broke after {rows:,} rows; nothing of this run was sent; run again"
            )
        raise SourceError(f"{said}the query failed after {rows:,} rows: {self.address.censored(trouble.text)}")


@dataclass(frozen=True, slots=True)
class Answer:
    """A query that runs: its columns are known, its rows come as `batches` of whatever types have a text."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    kind: Kind | None = None
    horizon: str | None = None


def options_of(asked: Asked, known: Sequence[str]) -> dict[str, str]:
    """The URL's options.

    Raises:
        SourceError: some that are not known.
    """
    unknown = sorted(set(asked.address.options) - set(known))
    if unknown:
        raise SourceError(f"{asked.label}: the URL's {', '.join(unknown)}: not known; known are {', '.join(known)}")
    return dict(asked.address.options)


def driver_module(name: str, extra: str, label: str) -> ModuleType:
    """Import a driver, which is installed by an extra of this project.

    Raises:
        SourceError: it is not there.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        pass
    raise SourceError(f"{label}: {extra} needs a driver; install it: pip install 'bulkload[{extra}]'")


def find_since(column: str, columns: Sequence[str], label: str) -> int:
    """Where the since column stands.

    Raises:
        SourceError: the query does not return it.
    """
    if column not in columns:
        raise SourceError(f"{label}: since.column: the query gives no {column}; it gives {', '.join(columns)}")
    return columns.index(column)


def kind_of(column: str, kinds: Mapping[str, tuple[str, Kind | None]], label: str) -> Kind:
    """The kind of the since column; `kinds` has each column's type as the database calls it, and its kind.

    Raises:
        SourceError: the query does not return the column, or its type has no order to go by.
    """
    find_since(column, list(kinds), label)
    told, kind = kinds[column]
    if kind is None:
        raise SourceError(f"{label}: since.column: {column} is {told}; take a time, a date, a number or a text")
    return kind


def refuse_bytes(columns: Sequence[str], label: str) -> None:
    """Whether bytes are a text, and in which encoding, only the query can say.

    Raises:
        SourceError: there are such columns.
    """
    if columns:
        raise SourceError(
            f"{label}: {', '.join(columns)}: bytes, of which nobody knows what they stand for; in the query write "
            "convert_from(column, 'UTF8') for a text, encode(column, 'hex') for its digits"
        )


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'
