"""Reads of one customer: what the API has of them, for rows in doubt and for rows that are checked.

Look-ups share the API's allowance with everything else: each request waits for its own turn. What cannot be read
is a value; nothing is tried again but a 401, once, with a new token.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from itertools import pairwise
from typing import TypeVar

import msgspec

from connectors.bulk_api import BulkApi
from connectors.throttle import Turn
from schemas.batches import Answer
from schemas.job import Destination
from schemas.lookups import Credit, Customer, Entry, LedgerPage, Loyalty, Seen, Wanted
from schemas.replies import Sent, stated

DETAILS_PATH = "/v2/customers/lookup/customerDetails"
LOYALTY_PATH = "/v2/customers/lookup/loyaltyDetails"
LEDGER_PATH = "/v2/pointsLedger/getCustomerLedgerInfo"
PAGE = 10  # entries; the vendor's pages disagree whether more are allowed
PAGES_MAX = 5
NOT_FOUND = {"816", "1011", "1012", "8009", "8015", "8065"}
# Of the caller and their calls; other statuses below 500 may carry the API's own word on a customer.
_NO_WORD = {401, 403, 407, 408, 429}
# Gives the next turn of the pacer; None when the run stops and nothing more may leave.
Turns = Callable[[], Awaitable[Turn | None]]
Told = TypeVar("Told", Loyalty, LedgerPage)


class _Stopping(Exception):
    """No turn was given."""


class _Unreadable(Exception):
    def __init__(self, why: str, retry_after_s: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.retry_after_s = retry_after_s


class CustomerReads:
    """Reads customers as one job's destination knows them; `requests` counts what left."""

    def __init__(self, api: BulkApi, destination: Destination, turns: Turns) -> None:
        self._api = api
        self._turns = turns
        account = {"accountId": destination.account_id} if destination.account_id else {}
        self._where = {"source": destination.source, **account}
        self.requests = 0

    async def see(self, wanted: Wanted) -> Seen | None:
        """Read one customer; None when a turn was not given, because the run stops.

        Raises:
            CredentialsError: the API does not know the key any more.
        """
        try:
            return await self._see(wanted)
        except _Stopping:
            return None
        except _Unreadable as trouble:
            return Seen(None, trouble.why, retry_after_s=trouble.retry_after_s)

    async def _see(self, wanted: Wanted) -> Seen:
        seen = await self._customer(wanted)
        if seen.customer is None or not (wanted.programmes or wanted.points):
            return seen
        who = seen.customer.customer_id
        if who is None:
            raise _Unreadable("no_id")
        programmes = await self._programmes(who)
        if not wanted.points:
            return replace(seen, programmes=programmes)
        since_utc = seen.earliest(wanted.sent_at_utc)
        credits = None if since_utc is None else await self._credits(who, since_utc)
        return replace(seen, programmes=programmes, credits=credits)

    async def _customer(self, wanted: Wanted) -> Seen:
        """Ask until somebody is found; where points are at stake also who else could have got them.

        The API may have left out an identifier that it did not like, and have written to a customer whom the
        others lead to.
        """
        customer: Customer | None = None
        ahead_s: float | None = None
        elsewhere = False
        for kind, value in wanted.identifiers:
            if customer is not None and (not wanted.points or not _lacks(customer, ((kind, value),))):
                continue
            answer = await self._get(DETAILS_PATH, kind, value)
            ahead_s = answer.ahead_s if ahead_s is None else ahead_s
            told = _customer(answer)
            if customer is not None and told is not None:
                elsewhere |= told.customer_id != customer.customer_id
            customer = customer or told
        may_be = elsewhere or (None if _lacks(customer, wanted.unaskable) else False)
        return Seen(customer is not None, customer=customer, elsewhere=may_be, ahead_s=ahead_s)

    async def _programmes(self, who: str) -> frozenset[str]:
        loyalty = _decoded(await self._get(LOYALTY_PATH, "id", who), Loyalty)
        return frozenset(str(row.program_id) for row in loyalty.data)

    async def _credits(self, who: str, since_utc: datetime) -> tuple[Credit, ...] | None:
        """Credits since then, and perhaps older ones; None where so few pages do not reach back so far.

        The ledger's offset counts pages; should it count entries, pages overlap, and none is left out either.
        """
        entries: dict[Entry, None] = {}
        for number in range(PAGES_MAX):
            query = {"ledgerEntryType": "CREDIT", "order": "DESC", "limit": str(PAGE), "offset": str(number)}
            page = _decoded(await self._get(LEDGER_PATH, "id", who, query), LedgerPage)
            entries |= dict.fromkeys(page.ledger_entries)
            pages = page.ledger_details.page_count if page.ledger_details else None
            is_last = len(page.ledger_entries) < PAGE and (pages is None or number + 1 >= pages)
            if is_last or _reaches_back(page.ledger_entries, since_utc):
                return _credits_of(entries)
        return None

    async def _get(self, path: str, kind: str, value: str, more: Mapping[str, str] | None = None) -> Answer:
        """One request in its turn; whatever is not the API's own word on the customer raises."""
        query = {**self._where, "identifierName": kind, "identifierValue": value, **(more or {})}
        answer = await self._once(path, query)
        if answer.status == 401:
            answer = await self._once(path, query)
        if answer.status in _NO_WORD or answer.status >= 500 or 300 <= answer.status < 400:
            raise _Unreadable(f"http_{answer.status}", answer.retry_after_s)
        return answer

    async def _once(self, path: str, query: Mapping[str, str]) -> Answer:
        turn = await self._turns()
        if turn is None:
            raise _Stopping
        answer = await self._api.read(path, query, partial(self._leave, turn))
        if not isinstance(answer, Answer):
            raise _Unreadable("no_answer")
        return answer

    def _leave(self, turn: Turn) -> None:
        self.requests += 1
        turn.left()


def _lacks(customer: Customer | None, identifiers: Sent) -> bool:
    """Whether the customer is not known by all of these, as they are spelled."""
    known = {(one.type, str(one.value)) for one in customer.known_by} if customer else set()
    return not known.issuperset(identifiers)


def _decoded(answer: Answer, shape: type[Told]) -> Told:
    try:
        told = msgspec.json.decode(answer.body, type=shape)
    except (ValueError, RecursionError):
        raise _Unreadable("unknown_shape") from None
    errors = stated(told.errors)
    if errors or answer.status >= 400:
        raise _Unreadable(errors[0].number if errors else f"http_{answer.status}")
    return told


def _customer(answer: Answer) -> Customer | None:
    """The customer; None when the API says that there is none."""
    try:
        told = msgspec.json.decode(answer.body, type=Customer)
    except (ValueError, RecursionError):
        raise _Unreadable("unknown_shape") from None
    codes = {problem.number for problem in stated(told.errors)}
    if codes and codes <= NOT_FOUND and told.customer_id is None:
        return None
    if codes or answer.status >= 400 or not told.profiles:
        raise _Unreadable(min(codes, default=f"http_{answer.status}"))
    return told


def _reaches_back(entries: Iterable[Entry], since_utc: datetime) -> bool:
    """The page is older than that at its end, and newest first, so that what follows is older still."""
    times = [at for entry in entries if (at := entry.at_utc) is not None]
    return bool(times) and times[-1] < since_utc and all(one >= next_one for one, next_one in pairwise(times))


def _credits_of(entries: Iterable[Entry]) -> tuple[Credit, ...] | None:
    """None where an entry has no time that can be compared, or no number of points."""
    credits: list[Credit] = []
    for entry in entries:
        if entry.at_utc is None:
            return None
        for detail in entry.entry_details:
            try:
                points = Decimal(str(detail.points))
                is_credit = detail.ledger_entry_type == "CREDIT" and points > 0
            except InvalidOperation:
                return None
            if is_credit:
                credits.append(Credit(str(detail.program_id), points, entry.at_utc))
    return tuple(credits)
