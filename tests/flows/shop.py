"""A shop's database for the desk: customers C-1, C-2, … with the minute of 1 March 2026 that each was changed in."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from connectors.ledger import Ledger
from tests.flows.conftest import Desk, Outcome, merged

QUERY = "select member_no, phone, first_name, updated_at from customers where updated_at > :since"
SYNC: dict[str, Any] = {
    "mode": "sync",
    "map": {"loyaltyProgramEnrollments": None},
    "limits": {"in_flight": 1},
}


def minute(number: int) -> str:
    """As a watermark says it."""
    return f"2026-03-01T{number // 60:02}:{number % 60:02}:00+00:00"


@dataclass
class Shop:
    """A DuckDB file beside the job file."""

    desk: Desk

    def __post_init__(self) -> None:
        self.sql("create table customers (member_no text, phone text, first_name text, updated_at timestamptz, id int)")

    def sql(self, statement: str) -> None:
        with duckdb.connect(str(self.desk.folder / "shop.duckdb")) as database:
            database.execute("set TimeZone = 'UTC'")
            database.execute(statement)

    def write(self, changed: Mapping[int, int | None], name: str = "Asha") -> None:
        """Customers by number, each with its minute."""
        times = {number: "null" if at is None else f"timestamptz '{minute(at)}'" for number, at in changed.items()}
        rows = [f"('C-{number}', '98450{number:05}', '{name}', {when}, {number})" for number, when in times.items()]
        self.sql(f"delete from customers where id in ({', '.join(map(str, changed))})")
        self.sql(f"insert into customers values {', '.join(rows)}")
        self.desk.sandbox.preload(f"C-{number}" for number in changed)

    def job(self, query: str = QUERY, column: str = "updated_at", overlap: str | None = "0s", **over: Any) -> str:
        """A job that reads customers by this query."""
        since = {"column": column} | ({"overlap": overlap} if overlap else {})
        table = {"files": None, "database": "duckdb:///shop.duckdb", "query": query, "since": since}
        return self.desk.job(**merged(merged(SYNC, {"source": {"customers": table}}), over))

    def run(self, *words: str, **over: Any) -> Outcome:
        return self.desk("run", self.job(**over), *words)

    def read(self, outcome: Outcome) -> list[int]:
        """The numbers of the customers whom a run read, in its order."""
        return read_by(self.desk, outcome)

    def stands(self, table: str = "customers") -> str | None:
        """The watermark that the next run goes by."""
        return stands(self.desk, table)


def read_by(desk: Desk, outcome: Outcome) -> list[int]:
    rows = list[str]()
    for path in sorted((desk.of(outcome) / "rows").glob("*.arrow")):
        with pa.memory_map(str(path)) as file:
            rows += pa.ipc.open_file(file).read_all().column("0").to_pylist()
    return [int(member.removeprefix("C-")) for member in rows]


def stands(desk: Desk, table: str = "customers") -> str | None:
    memory = f"e2e {desk.sandbox.url} INSTORE"
    with contextlib.closing(Ledger(desk.home / "ledger.sqlite")) as ledger:
        found = ledger.watermark(memory, table)
    return found and found[1].value
