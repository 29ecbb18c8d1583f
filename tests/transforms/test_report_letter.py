"""What Capillary's support is asked: enough to find each request, and nothing that they need not know."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.outcomes import Fate
from schemas.runs import DoubtfulRequest, Requests, RunReport, Totals
from transforms.report_letter import letter

SENT = datetime(2026, 2, 28, 23, 59, 58, 345_678, UTC)


def asked(*requests, destination="eu.api.capillarytech.com"):
    usual = {"run": "20260301-052858-nightly", "job": "nightly", "mode": "sync", "state": "done", "exit_code": 5}
    usual |= {"started": "", "finished": "", "operation": "update", "requests": Requests(), "requests_per_minute": 90}
    usual |= {"seconds": {}, "reasons": (), "changes": (), "origins": (), "ticks": ()}
    rows = {Fate.IN_DOUBT: sum(request.rows for request in requests)}
    totals = Totals(sum(rows.values()), rows, {}, {})
    return letter(RunReport(**usual, destination=destination, totals=totals, doubtful_requests=requests))


def request(number=1, request_id="r-1", rows=2, points=0):
    return DoubtfulRequest(number, SENT + timedelta(seconds=number), request_id, rows, points)


def test_a_letter_holds_facts_only():
    assert asked(request(1, "8f14e45f", rows=5, points=1250), request(4, "", rows=1, points=50)).splitlines() == [
        "Were these requests applied, and were points credited? We have no answer that says so.",
        "",
        "Host: eu.api.capillarytech.com",
        "Operation: bulk update",
        "Sent: 2026-02-28 23:59:59 to 2026-03-01 00:00:02 UTC",
        "In doubt: 6 customers in 2 requests, with 1,300 points",
        "",
        "- 2026-02-28 23:59:59.345 UTC, 5 customers, request id 8f14e45f",
        "- 2026-03-01 00:00:02.345 UTC, 1 customer, no request id was received",
    ]


def test_points_are_asked_for_only_where_there_are_any():
    assert "points" not in asked(request(points=0))


def test_one_request_has_one_time():
    assert "Sent: 2026-02-28 23:59:59 UTC" in asked(request()).splitlines()


def test_many_requests_are_listed_in_part():
    told = asked(*(request(number) for number in range(1, 73))).splitlines()
    assert [line for line in told if line.startswith("- ")][-1] == "- and 22 more; we can send their times and ids"
    assert "In doubt: 144 customers in 72 requests" in told
    assert len(told) == 7 + 50 + 1


def test_without_a_request_there_is_nothing_to_ask():
    assert asked() == ""


@pytest.mark.parametrize("hostile", ["a\nb", "a\x1b[2Jb", "```\n# a", "a\r\n\r\nb\u2028c"])
def test_what_servers_wrote_stays_on_its_line(hostile):
    told = asked(request(request_id=hostile), destination=hostile)
    assert len(told.splitlines()) == 8
    assert "`" not in told
    assert told.replace("\n", "").isprintable()
