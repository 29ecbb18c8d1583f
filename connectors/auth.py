"""By what the API knows us: a token that lives for minutes, or a till's name and password.

Secrets stay in here: no repr, message or log has them.
"""

import asyncio
import base64
import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from connectors.transport import Wire
from schemas.batches import Answer, NoAnswer
from schemas.errors import CredentialsError, Unreachable
from schemas.job import Auth, Basic, OAuth

TOKEN_PATH = "/v3/oauth/token/generate"  # noqa: S105 - where tokens are made, not one
TOKEN_HEADER = "X-CAP-API-OAUTH-TOKEN"  # noqa: S105 - the header's name
CHECK_OAUTH = (
    "check destination.auth.oauth: key and secret (CAPILLARY_KEY and CAPILLARY_SECRET in the README's job) "
    "and destination.host, because a client is known in its own region only"
)
CHECK_BASIC = (
    "check destination.auth.basic: till and password, destination.host, and that the organisation allows Basic"
)


class Authenticator(Protocol):
    """What proves who we are, as headers."""

    advice: str  # what to check when the API does not know us

    async def headers(self) -> Mapping[str, str]:
        """Headers that are valid now.

        Raises:
            CredentialsError: the API does not know key and secret.
            Unreachable: no token could be had; later perhaps.
        """

    def discard(self, stale: Mapping[str, str]) -> None:
        """After a 401: these headers are no good. Of all who saw the same ones, the first makes a new token."""


def authenticator(auth: Auth, wire: Wire, clock: Callable[[], float] = time.monotonic) -> Authenticator:
    """The job's choice of the two ways."""
    if auth.oauth is not None:
        return TokenLogin(auth.oauth, wire, clock)
    assert auth.basic is not None
    return BasicLogin(auth.basic)


class BasicLogin:
    """The till and the lower-case hex MD5 of its password: the API's own recipe, replayable by who reads it."""

    advice = CHECK_BASIC

    def __init__(self, basic: Basic) -> None:
        digest = hashlib.md5(basic.password.get_secret_value().encode(), usedforsecurity=False).hexdigest()
        self._header = "Basic " + base64.b64encode(f"{basic.till}:{digest}".encode()).decode()

    async def headers(self) -> Mapping[str, str]:
        """The same every time."""
        return {"Authorization": self._header}

    def discard(self, stale: Mapping[str, str]) -> None:
        """There is nothing newer."""


class _Token(msgspec.Struct, rename="camel"):
    access_token: str
    ttl_seconds: float = 60.0


class _TokenAnswer(msgspec.Struct):
    data: _Token


class TokenLogin:
    """A token for all workers, made anew before it ends; while one makes it, the others wait."""

    advice = CHECK_OAUTH

    def __init__(self, oauth: OAuth, wire: Wire, clock: Callable[[], float] = time.monotonic) -> None:
        self._oauth = oauth
        self._wire = wire
        self._clock = clock
        self._token: str | None = None
        self._good_until = float("-inf")
        self._making = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        """The current token, a new one when it is due."""
        async with self._making:
            if self._token is None or self._clock() >= self._good_until:
                self._token = None
                self._token, self._good_until = await self._made()
            return {TOKEN_HEADER: self._token}

    def discard(self, stale: Mapping[str, str]) -> None:
        """Forget the token, unless another worker's complaint already led to a newer one."""
        if self._token == stale.get(TOKEN_HEADER):
            self._token = None

    async def _made(self) -> tuple[str, float]:
        asked_at = self._clock()
        answer = await self._wire.exchange(
            "POST",
            self._wire.base_url.copy_with(path=TOKEN_PATH),
            {"Content-Type": "application/json", "Accept": "application/json"},
            msgspec.json.encode(
                {"key": self._oauth.key.get_secret_value(), "secret": self._oauth.secret.get_secret_value()}
            ),
        )
        if not isinstance(answer, Answer):
            after = " (asked for a token)" if isinstance(answer, NoAnswer) else ""
            raise Unreachable(f"{self._wire.base_url.host}: {answer.why}{after}")
        token = self._read(answer)
        ttl_s = token.ttl_seconds
        return token.access_token, asked_at + max(0.8 * ttl_s, ttl_s - 30.0)

    def _read(self, answer: Answer) -> _Token:
        host = self._wire.base_url.host
        if answer.status == 429 or answer.status >= 500:
            raise Unreachable(f"{host}: makes no tokens now (HTTP {answer.status}); try again later")
        if answer.status in (404, 405) or 300 <= answer.status < 400:
            raise Unreachable(
                f"{host}: HTTP {answer.status} at {TOKEN_PATH}; destination.host is not the bulk API's host"
            )
        try:
            token = msgspec.json.decode(answer.body, type=_TokenAnswer, strict=False).data
        except (msgspec.DecodeError, UnicodeDecodeError):
            token = None
        if answer.status >= 400 or token is None or not _fits_a_header(token.access_token):
            raise CredentialsError(f"the API made no token (HTTP {answer.status}); {CHECK_OAUTH}")
        return token


def _fits_a_header(text: str) -> bool:
    return text.isascii() and text.isprintable() and text.strip() == text != ""
