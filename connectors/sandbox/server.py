"""The sandbox as a server: in a thread beside a test, or alone until a signal."""

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager

import uvicorn

from connectors.sandbox.app import build_app
from connectors.sandbox.settings import Settings
from connectors.sandbox.state import Sandbox

HOST = "127.0.0.1"
STOP_S = 10.0
TICK_S = 0.02
GC_THRESHOLDS = (100_000, 20, 20)  # at Python's own, a quarter of the time went into looking for garbage cycles


class _Server(uvicorn.Server):
    """Uvicorn's server, quick to stop: its own takes 0.2 s each time, which a suite of tests pays per sandbox."""

    async def main_loop(self) -> None:
        """Serve until told to stop."""
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            await asyncio.sleep(TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, let requests in flight end, close the rest."""
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        give_up_s = time.monotonic() + STOP_S
        while self.server_state.connections and time.monotonic() < give_up_s and not self.force_exit:
            for connection in list(self.server_state.connections):
                connection.shutdown()
            await asyncio.sleep(TICK_S / 4)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop on SIGINT and SIGTERM, and return: the signal is not raised a second time."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def _server_of(sandbox: Sandbox) -> _Server:
    config = uvicorn.Config(
        build_app(sandbox),
        http=sandbox.connections.protocol(),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = _Server(config)
    sandbox.stopping = lambda: server.should_exit
    return server


def _listen(port: int) -> tuple[socket.socket, str]:
    """A listening socket and its url; uvicorn closes it when it stops.

    Loopback only: /sandbox/ asks for no key.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    listener.listen(2048)
    return listener, f"http://{HOST}:{listener.getsockname()[1]}"


class RunningSandbox(Sandbox):
    """A sandbox with an address."""

    url: str = ""


@contextmanager
def run_sandbox(
    settings: Settings | None = None,
    faults: Iterable[str] = (),
    *,
    port: int = 0,
    database: str = ":memory:",
    seed: int = 0,
) -> Iterator[RunningSandbox]:
    """Serve on the loopback interface from a thread; port 0 takes a free one.

    The server answers when the block begins and is gone, with its database, when it ends: stalled and slow
    requests are let go of.

    Raises:
        FaultError: a text names no fault.
        OSError: the port is taken.
    """
    with closing(RunningSandbox(settings, faults, database=database, seed=seed)) as sandbox:
        server = _server_of(sandbox)
        listener, sandbox.url = _listen(port)
        thread = threading.Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
        thread.start()
        while thread.is_alive() and not server.started:
            time.sleep(TICK_S / 20)
        try:
            yield sandbox
        finally:
            server.should_exit = True
            thread.join(STOP_S)


def serve(
    port: int = 8080,
    faults: Iterable[str] = (),
    *,
    settings: Settings | None = None,
    database: str = ":memory:",
    seed: int = 0,
    ready: Callable[[RunningSandbox], None] = lambda _: None,
) -> None:
    """Serve on the loopback interface until SIGINT or SIGTERM, then return.

    `ready` is called once, with the sandbox and its url, when connections are accepted: time to preload or print.

    Raises:
        FaultError: a text names no fault.
        OSError: the port is taken.
    """
    with closing(RunningSandbox(settings, faults, database=database, seed=seed)) as sandbox:
        listener, sandbox.url = _listen(port)
        ready(sandbox)
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        _server_of(sandbox).run([listener])
