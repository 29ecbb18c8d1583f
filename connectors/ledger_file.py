"""The ledger's file: for its owner's eyes only, durable at every commit, and its troubles told in words."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from connectors.durable import keep_entries, make_folder
from connectors.ledger_schema import upgrade
from schemas.errors import Stopped, WrongInput

BUSY_S = 30.0  # another process of this machine is writing; its transactions take milliseconds


class LedgerStopped(Stopped):
    """The ledger cannot be written (disk full, locked, gone): nothing may be sent any more."""


class LedgerFile:
    """The database at a path, made if there is none, and its transactions."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = open_engine(path)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        with told_plainly(self._path), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with told_plainly(self._path), self._engine.connect() as connection:
            yield connection.execution_options(reading=True)


def open_engine(path: Path) -> sa.Engine:
    """The file made if there is none: for its owner's eyes only, and durable at every commit."""
    try:
        make_folder(path.parent)
    except OSError as error:
        raise WrongInput(f"{path.parent}: cannot be the home: {error.strerror}; choose another --home") from None
    with told_plainly(path):
        is_new = not path.exists()
        # SQLite gives its -wal and -shm files the mode of the database.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
        if is_new:
            keep_entries(path.parent)
    # Without an isolation level the driver opens no transactions of its own; it would open them too late.
    how = {"timeout": BUSY_S, "isolation_level": None}
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), connect_args=how)
    event.listen(engine, "connect", _as_we_need_it)
    event.listen(engine, "begin", _begin)
    try:
        with told_plainly(path), engine.begin() as connection:
            upgrade(connection, path)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _as_we_need_it(dbapi: Any, _record: object) -> None:
    # What is deleted is overwritten: who was forgotten must not be found in the file's free pages.
    for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on", "secure_delete = on"):
        dbapi.execute(f"pragma {pragma}").close()


def _begin(connection: sa.Connection) -> None:
    # A reader that turns writer can fail half-way; writers say so at once.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("begin" if reading else "begin immediate")


@contextmanager
def told_plainly(path: Path) -> Iterator[None]:
    """Turn what the database says about its file into what to do."""
    try:
        yield
    except (exc.DBAPIError, sqlite3.DatabaseError, OSError) as error:
        why = getattr(error, "orig", error)
        if type(why) is sqlite3.DatabaseError:  # its own kinds are narrower: this one means the file
            raise WrongInput(f"{path}: {why}; move it away to start a new ledger") from None
        if isinstance(why, sqlite3.OperationalError | OSError):
            raise LedgerStopped(f"{path}: {why}; nothing is sent without it; then: bulkload resume") from None
        raise
