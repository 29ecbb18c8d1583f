"""What the ledger keeps from run to run: customers as the API has them, and what the API taught of its limits."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert

from connectors.ledger_memory_tables import accepted, children, credits, forgotten, mappings, refused
from connectors.ledger_runs import Runs
from connectors.ledger_tables import learned, microseconds
from schemas.memory import Remembered
from schemas.outcomes import Fate

_learn = insert(learned)
LEARN = _learn.on_conflict_do_update(
    index_elements=[learned.c.host, learned.c.operation, learned.c.name],
    set_={name: _learn.excluded[name] for name in ("value", "learned_at_us")},
)


def _written_out(statement: sa.Executable) -> str:
    """To SQLAlchemy 50 rows are 50 dictionaries, which takes longer than SQLite does."""
    return str(statement.compile(dialect=sqlite.dialect()))  # type: ignore[attr-defined]  # its stubs know no compile


# The API keeps an identifier that is left out or replaced, so what a customer had before stays theirs. A list that is
# there already is not added again: at most each list that the customer ever had is kept. By chance one is found
# across two others less likely than two customers have one hash.
_KNOWN_BY = """
    case when excluded.identifiers is null then {table}.identifiers
         when {table}.identifiers is null then excluded.identifiers
         when instr({table}.identifiers, excluded.identifiers) > 0 then {table}.identifiers
         else cast({table}.identifiers || excluded.identifiers as blob) end
"""


def _latest(table: sa.Table, sent_at: str) -> str:
    """One line per customer: what was sent last, whenever it is written down; of identifiers all there ever were."""
    line = insert(table)
    is_later = line.excluded[sent_at] >= table.c[sent_at]
    set_: dict[str, Any] = {
        column.name: sa.case((is_later, line.excluded[column.name]), else_=column)
        for column in table.c
        if not column.primary_key
    }
    if "identifiers" in set_:
        set_["identifiers"] = sa.literal_column(_KNOWN_BY.format(table=table.name))
    return _written_out(line.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=set_))


_credit = insert(credits)
_ACCEPT, _REFUSE = _latest(accepted, "accepted_at_us"), _latest(refused, "refused_at_us")
_BEAR = _latest(children, "sent_at_us")
# By itself SQLite would look at every customer of the job.
LACKING = """
    select 1 from accepted indexed by accepted_without_identifiers where job = ? and identifiers is null limit 1
"""
_KNOW_BY = "update accepted set identifiers = ? where job = ? and key_hash = ? and identifiers is null"
_CREDIT = _written_out(
    _credit.on_conflict_do_update(
        index_elements=list(credits.primary_key.columns),
        set_={name: _credit.excluded[name] for name in ("points", "fate", "run_no")},
        # Who was credited once stays so, whatever comes afterwards.
        where=credits.c.fate == sa.literal_column(f"'{Fate.IN_DOUBT.value}'"),
    )
)

# Nothing is known to be accepted, and whatever was sent, whenever, says more.
KNOWN_BY_IDENTIFIERS = {"fate": Fate.REFUSED.value, "accepted_at_us": 0}
# A refused child would be told of again; this one is evidence and nothing else.
CHILD_KNOWN_BY_IDENTIFIERS = {"fate": Fate.ACCEPTED.value, "sent_at_us": 0}


class Memory(Runs):
    """What later runs are to know."""

    def remember(self, run: str, job: str, rows: Remembered) -> None:
        """Remember what a run sent of a job's customers; again, when more is known of it."""
        number = self._number(run)
        kept = (
            (_ACCEPT, _accepted(job, number, rows.accepted)),
            (_REFUSE, _refused(job, number, rows.refused)),
            (_CREDIT, _credited(job, number, rows.credited)),
            (_BEAR, _accepted(job, number, rows.children)),
        )
        if any(values for _, values in kept):
            with self._writing() as connection:
                for statement, values in kept:
                    if values:
                        connection.exec_driver_sql(statement, values)

    def lacks_identifiers(self, job: str) -> bool:
        """Whether a job remembers somebody whose identifiers version 2 did not keep."""
        with self._reading() as connection:
            return connection.exec_driver_sql(LACKING, (job,)).one_or_none() is not None

    def know_by(self, job: str, met: pa.Table) -> None:
        """Keep the identifiers (`key, identifiers`) of customers whom a job remembers without any."""
        rows = zip(met.column("key").to_pylist(), met.column("identifiers"), strict=True)
        values = [(_packed(known), job, key) for key, known in rows]
        if values:
            with self._writing() as connection:
                connection.exec_driver_sql(_KNOW_BY, values)

    def forget_doubtful(self, run: str) -> None:
        """Forget what the run left in doubt, before it is closed again: what still is will be remembered anew.

        What the API accepted stays remembered. Of a doubtful customer the identifiers stay, which the API has of them
        since an earlier run, or may have; which payload it has, nobody knows any more.
        """
        with self._writing() as connection:
            number = self._number(run)
            for table, kept in ((accepted, KNOWN_BY_IDENTIFIERS), (children, CHILD_KNOWN_BY_IDENTIFIERS)):
                doubtful = (table.c.run_no == number) & (table.c.fate == Fate.IN_DOUBT)
                connection.execute(sa.update(table).where(doubtful), kept)
            doubtful = (credits.c.run_no == number) & (credits.c.fate == Fate.IN_DOUBT)
            connection.execute(sa.delete(credits).where(doubtful))

    def forget(self, job: str, key: bytes, at_utc: datetime) -> Mapping[str, int]:
        """Erase a customer from a job's memory for good: its later runs send nothing of them. Lines by table."""
        tombstone = {"job": job, "key_hash": key, "forgotten_at_us": microseconds(at_utc)}
        erased = {}
        with self._writing() as connection:
            for table in (accepted, refused, credits, children):
                theirs = (table.c.job == job) & (table.c.key_hash == key)
                erased[table.name] = connection.execute(sa.delete(table).where(theirs)).rowcount
            connection.execute(insert(forgotten).on_conflict_do_nothing(), tombstone)
        return erased

    def loads_with(self, run: str, job: str, mapping: str, destination: str) -> None:
        """Keep the digests of the mapping that the run loads with, and of the destination that it loads."""
        told = {"job": job, "run_no": self._number(run), "digest": mapping, "destination": destination}
        with self._writing() as connection:
            connection.execute(insert(mappings).on_conflict_do_nothing(), told)

    def learned(self, host: str, operation: str) -> Mapping[str, int]:
        """Limits that the API taught about an operation of a host, by name."""
        of_both = (learned.c.host == host) & (learned.c.operation == operation)
        with self._reading() as connection:
            found = connection.execute(sa.select(learned.c.name, learned.c.value).where(of_both))
            return {row.name: row.value for row in found}

    def learn(
        self,
        host: str,
        operation: str,
        name: Literal["rows_per_request", "requests_per_minute"],
        value: int | None,
        at_utc: datetime,
    ) -> None:
        """Keep a limit for later runs, in place of what was learned before; None forgets it."""
        key = {"host": host, "operation": operation, "name": name}
        with self._writing() as connection:
            if value is None:
                connection.execute(sa.delete(learned).filter_by(**key))
            else:
                connection.execute(LEARN, {**key, "value": value, "learned_at_us": microseconds(at_utc)})


def _accepted(job: str, run_no: int, rows: pa.Table) -> list[tuple[Any, ...]]:
    """In the order of the table's columns, as the others, and of its key: neighbours lie on one page."""
    rows = rows.sort_by("key")
    blobs = (_packed(known) if known.is_valid else None for known in rows.column("identifiers"))
    columns = (*_lists(rows, "key", "digest", "fate"), _sent_at_us(rows), blobs)
    return [
        (job, key, digest, run_no, fate, sent, known) for key, digest, fate, sent, known in zip(*columns, strict=True)
    ]


def _refused(job: str, run_no: int, rows: pa.Table) -> list[tuple[Any, ...]]:
    columns = (*_lists(rows, "key", "digest"), _sent_at_us(rows))
    return [(job, key, digest, run_no, sent) for key, digest, sent in zip(*columns, strict=True)]


def _credited(job: str, run_no: int, rows: pa.Table) -> list[tuple[Any, ...]]:
    columns = _lists(rows, "key", "programme", "statement", "points", "fate")
    return [(job, *credit, run_no) for credit in zip(*columns, strict=True)]


def _lists(rows: pa.Table, *names: str) -> Iterable[list[Any]]:
    return [rows.column(name).to_pylist() for name in names]


def _sent_at_us(rows: pa.Table) -> list[int]:
    sent: list[int] = rows.column("sent_at_utc").cast(pa.int64()).to_pylist()
    return sent


def _packed(identifiers: pa.ListScalar) -> bytes:
    packed: bytes = identifiers.values.to_numpy().astype("<u8").tobytes()
    return packed
