"""A run of delivery in milliseconds: the real flow, ledger and look-up; an API and a clock that are made up.

A schedule is a seed. It decides what the API does to each request (loses, refuses, delays, half-believes it) and
when the process dies. After each step of the API the laws are checked; `Books` is the truth.
"""

import asyncio
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.batches import Answer, NeverSent, NoAnswer, Sending

STARTED_UTC = datetime(2026, 3, 1, tzinfo=UTC)
PROGRAMME = 1016
AHEAD_S = 7200.0  # the API's clock of ours


class Killed(BaseException):
    """kill -9: nothing of the process runs any more."""


class LawBroken(AssertionError):
    """A customer was written to twice, or a family out of its order or twice at once."""


@dataclass
class Customer:
    """What the API holds of one."""

    name: str
    modified_at_utc: datetime
    credits: list[tuple[int, datetime]] = field(default_factory=list)  # points, when they can be seen


@dataclass
class World:
    """What outlives a process: the API's customers and the clock."""

    known: Mapping[str, Customer]
    chance: random.Random
    loop_time: Callable[[], float] = lambda: 0.0
    spent_s: float = 0.0  # virtual seconds of processes that are over
    applied: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    kills_left: int = 0
    faults: float = 0.3  # share of writes that something happens to
    most_rows: int = 100
    lag_s: float = 0.0  # points can be seen only so long after they were credited
    unwell_until_s: float = -1.0
    late: list[tuple[float, list[dict[str, Any]]]] = field(default_factory=list)  # writes that the API works on yet
    families: Mapping[str, tuple[str, int]] = field(default_factory=dict)  # a customer's family, and when they may go
    at_work: Counter[str] = field(default_factory=Counter)  # families of requests in flight
    gone: dict[str, int] = field(default_factory=dict)  # the last wave of a family that was written
    left_in_doubt: set[str] = field(default_factory=set)  # when a later wave began; nobody can say when they went

    def now(self) -> datetime:
        return STARTED_UTC + timedelta(seconds=self.spent_s + self.loop_time())

    def catch_up(self) -> None:
        """What a silent server was still working on is done by now."""
        due = [elements for at_s, elements in self.late if at_s <= self.spent_s + self.loop_time()]
        self.late = [one for one in self.late if one[0] > self.spent_s + self.loop_time()]
        for element in (element for elements in due for element in elements):
            for one in (element, *children_of(element)):
                if _key_of(one) in self.known:
                    self.apply(one)

    def enter(self, elements: list[dict[str, Any]]) -> list[str]:
        """A request arrives; the families it is about, to be left when it is done."""
        here = [self.families[key][0] for key in map(_key_of, elements) if key in self.families]
        self.at_work.update(here)
        if here and max(self.at_work.values()) > 1:
            raise LawBroken(f"two members of one family are under way at once: {self.at_work.most_common(1)}")
        return here

    def apply(self, element: dict[str, Any]) -> None:
        """What a write does to one customer. A second credit breaks the law, and so does one before its parent's."""
        key = _key_of(element)
        family, wave = self.families.get(key, (key, 0))
        gone = self.gone.get(family, 0)
        if wave < gone and key not in self.left_in_doubt:
            raise LawBroken(f"{key} of wave {wave} was written after wave {gone} of {family}")
        self.gone[family] = max(wave, gone)
        customer = self.known[key]
        customer.name, customer.modified_at_utc = element["profiles"][0]["firstName"], self.now()
        self.applied[key] += 1
        for enrolment in element.get("loyaltyProgramEnrollments", ()):
            customer.credits.append((enrolment["loyaltyPoints"], self.now() + timedelta(seconds=self.lag_s)))
        if self.applied[key] > 1:
            raise LawBroken(f"{key} was written {self.applied[key]} times, credits {len(customer.credits)}")


def _key_of(element: dict[str, Any]) -> str:
    return str(element["profiles"][0]["identifiers"][0]["value"])


def children_of(element: dict[str, Any]) -> list[dict[str, Any]]:
    children: list[dict[str, Any]] = element.get("associationDetails", {}).get("childCustomers", [])
    return children


FAULTS = (
    "never", "cut", "lost", "late", "502", "502-after", "500-after", "503-auth", "429", "429-wait", "garbage",
    "short", "shuffled", "empty-error", "401", "refused-rows", "busy-rows", "busy-whole", "whole-refused",
    "unwell", "kill",
    "kill-after",
    "parents-only", "children-only", "children-short", "children-shuffled", "children-silent", "children-vague",
)  # fmt: skip


@dataclass
class SimulatedApi:
    """Stands where `connectors.bulk_api.BulkApi` stands."""

    world: World

    async def answers(self, on_leaving: Callable[[], object] | None = None) -> bool:
        """A probe."""
        await self._travel(on_leaving)
        return not self._unwell()

    async def send(self, body: bytes, on_leaving: Callable[[], object] | None = None) -> Sending:
        """One write, and what chance makes of it."""
        world = self.world
        world.requests += 1
        elements = json.loads(body)
        here = world.enter(elements)
        try:
            return await self._send(elements, on_leaving)
        finally:
            world.at_work.subtract(here)

    async def _send(self, elements: list[dict[str, Any]], on_leaving: Callable[[], object] | None) -> Sending:
        world, chance = self.world, self.world.chance
        fault = chance.choice(FAULTS) if chance.random() < world.faults else ""
        if fault == "never":
            return NeverSent("connection refused")
        if fault == "kill":
            self._kill()
        await self._travel(on_leaving)
        if fault == "unwell":
            world.unwell_until_s = world.loop_time() + chance.uniform(1, 400)
        if self._unwell():
            return Answer(502, b"<html>bad gateway</html>")
        if len(elements) > world.most_rows:
            return _answer(400, {"errors": [_problem(1060)]})
        return await self._met(fault, elements)

    async def _met(self, fault: str, elements: list[dict[str, Any]]) -> Sending:
        if fault in _NOTHING_APPLIED:
            return _NOTHING_APPLIED[fault]
        if fault == "whole-refused":
            return _answer(400, {"errors": [_problem(400)]})
        if fault == "late":
            self.world.late.append(
                (self.world.spent_s + self.world.loop_time() + self.world.chance.uniform(0.1, 4.0), elements)
            )
            return NoAnswer("the server was silent")
        echoes = [self._applied(fault, element) for element in elements]
        if fault == "kill-after":
            self._kill()
        await asyncio.sleep(self.world.chance.uniform(0.0, 0.05))
        return _told(fault, echoes)

    def _applied(self, fault: str, element: dict[str, Any]) -> dict[str, Any]:
        echo = _echo(element)
        if _key_of(element) not in self.world.known:
            return echo | {"errors": [_problem(8009)]}
        if fault in ("refused-rows", "busy-rows") and self.world.chance.random() < 0.5:
            return echo | {"errors": [_problem(1001 if fault == "refused-rows" else 521)]}
        if fault != "children-only":
            self.world.apply(element)
        if not children_of(element) or fault == "parents-only":
            return echo
        children = [self._applied_child(fault, child) for child in children_of(element)]
        if not any(child["errors"] for child in children) and self.world.chance.random() < 0.2:
            return echo  # not a word of them
        return echo | {"associationDetails": {"childCustomers": _told_of_children(fault, children)}}

    def _applied_child(self, fault: str, child: dict[str, Any]) -> dict[str, Any]:
        echo = _echo(child)
        if _key_of(child) not in self.world.known:
            return echo | {"errors": [_problem(1621)]}
        if fault in ("refused-rows", "busy-rows") and self.world.chance.random() < 0.5:
            return echo | {"errors": [_problem(1626 if fault == "refused-rows" else 521)]}
        self.world.apply(child)
        return echo

    def _kill(self) -> None:
        if self.world.kills_left:
            self.world.kills_left -= 1
            raise Killed

    def _unwell(self) -> bool:
        return self.world.loop_time() < self.world.unwell_until_s

    async def _travel(self, on_leaving: Callable[[], object] | None) -> None:
        if on_leaving is not None:
            on_leaving()
        await asyncio.sleep(self.world.chance.uniform(0.005, 0.2))
        self.world.catch_up()

    async def read(
        self, path: str, query: Mapping[str, str], on_leaving: Callable[[], object] | None = None
    ) -> Sending:
        """A look-up: customer, programmes or credits."""
        await self._travel(on_leaving)
        world = self.world
        if self._unwell() or world.chance.random() < world.faults / 6:
            return Answer(502, b"<html>bad gateway</html>")
        asked = query["identifierValue"]
        key = asked if query["identifierName"] == "externalId" else list(world.known)[int(asked) - 1]
        customer = world.known.get(key)
        if customer is None:
            return self._answer(400, {"errors": [_problem(8015)]})
        seen = [(points, at) for points, at in customer.credits if at <= world.now()]
        what = path.rsplit("/", 1)[-1]
        if what == "customerDetails":
            return self._answer(200, _details(1 + list(world.known).index(key), key, customer))
        if what == "loyaltyDetails":
            return self._answer(200, {"data": [{"programId": PROGRAMME}] if customer.credits else []})
        entries = [_entry(*one) for one in reversed(seen)]
        return self._answer(200, {"ledgerEntries": entries, "ledgerDetails": {"pageCount": 1}})

    def _answer(self, status: int, body: object) -> Answer:
        """With the server's clock, in whole seconds as `Date` has it; it is hours ahead of ours."""
        ahead_s = math.floor(self.world.now().timestamp() + AHEAD_S) - self.world.now().timestamp()
        return Answer(status, json.dumps(body).encode(), request_id="req", ahead_s=ahead_s)


def _details(number: int, key: str, customer: Customer) -> dict[str, Any]:
    modified = (customer.modified_at_utc + timedelta(seconds=AHEAD_S)).isoformat(timespec="seconds")
    profile = {
        "firstName": customer.name,
        "identifiers": [{"type": "externalId", "value": key}],
        "source": "INSTORE",
        "attribution": {"modifiedDate": modified},
    }
    return {"id": number, "profiles": [profile], "loyaltyInfo": {"loyaltyType": "loyalty"}, "warnings": []}


def _entry(points: int, at_utc: datetime) -> dict[str, Any]:
    return {
        "eventLogId": 1,
        "eventName": "CustomerUpdate",
        "ledgerCreatedDateISO": (at_utc + timedelta(seconds=AHEAD_S)).isoformat(timespec="seconds"),
        "entryDetails": [{"ledgerEntryType": "CREDIT", "programId": PROGRAMME, "points": f"{points}.000"}],
        "netPointsOnEvent": f"{points}.000",
    }


def _problem(code: int) -> dict[str, Any]:
    return {"status": False, "code": code, "message": f"code {code}"}


def _answer(status: int, body: object) -> Answer:
    return Answer(status, json.dumps(body).encode(), request_id="req")


_NOTHING_APPLIED: dict[str, Sending] = {
    "cut": NoAnswer("connection reset"),
    "502": Answer(502, b"<html>bad gateway</html>"),
    "503-auth": _answer(503, {"errors": [{"code": 503, "message": "authorization status unavailable"}]}),
    "429": Answer(429, b"{}"),
    "429-wait": Answer(429, b"{}", retry_after_s=3.0),
    "401": Answer(401, b"{}"),
    "busy-whole": _answer(521, {"errors": [_problem(521)]}),
}


def _echo(element: dict[str, Any]) -> dict[str, Any]:
    return {"profiles": [{"identifiers": element["profiles"][0]["identifiers"]}], "errors": [], "warnings": []}


def _told_of_children(fault: str, children: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answer's list of one family's children."""
    if fault == "children-silent":
        return [child | {"profiles": []} for child in children]
    if fault == "children-vague":
        return [child | {"errors": [{}]} for child in children]
    return {"children-short": children[1:], "children-shuffled": children[::-1]}.get(fault, children)


_LOST: dict[str, Sending] = {
    "parents-only": NoAnswer("connection closed before an answer"),
    "children-only": NoAnswer("connection closed before an answer"),
    "lost": NoAnswer("connection closed before an answer"),
    "502-after": Answer(502, b"<html>bad gateway</html>"),
    "500-after": _answer(500, {}),
    "garbage": Answer(200, b"\x00\xff"),
}


def _told(fault: str, echoes: list[dict[str, Any]]) -> Sending:
    """The answer to what was applied."""
    if fault in _LOST:
        return _LOST[fault]
    if fault == "empty-error":
        echoes = [echo | {"errors": [{}]} for echo in echoes]
    told = {"short": echoes[:-1], "shuffled": echoes[::-1]}
    return _answer(200, told.get(fault, echoes))
