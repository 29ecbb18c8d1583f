"""What a failure means depends on how far the request came; the far side is a real socket that misbehaves."""

import asyncio
import contextlib
import gzip
import logging
import socket
import ssl
import struct

import httpx
import pytest

from connectors import transport
from connectors.transport import Wire, retry_after_s
from schemas.batches import Answer, NeverSent, NoAnswer

BODY = b'[{"profiles":[]}]' * 100
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-CAP-REQUEST-ID: r-1\r\n"
PLAIN = HEAD + b'Content-Length: 15\r\n\r\n[{"errors":[]}]'
NOT_GZIP = HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"
CHUNKED = HEAD + b'Transfer-Encoding: chunked\r\n\r\n8\r\n[{"error\r\n7\r\ns":[]}]\r\n0\r\n\r\n'


async def whole_request(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


@contextlib.asynccontextmanager
async def far_side(serve, tls=None):
    """`serve(reader, writer)` per connection; all of them have ended when this ends."""
    connections = []

    async def guarded(reader, writer):
        connections.append(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async with await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*connections)


def answering(*answers, keep=False):
    """One answer per request; the connection is closed at the end unless kept."""

    async def serve(reader, writer):
        for answer in answers:
            await whole_request(reader)
            writer.write(answer)
            await writer.drain()
        if keep:
            await reader.read()

    return serve


def reset(writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def put(url, timeout_s=5.0, body=BODY, tls=None, **more):
    async with Wire(httpx.URL(url), connections=1, timeout_s=timeout_s, tls=tls, **more) as wire:
        return await wire.exchange("PUT", httpx.URL(url), {"Content-Type": "application/json"}, body)


def outcome(serve, **how):
    async def story():
        async with far_side(serve) as port:
            return await put(f"http://127.0.0.1:{port}/v2/bulk", **how)

    return asyncio.run(story())


@pytest.mark.parametrize("answer", [PLAIN, CHUNKED], ids=["content-length", "chunked"])
def test_a_whole_answer_is_kept_as_it_came(answer):
    got = outcome(answering(answer))
    assert (got.status, got.body, got.request_id) == (200, b'[{"errors":[]}]', "r-1")
    assert 0 < got.latency_ms < 5_000


@pytest.mark.parametrize(
    ("date", "ahead_s"),
    [
        (b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n", 0.0),
        (b"Date: Thu, 01 Jan 2026 05:30:00 GMT\r\n", 19_800.0),
        (b"Date: Wed, 31 Dec 2025 23:59:00 GMT\r\n", -60.0),
        (b"Date: soon\r\n", None),
        (b"", None),
    ],
)
def test_an_answer_tells_how_far_the_servers_clock_is_ahead(date, ahead_s):
    answer = HEAD + date + b'Content-Length: 15\r\n\r\n[{"errors":[]}]'
    assert outcome(answering(answer), clock=lambda: NOW_S).ahead_s == ahead_s


@pytest.mark.parametrize("answer", [PLAIN, CHUNKED], ids=["content-length", "chunked"])
def test_an_answer_cut_at_any_byte_is_no_answer(answer):
    async def story():
        cuts = iter(range(len(answer)))

        async def serve(reader, writer):
            await whole_request(reader)
            writer.write(answer[: next(cuts)])

        async with far_side(serve) as port:
            url = httpx.URL(f"http://127.0.0.1:{port}/")
            async with Wire(url, connections=1, timeout_s=5) as wire:
                return [await wire.exchange("PUT", url, {}, BODY) for _ in answer]

    assert {type(got) for got in asyncio.run(story())} == {NoAnswer}


async def silent(reader, writer):
    await reader.read()


async def reads_and_is_silent(reader, writer):
    await whole_request(reader)
    await reader.read()


async def half_an_answer_then_silent(reader, writer):
    await whole_request(reader)
    writer.write(PLAIN[:-3])
    await reader.read()


async def drips(reader, writer):
    await whole_request(reader)
    for byte in PLAIN:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def reset_before_reading(reader, writer):
    reset(writer)


async def reset_after_reading(reader, writer):
    await whole_request(reader)
    reset(writer)


async def closed_after_reading(reader, writer):
    await whole_request(reader)


@pytest.mark.parametrize(
    ("serve", "whys"),
    [
        (silent, {"the server was silent for 0.2 s"}),
        (reads_and_is_silent, {"the server was silent for 0.2 s"}),
        (half_an_answer_then_silent, {"the server was silent for 0.2 s"}),
        (drips, {"the answer did not end within 0.6 s"}),
        (reset_before_reading, {"connection reset"}),
        (reset_after_reading, {"connection reset"}),
        (closed_after_reading, {"connection closed before an answer"}),
        (answering(PLAIN[:-1]), {"connection closed in the middle of the answer"}),
        (answering(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), {"answer is not HTTP"}),
        (answering(NOT_GZIP), {"answer cannot be decompressed"}),
    ],
)  # fmt: skip
def test_trouble_after_the_first_byte_is_no_answer(serve, whys, monkeypatch):
    monkeypatch.setattr(transport, "CONNECT_S", 0.1)
    got = outcome(serve, timeout_s=0.2)
    assert isinstance(got, NoAnswer)
    assert got.why in whys


def test_an_endless_answer_is_cut_off(monkeypatch):
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 1_000)
    packed = gzip.compress(b" " * 100_000)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    got = outcome(answering(head + packed))
    assert isinstance(got, NoAnswer)
    assert "larger than" in got.why


def test_nobody_listening_means_never_sent():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and never listening
        got = asyncio.run(put(f"http://127.0.0.1:{taken.getsockname()[1]}/"))
    assert got == NeverSent("connection refused")


def test_unknown_host_means_never_sent():
    got = asyncio.run(put("https://nobody.invalid/"))
    assert isinstance(got, NeverSent)
    assert got.why.startswith("host unknown")


def test_no_connection_in_time_means_never_sent(monkeypatch):
    monkeypatch.setattr(transport, "CONNECT_S", 0.2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # a queue of one, which is taken below; the next handshake is never finished
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            got = asyncio.run(put(f"http://127.0.0.1:{full.getsockname()[1]}/"))
    assert got == NeverSent("no connection within 0.2 s")


def test_more_requests_than_connections_wait_and_are_never_sent():
    async def story():
        async with far_side(reads_and_is_silent) as port:
            url = httpx.URL(f"http://127.0.0.1:{port}/")
            async with Wire(url, connections=1, timeout_s=0.3) as wire:
                return await asyncio.gather(*(wire.exchange("PUT", url, {}, BODY) for _ in range(5)))

    got = asyncio.run(story())
    assert [type(one) for one in got] == [NoAnswer] * 4 + [NeverSent]


@pytest.mark.parametrize(
    ("address", "trusted", "why"),
    [
        ("127.0.0.1", False, "TLS: self-signed certificate"),
        ("127.0.0.2", True, "TLS: IP address mismatch"),
        (None, False, "TLS: wrong version number"),  # a server without TLS
    ],
    ids=["self-signed", "another host's", "no TLS"],
)  # fmt: skip
def test_wrong_tls_means_never_sent(address, trusted, why, certificate):
    async def plain(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async def story():
        server_tls, client_tls = certificate(address) if address else (None, None)
        async with far_side(answering(PLAIN) if address else plain, server_tls) as port:
            return await put(f"https://127.0.0.1:{port}/", tls=client_tls if trusted else None)

    got = asyncio.run(story())
    assert isinstance(got, NeverSent)
    assert got.why.replace("record layer failure", "wrong version number") == why


def test_right_tls_gets_an_answer(certificate):
    async def story():
        server_tls, client_tls = certificate("127.0.0.1")
        async with far_side(answering(PLAIN), server_tls) as port:
            return await put(f"https://127.0.0.1:{port}/", tls=client_tls)

    assert asyncio.run(story()).status == 200


def test_each_request_has_a_connection_of_its_own():
    """A kept one could close at the next request, or hold what its server wrote after the last answer."""
    seen = []

    async def serve(reader, writer):
        seen.append(await whole_request(reader))
        writer.write(PLAIN)
        seen.append(await reader.read())

    async def story():
        async with far_side(serve) as port:
            url = httpx.URL(f"http://127.0.0.1:{port}/")
            async with Wire(url, connections=1, timeout_s=5) as wire:
                return [await wire.exchange("PUT", url, {}, b"request %d" % number) for number in range(2)]

    assert {type(one) for one in asyncio.run(story())} == {Answer}
    assert [one.partition(b"\r\n\r\n")[2] for one in seen] == [b"request 0", b"", b"request 1", b""]


def test_an_answer_before_the_end_of_the_request_counts():
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        await reader.read()

    assert outcome(serve, body=b"x" * 3_000_000).status == 413


def test_redirects_are_answers_and_not_followed():
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    assert outcome(answering(answer)).status == 302


def test_the_environment_sends_nothing_through_a_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert outcome(answering(PLAIN)).status == 200


def test_no_url_or_header_is_logged(caplog):
    caplog.set_level(logging.DEBUG)
    outcome(answering(PLAIN))
    assert [record for record in caplog.records if record.name.startswith(("httpx", "httpcore"))] == []


def test_leaving_is_told_before_the_first_byte():
    async def story():
        told, arrived = [], []

        async def serve(reader, writer):
            arrived.append(list(told))
            await answering(PLAIN)(reader, writer)

        async with far_side(serve) as port:
            url = httpx.URL(f"http://127.0.0.1:{port}/")
            async with Wire(url, connections=1, timeout_s=5) as wire:
                await wire.exchange("PUT", url, {}, BODY, on_leaving=lambda: told.append("left"))
        return told

    assert asyncio.run(story()) == ["left"]


def test_requests_spread_over_clients_of_four_connections():
    async def story():
        together = asyncio.Barrier(10)

        async def serve(reader, writer):
            await whole_request(reader)
            await together.wait()  # answers come only when ten requests are in flight at once
            writer.write(PLAIN)

        async with far_side(serve) as port:
            url = httpx.URL(f"http://127.0.0.1:{port}/")
            async with Wire(url, connections=10, timeout_s=5) as wire:
                return await asyncio.gather(*(wire.exchange("PUT", url, {}, BODY) for _ in range(10)))

    assert [got.status for got in asyncio.run(story())] == [200] * 10


NOW_S = 1_767_225_600.0  # 2026-01-01 00:00:00 UTC


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:30 GMT"}, 30.0),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:30 GMT", "date": "Thu, 01 Jan 2026 00:00:20 GMT"}, 10.0),
        ({"retry-after": "Wed, 31 Dec 2025 23:59:00 GMT"}, 0.0),  # already past
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "9" * 400}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_both_forms(headers, seconds):
    assert retry_after_s(httpx.Headers(headers), NOW_S) == seconds
