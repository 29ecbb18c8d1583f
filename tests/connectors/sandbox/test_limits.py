"""How much at once: requests per window, rows and bytes per batch, one request per customer."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from connectors.sandbox.limits import Holds, RateLimit
from connectors.sandbox.settings import Settings


@pytest.mark.parametrize(
    ("window", "times", "waits"),
    [
        ("fixed", [58, 59, 59.5, 60, 61], [None, None, 0.5, None, None]),
        ("sliding", [58, 59, 59.5, 60, 118], [None, None, 58.5, 58.0, None]),
    ],
)
def test_a_window_admits_its_number_and_tells_the_wait(window, times, waits):
    clock = iter(times)
    limit = RateLimit(Settings(requests_per_minute=2, window=window), lambda: next(clock))
    assert [limit.wait_s("writes") for _ in times] == waits


def test_writes_and_reads_are_counted_apart(serve_with, one):
    served = serve_with(requests_per_minute=2, window="sliding")
    served.sandbox.preload(["C-1"])
    assert [served.send(one("C-1")).status_code for _ in range(3)] == [200, 200, 429]
    assert served.get("/v2/extendedFields").status_code == 200
    assert served.books.requests_by_status("/v2/bulk") == {200: 2, 429: 1}
    assert served.books.writes() == 2


@pytest.mark.parametrize(("told", "expected"), [(True, "60"), (False, None)])
def test_retry_after_is_told_or_not(serve_with, one, told, expected):
    served = serve_with(requests_per_minute=1, window="sliding", retry_after=told)
    served.send(one("C-1"))
    assert served.send(one("C-1")).headers.get("retry-after") == expected


def test_a_batch_past_the_limit_is_refused_whole(serve_with, one, codes):
    served = serve_with(max_batch=2)
    served.sandbox.preload(["C-1", "C-2", "C-3"])
    reply = served.send(one("C-1"), one("C-2"), one("C-3"))
    assert (reply.status_code, codes(reply.json())) == (400, [1060])
    assert served.books.writes() == 0


def test_a_body_past_the_limit_is_refused(serve_with, one):
    assert serve_with(max_body_bytes=100).send(one("C-1")).status_code == 413


def test_two_requests_for_one_customer_meet_521(serve_with, one, codes):
    """Known by the mobile in one request and by the external id in the other: still one customer."""
    served = serve_with(latency_s=0.5)
    served.sandbox.preload([{"externalId": "C-1", "mobile": "919800000001"}, "C-2"])
    with ThreadPoolExecutor(2) as pool:
        replies = list(
            pool.map(lambda batch: served.send(*batch), [[one("C-1")], [one(mobile="919800000001"), one("C-2")]])
        )
    refused = sorted(code for reply in replies for element in reply.json() for code in codes(element))
    assert refused == [521]
    assert served.books.writes_of("externalId", "C-1") == 1
    assert served.books.writes_of("externalId", "C-2") == 1


def test_a_customer_is_free_once_the_request_is_over():
    holds = Holds()
    free, taken = holds.take([{"a"}, {"b", "c"}])
    assert (free, holds.take([{"c"}, {"d"}])) == ([True, True], ([False, True], {"d"}))
    holds.release(taken)
    assert holds.take([{"c"}])[0] == [True]


def test_twice_in_one_batch_is_applied_in_turn(serve_with, one):
    served = serve_with(latency_s=0.01)
    served.sandbox.preload(["C-1"])
    first, second = one("C-1", profile={"firstName": "Asha"}), one("C-1", profile={"firstName": "Usha"})
    assert served.send(first, second).status_code == 200
    assert served.books.customer("externalId", "C-1").profiles[0].first_name == "Usha"
    assert served.books.written_twice()[0][1] == 2
