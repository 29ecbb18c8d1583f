"""One file by https: its size and marks by a request for its first byte, its bytes by ranges where the server can.

Only GET is used: a signed URL is signed for its method.
"""

import base64
import re
from collections.abc import Generator
from typing import Any

from connectors.addresses import Address
from connectors.doors import Door, FileSystem, Info, library, run
from connectors.landing import Lost
from connectors.transport import tls_context
from schemas.errors import SourceError
from schemas.tables import Login

CONNECT_S = 15.0
READ_S = 60.0
READ_BYTES = 1 << 18  # aiohttp reads ahead by as much, and forgets it when the connection breaks
_STATUS = {
    401: "the server wants another login; look at login: (user and password)",
    403: "the server refuses it; a signed URL may have run out, or the login lacks the right",
}


class WebDoor(Door):
    """A session; whatever is answered comes from https, or from this machine."""

    can_write = False

    def __init__(self, address: Address, label: str, login: Login | None) -> None:
        super().__init__(address, label)
        self._login = login or Login()

    def open(self) -> FileSystem:
        aiohttp = library("aiohttp", self.address, self.label)
        kind = library("fsspec.implementations.http", self.address, self.label).HTTPFileSystem

        async def session(**options: Any) -> Any:
            return aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=tls_context()),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=READ_S),
                auto_decompress=False,
            )

        return kind(get_client=session, skip_instance_cache=True)

    def close(self, system: FileSystem) -> None:
        run(system.loop, _closed, system)

    def info(self, system: FileSystem, path: str) -> Info:
        answer = self._ask(system, path, "bytes=0-0")
        try:
            return _told(answer)
        finally:
            run(system.loop, _released, answer)

    def blocks(
        self, system: FileSystem, path: str, offset: int, size_bytes: int | None
    ) -> Generator[bytes, None, None]:
        if size_bytes is not None and offset >= size_bytes:
            return
        answer = self._ask(system, path, f"bytes={offset}-")
        past = 0 if answer.status == 206 else offset  # a server without ranges begins anew
        try:
            while block := run(system.loop, answer.content.read, READ_BYTES):
                skipped = min(past, len(block))
                past -= skipped
                if skipped < len(block):
                    yield block[skipped:]
        finally:
            run(system.loop, _released, answer)

    def _ask(self, system: FileSystem, path: str, ranges: str) -> Any:
        answer = run(system.loop, self._get, system, path, ranges)
        trouble: Exception | None = None
        if answer.status in (404, 410):
            trouble = FileNotFoundError()
        elif self.address.scheme == "https" and answer.url.scheme != "https":
            trouble = SourceError(f"{self.at}: the server leads on to http://, which is not safe; use another URL")
        elif answer.status == 429 or answer.status >= 500:
            trouble = Lost(f"the server is not ready (HTTP {answer.status})")
        elif answer.status not in (200, 206) and not (answer.status == 416 and ranges == "bytes=0-0"):
            told = _STATUS.get(answer.status, "the server does not give it")
            trouble = SourceError(f"{self.label}: {self.address.uri(path)}: {told} (HTTP {answer.status})")
        elif answer.status != 416 and not _says_its_end(answer):
            trouble = SourceError(
                f"{self.label}: {self.address.uri(path)}: the server does not say how long it is, and a file that was "
                "cut off would pass for a whole one; have the server send Content-Length or chunks"
            )
        if trouble is not None:
            run(system.loop, _released, answer)
            raise trouble
        return answer

    def _authorization(self) -> dict[str, str]:
        """In a header, which goes no further when the server leads on to another."""
        user = self._login.user or self.address.user
        if user is None:
            return {}
        password = self._login.password.get_secret_value() if self._login.password else self.address.password
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password or ''}".encode()).decode()}

    async def _get(self, system: FileSystem, path: str, ranges: str) -> Any:
        import yarl  # noqa: PLC0415 - comes with aiohttp

        url = self.address.uri(path) + (f"?{self.address.query}" if self.address.query else "")
        session = await system.set_session()
        return await session.get(
            yarl.URL(url, encoded=True),  # a signature is of the URL as it is written
            headers={"Range": ranges, "Accept-Encoding": "identity", **self._authorization()},
        )


def _says_its_end(answer: Any) -> bool:
    """Whether a broken connection can be told from the file's end."""
    return "Content-Length" in answer.headers or "chunked" in answer.headers.get("Transfer-Encoding", "").lower()


async def _released(answer: Any) -> None:
    answer.close()


async def _closed(system: FileSystem) -> None:
    if system._session is not None:
        await system._session.close()


def _told(answer: Any) -> Info:
    ranges = re.fullmatch(r"bytes [0-9*-]+/([0-9]+)", answer.headers.get("Content-Range", ""))
    told: dict[str, Any] = {key: answer.headers[key] for key in ("ETag", "Last-Modified") if key in answer.headers}
    if answer.status == 200 and "Content-Length" in answer.headers:
        told["size"] = int(answer.headers["Content-Length"])
    elif ranges is not None:
        told["size"] = int(ranges[1])
    return {**told, "type": "file"}
