"""A desk to work at: a sandbox on a real socket, a source and a job file in a folder, and the command line."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from connectors.sandbox.server import RunningSandbox, run_sandbox
from connectors.sandbox.settings import Settings
from flows import breaker, deliver, patience
from flows.cli import app

CUSTOMERS = "member_no,phone,first_name,points\n"
FATES = [
    "unreadable", "filtered", "invalid", "duplicate", "conflict", "unchanged",
    "accepted", "accepted_with_loss", "refused", "in_doubt", "not_sent",
]  # fmt: skip
JOB: dict[str, Any] = {
    "name": "e2e",
    "mode": "migrate",
    "source": {"customers": {"files": "customers.csv"}},
    "locale": {"country": "IN", "timezone": "Asia/Kolkata", "dates": "day_first"},
    "map": {
        "identifiers": {"externalId": "member_no", "mobile": "phone"},
        "firstName": "first_name",
        "loyaltyType": {"value": "loyalty"},
        "loyaltyProgramEnrollments": [{"programId": {"value": 1016}, "loyaltyPoints": "points"}],
    },
    "destination": {
        "url": "${E2E_URL}",
        "auth": {"oauth": {"key": "${E2E_KEY}", "secret": "${E2E_SECRET}"}},
        "enrollments": True,
        "in_doubt": "hold",  # test_doubts.py looks them up
    },
    "limits": {
        "requests_per_minute": 60_000,
        "rows_per_request": 5,
        "in_flight": 2,
        "timeout_s": 2,
        "attempts": 3,
        "look_up_after_s": [0.1, 0.3],
    },
}


def customers(count: int) -> str:
    """C-1 with 1 point, C-2 with 2 and so on; their mobiles differ."""
    return CUSTOMERS + "".join(f"C-{n},98450{n:05},Asha,{n}\n" for n in range(1, count + 1))


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Keys of `over` win; what it sets to None goes."""
    whole = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        whole[key] = merged(base[key], value) if both else value
    return {key: value for key, value in whole.items() if value is not None}


@dataclass
class Outcome:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def told(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        told = json.loads(self.stdout)
        assert isinstance(told, dict)
        return told

    @property
    def sent(self) -> dict[str, int]:
        """Rows by fate, without those of none."""
        return {fate: rows for fate, rows in self.told["rows"].items() if rows and fate != "read"}

    @property
    def points(self) -> dict[str, int]:
        """Points of programme 1016 by fate, with those read."""
        return dict(self.told["points"]["1016"])


@dataclass
class Desk:
    """One folder with its source, job and home, and the sandbox the job sends to."""

    folder: Path
    sandbox: RunningSandbox

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def books(self):
        return self.sandbox.books

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def source(self, count: int) -> None:
        """`count` customers in customers.csv, all of them known to the sandbox."""
        self.write("customers.csv", customers(count))
        self.sandbox.preload(f"C-{n}" for n in range(1, count + 1))

    def job(self, **over: Any) -> str:
        """The usual job with something changed, one level after the other."""
        return str(self.write("job.yaml", yaml.safe_dump(merged(JOB, over), sort_keys=False)))

    def __call__(self, *words: str) -> Outcome:
        """Run a command in this process, under `--json` and at this desk's home."""
        return self.say(*words, "--home", str(self.home), "--json")

    def say(self, *words: str) -> Outcome:
        """Run a command with these words and no others. A bug's exception is raised here again."""
        result = CliRunner().invoke(app, list(words))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    def run(self, **over: Any) -> Outcome:
        """Run the usual job, with something changed."""
        return self("run", self.job(**over))

    def of(self, outcome: Outcome) -> Path:
        """The folder of a run."""
        return self.home / outcome.told["run"]

    def results(self, outcome: Outcome) -> list[dict[str, Any]]:
        """The run's results, row by row."""
        return pq.read_table(self.of(outcome) / "results.parquet").to_pylist()

    @contextmanager
    def meanwhile(self, requests: int, act: Callable[[], object]) -> Iterator[None]:
        """Do something from a thread when so many bulk requests have ended."""

        def wait_and_act() -> None:
            until_s = time.monotonic() + 60
            while len(self.books.requests("/v2/bulk")) < requests:
                if time.monotonic() > until_s:
                    return  # nobody would heed a signal by now
                time.sleep(0.002)
            act()

        acting = threading.Thread(target=wait_and_act)
        acting.start()
        yield
        acting.join()

    def agrees(self, outcome: Outcome) -> bool:
        """Rows and points balance; the books hold what was accepted, nothing twice, and more only where in doubt."""
        rows, points = outcome.told["rows"], outcome.points
        assert sum(rows[fate] for fate in FATES) == rows["read"]
        assert sum(points.get(fate, 0) for fate in FATES) == points["read"]
        assert (self.books.credited_twice(), self.books.written_twice()) == ([], [])
        applied = rows["accepted"] + rows["accepted_with_loss"]
        credited = points.get("accepted", 0) + points.get("accepted_with_loss", 0)
        booked = self.books.credits()[1016].points if self.books.credits() else 0
        assert applied <= self.books.customers_written() <= applied + rows["in_doubt"]
        assert credited <= booked <= credited + points.get("in_doubt", 0)
        return True


@pytest.fixture
def desk_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Desk]]:
    """A desk whose sandbox has these faults and settings."""
    # Who has Prefect configured on this machine runs these tests plainly all the same.
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with ExitStack() as stack:

        def opened(*faults: str, **settings: Any) -> Desk:
            sandbox = stack.enter_context(run_sandbox(Settings(**settings), faults))
            for name, value in (("URL", sandbox.url), ("KEY", "demo"), ("SECRET", "demo-secret")):
                monkeypatch.setenv(f"E2E_{name}", value)
            return Desk(tmp_path, sandbox)

        yield opened


@pytest.fixture
def desk(desk_with: Callable[..., Desk]) -> Desk:
    """A desk whose sandbox works."""
    return desk_with()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that are ours to choose become short; those that the API asks for stay."""
    monkeypatch.setattr(patience, "LONGEST_WAIT_S", 0.05)
    monkeypatch.setattr(patience, "UNSENT_WAIT_S", 0.05)
    monkeypatch.setattr(breaker, "PROBE_WAITS_S", (0.05, 0.05, 0.05))
    monkeypatch.setattr(deliver, "PUT_OFF_S", 0.05)
