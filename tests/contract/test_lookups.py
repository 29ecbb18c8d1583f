"""Batches that met a fault are looked up in the sandbox, and what is concluded is what its books say.

Over real sockets: the batch leaves once, nobody believes its answer, and its customers are read twice.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from connectors.bulk_api import BulkApi
from connectors.lookup import CustomerReads
from connectors.sandbox.server import RunningSandbox, run_sandbox
from connectors.sandbox.settings import Settings
from connectors.throttle import Pacer
from schemas.job import Destination, Limits
from schemas.lookups import Judgement, Seen
from transforms.comparison import differences
from transforms.lookup import conclude, judge, wanted_of

AUTH = {"basic": {"till": "till.hq", "password": "demo-password"}}
APPLIED, LOSS, UNTOUCHED = "looked_up", "look_up.part_missing", "look_up.untouched"
NOT_SEEN = "look_up.credit_not_seen"
M = [f"91980000000{n}" for n in range(10)]


def row(number: int, *, points: int = 0, mobile: str | None = None, city: str | None = "Pune", **profile: Any) -> bytes:
    known_by = [{"type": "externalId", "value": f"C-{number}"}]
    known_by += [{"type": "mobile", "value": mobile}] if mobile else []
    sent: dict[str, Any] = {
        "profiles": [{"source": "INSTORE", "firstName": "Asha", "identifiers": known_by, **profile}],
        "loyaltyInfo": {"loyaltyType": "loyalty"},
    }
    sent |= {"extendedFields": {"city": city}} if city else {}
    sent |= {"loyaltyProgramEnrollments": [{"programId": 1016, "loyaltyPoints": points}]} if points else {}
    return msgspec.json.encode(sent)


@dataclass
class Desk:
    """A sandbox, and a clock of ours that may be wrong."""

    sandbox: RunningSandbox
    clock_off_s: float = 0.0
    operation: str = "update"

    def clock(self) -> float:
        return time.time() + self.clock_off_s

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)

    def ask(self, story: Callable[[BulkApi, CustomerReads], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            place = Destination(url=self.sandbox.url, auth=AUTH, operation=self.operation)
            async with BulkApi(place, Limits(timeout_s=2), clock=self.clock) as api:
                return await story(api, CustomerReads(api, place, Pacer(60_000).turn))

        return asyncio.run(run())

    def send(self, *rows: bytes) -> datetime:
        """Send one batch; when it left, by our clock."""
        at_utc = self.now()
        self.ask(lambda api, _: api.send(b"[" + b",".join(rows) + b"]"))
        return at_utc

    def see(self, payload: bytes, at_utc: datetime) -> Seen:
        wanted = wanted_of(payload, "externalId", at_utc)
        return self.ask(lambda _, reads: reads.see(wanted))

    def concluded(self, payload: bytes, at_utc: datetime) -> Judgement:
        return conclude(*(judge(payload, self.see(payload, at_utc), at_utc) for _ in range(2)))

    def codes(self, rows: list[bytes], at_utc: datetime) -> list[str]:
        return [self.concluded(payload, at_utc).code for payload in rows]

    def points_of(self, number: int) -> list[int]:
        return [points for _, points in self.sandbox.books.points_of("externalId", f"C-{number}")]


@pytest.fixture
def desk():
    """A desk at a sandbox of the test's own, with faults and settings, where C-1 to C-9 were before."""
    with ExitStack() as stack:

        def open_desk(*faults: str, clock_off_s: float = 0.0, operation: str = "update", **settings: Any) -> Desk:
            sandbox = stack.enter_context(run_sandbox(Settings(**settings), faults))
            sandbox.preload(f"C-{number}" for number in range(1, 10))
            return Desk(sandbox, clock_off_s, operation)

        yield open_desk


AFTER = ["lost", "reset-after", "502-after", "500-after", "html", "garbage", "truncated", "shuffled", "empty-error"]
BEFORE = ["reset-before", "502", "503", "504", "500"]


@pytest.mark.parametrize("fault", AFTER)
@pytest.mark.parametrize("points", [0, 40])
def test_a_batch_that_was_applied_is_found_applied(desk, fault, points):
    at = desk(f"{fault}:1")
    rows = [row(n, points=points) for n in (1, 2, 3)]
    assert at.codes(rows, at.send(*rows)) == [APPLIED] * 3
    assert [at.points_of(n) for n in (1, 2, 3)] == [[40] if points else []] * 3


@pytest.mark.parametrize("fault", BEFORE)
@pytest.mark.parametrize("points", [0, 40])
@pytest.mark.parametrize("number", [1, 11])  # there before, or new
def test_a_batch_that_was_not_applied_is_found_untouched(desk, fault, points, number):
    at = desk(f"{fault}:1", creates=True)
    rows = [row(number, points=points)]
    assert at.codes(rows, at.send(*rows)) == [UNTOUCHED]
    assert at.sandbox.books.writes() == 0


@pytest.mark.parametrize("operation", ["register", "upsert"])
@pytest.mark.parametrize(("fault", "code"), [("lost", APPLIED), ("reset-before", UNTOUCHED)])
def test_new_customers_are_found_or_not(desk, operation, fault, code):
    at = desk(f"{fault}:1", operation=operation)
    rows = [row(n, points=7, mobile=M[n - 11]) for n in (11, 12)]
    assert at.codes(rows, at.send(*rows)) == [code] * 2
    assert at.sandbox.books.customers_written() == (2 if code == APPLIED else 0)


@pytest.mark.parametrize("clock_off_s", [-19_800.0, 7_200.0])
@pytest.mark.parametrize(("fault", "code"), [("lost", APPLIED), ("reset-before", UNTOUCHED)])
def test_our_clock_may_be_hours_off(desk, clock_off_s, fault, code):
    at = desk(f"{fault}:1", clock_off_s=clock_off_s)
    rows = [row(1, points=40)]
    assert at.codes(rows, at.send(*rows)) == [code]


def test_points_that_are_booked_late_are_not_sent_again(desk):
    at = desk("lost:1", points_delay_s=3600)
    payload = row(1, points=40)
    at_utc = at.send(payload)
    early = judge(payload, at.see(payload, at_utc), at_utc)
    at.sandbox.settings = replace(at.sandbox.settings, points_delay_s=0.0)  # an hour later
    late = judge(payload, at.see(payload, at_utc), at_utc)
    assert (early.code, conclude(early, late).code) == (NOT_SEEN, APPLIED)


def test_a_customer_who_was_as_sent_before_tells_nothing_of_points(desk):
    """Applied or not, the profile looks the same: only the ledger tells, and its silence proves nothing."""
    at = desk()
    at.send(row(1))
    at.sandbox.set_faults(["reset-before"])
    payload = row(1, points=40)
    at.send(payload)
    assert at.concluded(payload, at.now() + timedelta(seconds=10)).code == NOT_SEEN
    assert at.points_of(1) == []


def test_points_that_failed_stay_with_a_person(desk):
    at = desk("points-failed")
    payload = row(1, points=40)
    assert at.concluded(payload, at.send(payload)).code == NOT_SEEN
    assert at.points_of(1) == []


def test_points_applied_with_a_part_dropped_are_a_loss(desk):
    at = desk("lost:1")
    payload = row(1, points=40, fields={"never_heard_of": "x"})
    at_utc = at.send(payload)
    assert at.concluded(payload, at_utc).code == LOSS
    assert differences(payload, at.see(payload, at_utc)) == ("fields.never_heard_of",)
    assert at.points_of(1) == [40]


def test_points_credited_twice_are_told(desk):
    at = desk("lost")
    payload = row(1, points=40)
    at_utc = at.send(payload)
    at.send(payload)
    assert at.concluded(payload, at_utc).code == "look_up.other_credits"
    assert at.points_of(1) == [40, 40]


def test_customers_whom_the_batch_merged_are_found_by_either(desk):
    """C-1 and C-2 become one; what the row says of them is there, and so are its points, once."""
    at = desk("lost:1")
    at.sandbox.preload([{"mobile": M[0]}])
    payload = row(1, points=40, mobile=M[0])
    assert at.concluded(payload, at.send(payload)).code == APPLIED
    assert len(at.sandbox.books.merges()) == 1
    assert at.points_of(1) == [40]


def test_points_are_not_sent_again_while_two_people_could_have_them(desk):
    """The mobile is another's: nothing was applied, but who would have got the points cannot be told."""
    at = desk("reset-before:1")
    at.sandbox.preload([{"mobile": M[0]}])
    payload = row(1, points=40, mobile=M[0])
    assert at.concluded(payload, at.send(payload)).code == "look_up.other_customer"


def test_a_new_customer_without_the_key_is_found_by_the_next_identifier(desk):
    """The organisation does not take this external id, and keeps the customer under the mobile alone."""
    at = desk("lost:1", operation="register")
    long = msgspec.json.decode(row(11, points=40, mobile=M[0]))
    long["profiles"][0]["identifiers"][0]["value"] = "C" * 256
    payload = msgspec.json.encode(long)
    assert at.concluded(payload, at.send(payload)).code == LOSS
    assert [points for _, points in at.sandbox.books.points_of("mobile", M[0])] == [40]


@pytest.mark.parametrize("fault", ["429@reads", "502@reads", "garbage@reads", "lost@reads", "503-auth@reads"])
def test_a_customer_who_cannot_be_read_stays_in_doubt(desk, fault):
    at = desk(fault, "lost:1")
    payload = row(1, points=40)
    assert at.concluded(payload, at.send(payload)).code == "look_up.unreadable"


def test_an_accepted_row_differs_in_what_the_api_left_out(desk):
    """The canary's question: nothing was in doubt, and is it there as it was sent?"""
    at = desk()
    rows = [row(1), row(2, lastName="x" * 100, fields={"remarks": "a", "unknown": "b"}), row(3, city="")]
    at_utc = at.send(*rows)
    assert [differences(payload, at.see(payload, at_utc)) for payload in rows] == [(), ("fields.unknown",), ()]
