"""A connection that ends, stalls or lies at every byte: what the far side read and wrote is held against the outcome.

The laws: never sent is only what nobody read a byte of; an answer is whole, and exactly what was written; all else is
no answer, in plain words; nothing is sent twice; nothing is raised.
"""

import asyncio
import contextlib
import gzip
import http.client
import io
import json
import re
import socket
import ssl
import struct
import zlib

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import transport
from connectors.transport import Wire
from schemas.batches import Answer, NeverSent, NoAnswer
from schemas.outcomes import Verdict
from transforms.replies import read_reply

BODY = b'[{"profiles":[{"identifiers":[{"type":"email","value":"asha@example.com"}]}]}]'
HEADERS = {"X-CAP-API-OAUTH-TOKEN": "s3cret", "Content-Type": "application/json"}
SECRETS = ("asha", "s3cret", "127.0.0.1", "/v2/bulk", "source", "INSTORE", "profiles", "HTTP/1.1 ", "Content-Length")
REASONS = re.compile(
    "the server was silent for [0-9.]+ s|the request did not get out within [0-9.]+ s|answer cannot be decompressed|"
    "connection closed before an answer|connection closed in the middle of the answer|answer is not HTTP|"
    "connection reset|the TLS connection broke|"
    "connection refused|connection reset before the request|connection closed before the request|"
    "no connection within [0-9.]+ s|TLS: [a-z0-9 ]+"
)

ROWS = b'[{"id":7001},{"errors":[{"code":8009}]}]'
HEAD = b"HTTP/1.1 200 OK\r\nX-CAP-REQUEST-ID: r-1\r\n"
PACKED = gzip.compress(ROWS, mtime=0)
BY_LENGTH = HEAD + b"Content-Length: %d\r\n\r\n" % len(ROWS) + ROWS
BY_CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\na;x=1\r\n%b\r\n1E\r\n%b\r\n0\r\nX-T: 1\r\n\r\n" % (
    ROWS[:10],
    ROWS[10:],
)
GZIPPED = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED
BY_CLOSE = HEAD + b"Connection: close\r\n\r\n" + ROWS
AFTER_HINTS = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + BY_LENGTH
ANSWERS = {
    "by length": BY_LENGTH,
    "by chunks": BY_CHUNKS,
    "gzipped": GZIPPED,
    "after 1xx": AFTER_HINTS,
    "without a body": b"HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
}
EARLY = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


class Peer:
    """One connection as the far side sees it; `read` is all that its program took from the socket."""

    def __init__(self, connection, over):
        self.connection = connection
        self.read = b""
        self._over = over  # set when the client has its outcome
        self._loop = asyncio.get_running_loop()

    async def take(self, size):
        """Read this many bytes in all, and not one more; fewer when the client ends."""
        while len(self.read) < size and (got := await self._loop.sock_recv(self.connection, size - len(self.read))):
            self.read += got

    async def take_request(self):
        while b"\r\n\r\n" not in self.read:
            await self.take(len(self.read) + 1)
        head = self.read.partition(b"\r\n\r\n")[0]
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        await self.take(len(head) + 4 + length)

    async def write(self, data):
        await self._loop.sock_sendall(self.connection, data)

    async def close(self):
        """FIN; or RST, as every system does it, when something was not read."""
        self.connection.close()

    async def end_writing(self):
        """FIN, and the rest of the request is still taken."""
        self.connection.shutdown(socket.SHUT_WR)
        await self.take(1 << 30)

    async def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    async def stall(self):
        """Neither read nor write, as long as the client waits."""
        await self._over.wait()


ENDS = {"closes": Peer.close, "ends writing": Peer.end_writing, "resets": Peer.reset}


@contextlib.asynccontextmanager
async def far_side(script):
    """`await script(peer)` per connection. Gives the port, and the peers in the order they came."""
    loop, over, peers, talks = asyncio.get_running_loop(), asyncio.Event(), [], []

    async def talk(peer):
        with contextlib.suppress(ConnectionError, OSError):
            await script(peer)
        peer.connection.close()

    async def listen(listening):
        while True:
            connection, _ = await loop.sock_accept(listening)
            peers.append(Peer(connection, over))
            talks.append(asyncio.create_task(talk(peers[-1])))

    with socket.create_server(("127.0.0.1", 0), backlog=16) as listening:
        listening.setblocking(False)
        accepting = asyncio.create_task(listen(listening))
        try:
            yield listening.getsockname()[1], peers
            over.set()
            await asyncio.wait_for(asyncio.gather(*talks), 10)
        finally:
            accepting.cancel()
            await asyncio.wait([accepting])  # before its socket's number goes to somebody else


async def outcome_of(wire, script, body=BODY):
    """What one exchange came to, held against the laws."""
    async with far_side(script) as (port, peers):
        got = await wire.exchange("PUT", httpx.URL(f"http://127.0.0.1:{port}/v2/bulk?source=INSTORE"), HEADERS, body)
    assert len(peers) <= 1
    assert not isinstance(got, NeverSent) or not any(peer.read for peer in peers)
    return in_plain_words(got)


def in_plain_words(got):
    if not isinstance(got, Answer):
        assert REASONS.fullmatch(got.why), got.why
        assert not [secret for secret in SECRETS if secret in got.why]
    return got


def outcomes(scripts, timeout_s=10.0, body=BODY):
    """What came of one exchange per script, sixteen at a time."""

    async def story():
        room = asyncio.Semaphore(16)

        async def one(script):
            async with room:
                return await outcome_of(wire, script, body)

        async with Wire(httpx.URL("http://127.0.0.1"), connections=16, timeout_s=timeout_s) as wire:
            return await asyncio.gather(*map(one, scripts))

    return asyncio.run(story())


def request_size(body=BODY):
    sizes = []

    async def measure(peer):
        await peer.take_request()
        sizes.append(len(peer.read))
        await peer.write(BY_LENGTH)

    outcomes([measure], body=body)
    return sizes[0]


def reading(size, *then):
    """A far side that reads so many bytes of the request and does all that comes then."""

    async def script(peer):
        await peer.take(size)
        for step in then:
            await step(peer)

    return script


def answering(answer, end=Peer.close):
    """A far side that reads the whole request, writes this, and ends so."""

    async def script(peer):
        await peer.take_request()
        await peer.write(answer)
        await end(peer)

    return script


# The request


@pytest.mark.parametrize("end", ENDS)
def test_a_request_cut_at_any_byte_is_no_answer(end):
    got = outcomes(reading(size, ENDS[end]) for size in range(request_size() + 1))
    assert {type(one) for one in got} == {NoAnswer}


def test_silence_at_any_byte_of_the_request_is_no_answer():
    got = outcomes([reading(size, Peer.stall) for size in range(request_size() + 1)], timeout_s=0.05)
    assert {type(one) for one in got} == {NoAnswer}


def test_an_early_answer_at_any_byte_of_the_request_counts():
    def early(peer):
        return peer.write(EARLY)

    got = outcomes(reading(size, early, Peer.end_writing) for size in range(request_size() + 1))
    assert {(one.status, one.body) for one in got} == {(413, b"{}")}


@pytest.mark.parametrize("end", ["closes", "resets"])
def test_an_early_answer_and_a_slammed_door_is_the_answer_or_none(end):
    def early(peer):
        return peer.write(EARLY)

    got = outcomes(reading(size, early, ENDS[end]) for size in range(request_size() + 1))
    assert {(one.status, one.body) if isinstance(one, Answer) else type(one) for one in got} <= {
        (413, b"{}"),
        NoAnswer,
    }


LARGE = b"x" * 8_000_000  # no socket's buffers hold it: the client is still writing when the end comes
PLACES = [0, 1, 100, 300, 65_536, 1_000_000, 7_999_999]


@pytest.mark.parametrize("end", ENDS)
def test_a_large_request_cut_while_it_is_written_is_no_answer(end):
    sizes = PLACES if end != "ends writing" else [8_000_000]
    got = outcomes((reading(size, ENDS[end]) for size in sizes), body=LARGE)
    assert {type(one) for one in got} == {NoAnswer}


def test_a_large_request_that_nobody_reads_on_is_no_answer():
    got = outcomes((reading(size, Peer.stall) for size in PLACES), body=LARGE, timeout_s=0.2)
    assert {type(one) for one in got} == {NoAnswer}
    assert "the request did not get out within 0.2 s" in {one.why for one in got}


# The answer


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("end", ["closes", "resets"])
def test_an_answer_cut_at_any_byte_is_no_answer(kind, end):
    answer = ANSWERS[kind]
    got = outcomes(answering(answer[:size], ENDS[end]) for size in range(len(answer)))
    assert {type(one) for one in got} == {NoAnswer}


@pytest.mark.parametrize("kind", ANSWERS)
def test_silence_at_any_byte_of_an_answer_is_no_answer(kind):
    answer = ANSWERS[kind]
    got = outcomes([answering(answer[:size], Peer.stall) for size in range(len(answer))], timeout_s=0.05)
    assert {type(one) for one in got} == {NoAnswer}


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_whole_answer_counts_however_the_connection_ends(kind):
    status, body = (429, b"") if kind == "without a body" else (200, ROWS)
    got = outcomes(answering(ANSWERS[kind], end) for end in (Peer.close, Peer.end_writing, Peer.stall))
    assert {(one.status, one.body) for one in got} == {(status, body)}


def whole_by_http(raw):
    """Status and body as Python's own client reads these bytes; None when that finds no whole answer in them."""
    # It knows no major version but 1, and of the answers before the answer only the 100.
    stream = io.BytesIO(re.sub(rb"(?m)^HTTP/[0-9][.]", b"HTTP/1.", raw))
    stream.makefile = lambda *_: stream
    heads = []  # one that nobody holds would close the stream
    try:
        while not heads or 100 < heads[-1].status < 200:
            heads.append(http.client.HTTPResponse(stream, method="PUT"))
            heads[-1].begin()
        response = heads[-1]
        body = response.read()
        packed = response.getheader("Content-Encoding", "").strip().lower()
        return response.status, gzip.decompress(body) if packed and body else body
    except (http.client.HTTPException, EOFError, ValueError, OSError, zlib.error):
        return None


def garbled(answer):
    """At every place the lowest bit of the byte turned, and one of: two bits turned, a byte put in, the byte taken out.

    The lowest bit makes another digit of a digit.
    """
    for place, byte in enumerate(answer):
        before, after = answer[:place], answer[place + 1 :]
        yield before + bytes([byte ^ 0x01]) + after
        yield before + (bytes([byte ^ 0x90]), bytes([byte]) + b"0", b"")[place % 3] + after


@pytest.mark.parametrize("answer", [AFTER_HINTS, BY_CHUNKS, GZIPPED, BY_CLOSE], ids=["1xx", "chunks", "gzip", "close"])
def test_a_garbled_answer_is_what_http_makes_of_it_or_none(answer):
    written = list(garbled(answer))
    got = outcomes(answering(raw) for raw in written)
    assert NeverSent not in {type(one) for one in got}
    told = [(raw, (one.status, one.body)) for raw, one in zip(written, got, strict=True) if isinstance(one, Answer)]
    assert [(raw, read) for raw, read in told if whole_by_http(raw) != read] == []
    assert len(told) > 50  # a harmed name or reason harms nobody


CUT = "connection closed in the middle of the answer"
NOT_HTTP = "answer is not HTTP"
NOT_GZIP = "answer cannot be decompressed"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
PACKED_HEAD = HEAD + b"Content-Encoding: gzip\r\n"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (HEAD + b"Content-Length: 41\r\n\r\n" + ROWS, CUT),
        (HEAD + b"Content-Length: 40\r\nContent-Length: 39\r\n\r\n" + ROWS, NOT_HTTP),
        (HEAD + b"Content-Length: -1\r\n\r\n" + ROWS, NOT_HTTP),
        (HEAD + CHUNKED + b"28\r\n" + ROWS + b"0\r\n\r\n", NOT_HTTP),
        (HEAD + CHUNKED + b"28\r\n" + ROWS + b"\r\n", CUT),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n" + PACKED, NOT_HTTP),
        (PACKED_HEAD + b"Content-Length: %d\r\n\r\n" % len(ROWS) + ROWS, NOT_GZIP),
        (PACKED_HEAD + b"Content-Length: 30\r\n\r\n" + PACKED[:30], NOT_GZIP),
        (PACKED_HEAD + b"\r\n" + PACKED[:-1], NOT_GZIP),
        (PACKED_HEAD + b"\r\n" + PACKED + b"more", NOT_GZIP),
        (HEAD + b"Content-Encoding: br\r\nContent-Length: 4\r\n\r\n\x0b\x01\x80x", NOT_GZIP),
        (HEAD + b"\r\n", CUT),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "connection closed before an answer"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, NOT_HTTP),
    ],
)  # fmt: skip
def test_a_broken_frame_is_no_answer(answer, why):
    assert outcomes([answering(answer)]) == [NoAnswer(why)]


def test_a_body_of_no_bytes_need_not_be_packed():
    answer = b"HTTP/1.1 429 Slow down\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"
    assert [(one.status, one.body) for one in outcomes([answering(answer)])] == [(429, b"")]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=80).map(lambda tail: HEAD + tail))
def test_whatever_is_written_is_what_http_makes_of_it_or_no_answer(raw):
    (got,) = outcomes([answering(raw)])
    assert isinstance(got, NoAnswer) or (got.status, got.body) == whole_by_http(raw)


# An answer whose end is the connection's: a cut one looks whole, so what it is taken for must not hang on the rest


SENT = [(("externalId", "C-1"),), (("externalId", "C-2"),)]
TOLD = json.dumps(
    [
        {"profiles": [{"identifiers": [{"type": "externalId", "value": f"C-{number}"}]}], **more}
        for number, more in ((1, {"id": 7001}), (2, {"errors": [{"code": 521, "message": "busy"}]}))
    ]
).encode()
REFUSED = b'{"errors":[{"status":false,"code":1060,"message":"Batch limit size exceeded"}]}'


@pytest.mark.parametrize("status", [200, 400, 403, 413, 422, 429, 461, 500, 503, 521])
@pytest.mark.parametrize("body", [TOLD, b"\xef\xbb\xbf \n" + TOLD, REFUSED], ids=["rows", "indented", "refusal"])
def test_a_cut_answer_without_a_length_never_says_not_applied_by_mistake(status, body):
    head = b"HTTP/1.1 %d X\r\nConnection: close\r\n\r\n" % status
    whole, *cut = outcomes(answering(head + body[:size]) for size in (len(body), *range(6), *range(6, len(body), 5)))
    assert (whole.status, whole.body) == (status, body)
    meant = read_reply(status, body, SENT, "update").verdict
    told = {read_reply(one.status, one.body, SENT, "update").verdict for one in cut if isinstance(one, Answer)}
    if meant in (Verdict.ANSWERED, Verdict.IN_DOUBT):
        assert told == {Verdict.IN_DOUBT}
    else:
        assert Verdict.ANSWERED not in told


# One request after the other


STRAYS = {
    "a whole answer": b"HTTP/1.1 429 Slow down\r\nContent-Length: 0\r\n\r\n",
    "half a head": b"HTTP/1.1 429 Slow",
    "another body": ROWS,
    "one byte": b"\r",
}


@pytest.mark.parametrize("stray", STRAYS)
@pytest.mark.parametrize("pause_s", [0, 0.02])
def test_what_is_written_after_an_answer_answers_nothing(stray, pause_s):
    """Else the next batch would be told "429, not applied" by mistake, and sent again."""

    async def script(peer):
        await peer.take_request()
        await peer.write(BY_LENGTH if pause_s else BY_LENGTH + STRAYS[stray])
        await asyncio.sleep(pause_s)
        await peer.write(STRAYS[stray] if pause_s else b"")
        await peer.take(1 << 30)  # a second request here gets no other answer

    assert one_after_the_other(script) == [(200, ROWS)] * 3


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_server_that_leaves_between_requests_puts_none_in_doubt(end, size):
    async def script(peer):
        await peer.take_request()
        await peer.write(BY_LENGTH)  # which promises to keep the connection
        await peer.take(len(peer.read) + size)
        await ENDS[end](peer)

    assert one_after_the_other(script) == [(200, ROWS)] * 3


def one_after_the_other(script):
    async def story():
        async with far_side(script) as (port, _), Wire(httpx.URL("http://h"), connections=1, timeout_s=5) as wire:
            url = httpx.URL(f"http://127.0.0.1:{port}/")
            return [await wire.exchange("PUT", url, HEADERS, BODY) for _ in range(3)]

    return [(one.status, one.body) for one in asyncio.run(story())]


# TLS: a relay before the server cuts, stalls or garbles what goes either way


def relayed(inner_port, sizes, *, up=1 << 30, down=1 << 30, end=Peer.close, garble=None):
    """Carries so many bytes up to the server and down from it, then ends; `garble` is a byte's place on the way down.

    `sizes` is told how many bytes went up and down.
    """

    async def script(peer):
        loop = asyncio.get_running_loop()

        async def carry(source, sink, most, place=None):
            carried = 0
            while carried < most and (got := await loop.sock_recv(source, min(65_536, most - carried))):
                if place is not None and 0 <= place - carried < len(got):
                    got = got[: place - carried] + bytes([got[place - carried] ^ 0x01]) + got[place - carried + 1 :]
                await loop.sock_sendall(sink, got)
                carried += len(got)
                sizes[source is inner] = carried

        with socket.socket() as inner:
            inner.setblocking(False)
            await loop.sock_connect(inner, ("127.0.0.1", inner_port))
            ways = [
                asyncio.create_task(carry(peer.connection, inner, up)),
                asyncio.create_task(carry(inner, peer.connection, down, garble)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
            await end(peer)

    return script


def outcomes_behind(certificate, relays, timeout_s=10.0):
    """One outcome per relay (what `relayed` takes beside the port), with the laws checked; the server answers well.

    Also how many bytes the last one carried up and down.
    """
    server_tls, client_tls = certificate("127.0.0.1")
    seen, sizes = [], [0, 0]

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            head = await reader.readuntil(b"\r\n\r\n")
            seen.append(int(re.search(rb"bulk[?](\d+) ", head)[1]))
            await reader.readexactly(len(BODY))
            writer.write(BY_LENGTH)
            await writer.drain()
        writer.transport.abort()

    async def story():
        room = asyncio.Semaphore(16)
        async with (
            await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_tls) as server,
            Wire(httpx.URL("https://h"), connections=16, timeout_s=timeout_s, tls=client_tls) as wire,
        ):
            inner_port = server.sockets[0].getsockname()[1]

            async def one(number, relay):
                async with room, far_side(relayed(inner_port, sizes, **relay)) as (port, peers):
                    url = httpx.URL(f"https://127.0.0.1:{port}/v2/bulk?{number}")
                    got = in_plain_words(await wire.exchange("PUT", url, HEADERS, BODY))
                assert len(peers) <= 1
                return got

            return await asyncio.gather(*(one(number, relay) for number, relay in enumerate(relays)))

    got = asyncio.run(story())
    assert len(seen) == len(set(seen))
    assert [number for number, one in enumerate(got) if isinstance(one, NeverSent) and number in seen] == []
    assert {(one.status, one.body) for one in got if isinstance(one, Answer)} <= {(200, ROWS)}
    return got, sizes


EVERY = 7  # a byte of TLS in so many: its records are dozens of bytes and more


@pytest.mark.parametrize("end", ["closes", "resets"])
@pytest.mark.parametrize("way", ["up", "down"])
def test_tls_cut_anywhere_on_either_way_keeps_the_laws(way, end, certificate):
    (whole,), (up, down) = outcomes_behind(certificate, [{}])
    assert whole.status == 200
    cuts = range(0, up if way == "up" else down, EVERY)
    got, _ = outcomes_behind(certificate, [{way: size, "end": ENDS[end]} for size in cuts])
    assert {NeverSent, NoAnswer} <= {type(one) for one in got}  # in the handshake, and after it


def test_tls_garbled_anywhere_keeps_the_laws(certificate, monkeypatch):
    _, (_, down) = outcomes_behind(certificate, [{}])
    monkeypatch.setattr(transport, "CONNECT_S", 0.3)  # a garbled length lets the client wait for more
    got, _ = outcomes_behind(certificate, [{"garble": place} for place in range(0, down, EVERY)], timeout_s=0.3)
    assert {NeverSent, NoAnswer} <= {type(one) for one in got}


def test_tls_that_falls_silent_keeps_the_laws(certificate, monkeypatch):
    monkeypatch.setattr(transport, "CONNECT_S", 0.3)
    cuts = [0, 1, 5, 100, 500, 800, 1200]
    got, _ = outcomes_behind(certificate, [{"down": size, "end": Peer.stall} for size in cuts], timeout_s=0.3)
    assert got[0] == NeverSent("no connection within 0.3 s")
