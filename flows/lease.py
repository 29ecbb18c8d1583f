"""One run sends to one place at a time: the lease is held, and held on to, while a run is under way."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from connectors.lease import LeaseLost
from connectors.ledger import Ledger, LedgerStopped
from connectors.locks import only_one
from schemas.errors import BulkloadError, WrongInput

LEASE_S = 60.0  # how long other machines wait for a run whose machine died


@contextmanager
def holding(ledger: Ledger, home_folder: Path, name: str, run: str, for_s: float = LEASE_S) -> Iterator[None]:
    """Hold a lease while a run writes and sends; once it is lost, the ledger's next write raises LeaseLost.

    A lock of this machine proves who lives here: it is let go of by a process that dies, and kept by one that
    is merely stopped. Of another machine's process only the time of its last renewal is known.

    Raises:
        LeaseHeld: another run has it; it says which, where, and since when.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(only_one(home_folder, f"lease-{blake2b(name.encode(), digest_size=8).hexdigest()}"))
        except WrongInput:
            raise ledger.held_by_another(name) from None
        ledger.take_lease(name, run, datetime.now(UTC), for_s, alone_here=True)
        ended = threading.Event()
        renewing = threading.Thread(target=_renew, args=(ledger, for_s, ended), name="lease", daemon=True)
        renewing.start()
        try:
            yield
        finally:
            ended.set()
            renewing.join()
            # If it cannot be written, it runs out.
            with suppress(LedgerStopped):
                ledger.release_lease()


def _renew(ledger: Ledger, for_s: float, ended: threading.Event) -> None:
    while not ended.wait(for_s / 3):
        try:
            ledger.renew_lease(datetime.now(UTC), for_s)
        except LeaseLost:
            return  # whoever writes next is told
        except BulkloadError:
            continue  # a full disk, a busy ledger: the run hears of it itself; there is time for two more tries
