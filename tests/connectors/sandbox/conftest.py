"""Sandboxes on real sockets, and customers written short: `one("C-1", mobile=...)` is an element of a batch."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from connectors.sandbox.server import RunningSandbox, run_sandbox
from connectors.sandbox.settings import Settings

PASSWORD = hashlib.md5(b"demo-password").hexdigest()


@dataclass
class Served:
    """A running sandbox and a client that is known to it."""

    sandbox: RunningSandbox
    client: httpx.Client

    @property
    def books(self):
        return self.sandbox.books

    def send(self, *batch: Any, method: str = "PUT", fault: str = "", path: str = "/v2/bulk?source=INSTORE"):
        headers = {"X-Sandbox-Fault": fault} if fault else {}
        return self.client.request(method, path, json=list(batch), headers=headers)

    def post(self, *batch: Any, path: str = "/v2/customers/bulk?source=INSTORE", fault: str = ""):
        return self.send(*batch, method="POST", path=path, fault=fault)

    def get(self, path: str, **query: Any):
        return self.client.get(path, params=query)


@contextmanager
def open_sandbox(settings: Settings | None = None, faults: tuple[str, ...] = ()) -> Iterator[Served]:
    with (
        run_sandbox(settings, faults) as sandbox,
        httpx.Client(base_url=sandbox.url, auth=("till.hq", PASSWORD), timeout=5) as client,
    ):
        yield Served(sandbox, client)


@pytest.fixture(autouse=True)
def no_error_in_the_server(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A traceback in the server's thread fails the test that caused it."""
    yield
    assert [one.getMessage() for one in caplog.get_records("call") if one.levelno >= logging.ERROR] == []


@pytest.fixture
def serve_with() -> Iterator[Callable[..., Served]]:
    """A sandbox of the test's own: its settings by name, and its faults."""
    with ExitStack() as stack:

        def serve(faults: tuple[str, ...] = (), **settings: Any) -> Served:
            return stack.enter_context(open_sandbox(Settings(**settings), faults))

        yield serve


@pytest.fixture(scope="module")
def plain() -> Iterator[Served]:
    """Default settings, customers C-1 to C-99 without a mobile; tests of a module share it, each its customers."""
    with open_sandbox() as served:
        served.sandbox.preload(f"C-{number}" for number in range(1, 100))
        yield served


@pytest.fixture(scope="session")
def one() -> Callable[..., dict[str, Any]]:
    def build(external_id: str | None = None, *, profile: dict[str, Any] | None = None, **rest: Any) -> dict[str, Any]:
        """One element; identifiers by their type, keys of the profile in `profile`, others beside it."""
        kinds = ("mobile", "email", "cuid", "cardnumber")
        given = {"externalId": external_id} | {kind: rest.pop(kind) for kind in kinds if kind in rest}
        identifiers = [{"type": kind, "value": value} for kind, value in given.items() if value is not None]
        return {
            "profiles": [{"source": "INSTORE", "identifiers": identifiers} | (profile or {})],
            "loyaltyInfo": {"loyaltyType": "loyalty"},
        } | rest

    return build


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], bool]], bool]:
    def wait(holds: Callable[[], bool]) -> bool:
        """Whether it comes true within five seconds; asked every 20 ms."""
        until_s = time.monotonic() + 5
        while not holds() and time.monotonic() < until_s:
            time.sleep(0.02)
        return holds()

    return wait


@pytest.fixture(scope="session")
def points() -> Callable[..., dict[str, Any]]:
    return lambda points, program=1016, **rest: {
        "loyaltyProgramEnrollments": [{"programId": program, "loyaltyPoints": points, **rest}]
    }


@pytest.fixture(scope="session")
def codes() -> Callable[..., list[int]]:
    return lambda element, kind="errors": [one["code"] for one in element.get(kind, [])]
