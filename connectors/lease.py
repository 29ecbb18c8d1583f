"""The lease: who may write results and send, with a token that grows by one at each taking.

A process that slept through its lease and wakes up finds another's token, and cannot write any more.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from connectors.ledger_file import LedgerFile, LedgerStopped
from connectors.ledger_tables import IllegalMove, leases, microseconds, moment
from schemas.errors import WrongInput

HOST = socket.gethostname()


class LeaseHeld(WrongInput):
    """Another run sends there; nothing was sent."""


class LeaseLost(LedgerStopped):
    """Another run took the lease over: this process may neither write nor send any more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a lease, or was the last to hold it: `until_utc` is None once it was given back."""

    name: str
    token: int
    run: str
    host: str
    pid: int
    taken_at_utc: datetime
    until_utc: datetime | None

    @property
    def holder(self) -> str:
        """The holder as people are told of it."""
        return f"run {self.run} (process {self.pid} on {self.host}, since {self.taken_at_utc:%Y-%m-%d %H:%M:%S} UTC)"


_taken = insert(leases)
_FREE = (leases.c.until_us.is_(None)) | (leases.c.until_us <= _taken.excluded.taken_at_us)
_COLUMNS = ("run", "host", "pid", "taken_at_us", "until_us")
_TAKE = _taken.on_conflict_do_update(
    index_elements=[leases.c.name],
    set_={name: _taken.excluded[name] for name in _COLUMNS} | {"token": leases.c.token + 1},
    where=_FREE | ((leases.c.host == _taken.excluded.host) & sa.bindparam("alone_here", type_=sa.Boolean)),
).returning(leases.c.token)
_OURS = (leases.c.name == sa.bindparam("of_name")) & (leases.c.token == sa.bindparam("of_token"))
_UNTIL = sa.update(leases).where(_OURS)
_IS_OURS = sa.select(leases.c.token).where(_OURS)


class Leased(LedgerFile):
    """A ledger that, once it has taken a lease, writes only while nobody else took it."""

    _held: dict[str, Any] | None = None

    def take_lease(self, name: str, run: str, now_utc: datetime, for_s: float, *, alone_here: bool = False) -> int:
        """Hold a lease and return its token; `alone_here` when no live process of this machine can hold it.

        Raises:
            LeaseHeld: another run has it, until it gives it back, lets it run out, or is proven dead.
        """
        if self._held is not None:
            raise IllegalMove(f"{name}: this ledger holds a lease already")
        now_us = microseconds(now_utc)
        values = {"name": name, "token": 1, "run": run, "host": HOST, "pid": os.getpid(), "taken_at_us": now_us}
        values |= {"until_us": now_us + _microseconds(for_s), "alone_here": alone_here}
        with self._transaction() as connection:
            token = connection.scalar(_TAKE, values)
        if token is None:
            raise self.held_by_another(name)
        self._held = {"of_name": name, "of_token": token}
        return int(token)

    def renew_lease(self, now_utc: datetime, for_s: float) -> None:
        """Hold the lease for so long from now on.

        Raises:
            LeaseLost: another run has taken it.
        """
        with self._writing() as connection:
            until_us = microseconds(now_utc) + _microseconds(for_s)
            connection.execute(_UNTIL, {**(self._held or {}), "until_us": until_us})

    def release_lease(self) -> None:
        """Give the lease back, for anybody to take; a lost one is not given back, and still forbids writing."""
        with self._transaction() as connection:
            given_back = connection.execute(_UNTIL, {**(self._held or {}), "until_us": None}).rowcount
        if given_back:
            self._held = None

    def lease(self, name: str) -> Lease | None:
        """A lease as it stands; None if nobody ever held it."""
        with self._reading() as connection:
            return _lease_of(connection, name)

    def held_by_another(self, name: str) -> LeaseHeld:
        """What to tell who was refused."""
        lease = self.lease(name)
        holder = lease.holder if lease is not None and lease.until_utc is not None else "another process"
        return LeaseHeld(f"{holder} is sending to the same place ({name}), and one at a time may; wait for its end")

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """A transaction that is begun only while the lease, if one was taken, is still ours."""
        with self._transaction() as connection:
            if self._held is not None and connection.scalar(_IS_OURS, self._held) is None:
                name = self._held["of_name"]
                lease = _lease_of(connection, name)
                by = lease.holder if lease is not None else "somebody"
                raise LeaseLost(f"{by} took over ({name}): this process stood still for too long, and sends no more")
            yield connection


def _lease_of(connection: sa.Connection, name: str) -> Lease | None:
    row = connection.execute(sa.select(leases).where(leases.c.name == name)).one_or_none()
    if row is None:
        return None
    until_utc = None if row.until_us is None else moment(row.until_us)
    return Lease(row.name, row.token, row.run, row.host, row.pid, moment(row.taken_at_us), until_utc)


def _microseconds(length_s: float) -> int:
    return timedelta(seconds=length_s) // timedelta(microseconds=1)
