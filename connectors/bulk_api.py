"""Capillary's bulk customer API: one batch out, once, and what became of it.

Which request is made for which operation, and in whose name, is decided here; how far it came, in `transport`.
"""

import ipaddress
import re
import ssl
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import httpx

from connectors.auth import Authenticator, authenticator
from connectors.transport import Wire
from schemas.batches import Answer, NeverSent, Sending
from schemas.errors import CredentialsError, JobError, Unreachable, raise_all
from schemas.job import Destination, Limits

# Operation: method, path, query (contract, endpoints E1, E2, E3).
ROUTES: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "update": ("PUT", "/v2/bulk", {}),
    "register": ("POST", "/v2/customers/bulk", {}),
    # The parameter's name is a double negative: false means that identifiers are changed too.
    "upsert": ("POST", "/v2/integrations/customer/upsert/bulk", {"skipChangeIdentifier": "false"}),
}
WHO_AM_I_PATH = "/v2/meta/sources"  # the cheapest read; needs no customer
OURS = {
    "authorization", "x-cap-api-oauth-token", "content-type", "accept", "accept-encoding", "content-length",
    "content-encoding", "transfer-encoding", "host", "connection", "expect", "te", "trailer", "upgrade", "user-agent",
}  # fmt: skip
ATTRIBUTION = ("X-CAP-API-ATTRIBUTION-ENTITY-TYPE", "X-CAP-API-ATTRIBUTION-ENTITY-CODE")


class BulkApi:
    """The API as one job sees it. Use as `async with`; at most `limits.in_flight` sends at a time.

    Raises:
        JobError: the destination cannot be used as it is written.
    """

    def __init__(
        self,
        destination: Destination,
        limits: Limits,
        *,
        tls: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        base_url = safe_base_url(destination)
        self._method, path, query = ROUTES[destination.operation]
        self._url = base_url.copy_with(
            path=destination.path or path, params={**query, **_own_query(destination), **destination.query}
        )
        self._headers = safe_headers(destination)
        self._wire = Wire(base_url, connections=limits.in_flight, timeout_s=limits.timeout_s, tls=tls, clock=clock)
        self._auth: Authenticator = authenticator(destination.auth, self._wire, monotonic)

    async def __aenter__(self) -> Self:
        await self._wire.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._wire.__aexit__(kind, error, traceback)

    async def send(self, body: bytes, on_leaving: Callable[[], object] | None = None) -> Sending:
        """Send one body once. Nothing is repeated: after a 401 the next send has a new token.

        `on_leaving` is called just before the first byte leaves (`Turn.left` of the pacer). When the task is
        cancelled the body may have been sent.

        Raises:
            CredentialsError: the API does not know the key any more; nothing of this body was sent.
        """
        return await self._exchange(self._method, self._url, body, on_leaving)

    async def preflight(self) -> None:
        """Prove that the host answers and knows us; no customer is sent.

        Raises:
            CredentialsError: the API does not know key and secret, or till and password.
            Unreachable: with the plain reason.
        """
        await self._auth.headers()
        answer = await self._exchange("GET", self._wire.base_url.copy_with(path=WHO_AM_I_PATH))
        if not isinstance(answer, Answer):
            raise Unreachable(f"{self._wire.base_url.host}: {answer.why}")
        # Any other status proves as much: a client that may only write customers may be refused this read.
        if answer.status == 401:
            raise CredentialsError(f"the API does not know us (HTTP 401); {self._auth.advice}")

    async def answers(self, on_leaving: Callable[[], object] | None = None) -> bool:
        """Whether the host is well: any answer of its own will do, because who is refused has been heard.

        Raises:
            CredentialsError: the API does not know the key any more.
        """
        answer = await self.read(WHO_AM_I_PATH, {}, on_leaving)
        return isinstance(answer, Answer) and answer.status < 500

    async def read(
        self, path: str, query: Mapping[str, str], on_leaving: Callable[[], object] | None = None
    ) -> Sending:
        """Read once; `on_leaving` and errors are those of `send`."""
        url = self._wire.base_url.copy_with(path=path, params=dict(query))
        return await self._exchange("GET", url, on_leaving=on_leaving)

    async def look_up(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """Read one page of what the organisation has set up; None when it cannot be read."""
        answer = await self.read(path, query)
        return answer.body if isinstance(answer, Answer) and answer.status == 200 else None

    async def _exchange(
        self, method: str, url: httpx.URL, body: bytes = b"", on_leaving: Callable[[], object] | None = None
    ) -> Sending:
        try:
            credentials = await self._auth.headers()
        except Unreachable as trouble:
            return NeverSent(f"no token: {trouble}")
        answer = await self._wire.exchange(method, url, {**self._headers, **credentials}, body, on_leaving)
        if isinstance(answer, Answer) and answer.status == 401:
            self._auth.discard(credentials)
        return answer


def safe_base_url(destination: Destination) -> httpx.URL:
    """Where the API is: https, or http on this machine (the sandbox).

    Raises:
        JobError: http elsewhere, or more than a host and a port.
    """
    try:
        url = httpx.URL(destination.url or f"https://{destination.host}")
    except httpx.InvalidURL:
        url = httpx.URL()
    if not url.host or url.userinfo or url.query or url.fragment:
        raise JobError("destination.url: write https://host or https://host:port and nothing more")
    if url.scheme != "https" and not is_loopback(url.host):
        raise JobError(
            f"destination.url: http to {url.host} would send customers and credentials in clear; write https "
            "(http is for a sandbox on 127.0.0.1, ::1 or localhost)"
        )
    return url


def is_loopback(host: str) -> bool:
    """This machine, by its well-known names only; no name service is asked."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def safe_headers(destination: Destination) -> dict[str, str]:
    """The headers of every request but credentials.

    Raises:
        JobError: an extra header that is ours to set, or cannot stand in a request. Values are not shown.
    """
    headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "bulkload"}
    taken = set(OURS)
    if destination.attribution is not None and destination.attribution.code is not None:
        headers |= dict(zip(ATTRIBUTION, (destination.attribution.type, destination.attribution.code), strict=True))
        taken |= {name.lower() for name in ATTRIBUTION}
    extra = destination.headers
    raise_all(
        JobError,
        [
            *(
                f"destination.headers.{name}: is set by bulkload itself; leave it out"
                for name in extra
                if name.lower() in taken
            ),
            *(f"destination.headers: {name!r} is no header name" for name in extra if not _is_token(name)),
            *(
                f"{name}: has characters that cannot stand in a header"
                for name, value in (headers | extra).items()
                if not value.isprintable() or value != value.strip()
            ),
        ],
    )
    return headers | extra


def _is_token(name: str) -> bool:
    return re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) is not None


def _own_query(destination: Destination) -> dict[str, str]:
    """`source` always, because pages disagree whether it may be left out; `accountId` where there is one."""
    raise_all(
        JobError,
        (
            f"destination.query.{name}: write destination.{ours} instead"
            for name, ours in (("source", "source"), ("accountId", "account_id"))
            if name in destination.query
        ),
    )
    account = {"accountId": destination.account_id} if destination.account_id else {}
    return {"source": destination.source, **account}
