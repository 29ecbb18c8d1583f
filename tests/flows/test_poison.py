"""One row, one size or one token that spoils requests costs as little as can be, and nothing twice."""

import asyncio
import threading
import time
from itertools import pairwise

import pytest

from connectors.bulk_api import BulkApi
from connectors.transport import Wire
from schemas.batches import Answer

pytestmark = pytest.mark.usefixtures("impatient")


def ended(seen):
    """When the request's answer was ready, of the sandbox's clock."""
    return seen.at_s + seen.took_s


def bulk_requests(desk):
    return sorted(desk.books.requests("/v2/bulk"))


@pytest.mark.parametrize(
    ("settings", "refused"),
    [({"max_batch": 2}, {400: 3}), ({"max_body_bytes": 700}, {413: 3})],  # of 10, 5 and 3 rows; 2 fit
    ids=["1060", "413"],
)
def test_a_size_that_was_refused_is_not_tried_again(desk_with, settings, refused):
    desk = desk_with(**settings)
    desk.source(40)
    run = desk.run(limits={"rows_per_request": 10, "in_flight": 1})
    assert (run.exit_code, run.sent) == (0, {"accepted": 40})
    statuses = desk.books.requests_by_status("/v2/bulk")
    assert {status: count for status, count in statuses.items() if status != 200} == refused
    assert desk.agrees(run)


def test_four_refused_tokens_in_flight_cost_one_new_token(desk, monkeypatch):
    """The token ends when four requests have taken it along; each of them meets 401, and none is an attempt."""
    count, everybody, exchange = 0, asyncio.Event(), Wire.exchange

    async def together(wire, method, url, *more, **named):
        nonlocal count
        if url.path == "/v2/bulk":
            count += 1
            if count == 5:
                desk.sandbox.auth.revoke_all()
                everybody.set()
            if 2 <= count <= 5:
                await everybody.wait()
        return await exchange(wire, method, url, *more, **named)

    monkeypatch.setattr(Wire, "exchange", together)
    desk.source(60)
    run = desk.run(limits={"in_flight": 4, "attempts": 1})
    assert (run.exit_code, run.sent) == (0, {"accepted": 60})
    assert desk.books.requests_by_status("/v2/bulk") == {200: 12, 401: 4}
    tokens = sorted(seen.at_s for seen in desk.books.requests("/token"))
    assert len([at_s for at_s in tokens if at_s > bulk_requests(desk)[0].at_s]) == 1
    assert desk.agrees(run)


def test_busy_customers_go_one_by_one_when_all_others_are_done(desk_with):
    """Three rows of three batches are answered 521, the first time alone as well, and are free after that."""
    desk = desk_with(latency_s=0.02)
    desk.source(30)
    busy = {"externalId:C-2", "externalId:C-12", "externalId:C-30"}
    desk.sandbox.holds.take([busy])

    def free() -> None:
        while len(desk.books.requests("/v2/bulk")) < 6 + 3:
            time.sleep(0.002)
        desk.sandbox.holds.release(busy)

    freeing = threading.Thread(target=free)
    freeing.start()
    run = desk.run(limits={"in_flight": 4, "attempts": 50})
    freeing.join()
    assert (run.exit_code, run.sent) == (0, {"accepted": 30})
    batches, retries = bulk_requests(desk)[:6], bulk_requests(desk)[6:]
    assert len(retries) >= 6
    assert max(seen.body_bytes for seen in retries) < min(seen.body_bytes for seen in batches) / 3  # one row each
    assert max(map(ended, batches)) <= retries[0].at_s
    assert [after for before, after in pairwise(retries) if after.at_s < ended(before)] == []
    assert desk.agrees(run)


def test_the_batches_before_the_busy_ones_did_overlap(desk_with):
    """Else the test above would find no overlap whatever the code did."""
    desk = desk_with(latency_s=0.05)
    desk.source(30)
    desk.run(limits={"in_flight": 4})
    seen = bulk_requests(desk)
    assert [after for before, after in pairwise(seen) if after.at_s < ended(before)] != []


@pytest.mark.parametrize("latency_s", [0.0, 0.01])
def test_rows_of_one_request_that_are_all_busy_are_all_sent_again(desk_with, latency_s):
    desk = desk_with(latency_s=latency_s)
    desk.source(5)
    busy = {f"externalId:C-{n}" for n in range(1, 6)}
    desk.sandbox.holds.take([busy])
    freeing = threading.Timer(0.2, lambda: desk.sandbox.holds.release(busy))
    freeing.start()
    run = desk.run(limits={"attempts": 50})
    freeing.join()
    assert (run.exit_code, run.sent) == (0, {"accepted": 5})
    assert desk.agrees(run)


def test_a_batch_put_off_as_a_whole_goes_after_its_neighbours(desk, monkeypatch):
    """C-6 to C-10, once: the API does not say which of them it is busy with."""
    send, put_off = BulkApi.send, []
    busy = b'{"errors":[{"status":false,"code":521,"message":"concurrent actions"}]}'

    async def first_put_off(api, body, on_leaving=None):
        if b'"C-6"' in body and not put_off:
            put_off.append(body)
            return Answer(521, busy)
        return await send(api, body, on_leaving)

    monkeypatch.setattr(BulkApi, "send", first_put_off)
    desk.source(30)
    run = desk.run(limits={"in_flight": 4, "attempts": 2})
    assert (run.exit_code, run.sent) == (0, {"accepted": 30})
    by_time = sorted(desk.results(run), key=lambda row: row["answered_at_utc"])
    assert [row["line"] for row in by_time[-5:]] == [7, 8, 9, 10, 11]
    assert desk.agrees(run)
