"""Faults on the wire: what the client sees, and what was applied all the same."""

import httpx
import pytest


@pytest.fixture
def batch(one):
    return [one(f"C-{number}", mobile=f"9198000000{number:02d}") for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("fault", "status", "kind", "writes"),
    [
        ("429", 429, "application/json", 0),
        ("500", 500, "application/json", 0),
        ("502", 502, "text/html", 0),
        ("503", 503, "text/html", 0),
        ("504", 504, "text/html", 0),
        ("503-auth", 503, "application/json", 0),
        ("500-after", 500, "application/json", 3),
        ("502-after", 502, "text/html", 3),
        ("503-after", 503, "text/html", 3),
        ("504-after", 504, "text/html", 3),
        ("500-applied", 500, "application/json", 3),
        ("html", 200, "text/html", 3),
        ("garbage", 200, "application/json", 3),
        ("truncated", 200, "application/json", 3),
    ],
)
def test_a_fault_answers_and_applies_as_named(plain, batch, fault, status, kind, writes):
    before = plain.books.writes()
    reply = plain.send(*batch, fault=fault)
    assert (reply.status_code, reply.headers["content-type"].split(";")[0]) == (status, kind)
    assert plain.books.writes() - before == writes
    assert reply.headers["x-cap-request-id"]


@pytest.mark.parametrize(
    ("fault", "error", "writes"),
    [
        ("lost", httpx.RemoteProtocolError, 3),
        ("reset-after", httpx.ReadError, 3),
        ("reset-before", httpx.ReadError, 0),
    ],
)
def test_a_connection_ends_without_an_answer(plain, batch, fault, error, writes):
    before = plain.books.writes()
    with pytest.raises(error):
        plain.send(*batch, fault=fault)
    assert plain.books.writes() - before == writes


@pytest.mark.parametrize(("fault", "writes"), [("stall", 3), ("stall-before", 0)])
def test_a_stall_lasts_until_the_client_gives_up(plain, batch, fault, writes, eventually):
    before = plain.books.writes()
    with pytest.raises(httpx.ReadTimeout):
        plain.client.put("/v2/bulk?source=INSTORE", json=batch, headers={"X-Sandbox-Fault": fault}, timeout=0.2)
    assert eventually(lambda: plain.books.writes() - before == writes)


def test_a_slow_write_is_applied_after_the_client_gave_up(plain, one, eventually):
    with pytest.raises(httpx.ReadTimeout):
        plain.client.put(
            "/v2/bulk?source=INSTORE", json=[one("C-8")], headers={"X-Sandbox-Fault": "slow=0.5"}, timeout=0.1
        )
    assert plain.books.writes_of("externalId", "C-8") == 0
    assert eventually(lambda: plain.books.writes_of("externalId", "C-8") == 1)


@pytest.mark.parametrize(("fault", "told"), [("429=7", "7"), ("503=30", "30"), ("429", None)])
def test_a_refusal_says_when_to_come_back(plain, batch, fault, told):
    assert plain.send(*batch, fault=fault).headers.get("retry-after") == told


def first_ids(reply):
    return [
        next(i["value"] for i in element["profiles"][0]["identifiers"] if i["type"] == "externalId")
        for element in reply.json()
    ]


def test_a_short_reply_misses_its_last_element(plain, batch):
    assert first_ids(plain.send(*batch, fault="short")) == ["C-1", "C-2"]


def test_a_shuffled_reply_has_another_order(plain, batch):
    assert first_ids(plain.send(*batch, fault="shuffled")) == ["C-2", "C-3", "C-1"]


def test_an_empty_error_is_neither_error_nor_success(plain, batch):
    assert [element["errors"] for element in plain.send(*batch, fault="empty-error").json()] == [[{}]] * 3


def test_an_upserts_envelope_is_broken_too(plain, batch):
    path = "/v2/integrations/customer/upsert/bulk?source=INSTORE"
    reply = plain.post(*batch, path=path, fault="short").json()
    assert (len(reply["response"]), reply["totalCount"]) == (2, 3)


def test_points_fail_while_the_customer_is_saved(plain, one, points, codes):
    reply = plain.send(one("C-9", profile={"firstName": "Asha"}, **points(50)), fault="points-failed").json()
    assert codes(reply[0], "warnings") == [19223]
    assert plain.books.customer("externalId", "C-9").profiles[0].first_name == "Asha"
    assert plain.books.points_of("externalId", "C-9") == []


def test_an_unknown_fault_in_a_header_is_told(plain, one):
    reply = plain.send(one("C-1"), fault="5o2")
    assert reply.status_code == 400
    assert "'5o2' is not known; allowed are 429" in reply.text


def test_flags_strike_writes_until_they_are_used_up(serve_with, one):
    served = serve_with(faults=("502:2",))
    served.sandbox.preload(["C-1"])
    look_up = {"identifierName": "externalId", "identifierValue": "C-1"}
    assert served.get("/v2/customers/lookup", **look_up).status_code == 200
    assert [served.send(one("C-1")).status_code for _ in range(3)] == [502, 502, 200]
