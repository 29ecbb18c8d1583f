"""Which request is made, in whose name, and what a 401 leads to; the far side is a real socket."""

import asyncio
import contextlib
import socket
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.bulk_api import BulkApi
from schemas.batches import Answer, NeverSent, NoAnswer
from schemas.errors import CredentialsError, JobError, Unreachable
from schemas.job import Destination, Limits

BASIC = {"basic": {"till": "till.1", "password": "pw"}}
OAUTH = {"oauth": {"key": "my-key", "secret": "my-s3cret"}}
BODY = b'[{"profiles":[]}]'
TOKENS = '{"data":{"accessToken":"t-%d","ttlSeconds":300}}'


class Api:
    """Notes (method, path, query, headers, body); answers customers by `status`, tokens with t-1, t-2, …"""

    def __init__(self, *statuses, token_status=200):
        self.statuses, self.token_status, self.seen, self.tokens = list(statuses), token_status, [], 0

    def answer(self, path):
        if path.endswith("/token/generate"):
            self.tokens += 1
            return self.token_status, TOKENS % self.tokens
        return (self.statuses.pop(0) if self.statuses else 200), "[]"

    async def __call__(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, target, _ = head.split(" ")
                url = urlsplit(target)
                self.seen.append((method, url.path, parse_qs(url.query), headers, body))
                status, text = self.answer(url.path)
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def served(api, story, **destination):
    """Run `story(client)` against `api`."""

    async def run():
        done = []

        async def serve(reader, writer):
            done.append(asyncio.current_task())
            await api(reader, writer)

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            try:
                async with BulkApi(Destination(**{"url": url, "auth": BASIC, **destination}), Limits()) as client:
                    return await story(client)
            finally:
                await asyncio.gather(*done)

    return asyncio.run(run())


def sent(**destination):
    api = Api()
    served(api, lambda client: client.send(BODY), **destination)
    return api.seen[-1]


@pytest.mark.parametrize(
    ("destination", "method", "path", "query"),
    [
        ({}, "PUT", "/v2/bulk", {"source": ["INSTORE"]}),
        ({"operation": "register"}, "POST", "/v2/customers/bulk", {"source": ["INSTORE"]}),
        (
            {"operation": "upsert"}, "POST", "/v2/integrations/customer/upsert/bulk",
            {"skipChangeIdentifier": ["false"], "source": ["INSTORE"]},
        ),
        (
            {"operation": "upsert", "query": {"skipChangeIdentifier": "true"}}, "POST",
            "/v2/integrations/customer/upsert/bulk", {"skipChangeIdentifier": ["true"], "source": ["INSTORE"]},
        ),
        ({"path": "/v2/customers/bulk"}, "PUT", "/v2/customers/bulk", {"source": ["INSTORE"]}),
        (
            {"source": "WECHAT", "account_id": "wx & 1", "query": {"use_async": "true"}}, "PUT", "/v2/bulk",
            {"source": ["WECHAT"], "accountId": ["wx & 1"], "use_async": ["true"]},
        ),
    ],
)  # fmt: skip
def test_operation_decides_method_path_and_query(destination, method, path, query):
    assert sent(**destination)[:3] == (method, path, query)


def test_body_leaves_as_it_was_given_with_its_headers():
    *_, headers, body = sent(
        auth=OAUTH,
        attribution={"type": "STORE_NAME", "code": "Köln 1"},
        headers={"X-CAP-DIRECT-REPLAY": "true"},
    )
    assert body == BODY
    assert {name: headers.get(name) for name in sorted(headers) if name not in ("host", "content-length")} == {
        "accept": "application/json",
        "accept-encoding": "gzip",
        "content-type": "application/json",
        "user-agent": "bulkload",
        "x-cap-api-attribution-entity-code": "Köln 1",
        "x-cap-api-attribution-entity-type": "STORE_NAME",
        "x-cap-api-oauth-token": "t-1",
        "x-cap-direct-replay": "true",
    }


@pytest.mark.parametrize(
    ("destination", "words"),
    [
        ({"url": "http://api.example"}, "in clear"),
        ({"url": "http://127.0.0.1.example"}, "in clear"),
        ({"url": "http://127.0.0.1@api.example"}, "nothing more"),
        ({"url": "https://api.example?x=1"}, "nothing more"),
        ({"url": "https://api.example:port"}, "nothing more"),
        ({"headers": {"authorization": "mine"}}, "destination.headers.authorization"),
        ({"headers": {"Content-Type": "text/csv"}}, "destination.headers.Content-Type"),
        ({"headers": {"X-Bad": "a\r\nX-Injected: 1"}}, "X-Bad"),
        ({"headers": {"two words": "1"}}, "no header name"),
        ({"query": {"source": "ALL"}}, "destination.source"),
        (
            {"attribution": {"code": "t1"}, "headers": {"x-cap-api-attribution-entity-code": "t2"}},
            "x-cap-api-attribution-entity-code",
        ),
    ],
)
def test_a_destination_that_cannot_be_is_refused(destination, words):
    with pytest.raises(JobError, match=words):
        BulkApi(Destination(**{"url": "https://api.example", "auth": BASIC, **destination}), Limits())


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:1", "https://a.example/"])
def test_http_is_for_this_machine_only(url):
    BulkApi(Destination(url=url, auth=BASIC), Limits())


def test_after_a_401_the_next_send_has_a_new_token():
    async def story(client):
        return [(await client.send(BODY)).status for _ in range(3)]

    api = Api(200, 401, 200)
    assert served(api, story, auth=OAUTH) == [200, 401, 200]
    used = [headers["x-cap-api-oauth-token"] for _, path, _, headers, _ in api.seen if path == "/v2/bulk"]
    assert used == ["t-1", "t-1", "t-2"]


def test_send_never_repeats_a_request():
    api = Api(500, 429, 503)

    async def story(client):
        return [(await client.send(BODY)).status for _ in range(3)]

    assert served(api, story) == [500, 429, 503]
    assert len(api.seen) == 3


def test_a_host_without_tokens_means_never_sent():
    got = served(Api(token_status=503), lambda client: client.send(BODY), auth=OAUTH)
    assert isinstance(got, NeverSent)
    assert got.why.startswith("no token: 127.0.0.1: makes no tokens now (HTTP 503)")


def test_a_key_that_became_wrong_stops_the_sender():
    api = Api(token_status=401)
    with pytest.raises(CredentialsError, match="CAPILLARY_KEY"):
        served(api, lambda client: client.send(BODY), auth=OAUTH)
    assert [path for _, path, *_ in api.seen] == ["/v3/oauth/token/generate"]


@pytest.mark.parametrize("status", [200, 403, 404, 500])
@pytest.mark.parametrize("auth", [BASIC, OAUTH])
def test_preflight_passes_without_sending_a_customer(auth, status):
    api = Api(status)
    served(api, lambda client: client.preflight(), auth=auth)
    assert {(method, path) for method, path, *_ in api.seen} <= {
        ("GET", "/v2/meta/sources"),
        ("POST", "/v3/oauth/token/generate"),
    }


@pytest.mark.parametrize(("auth", "words"), [(BASIC, "till and password"), (OAUTH, "key and secret")])
def test_preflight_tells_what_to_check_when_unknown(auth, words):
    with pytest.raises(CredentialsError, match=words):
        served(Api(401), lambda client: client.preflight(), auth=auth)


@pytest.mark.parametrize("auth", [BASIC, OAUTH])
def test_preflight_says_that_nobody_listens(auth):
    async def story(port):
        async with BulkApi(Destination(url=f"http://127.0.0.1:{port}", auth=auth), Limits()) as client:
            await client.preflight()

    with socket.socket() as taken, pytest.raises(Unreachable, match=r"^127\.0\.0\.1: connection refused$"):
        taken.bind(("127.0.0.1", 0))
        asyncio.run(story(taken.getsockname()[1]))


def test_a_cut_answer_leaves_the_body_in_doubt():
    class Cuts(Api):
        def answer(self, path):
            raise ConnectionResetError

    assert isinstance(served(Cuts(), lambda client: client.send(BODY)), NoAnswer)
    assert isinstance(served(Api(), lambda client: client.send(BODY)), Answer)
