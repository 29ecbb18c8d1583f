"""Who is put to the test, as commands that a scheduler would give: bulkload, and the plain script with retries."""

import csv
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow.parquet as pq
import yaml

from benchmarks.fault_sandbox import META, ROOT, Books
from benchmarks.fault_score import Account
from benchmarks.retrying import GIVEN_UP_EXIT

# What the job says of rows in doubt, and the limits that go with it. The scoreboard runs the default.
IN_DOUBT: Mapping[str, Mapping[str, Any]] = {"hold": {}, "look_up": {"look_up_after_s": [0.2, 0.5]}}
DEFAULT_IN_DOUBT = "look_up"

JOB = ROOT / "data" / "jobs" / "messy.yaml"
ROWS_PER_REQUEST = 5
LIMITS: Mapping[str, Any] = {
    "requests_per_minute": 60_000, "rows_per_request": ROWS_PER_REQUEST, "in_flight": 2, "timeout_s": 5.0,
}  # fmt: skip
COLUMNS = [
    "member_no", "phone", "email", "first_name", "last_name", "sex", "birth_date", "wedding_date", "city", "state",
    "zip", "kids", "last_visit", "phone_verified", "sms_ok", "store", "legacy_id", "card_no", "card_series", "till",
    "tier", "points", "tier_until", "points_until",
]  # fmt: skip
MOST_COMMANDS = 8
HUNG_S = 180.0
POLL_S = 0.01  # asking the sandbox more often would take the machine from those who are tested
NO_TOKEN = "stall-before@token"  # nobody sends without one
JUMPING = "from benchmarks.clock_jump import listen; listen(); "


@dataclass
class Desk:
    """One try of one loader: its folder, its input, and the sandbox it sends to."""

    folder: Path
    books: Books
    points: Mapping[str, int]  # of each customer
    limits: Mapping[str, Any] = field(default_factory=dict)
    in_doubt: str = DEFAULT_IN_DOUBT

    @property
    def requests_needed(self) -> int:
        """What an undisturbed run sends."""
        return -(-len(self.points) // ROWS_PER_REQUEST)

    @property
    def source(self) -> Path:
        """The customers; made with the desk."""
        return self.folder / "customers.csv"

    def furnish(self) -> None:
        """Write the customers down: clean ones, whose identifiers differ."""
        with self.source.open("w", encoding="utf-8", newline="") as file:
            lines = csv.DictWriter(file, COLUMNS, restval="")
            lines.writeheader()
            for number, (key, points) in enumerate(self.points.items()):
                told = {"member_no": key, "phone": f"98450{number:05}", "first_name": "Asha", "till": "till.blr.01"}
                lines.writerow(told | {"tier": "1", "points": str(points)})

    def start(self, code: str, *words: str) -> "subprocess.Popen[str]":
        """A process of its own; what it says is kept in the folder when it ends."""
        plainly = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        env = plainly | {"SANDBOX_URL": self.books.url, "PREFECT_HOME": str(self.folder)}
        command = [sys.executable, "-c", code, *words]
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self, process: "subprocess.Popen[str]") -> int:
        """Wait for a process; its exit code, negative for a signal."""
        try:
            said, _ = process.communicate(timeout=HUNG_S)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
        with (self.folder / "said.txt").open("a", encoding="utf-8") as file:
            file.write(f"{said}exit {process.returncode}\n\n")
        return process.returncode


class Loader(Protocol):
    """How faults.py works one."""

    desk: Desk

    def begin(self, before: str = "") -> "subprocess.Popen[str]":
        """Start the load; `before` is code that runs first."""

    def go_on(self, exits: Sequence[int]) -> "subprocess.Popen[str] | None":
        """What is done next after these exit codes; None when nothing is."""

    def until_preparing(self, process: "subprocess.Popen[str]") -> None:
        """Return when it reads its input; it may be kept from sending."""

    def until_poised(self, process: "subprocess.Popen[str]") -> None:
        """Return when it is about to send, and keep it there."""

    def account(self, exits: Sequence[int]) -> Account:
        """What it says."""


def until(process: "subprocess.Popen[str]", reached: Callable[[], bool], every_s: float = POLL_S) -> None:
    """Wait for something, but not past the process's end."""
    while process.poll() is None and not reached():
        time.sleep(every_s)


class Bulkload:
    """`bulkload run`, and after a stop or a death `bulkload resume`."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._home, self._job = desk.folder / "home", desk.folder / "job.yaml"
        job = yaml.safe_load(JOB.read_text(encoding="utf-8"))
        job["source"]["customers"]["files"] = desk.source.name
        job["destination"]["in_doubt"] = desk.in_doubt
        job["limits"] = {**LIMITS, **desk.limits, **IN_DOUBT[desk.in_doubt]}
        job["run"] = {"part_rows": 100}
        self._job.write_text(yaml.safe_dump(job, sort_keys=False), encoding="utf-8")

    def _start(self, *words: str, before: str = "") -> "subprocess.Popen[str]":
        code = f"{before}from flows.cli import main; main()"
        return self.desk.start(code, *words, "--home", str(self._home), "--json")

    def begin(self, before: str = "") -> "subprocess.Popen[str]":
        return self._start("run", str(self._job), "--yes", "--no-prefect", before=before)

    def go_on(self, exits: Sequence[int]) -> "subprocess.Popen[str] | None":
        """Resume what was stopped or killed; where there is nothing to go on with, run."""
        if exits[-1] < 0 or exits[-1] == 4:
            return self._start("resume")
        return self.begin() if exits[-1] == 2 else None

    def until_preparing(self, process: "subprocess.Popen[str]") -> None:
        until(process, lambda: any(self._home.glob("*/prepared/*")), every_s=0.001)

    def until_poised(self, process: "subprocess.Popen[str]") -> None:
        """It has proven that the host knows it; for delivering it wants a token of its own, and gets none."""
        until(process, lambda: self.desk.books.requests(META) > 0)
        self.desk.books.set_faults([NO_TOKEN])
        until(process, lambda: any(self._home.glob("*/prepared.json")))
        time.sleep(0.5)

    def account(self, exits: Sequence[int]) -> Account:
        """Of the last run that came to a report."""
        ended = sorted(self._home.glob("*/run.json"), key=lambda path: path.stat().st_mtime)
        if not ended:
            return Account({}, tuple(exits))
        keys = dict(enumerate(self.desk.points, start=2))  # by line
        results = pq.read_table(ended[-1].parent / "results.parquet").to_pylist()
        fates = {keys[row["line"]]: row["fate"] for row in results}
        remembered = self._remembered()
        memory = {keys[row["line"]]: remembered[row["key_hash"]] for row in results if row["key_hash"] in remembered}
        told = json.loads(ended[-1].read_text(encoding="utf-8"))["rows"]
        counted = Counter(fates.values())
        off = sum(abs(rows - counted[fate]) for fate, rows in told.items() if fate != "read")
        return Account(fates, tuple(exits), memory, off)

    def _remembered(self) -> dict[bytes, str]:
        ledger = sqlite3.connect(self._home / "ledger.sqlite")
        try:
            return dict(ledger.execute("select key_hash, fate from accepted"))
        finally:
            ledger.close()


class Retrying:
    """The script of `retrying.py`, started again from the beginning when it died."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._logs: list[Path] = []

    def begin(self, before: str = "") -> "subprocess.Popen[str]":
        log = self.desk.folder / f"{len(self._logs)}.log"
        self._logs.append(log)
        timeout_s = {**LIMITS, **self.desk.limits}["timeout_s"]
        words = ["--rows-per-request", str(ROWS_PER_REQUEST), "--timeout", str(timeout_s)]
        code = f"{before}from benchmarks.retrying import main; main()"
        return self.desk.start(code, str(self.desk.source), str(log), *words)

    def go_on(self, exits: Sequence[int]) -> "subprocess.Popen[str] | None":
        return None if exits[-1] in (0, GIVEN_UP_EXIT) else self.begin()

    def until_preparing(self, process: "subprocess.Popen[str]") -> None:
        """Nothing outside tells when it reads, right after its imports; without a token it does not send meanwhile."""
        self.desk.books.set_faults([NO_TOKEN])
        time.sleep(0.5)

    def until_poised(self, process: "subprocess.Popen[str]") -> None:
        self.desk.books.set_faults([NO_TOKEN])
        time.sleep(1.5)

    def account(self, exits: Sequence[int]) -> Account:
        """Of the last log; of two at once, each said the same of itself."""
        fates: dict[str, str] = {}
        if self._logs and self._logs[-1].exists():
            for line in self._logs[-1].read_text(encoding="utf-8").splitlines():
                fates |= json.loads(line)
        return Account(fates, tuple(exits))
