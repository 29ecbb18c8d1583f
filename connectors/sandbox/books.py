"""What really happened, for tests and benchmarks: the truth that a loader's own account is held against."""

from collections import Counter, defaultdict
from typing import Any, NamedTuple

from connectors.sandbox.records import Record
from connectors.sandbox.store import Store

TOLD_MAX = 1000  # rows of a list in the JSON; counts are always whole


class RequestSeen(NamedTuple):
    """One request to the API, as it ended; status 0 when the connection ended without an answer."""

    at_s: float  # since 1970, when its headers had come in
    took_s: float
    method: str
    path: str
    status: int
    request_id: str
    body_bytes: int


class Credits(NamedTuple):
    """All points of one programme."""

    entries: int
    points: int
    customers: int


class Credited(NamedTuple):
    """A customer whom one programme credited more than once."""

    customer_id: int
    program_id: int
    times: int
    points: int


class Books:
    """Reads the sandbox's tables from any thread; every answer is of whole requests."""

    def __init__(self, store: Store, requests: list[RequestSeen]) -> None:
        self._store = store
        self._requests = requests

    def customers(self) -> int:
        """Customers who are nobody's victim."""
        return self._store.number("select count(*) from customers where merged_into = 0")

    def customer(self, kind: str, value: str) -> Record | None:
        """Whom an identifier leads to; the value in the form the API stores."""
        owner = self._store.owners([f"{kind}:{value}"])
        return next(iter(self._store.records(owner.values()).values()), None)

    def points_of(self, kind: str, value: str) -> list[tuple[int, int]]:
        """One customer's credits as (programme, points), in the order applied; survivors hold their victims'."""
        sql = "select program_id, points from credits where customer_id = ? order by id"
        record = self.customer(kind, value)
        return [] if record is None else [(row[0], row[1]) for row in self._store.rows(sql, [record.id])]

    def credits(self) -> dict[int, Credits]:
        """Entries, points and customers per programme."""
        sql = """select program_id, count(*), sum(points), count(distinct entered_for)
                 from credits group by program_id order by program_id"""
        return {row[0]: Credits(*row[1:]) for row in self._store.rows(sql)}

    def credited_twice(self) -> list[Credited]:
        """Customers credited more than once by one programme; merging alone puts nobody here."""
        sql = """select entered_for, program_id, count(*), sum(points)
                 from credits group by 1, 2 having count(*) > 1 order by 1, 2"""
        return [Credited(*row) for row in self._store.rows(sql)]

    def writes(self) -> int:
        """Applied writes, of all customers."""
        return self._store.number("select count(*) from writes")

    def writes_of(self, kind: str, value: str) -> int:
        """How often one customer was written to."""
        record = self.customer(kind, value)
        sql = "select count(*) from writes where customer_id = ?"
        return 0 if record is None else self._store.number(sql, [record.id])

    def customers_written(self) -> int:
        """Customers written to at least once."""
        return self._store.number("select count(distinct customer_id) from writes")

    def written_twice(self) -> list[tuple[int, int]]:
        """(customer id, times) of everybody written to more than once."""
        sql = "select customer_id, count(*) from writes group by 1 having count(*) > 1 order by 1"
        return [(row[0], row[1]) for row in self._store.rows(sql)]

    def merges(self) -> list[tuple[int, int]]:
        """(victim, survivor), by victim."""
        sql = "select victim_id, survivor_id from merges order by victim_id"
        return [(row[0], row[1]) for row in self._store.rows(sql)]

    def requests(self, path_part: str = "") -> list[RequestSeen]:
        """Requests to the API whose path contains this, in the order they ended; /sandbox/ is not among them."""
        return [seen for seen in list(self._requests) if path_part in seen.path]

    def requests_by_status(self, path_part: str = "") -> dict[int, int]:
        """How many requests ended with which status; 0 is no answer."""
        return dict(sorted(Counter(seen.status for seen in self.requests(path_part)).items()))

    def as_json(self, *, times: bool = False) -> dict[str, Any]:
        """All of it as GET /sandbox/books answers; `times` adds when each request came in, per path."""
        seen = self.requests()
        twice, written = self.credited_twice(), self.written_twice()
        told = {
            "customers": self.customers(),
            "writes": {
                "total": self.writes(),
                "customers": self.customers_written(),
                "customers_more_than_once": len(written),
                "more_than_once": [dict(zip(("customer", "times"), row, strict=True)) for row in written[:TOLD_MAX]],
            },
            "credits": {str(program): one._asdict() for program, one in self.credits().items()},
            "credited_twice": {"customers": len(twice), "rows": [row._asdict() for row in twice[:TOLD_MAX]]},
            "merges": [dict(zip(("victim", "survivor"), row, strict=True)) for row in self.merges()[:TOLD_MAX]],
            "requests": {
                "total": len(seen),
                "by_status": {str(status): n for status, n in self.requests_by_status().items()},
                "by_path": dict(sorted(Counter(f"{one.method} {one.path}" for one in seen).items())),
                "first_at_s": min((one.at_s for one in seen), default=None),
                "last_at_s": max((one.at_s for one in seen), default=None),
            },
        }
        if times:
            came: dict[str, list[float]] = defaultdict(list)
            for one in sorted(seen):
                came[one.path].append(one.at_s)
            told["request_times_s"] = came
        return told
