"""The same load inside Prefect, against a real server of its own."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from connectors.sandbox.server import run_sandbox
from connectors.sandbox.settings import Settings

pytestmark = pytest.mark.slow

SECRET = "s3cret-of-the-test"
JOB = """
name: people
mode: migrate
source: {{customers: {{files: {csv}}}}}
locale: {{country: IN, timezone: Asia/Kolkata}}
map:
  identifiers: {{externalId: member, mobile: phone}}
  firstName: first
destination:
  url: {url}
  auth: {{oauth: {{key: "${{TEST_KEY}}", secret: "${{TEST_SECRET}}"}}}}
limits: {{requests_per_minute: 6000, rows_per_request: 20}}
run: {{part_rows: 100}}
"""
POINTS = """  loyaltyType: {value: loyalty}
  loyaltyProgramEnrollments: [{programId: {value: 1016}, loyaltyPoints: points}]
destination:
  enrollments: true"""
ASKING = "guards: {approve_above_points: 23}\n"
ROWS = [f"M-{number:04},98450{number:05},Zebulon{number}" for number in range(250)]


@pytest.fixture(scope="module")
def prefect(tmp_path_factory):
    """A Prefect server on a free port; yields the environment that points to it, and its database."""
    home = tmp_path_factory.mktemp("prefect")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    environment = os.environ | {
        "PREFECT_HOME": str(home),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    start = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(start, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(f"http://127.0.0.1:{port}/api/health")
            yield environment | {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}, home / "prefect.db"
        finally:
            server.terminate()


def wait_for(url: str) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError(f"{url} did not answer")


def command(folder: Path, job: Path, *options: str) -> list[str]:
    return [
        str(Path(sys.executable).parent / "bulkload"),
        "run",
        str(job),
        "--home",
        str(folder),
        "--json",
        *options,
    ]


def load(folder: Path, job: Path, environment: dict[str, str], *options: str) -> dict:
    done = subprocess.run(command(folder, job, *options), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def payloads(folder: Path, told: dict) -> list[bytes]:
    parts = sorted((folder / told["run"] / "prepared").glob("*.parquet"))
    return [payload for part in parts for payload in pq.read_table(part).column("payload").to_pylist()]


@pytest.fixture(scope="module")
def both(prefect, tmp_path_factory):
    """One job, run plainly and inside Prefect, each against a sandbox of its own."""
    environment, database = prefect
    folder = tmp_path_factory.mktemp("load")
    csv = folder / "people.csv"
    csv.write_text("member,phone,first\n" + "\n".join(ROWS) + "\n", encoding="utf-8")
    told = {}
    for hands in ("--no-prefect", "--prefect"):
        with run_sandbox(Settings(creates=True)) as sandbox:
            job = folder / f"people{hands}.yaml"
            job.write_text(JOB.format(csv=csv, url=sandbox.url), encoding="utf-8")
            secrets = {"TEST_KEY": "demo", "TEST_SECRET": "demo-secret", "UNUSED": SECRET}
            told[hands] = (
                folder / hands,
                load(folder / hands, job, environment | secrets, hands),
                sandbox.books.writes(),
            )
    return told, database


def test_the_same_bytes_come_out_of_either_hands(both):
    (plain_home, plain, plain_writes), (prefect_home, inside, prefect_writes) = both[0].values()
    assert plain["rows"] == inside["rows"]
    assert plain["rows"]["accepted"] == 250 == plain_writes == prefect_writes
    assert payloads(plain_home, plain) == payloads(prefect_home, inside)


def test_prefect_tells_the_runs_story(both):
    with sqlite3.connect(both[1]) as database:
        artifacts = {key for (key,) in database.execute("select key from artifact")}
        names = [name for (name,) in database.execute("select name from flow_run")]
        states = [kind for (kind,) in database.execute("select state_type from flow_run")]
        (tasks,) = database.execute("select count(*) from task_run").fetchone()
    database.close()
    assert artifacts == {"plan", "fates", "report", "deliver-progress"}
    assert [name.split(" ")[0] for name in names] == ["people--prefect"]
    assert states == ["COMPLETED"]
    assert tasks == 3  # one per part of 100 rows, none per batch


def test_prefect_never_hears_of_secrets_or_customers(both):
    kept = b"".join(path.read_bytes() for path in both[1].parent.rglob("*") if path.is_file())
    assert b"people--prefect" in kept
    for word in (b"demo-secret", SECRET.encode(), b"Zebulon", b"9845000017", b"919845000017"):
        assert word not in kept


def test_a_drop_with_nothing_to_load_is_a_completed_flow_run(prefect, tmp_path):
    environment, _ = prefect
    job = tmp_path / "people.yaml"
    dropped = f"{tmp_path}/*.csv, ready: .ok"
    with run_sandbox(Settings(creates=True)) as sandbox:
        job.write_text(JOB.format(csv=dropped, url=sandbox.url), encoding="utf-8")
        secrets = {"TEST_KEY": "demo", "TEST_SECRET": "demo-secret"}
        told = load(tmp_path / "home", job, environment | secrets, "--prefect")
    assert (told["run"], told["exit_code"], told["rows"]["read"]) == ("", 0, 0)
    asked_for = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}, "sort": "END_TIME_DESC", "limit": 1}
    (last,) = asked(environment["PREFECT_API_URL"], "filter", asked_for)
    assert "nothing to load" in last["state"]["message"]


IMPATIENT = "from flows import prefect_hands; prefect_hands.APPROVAL_S = 4; from flows.cli import main; main()"


def asked(api: str, path: str, body: dict) -> object:
    """What the server says to a request."""
    said = httpx.post(f"{api}/flow_runs/{path}", json=body).raise_for_status()
    return said.json() if said.content else None


def paused(api: str) -> str:
    """The id of the one flow run that waits for a person."""
    for _ in range(240):
        found = asked(api, "filter", {"flow_runs": {"state": {"type": {"any_": ["PAUSED"]}}}})
        if found:
            return found[0]["id"]
        time.sleep(0.25)
    raise AssertionError("no flow run paused")


@pytest.mark.parametrize(
    ("said", "exit_code", "rows", "state"),
    [
        ({"run_input": {"approve": True}}, 0, {"accepted": 3}, "COMPLETED"),
        ({"run_input": {}}, 4, {"not_sent": 3}, "FAILED"),
        (None, 4, {"not_sent": 3}, "FAILED"),
    ],
    ids=["approved", "denied", "nobody"],
)
def test_points_wait_for_a_person_in_prefect(prefect, tmp_path, said, exit_code, rows, state):
    environment, _ = prefect
    api = environment["PREFECT_API_URL"]
    csv, job = tmp_path / "people.csv", tmp_path / "people.yaml"
    csv.write_text("member,phone,first,points\n" + "".join(f"{row},{n}\n" for n, row in enumerate(ROWS[7:10], 7)))
    with run_sandbox(Settings(creates=True)) as sandbox:
        job.write_text(JOB.format(csv=csv, url=sandbox.url).replace("destination:", POINTS) + ASKING)
        secrets = {"TEST_KEY": "demo", "TEST_SECRET": "demo-secret"}
        words = command(tmp_path / "home", job, "--prefect")
        if said is None:
            words = [sys.executable, "-c", IMPATIENT, *words[1:]]
        with subprocess.Popen(words, env=environment | secrets, stdout=subprocess.PIPE, text=True) as running:
            run = paused(api)
            assert sandbox.books.requests("/v2/bulk") == []
            if said is not None:
                asked(api, f"{run}/resume", said)
            told = json.loads(running.communicate(timeout=60)[0])
        credited = sandbox.books.credits()
    assert (running.returncode, told["exit_code"]) == (exit_code, exit_code)
    assert {fate: count for fate, count in told["rows"].items() if count and fate != "read"} == rows
    assert (credited[1016].points if credited else 0) == (24 if exit_code == 0 else 0)
    assert httpx.get(f"{api}/flow_runs/{run}").json()["state_type"] == state
