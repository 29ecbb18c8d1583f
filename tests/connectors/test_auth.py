"""Tokens are made in time, once for all workers, and no secret is ever shown; the far side is a list of answers."""

import asyncio
import base64
import hashlib
import json
import traceback

import httpx
import pytest

from connectors.auth import TOKEN_HEADER, BasicLogin, TokenLogin, authenticator
from schemas.batches import Answer, NeverSent, NoAnswer
from schemas.errors import CredentialsError, Unreachable
from schemas.job import Auth, Basic, OAuth

OAUTH = OAuth(key="my-key", secret="my-s3cret")


class TokenService:
    """Answers in order, the last one again and again; remembers what it was asked."""

    base_url = httpx.URL("https://api.example")

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def exchange(self, method, url, headers, body):
        self.asked.append((method, url.path, json.loads(body)))
        await asyncio.sleep(0.01)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def token(name, ttl_s=300):
    body = {"data": {"accessToken": name, "ttlSeconds": ttl_s}, "errors": None}
    return Answer(200, json.dumps(body).encode())


def said_by(service, now=lambda: 0.0):
    return asyncio.run(TokenLogin(OAUTH, service, now).headers())


def test_a_token_is_asked_for_as_the_contract_says():
    service = TokenService(token("t-1"))
    assert said_by(service) == {TOKEN_HEADER: "t-1"}
    assert service.asked == [("POST", "/v3/oauth/token/generate", {"key": "my-key", "secret": "my-s3cret"})]


@pytest.mark.parametrize(
    ("ttl_s", "used_until_s"),
    [(300, 270), (3600, 3570), (100, 80), (60, 48), (10, 8)],  # max(80 %, ttl - 30 s)
)
def test_a_token_is_renewed_before_it_ends(ttl_s, used_until_s):
    async def story():
        seconds = [0.0]
        login = TokenLogin(OAUTH, TokenService(token("t-1", ttl_s), token("t-2", ttl_s)), lambda: seconds[0])
        used = []
        for seconds[0] in (0.0, used_until_s - 0.1, used_until_s):
            used.append((await login.headers())[TOKEN_HEADER])
        return used

    assert asyncio.run(story()) == ["t-1", "t-1", "t-2"]


def test_many_workers_make_one_token():
    async def story():
        service = TokenService(token("t-1"), token("t-2"))
        login = TokenLogin(OAUTH, service)
        used = await asyncio.gather(*(login.headers() for _ in range(20)))
        return used, len(service.asked)

    assert asyncio.run(story()) == ([{TOKEN_HEADER: "t-1"}] * 20, 1)


def test_workers_that_saw_one_stale_token_make_one_new_one():
    async def story():
        service = TokenService(token("t-1"), token("t-2"), token("t-3"))
        login = TokenLogin(OAUTH, service)
        stale = await login.headers()

        async def refused_worker(after_s):
            await asyncio.sleep(after_s)
            login.discard(stale)
            return (await login.headers())[TOKEN_HEADER]

        return await asyncio.gather(*(refused_worker(after_s) for after_s in (0.0, 0.005, 0.03, 0.05)))

    assert asyncio.run(story()) == ["t-2"] * 4


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer(401, b"{}"), CredentialsError, "HTTP 401"),
        (Answer(400, b'{"errors":[{"message":"Failed to generate OAuth token"}]}'), CredentialsError, "CAPILLARY_KEY"),
        (Answer(200, b'{"data":null,"errors":[{"code":1}]}'), CredentialsError, "CAPILLARY_SECRET"),
        (Answer(200, b"<html>"), CredentialsError, "made no token"),
        (token("two\nlines"), CredentialsError, "made no token"),
        (Answer(404, b""), Unreachable, "destination.host is not"),
        (Answer(302, b""), Unreachable, "destination.host is not"),
        (Answer(503, b""), Unreachable, "HTTP 503"),
        (Answer(429, b""), Unreachable, "try again later"),
        (NeverSent("connection refused"), Unreachable, "api.example: connection refused"),
        (NoAnswer("connection reset"), Unreachable, "connection reset"),
    ],
)
def test_no_token_is_told_with_what_to_check(answer, kind, words):
    with pytest.raises(kind, match=words) as caught:
        said_by(TokenService(answer))
    shown = "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in shown
    assert "my-key" not in shown


def test_a_failed_renewal_is_tried_again_by_the_next():
    async def story():
        login = TokenLogin(OAUTH, TokenService(Answer(503, b""), token("t-1")))
        with pytest.raises(Unreachable):
            await login.headers()
        return await login.headers()

    assert asyncio.run(story()) == {TOKEN_HEADER: "t-1"}


def test_a_cancelled_worker_leaves_the_token_to_others():
    async def story():
        login = TokenLogin(OAUTH, TokenService(token("t-1")))
        maker, waiter = asyncio.create_task(login.headers()), asyncio.create_task(login.headers())
        await asyncio.sleep(0.001)
        maker.cancel()
        return await waiter

    assert asyncio.run(story()) == {TOKEN_HEADER: "t-1"}


def test_basic_is_till_and_lower_case_md5_of_the_password():
    header = asyncio.run(BasicLogin(Basic(till="till.1", password="pässword")).headers())["Authorization"]
    digest = hashlib.md5("pässword".encode()).hexdigest()
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == f"till.1:{digest}"


@pytest.mark.parametrize("auth", [Auth(oauth=OAUTH), Auth(basic=Basic(till="till.1", password="my-s3cret"))])
def test_secrets_are_in_no_repr(auth):
    login = authenticator(auth, TokenService(token("t-1")))
    asyncio.run(login.headers())
    shown = repr(login) + repr(auth)
    assert not [secret for secret in ("s3cret", "my-key", "t-1") if secret in shown]
