"""One HTTP request, tried once, and how far it came.

The phase decides what a failure means: before the first byte of the request the batch may go again, after it
nobody knows. Neither httpx nor httpcore resends by itself here: no retries, no redirects, no proxy, and the
environment (HTTP_PROXY, .netrc) is not read. An answer is whole by HTTP's rules and unpacked to its end; only of one
whose end is the connection's may a part be missing, and there the body must show it (`transforms.replies`).
"""

import asyncio
import errno
import logging
import os
import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import certifi
import httpx

from schemas.batches import Answer, NeverSent, NoAnswer, Sending

CONNECT_S = 10.0
CONNECTIONS_PER_CLIENT = 4  # httpx's pool gets slower past 16 connections; clients of 4 do not (notes on speed)
MAX_ANSWER_BYTES = 64 * 1024 * 1024
# Both spellings are seen in answers.
REQUEST_ID_HEADERS = ("x-cap-request-id", "x-cap-requestid")


def tls_context() -> ssl.SSLContext:
    """Trust what the machine trusts (a company's own authority too) and what certifi knows (bare containers)."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class Wire:
    """Connections to one host. Use as `async with`; `connections` are as many as requests in flight."""

    def __init__(
        self,
        base_url: httpx.URL,
        *,
        connections: int,
        timeout_s: float,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.base_url = base_url
        self._clients_wanted = -(-connections // CONNECTIONS_PER_CLIENT)
        self._timeout_s = timeout_s
        self._timeouts = httpx.Timeout(timeout_s, connect=CONNECT_S).as_dict()
        # Each read may take `timeout_s`; a server that drips must end too. TCP and TLS have CONNECT_S each.
        self._whole_s = 2 * CONNECT_S + 2 * timeout_s
        self._tls = tls
        self._clock = clock
        self._clients: list[httpx.AsyncClient] = []
        self._busy: list[int] = []

    async def __aenter__(self) -> Self:
        # httpx logs every URL at INFO, httpcore every header at DEBUG.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        verify = (self._tls or tls_context()) if self.base_url.scheme == "https" else False
        # Each request has a connection of its own. On a kept one, what a server wrote after an answer would be read
        # as the answer to the next request (a stray 429: "nothing applied"), and one that closes puts it in doubt.
        limits = httpx.Limits(max_connections=CONNECTIONS_PER_CLIENT, max_keepalive_connections=0)
        self._clients = [
            httpx.AsyncClient(verify=verify, limits=limits, trust_env=False, follow_redirects=False)
            for _ in range(self._clients_wanted)
        ]
        self._busy = [0] * len(self._clients)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for client in self._clients:
            await client.aclose()

    async def exchange(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        body: bytes = b"",
        on_leaving: Callable[[], object] | None = None,
    ) -> Sending:
        """Send once and read the whole answer; trouble on the network is a value.

        `on_leaving` is called just before the first byte is written. A cancelled exchange may have been sent.
        """
        phase = _Phase(on_leaving)
        request = httpx.Request(
            method,
            url,
            headers=[(b"Accept-Encoding", b"gzip"), *((n.encode(), v.encode()) for n, v in headers.items())],
            content=body,
            extensions={"timeout": self._timeouts, "trace": phase.seen},
        )
        place = self._busy.index(min(self._busy))
        self._busy[place] += 1
        try:
            async with asyncio.timeout(self._whole_s):
                response = await self._clients[place].send(request, stream=True)
                try:
                    return self._answer(response, await _whole_body(response), phase)
                finally:
                    await response.aclose()
        except Exception as error:  # once a byte may have left, no kind of failure may pass for "not sent"
            if phase.began_at is not None:
                return NoAnswer(self._why_no_answer(error))
            if not isinstance(error, httpx.TransportError | TimeoutError | OSError):
                raise  # a bug, and nothing was sent
            return NeverSent(why_never_sent(error))
        finally:
            self._busy[place] -= 1

    def _answer(self, response: httpx.Response, body: bytes, phase: "_Phase") -> Answer:
        now_s, told_s = self._clock(), _epoch_s(response.headers.get("date", ""))
        ids = (response.headers.get(name, "").strip()[:200] for name in REQUEST_ID_HEADERS)
        return Answer(
            status=response.status_code,
            body=body,
            request_id=next(filter(None, ids), None),
            retry_after_s=retry_after_s(response.headers, now_s),
            latency_ms=(time.perf_counter() - (phase.began_at or 0.0)) * 1000,
            ahead_s=None if told_s is None else told_s - now_s,
        )

    def _why_no_answer(self, error: Exception) -> str:
        for kind, words, why in _NO_ANSWER:
            if isinstance(error, kind) and words in str(error):
                return why.format(timeout_s=self._timeout_s, whole_s=self._whole_s)
        return type(error).__name__


class _AnswerTooLarge(Exception):
    pass


class _CutShort(Exception):
    pass


# What was raised, words of its message, and how people are told; the first that fits.
_NO_ANSWER: tuple[tuple[type[Exception], str, str], ...] = (
    (httpx.ReadTimeout, "", "the server was silent for {timeout_s:g} s"),
    (httpx.WriteTimeout, "", "the request did not get out within {timeout_s:g} s"),
    (TimeoutError, "", "the answer did not end within {whole_s:g} s"),
    (_AnswerTooLarge, "", f"answer larger than {MAX_ANSWER_BYTES:,} bytes"),
    (_CutShort, "", "connection closed in the middle of the answer"),
    (zlib.error, "", "answer cannot be decompressed"),
    (httpx.RemoteProtocolError, "without sending a response", "connection closed before an answer"),
    (httpx.RemoteProtocolError, "peer closed", "connection closed in the middle of the answer"),
    (httpx.RemoteProtocolError, "", "answer is not HTTP"),
    (httpx.NetworkError, "", "connection reset"),
    (ssl.SSLError, "", "the TLS connection broke"),
)


class _Phase:
    """Listens to httpcore: `began_at` is set once a byte of the request may have left."""

    def __init__(self, on_leaving: Callable[[], object] | None) -> None:
        self.began_at: float | None = None
        self._on_leaving = on_leaving

    async def seen(self, event: str, info: Mapping[str, Any]) -> None:
        if event == "http11.send_request_headers.started":
            if self._on_leaving is not None:
                self._on_leaving()
            self.began_at = time.perf_counter()


async def _whole_body(response: httpx.Response) -> bytes:
    """The body, unpacked to its own end.

    Where only the connection's end marks it, a body that says nothing may be the beginning of one that does.
    """
    gunzip = _gunzip(response)
    chunks, size_bytes = [], 0
    async for packed in response.aiter_raw():
        chunk = gunzip.decompress(packed, MAX_ANSWER_BYTES + 1) if gunzip else packed
        chunks.append(chunk)
        size_bytes += len(chunk)
        if size_bytes > MAX_ANSWER_BYTES:
            raise _AnswerTooLarge
    # Answers without a body are called packed by some servers.
    if gunzip and response.num_bytes_downloaded and (not gunzip.eof or gunzip.unused_data):
        raise zlib.error("no end, or more behind it")
    body = b"".join(chunks)
    if _ends_by_close(response) and not body.strip(b"\xef\xbb\xbf \t\r\n"):
        raise _CutShort
    return body


def _gunzip(response: httpx.Response) -> "zlib._Decompress | None":
    """httpx unpacks too, and takes what was cut short or packed in another way for whole."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding == "identity":
        return None
    if coding not in ("gzip", "x-gzip"):
        raise zlib.error("a coding that nobody asked for")
    return zlib.decompressobj(16 + zlib.MAX_WBITS)  # 16: with gzip's header and checksum


def _ends_by_close(response: httpx.Response) -> bool:
    has_length = "content-length" in response.headers or "transfer-encoding" in response.headers
    return not has_length and response.status_code not in (204, 304)


def why_never_sent(error: Exception) -> str:
    """The plain reason for which no connection came about, without host, URL or credentials."""
    if isinstance(error, httpx.PoolTimeout):
        return "no free connection"
    if isinstance(error, httpx.ConnectTimeout | TimeoutError):
        return f"no connection within {CONNECT_S:g} s"
    reasons = filter(None, map(_plain, _causes(error)))
    return next(reasons, "connection closed before the request")


def _plain(cause: BaseException) -> str | None:
    match cause:
        case ssl.SSLCertVerificationError():
            return f"TLS: {cause.verify_message.partition(',')[0]}"  # the rest names the host
        case ssl.SSLError():
            return f"TLS: {(cause.reason or 'connection closed').lower().replace('_', ' ')}"
        case socket.gaierror():
            unanswered = cause.errno == socket.EAI_AGAIN
            return "host unknown: the name service did not answer" if unanswered else "host unknown"
        case OSError(errno=int(number)):
            return _NAMED.get(number) or os.strerror(number).lower()
    return None


_NAMED = {errno.ECONNREFUSED: "connection refused", errno.ECONNRESET: "connection reset before the request"}


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all it came from, groups (one attempt per address) included."""
    yield error
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _causes(one)
    if (origin := error.__cause__ or error.__context__) is not None:
        yield from _causes(origin)


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Seconds to wait, from either form of Retry-After; none when there is none or it cannot be read.

    A date is compared with the answer's own `Date`, so that a wrong clock here does not matter.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text, re.ASCII):
        return float(text)
    until = _epoch_s(text)
    if until is None:
        return None
    told = _epoch_s(headers.get("date", ""))
    return max(until - (now_s if told is None else told), 0.0)


def _epoch_s(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
