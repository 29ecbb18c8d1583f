"""What is read of a customer and in how many requests; the far side is a real socket that says what it is told."""

import asyncio
import contextlib
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.bulk_api import BulkApi
from connectors.lookup import DETAILS_PATH, LEDGER_PATH, LOYALTY_PATH, CustomerReads
from connectors.throttle import Pacer
from schemas.job import Destination, Limits
from schemas.lookups import Credit, Wanted

NOW = datetime.now(UTC).replace(microsecond=0)
SENT_AT = NOW - timedelta(seconds=30)
E, M, LINE = ("externalId", "C-1"), ("mobile", "919800000011"), ("line", "L-1")
NOBODY = 400, {"errors": [{"status": False, "code": 8015, "message": "Customer not found"}]}
ENROLLED = 200, {"data": [{"programId": 1016}], "errors": []}


def customer(*known_by, number=7001, **rest):
    identifiers = [{"type": kind, "value": value} for kind, value in known_by]
    return 200, {"id": number, "profiles": [{"source": "INSTORE", "identifiers": identifiers}], **rest}


def entry(number, at, points="100.000", programme=1016, kind="CREDIT", **more):
    return {
        "eventLogId": number,
        "ledgerCreatedDateISO": at.isoformat(),
        "entryDetails": [{"ledgerEntryType": kind, "points": points, "programId": programme}],
        **more,
    }


def ledger(*entries):
    return 200, {"ledgerEntries": list(entries)}


class Api:
    """Answers by `said(path, query)` with a status and JSON or bytes; notes (path, query) of every request."""

    def __init__(self, said, *, date=True):
        self.said, self.seen, self.date = said, [], date

    async def __call__(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                url = urlsplit(head.split(" ")[1])
                query = {name: value for name, (value,) in parse_qs(url.query).items()}
                self.seen.append((url.path, query))
                status, told = self.said(url.path, query)
                body = told if isinstance(told, bytes) else json.dumps(told).encode()
                date = f"Date: {format_datetime(NOW, usegmt=True)}\r\n" if self.date else ""
                retry = "Retry-After: 7\r\n" if status == 429 else ""
                head = f"HTTP/1.1 {status} X\r\n{date}{retry}Content-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    @property
    def paths(self):
        return [path.rsplit("/", 1)[1] for path, _ in self.seen]


def wanted(*identifiers, unaskable=(), programmes=False, points=False):
    return Wanted(identifiers or (E,), tuple(unaskable), programmes or points, points, SENT_AT)


def look(api, what, *, turns=None, clock=NOW.timestamp, **destination):
    """(what was seen, how many requests left)."""

    async def run():
        done = []

        async def serve(reader, writer):
            done.append(asyncio.current_task())
            await api(reader, writer)

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            auth = {"basic": {"till": "till.1", "password": "pw"}}
            place = Destination(**{"url": url, "auth": auth, **destination})
            try:
                async with BulkApi(place, Limits(timeout_s=2), clock=clock) as client:
                    reads = CustomerReads(client, place, turns or Pacer(60_000).turn)
                    return await reads.see(what), reads.requests
            finally:
                await asyncio.gather(*done)

    return asyncio.run(run())


def by_path(details, loyalty=ENROLLED, booked=None):
    answers = {DETAILS_PATH: details, LOYALTY_PATH: loyalty, LEDGER_PATH: booked or ledger()}
    return lambda path, query: answers[path]


def by_identifier(**answers):
    """Details by the identifier's type; nobody else is found, and nothing is booked."""
    others = by_path(NOBODY)
    return lambda path, query: (
        answers.get(query["identifierName"], NOBODY) if path == DETAILS_PATH else others(path, query)
    )


def test_one_request_shows_a_customer_without_programmes():
    api = Api(by_path(customer(E, extendedFields={"city": "Pune"})))
    seen, requests = look(api, wanted(), source="WECHAT", account_id="wx-1")
    assert (seen.found, seen.customer.customer_id, seen.customer.extended_fields) == (True, "7001", {"city": "Pune"})
    assert (seen.programmes, seen.credits, seen.ahead_s, requests) == (None, None, 0.0, 1)
    where = {"source": "WECHAT", "accountId": "wx-1"}
    assert api.seen == [(DETAILS_PATH, where | {"identifierName": "externalId", "identifierValue": "C-1"})]


def test_programmes_and_credits_are_read_by_the_customers_id():
    api = Api(by_path(customer(E), booked=ledger(entry(1, NOW), entry(2, NOW, "7", kind="DEBIT"))))
    seen, requests = look(api, wanted(points=True))
    assert (seen.programmes, seen.credits) == ({"1016"}, (Credit("1016", Decimal(100), NOW),))
    assert api.paths == ["customerDetails", "loyaltyDetails", "getCustomerLedgerInfo"]
    assert [(query["identifierName"], query["identifierValue"]) for _, query in api.seen[1:]] == [("id", "7001")] * 2
    assert requests == 3


def test_an_enrolment_without_points_needs_no_ledger():
    api = Api(by_path(customer(E)))
    assert look(api, wanted(programmes=True))[0].programmes == {"1016"}
    assert api.paths == ["customerDetails", "loyaltyDetails"]


def test_nobody_is_not_found_before_every_identifier_was_asked_for():
    api = Api(by_identifier())
    assert look(api, wanted(E, M))[0].found is False
    assert [query["identifierName"] for _, query in api.seen] == ["externalId", "mobile"]


def test_whom_the_first_identifier_does_not_find_the_next_one_may():
    seen, _ = look(Api(by_identifier(mobile=customer(M))), wanted(E, M))
    assert (seen.found, seen.customer.customer_id) == (True, "7001")


@pytest.mark.parametrize(
    ("answers", "elsewhere", "requests"),
    [
        ({"externalId": customer(E, M)}, False, 3),
        ({"externalId": customer(E)}, False, 4),
        ({"externalId": customer(E), "mobile": customer(E)}, False, 4),
        ({"externalId": customer(E), "mobile": customer(M, number=7002)}, True, 4),
    ],
)
def test_points_make_it_ask_who_else_has_the_rows_identifiers(answers, elsewhere, requests):
    seen, left = look(Api(by_identifier(**answers)), wanted(E, M, points=True))
    assert (seen.elsewhere, left) == (elsewhere, requests)
    assert look(Api(by_identifier(**answers)), wanted(E, M))[1] == 1


@pytest.mark.parametrize(
    ("answer", "elsewhere"), [(customer(E, LINE), False), (customer(E), None), (NOBODY, None)]
)  # fmt: skip
def test_an_identifier_that_cannot_be_asked_by_may_lead_elsewhere(answer, elsewhere):
    seen, _ = look(Api(by_identifier(externalId=answer)), wanted(E, unaskable=[LINE], points=True))
    assert seen.elsewhere is elsewhere


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((429, {"errors": [{"code": 429}]}), "http_429"),
        ((401, b""), "http_401"),
        ((403, b"{}"), "http_403"),
        ((404, {}), "http_404"),
        ((302, b""), "http_302"),
        ((500, {"errors": [{"code": 8015}]}), "http_500"),
        ((502, b"<html>"), "http_502"),
        ((400, {}), "http_400"),
        ((400, {"errors": [{"code": 8109}]}), "8109"),
        ((400, {"errors": [{"code": 8015}, {"code": 1061}]}), "1061"),
        ((200, b"<html>"), "unknown_shape"),
        ((200, b'[{"id": 7001}]'), "unknown_shape"),
        ((200, b'{"id": 7001, "profiles": "x"}'), "unknown_shape"),
        ((200, b"[" * 100_000), "unknown_shape"),
        ((200, {"id": 7001}), "http_200"),
        ((200, {"id": 7001, "profiles": [{}], "errors": [{"code": 8015}]}), "8015"),
        ((200, {"errors": [{}]}), "no_code"),
    ],
)
def test_what_is_not_the_apis_word_on_the_customer_is_unreadable(answer, why):
    seen, _ = look(Api(lambda path, query: answer), wanted())
    assert (seen.found, seen.customer, seen.why) == (None, None, why)


@pytest.mark.parametrize("status", [200, 400, 404])
@pytest.mark.parametrize("code", [8015, "8065", 1012])
def test_the_api_says_in_several_ways_that_there_is_nobody(status, code):
    assert look(Api(lambda path, query: (status, {"errors": [{"code": code}]})), wanted())[0].found is False


@pytest.mark.parametrize("path", [LOYALTY_PATH, LEDGER_PATH])
@pytest.mark.parametrize(
    "answer", [(500, b""), (200, {}), NOBODY, (200, {"data": [], "ledgerEntries": [], "errors": [{}]})]
)
def test_a_part_that_cannot_be_read_makes_all_unreadable(path, answer):
    plain = by_path(customer(E))
    seen, _ = look(Api(lambda asked, query: answer if asked == path else plain(asked, query)), wanted(points=True))
    assert seen.found is None


def test_a_server_that_is_silent_or_gone_is_unreadable():
    def gone(path, query):
        raise ConnectionResetError

    seen, requests = look(Api(gone), wanted())
    assert (seen.found, seen.why, requests) == (None, "no_answer", 1)


def test_a_servers_wish_to_wait_is_told():
    assert look(Api(lambda path, query: (429, b"{}")), wanted())[0].retry_after_s == 7.0


def test_a_401_is_tried_once_more():
    answers = [(401, b""), customer(E)]
    assert look(Api(lambda path, query: answers.pop(0)), wanted())[1] == 2


def test_each_request_waits_for_its_turn_and_nothing_leaves_without():
    given = Counter()

    async def two_turns():
        given["asked"] += 1
        return await Pacer(60_000).turn() if given["asked"] <= 2 else None

    api = Api(by_path(customer(E)))
    assert look(api, wanted(points=True), turns=two_turns) == (None, 2)
    assert api.paths == ["customerDetails", "loyaltyDetails"]


# The ledger


def paged(entries, *, size=10, counts_pages=True, details=True):
    """The ledger in pages, whatever its offset counts."""
    plain = by_path(customer(E))

    def said(path, query):
        if path != LEDGER_PATH:
            return plain(path, query)
        start = int(query["offset"]) * (size if counts_pages else 1)
        told = {"ledgerEntries": entries[start : start + size]}
        return 200, told | ({"ledgerDetails": {"pageCount": -(-len(entries) // size)}} if details else {})

    return said


def numbers(seen):
    return None if seen.credits is None else [int(credit.points) for credit in seen.credits]


def newest_first(count, spacing_s):
    return [entry(n, NOW - timedelta(seconds=n * spacing_s), str(n)) for n in range(1, count + 1)]


@pytest.mark.parametrize("counts_pages", [True, False])
@pytest.mark.parametrize("details", [True, False])
def test_pages_are_read_until_they_are_older_than_the_send(counts_pages, details):
    """The send was 30 s ago, and there is an entry every 2 s: the second page reaches back to it."""
    api = Api(paged(newest_first(100, 2), counts_pages=counts_pages, details=details))
    seen, requests = look(api, wanted(points=True))
    if counts_pages:
        assert numbers(seen) == list(range(1, 21))
        assert requests == 2 + 2
    else:
        # Entries instead of pages: five requests reach too short back, and that is said.
        assert numbers(seen) is None


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20])
def test_a_short_ledger_is_read_to_its_end(count):
    api = Api(paged(newest_first(count, 1)))
    assert numbers(look(api, wanted(points=True))[0]) == list(range(1, count + 1))


def test_a_ledger_of_many_young_entries_is_not_seen_through():
    api = Api(paged(newest_first(60, 0)))
    assert numbers(look(api, wanted(points=True))[0]) is None
    assert api.paths.count("getCustomerLedgerInfo") == 5


def test_a_ledger_in_another_order_is_read_to_its_end():
    oldest_first = newest_first(25, 10)[::-1]
    assert len(numbers(look(Api(paged(oldest_first)), wanted(points=True))[0])) == 25


def test_a_page_that_is_short_but_not_the_last_goes_on():
    """The API may take other kinds of entry out of a page after it was cut."""
    entries = newest_first(25, 1)
    plain = paged(entries)

    def said(path, query):
        status, told = plain(path, query)
        if path == LEDGER_PATH:
            told["ledgerEntries"] = told["ledgerEntries"][1:]
        return status, told

    assert len(numbers(look(Api(said), wanted(points=True))[0])) == 22


@pytest.mark.parametrize(
    "odd",
    [
        {"ledgerCreatedDateISO": "2026-03-01 12:00:00.0"},  # of which zone?
        {"ledgerCreatedDateISO": None},
        {"entryDetails": [{"ledgerEntryType": "CREDIT", "points": "many", "programId": 1016}]},
        {"entryDetails": [{"ledgerEntryType": "CREDIT", "points": None, "programId": 1016}]},
        {"entryDetails": [{"ledgerEntryType": "CREDIT", "points": "NaN", "programId": 1016}]},
    ],
)
def test_an_entry_that_cannot_be_compared_hides_the_ledger(odd):
    seen, _ = look(Api(by_path(customer(E), booked=ledger(entry(1, NOW) | odd))), wanted(points=True))
    assert (seen.found, seen.credits) == (True, None)


def test_the_older_date_serves_where_it_has_a_zone():
    only = entry(1, NOW, ledgerCreatedDate=NOW.isoformat()) | {"ledgerCreatedDateISO": None}
    assert numbers(look(Api(by_path(customer(E), booked=ledger(only))), wanted(points=True))[0]) == [100]


def test_a_server_that_does_not_tell_its_time_has_no_ledger_to_compare():
    seen, requests = look(Api(by_path(customer(E)), date=False), wanted(points=True))
    assert (seen.ahead_s, seen.credits, requests) == (None, None, 2)


def test_how_far_back_to_read_goes_by_the_servers_clock():
    """Ours is an hour slow: by it the send was an hour earlier than the server saw it."""
    api = Api(paged(newest_first(100, 3)))
    late = Wanted((E,), (), True, True, SENT_AT - timedelta(hours=1))
    seen, _ = look(api, late, clock=lambda: NOW.timestamp() - 3600)
    assert seen.ahead_s == 3600
    assert seen.earliest(late.sent_at_utc) == SENT_AT - timedelta(seconds=2)
    assert api.paths.count("getCustomerLedgerInfo") == 2
