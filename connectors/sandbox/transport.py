"""Answers that are none: a reset, a close, silence. They need the socket under the HTTP server."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

POLL_S = 0.05


class Connections:
    """Open connections by the client's address, as it stands in the ASGI scope."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], asyncio.Transport] = {}

    def protocol(self) -> type[H11Protocol]:
        """Uvicorn's HTTP/1.1 protocol, entering its connections here."""
        opened = self._open

        class Remembered(H11Protocol):
            """Uvicorn's own, which remembers its transport."""

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows the argument
                """Enter the connection."""
                self.address = tuple(transport.get_extra_info("peername")[:2])
                opened[self.address] = transport
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                """Forget the connection."""
                opened.pop(self.address, None)
                super().connection_lost(exc)

        return Remembered

    def close(self, scope: Scope) -> None:
        """End the request's connection in good order (FIN), whatever the client still waits for."""
        transport = self._open.get(tuple(scope["client"]))
        if transport is not None:
            transport.close()

    def reset(self, scope: Scope) -> None:
        """End the request's connection with RST: lingering zero seconds throws the rest away."""
        transport = self._open.get(tuple(scope["client"]))
        if transport is not None:
            connection: socket.socket = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()


class Silence(Response):
    """Sends nothing: ends the connection by `end`, or keeps it until the client or the server leaves."""

    def __init__(self, end: Callable[[Scope], None], *, stalls_until: Callable[[], bool] | None = None) -> None:
        super().__init__()
        self._end = end
        self._stalls_until = stalls_until

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the end of the connection, so that the server does not answer in our place."""
        stalling = self._stalls_until is not None
        if not stalling:
            self._end(scope)
        while await _next_type(receive) != "http.disconnect":
            if stalling and self._stalls_until is not None and self._stalls_until():
                self._end(scope)
                stalling = False


async def _next_type(receive: Receive) -> Any:
    try:
        return (await asyncio.wait_for(receive(), POLL_S))["type"]
    except TimeoutError:
        return None
