"""The sandbox's SQLite database: customers, what finds them, and a ledger of everything applied.

One connection serves the server's thread and the reader's; `lock` keeps a reader out of an open transaction.
Nothing survives a power cut (`synchronous = off`): this is a stand-in, and its speed must not be the limit.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from connectors.sandbox.records import Record, decode_record, encode_record

SCHEMA = """
pragma journal_mode = wal;
pragma synchronous = off;
pragma temp_store = memory;
pragma cache_size = -65536;
create table if not exists customers (
    id          integer primary key,
    record      blob not null,
    merged_into integer not null default 0   -- 0: alive
);
create table if not exists identifiers (
    key         text primary key,            -- 'mobile:919800000011'
    customer_id integer not null
) without rowid;
create table if not exists writes (          -- one row per time a customer was written to
    customer_id integer not null,
    request_id  text not null
);
create table if not exists credits (         -- one row per time loyaltyPoints was applied
    id          integer primary key,
    customer_id integer not null,            -- moves to the survivor of a merge
    entered_for integer not null,            -- never moves
    program_id  integer not null,
    points      integer not null,
    credited_at real not null,
    request_id  text not null
);
create index if not exists credits_customer on credits (customer_id);
create table if not exists merges (
    victim_id   integer primary key,
    survivor_id integer not null,
    request_id  text not null
);
"""
# Question marks, not json_each(): twice as fast, and batches of one size share one prepared statement.
IDS_OF_KEYS = "select key, customer_id from identifiers where key in ({})"
RECORDS = "select record from customers where id in ({})"
MAX_VARIABLES = 10_000
UPSERT = """insert into customers values (?, ?, ?)
            on conflict (id) do update set record = excluded.record, merged_into = excluded.merged_into"""


class Store:
    """The tables, read and written in whole batches."""

    def __init__(self, database: str = ":memory:") -> None:
        self.lock = threading.RLock()
        self._db = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self._db.executescript(SCHEMA)
        self._last_id = max(self.number("select coalesce(max(id), 0) from customers"), 7_000_000)

    def close(self) -> None:
        """Close the connection; a second time does nothing."""
        with self.lock:
            self._db.close()

    def rows(self, sql: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self.lock:
            return self._db.execute(sql, list(values)).fetchall()

    def number(self, sql: str, values: Iterable[Any] = ()) -> int:
        """The one number a query answers with; 0 for null."""
        return int(self.rows(sql, values)[0][0] or 0)

    def new_id(self) -> int:
        """The next customer's id."""
        self._last_id += 1
        return self._last_id

    def owners(self, keys: Iterable[str]) -> dict[str, int]:
        """Which customer each known key leads to."""
        return dict(self._rows_in(IDS_OF_KEYS, keys))

    def records(self, ids: Iterable[int]) -> dict[int, Record]:
        """The records of those of the ids that exist."""
        found = [decode_record(row[0]) for row in self._rows_in(RECORDS, ids)]
        return {record.id: record for record in found}

    def _rows_in(self, sql: str, values: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
        remaining = iter(values)
        while some := list(islice(remaining, MAX_VARIABLES)):
            yield from self.rows(sql.format(",".join("?" * len(some))), some)

    def write(self, statements: Mapping[str, list[tuple[Any, ...]]]) -> None:
        """Run each statement over its rows, all in one transaction, in order."""
        with self.lock:
            self._db.execute("begin")
            try:
                for sql, rows in statements.items():
                    if rows:
                        self._db.executemany(sql, rows)
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")


class Unit:
    """One request's work: loads its customers at once, changes them in memory, writes them at once.

    Two elements of one batch see each other's changes, in order.
    """

    def __init__(self, store: Store, request_id: str, now_s: float) -> None:
        self.store = store
        self.request_id = request_id
        self.now_s = now_s
        self.owner: dict[str, int] = {}
        self._records: dict[int, Record] = {}
        self._changed: dict[int, None] = {}
        self._added: dict[str, int] = {}
        self._freed: list[tuple[str]] = []
        self._writes: list[tuple[int, str]] = []
        self._credits: list[tuple[int, int, int, int, float, str]] = []
        self._merges: list[tuple[int, int, str]] = []

    def load(self, keys: Iterable[str]) -> None:
        """Load whoever these keys lead to."""
        self.owner.update(self.store.owners(keys))
        self._records.update(self.store.records(set(self.owner.values()) - self._records.keys()))

    def record(self, customer_id: int) -> Record:
        """One customer, loaded now if they were not."""
        if customer_id not in self._records:
            self._records.update(self.store.records([customer_id]))
        return self._records[customer_id]

    def create(self) -> Record:
        """A new customer without anything."""
        record = Record(id=self.store.new_id())
        self._records[record.id] = record
        return record

    def lead(self, key: str, record: Record) -> None:
        """Let a key lead to a customer from now on."""
        if self.owner.get(key) != record.id:
            self.owner[key] = self._added[key] = record.id
        if key not in record.keys:
            record.keys.append(key)

    def free(self, key: str, record: Record) -> None:
        """Let a key lead to nobody: an upsert replaced the identifier."""
        self.owner.pop(key, None)
        self._added.pop(key, None)
        if key in record.keys:
            record.keys.remove(key)
        self._freed.append((key,))

    def wrote(self, record: Record) -> None:
        """Count one applied write of this customer."""
        self._changed[record.id] = None
        self._writes.append((record.id, self.request_id))

    def touch(self, record: Record) -> None:
        """Save a change that is no write of its own: a family tie, a merge."""
        self._changed[record.id] = None

    def credit(self, record: Record, program_id: int, points: int) -> None:
        """Enter points into the ledger; nothing ever takes them out."""
        self._credits.append((record.id, record.id, program_id, points, self.now_s, self.request_id))

    def merge(self, victim: Record, survivor: Record) -> None:
        """Record that one customer became another; credits follow the survivor."""
        self._credits = [(survivor.id if c[0] == victim.id else c[0], *c[1:]) for c in self._credits]
        self._merges.append((victim.id, survivor.id, self.request_id))
        self._changed[victim.id] = self._changed[survivor.id] = None

    def flush(self) -> None:
        """Write everything in one transaction; all of the request, or nothing."""
        changed = [self._records[customer_id] for customer_id in self._changed]
        self.store.write(
            {
                "delete from identifiers where key = ?": self._freed,
                UPSERT: [(record.id, encode_record(record), record.merged_into) for record in changed],
                "insert or replace into identifiers values (?, ?)": list(self._added.items()),
                "insert into writes values (?, ?)": self._writes,
                "insert into credits values (null, ?, ?, ?, ?, ?, ?)": self._credits,
                "insert into merges values (?, ?, ?)": self._merges,
                "update credits set customer_id = ? where customer_id = ?": [
                    (survivor, victim) for victim, survivor, _ in self._merges
                ],
            }
        )
