"""One sandbox: its settings, its customers, its clients, its faults, and what it was asked."""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping

from connectors.sandbox.auth import Auth
from connectors.sandbox.books import Books, RequestSeen
from connectors.sandbox.faults import Faults
from connectors.sandbox.limits import Holds, RateLimit
from connectors.sandbox.preload import Identity, preload
from connectors.sandbox.settings import Settings
from connectors.sandbox.store import Store
from connectors.sandbox.transport import Connections
from connectors.sandbox.validation import Validator


class Sandbox:
    """What all endpoints share. Close it: it owns a database connection."""

    def __init__(
        self, settings: Settings | None = None, faults: Iterable[str] = (), *, database: str = ":memory:", seed: int = 0
    ) -> None:
        self.settings = settings or Settings()
        self.faults = Faults(faults, seed)
        self.store = Store(database)
        self.validator = Validator(self.settings)
        self.auth = Auth(self.settings.org, time.time)
        self.rate_limit = RateLimit(self.settings, time.time)
        self.holds = Holds()
        self.connections = Connections()
        self.requests: list[RequestSeen] = []
        self.books = Books(self.store, self.requests)
        self.stopping: Callable[[], bool] = lambda: False
        self._run = secrets.token_hex(4)
        self._request_count = 0

    def new_request_id(self) -> str:
        """What X-CAP-REQUEST-ID says; unique also across restarts on one database."""
        self._request_count += 1
        return f"sbx-{self._run}-{self._request_count:08d}"

    def preload(self, identities: Iterable[Identity], source: str = "INSTORE", account: str = "") -> int:
        """Add customers known only by identifiers, as an earlier load left them; returns how many were new."""
        return preload(self.store, identities, source, account)

    def set_faults(self, texts: Iterable[str]) -> None:
        """Replace all faults.

        Raises:
            FaultError: a text names no fault; nothing changes.
        """
        self.faults.set(texts)

    def token_ttl_s(self) -> float:
        """How long a new token lives."""
        return self.faults.token_ttl_s() or self.settings.token_ttl_s

    def client(self, headers: Mapping[str, str]) -> str | None:
        """Who is calling, if anybody known."""
        return self.auth.client(headers)

    def close(self) -> None:
        """Close the database; one in memory is gone then."""
        self.store.close()
