"""Who may call, and with what: tokens that expire, passwords, methods, content types."""

import json
from base64 import b64encode, urlsafe_b64decode
from hashlib import md5 as new_md5

import httpx
import pytest

from connectors.sandbox.settings import Org

GENERATE = "/v3/oauth/token/generate"
KEYS = {"key": "demo", "secret": "demo-secret"}


def md5(password):
    return new_md5(password.encode()).hexdigest()


def basic(till, password):
    return "Basic " + b64encode(f"{till}:{password}".encode()).decode()


def with_token(served, token):
    return served.client.get("/v2/extendedFields", headers={"X-CAP-API-OAUTH-TOKEN": token}).status_code


def test_a_token_opens_the_api_and_names_its_org(plain):
    told = plain.client.post(GENERATE, json=KEYS, auth=None).json()
    token = told["data"]["accessToken"]
    claims = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))
    assert (told["errors"], told["data"]["ttlSeconds"], claims["org_id"]) == (None, 300, 100458)
    assert with_token(plain, token) == 200


def test_a_wrong_secret_gets_no_token(plain):
    reply = plain.client.post(GENERATE, json=KEYS | {"secret": "guess"})
    assert reply.status_code == 401
    assert reply.json()["errors"][0]["message"] == "Failed to generate OAuth token"


def test_an_expired_token_is_refused(serve_with, eventually):
    served = serve_with(faults=("expiry=0.4",))
    token = served.client.post(GENERATE, json=KEYS).json()["data"]["accessToken"]
    assert with_token(served, token) == 200
    assert eventually(lambda: with_token(served, token) == 401)


def test_revoked_tokens_are_refused_at_once(plain):
    token = plain.client.post(GENERATE, json=KEYS).json()["data"]["accessToken"]
    plain.sandbox.auth.revoke_all()
    assert with_token(plain, token) == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": basic("till.hq", md5("demo-password"))}, 200),
        ({"Authorization": basic("till.hq", "demo-password")}, 401),  # the password itself
        ({"Authorization": basic("till.nowhere", md5("demo-password"))}, 401),
        ({"Authorization": "Basic %%%"}, 401),
        ({"Authorization": "Bearer abc"}, 401),
    ],
)
def test_only_the_passwords_md5_is_a_password(plain, headers, status):
    assert httpx.get(f"{plain.sandbox.url}/v2/extendedFields", headers=headers).status_code == status


def test_a_reader_may_not_write(serve_with, one):
    served = serve_with(org=Org(read_only=frozenset({"till.hq"})))
    assert served.get("/v2/extendedFields").status_code == 200
    assert served.send(one("C-1")).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "content_type", "status"),
    [
        ("PUT", "/v2/customers", "application/json", 404),
        ("DELETE", "/v2/bulk", "application/json", 405),
        ("PUT", "/v2/bulk", "text/csv", 415),
    ],
)
def test_a_wrong_call_is_told_in_json(plain, method, path, content_type, status):
    reply = plain.client.request(method, path, content="[]", headers={"Content-Type": content_type})
    assert (reply.status_code, reply.json()["errors"][0]["code"]) == (status, status)
    assert reply.headers["x-cap-request-id"]


@pytest.mark.parametrize("body", ["[", "{}", "[]", "[1]", '[{"profiles": "none"}]', "\u00ff"])
def test_a_bad_body_gets_400_and_an_empty_object(plain, body):
    reply = plain.client.put("/v2/bulk", content=body.encode("latin-1"), headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()) == (400, {})


def test_an_unknown_attribution_till_refuses_every_element(plain, one, codes):
    headers = {"X-CAP-API-ATTRIBUTION-ENTITY-CODE": "till.nowhere"}
    reply = plain.client.put("/v2/bulk?source=INSTORE", json=[one("C-1"), one("C-2")], headers=headers)
    assert [codes(element) for element in reply.json()] == [[1004], [1004]]


def test_attribution_lookup_headers_come_together(plain, codes):
    reply = plain.client.get("/v2/extendedFields", headers={"X-CAP-API-ATTRIBUTION-LOOKUP": "till.hq"})
    assert (reply.status_code, codes(reply.json())) == (400, [1061])
