"""A sandbox in a process of its own, with any settings: `python -m benchmarks.fault_sandbox JSON` prints its url."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parent.parent
WRITES, META = "PUT /v2/bulk", "GET /v2/meta/sources"
LOOK_UPS = ("GET /v2/customers/", "GET /v2/pointsLedger/")


@dataclass(frozen=True, slots=True)
class Booked:
    """What the sandbox has of one customer: how often it was written to, and each credit's points."""

    writes: int
    credits: tuple[int, ...]


class Books:
    """The sandbox's own endpoints, as another process sees them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()

    def preload(self, keys: Sequence[str]) -> None:
        """Customers that are there before."""
        self._session.post(f"{self.url}/sandbox/customers", json=list(keys), timeout=60).raise_for_status()

    def set_faults(self, faults: Sequence[str]) -> None:
        """Replace all faults."""
        self._session.put(f"{self.url}/sandbox/faults", json=list(faults), timeout=60).raise_for_status()

    def requests(self, *starts: str) -> int:
        """Requests that ended so far, by the beginning of method and path."""
        by_path: dict[str, int] = self._told()["requests"]["by_path"]
        return sum(number for path, number in by_path.items() if path.startswith(starts))

    def by_status(self) -> dict[str, int]:
        """Requests by the status they ended with; 0 is no answer."""
        return dict(self._told()["requests"]["by_status"])

    def of(self, key: str) -> Booked:
        """One customer."""
        told = self._told(identifierName="externalId", identifierValue=key)
        return Booked(told["writes"], tuple(credit["points"] for credit in told["credits"]))

    def _told(self, **query: str) -> dict[str, Any]:
        answer = self._session.get(f"{self.url}/sandbox/books", params=query, timeout=60)
        return dict(answer.json())


@contextmanager
def sandbox(settings: dict[str, Any], faults: Sequence[str], seed: int) -> Iterator[Books]:
    """Serve until the block ends."""
    told = json.dumps({"settings": settings, "faults": list(faults), "seed": seed})
    command = [sys.executable, "-m", "benchmarks.fault_sandbox", told]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Books(process.stdout.readline().strip())
        finally:
            process.terminate()


def main(told: str) -> None:
    from connectors.sandbox.server import serve  # noqa: PLC0415 - the scoreboard's own process needs none of it
    from connectors.sandbox.settings import Settings  # noqa: PLC0415 - as above

    given = json.loads(told)
    serve(
        0,
        given["faults"],
        settings=Settings(**given["settings"]),
        seed=given["seed"],
        ready=lambda box: print(box.url, flush=True),
    )


if __name__ == "__main__":
    main(sys.argv[1])
