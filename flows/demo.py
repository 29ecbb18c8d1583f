"""The demo: the main job on the bundled sample, against the bundled sandbox in this process."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.sandbox.server import RunningSandbox, run_sandbox
from connectors.sandbox.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
JOB = ROOT / "data" / "jobs" / "demo.yaml"
CUSTOMERS = ROOT / "data" / "samples" / "customers.csv"
# The sandbox allows what the demo's job asks for, as an API and a job that fit each other do.
REQUESTS_PER_MINUTE = 600


@contextmanager
def demo_sandbox() -> Iterator[RunningSandbox]:
    """A sandbox that knows the sample's members; update changes customers and makes none."""
    with run_sandbox(Settings(requests_per_minute=REQUESTS_PER_MINUTE)) as sandbox:
        sandbox.preload({"externalId": member} for member in sorted(_members()))
        yield sandbox


def environment_of(sandbox: RunningSandbox) -> dict[str, str]:
    """What the demo's job file takes from the environment."""
    key, secret = next(iter(Settings().org.clients.items()))
    return {"SANDBOX_URL": sandbox.url, "SANDBOX_KEY": key, "SANDBOX_SECRET": secret}


def _members() -> set[str]:
    """Members that exist at the API; the sample's own convention is that X… do not."""
    with CUSTOMERS.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        members = {(row.get("member_no") or "").strip() for row in csv.DictReader(file)}
    return {member for member in members if member and not member.startswith("X")}
