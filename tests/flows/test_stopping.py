"""A run that cannot come to its end: what was in flight is finished, the rest is not sent, and the sums hold."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from connectors.ledger import Ledger, LedgerStopped
from connectors.sandbox.server import run_sandbox
from flows.settings import load_job

pytestmark = pytest.mark.usefixtures("impatient")


def customers(count: int) -> str:
    """Enough of them to take a while."""
    return "member_no,phone,first_name,points\n" + "".join(f"C-{n},98450{n:05},Asha,1\n" for n in range(1, count + 1))


@contextmanager
def files_no_larger_than(size_bytes: int) -> Iterator[None]:
    """The disk is full: no file of this process grows beyond this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_finishes_what_is_in_flight(desk, name):
    desk.source(100)
    with desk.meanwhile(3, lambda: os.kill(os.getpid(), signal.Signals[name])):
        run = desk.run(limits={"requests_per_minute": 1200})
    assert (run.exit_code, run.told["state"]) == (4, "stopped")
    assert run.told["stopped_because"] == f"stopped by {name}; what was in flight was finished"
    assert set(run.sent) == {"accepted", "not_sent"}
    assert sum(run.sent.values()) == 100
    assert desk.agrees(run)


@pytest.mark.slow
def test_a_signal_while_preparing_leaves_no_customers_behind(desk):
    desk.write("customers.csv", customers(99_000))
    words = ["run", desk.job(run={"part_rows": 500}), "--home", str(desk.home), "--json"]
    command = [sys.executable, "-c", "from flows.cli import main; main()", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        while not list(desk.home.glob("*/prepared/*")):
            time.sleep(0.005)
        running.terminate()
        told, errors = running.communicate(timeout=60)
    assert (running.returncode, json.loads(told)["exit_code"]) == (4, 4)
    assert errors == "stopped before anything else was sent; `bulkload runs` says how far it came\n"
    left = [path.name for path in desk.home.iterdir() if path.suffix != ".lock"]
    assert sorted(left) == ["hash.key", "ledger.sqlite"]
    assert [(run["state"], run["exit_code"]) for run in desk("runs").told["runs"]] == [("failed", 4)]


def test_a_signal_does_not_wait_for_a_pause_to_end(desk_with):
    desk = desk_with("429=60:1")
    desk.source(10)
    began_s = time.monotonic()
    with desk.meanwhile(1, lambda: os.kill(os.getpid(), signal.SIGTERM)):
        run = desk.run(limits={"in_flight": 1})
    assert (run.exit_code, run.sent) == (4, {"not_sent": 10})
    assert time.monotonic() - began_s < 10


def test_a_stopped_run_goes_on_where_it_stood(desk):
    desk.source(100)
    with desk.meanwhile(3, lambda: os.kill(os.getpid(), signal.SIGTERM)):
        stopped = desk.run(limits={"requests_per_minute": 1200})
    resumed = desk("resume")
    assert (stopped.exit_code, resumed.exit_code, resumed.sent) == (4, 0, {"accepted": 100})
    assert resumed.told["requests"]["sent"] == len(desk.books.requests("/v2/bulk")) == 20
    assert resumed.told["run"] == stopped.told["run"]
    assert desk.agrees(resumed)
    assert desk("resume").exit_code == 2


@pytest.mark.slow
def test_a_killed_run_goes_on_with_its_batches_in_doubt(desk):
    """Killed while both workers wait for answers to batches that the API has applied."""
    desk.source(50)
    words = ["run", desk.job(limits={"timeout_s": 60, "requests_per_minute": 600}), "--home", str(desk.home)]
    running = subprocess.Popen([sys.executable, "-c", "from flows.cli import main; main()", *words, "--quiet"])

    def kill_in_flight() -> None:
        desk.sandbox.set_faults(["stall"])
        while desk.books.customers_written() < 5 * len(desk.books.requests("/v2/bulk")) + 10:
            time.sleep(0.01)
        running.kill()

    with desk.meanwhile(2, kill_in_flight):
        assert running.wait(60) == -signal.SIGKILL
    desk.sandbox.set_faults([])
    resumed = desk("resume")
    assert (resumed.exit_code, resumed.told["state"]) == (5, "done")
    assert resumed.sent == {"in_doubt": 10, "accepted": 40}
    assert desk.agrees(resumed)


def test_a_run_whose_folder_is_gone_says_so(desk):
    desk.source(5)
    plan = desk("plan", desk.job())
    shutil.rmtree(desk.of(plan))
    resumed = desk("resume", plan.told["run"])
    assert resumed.exit_code == 2
    assert "`bulkload run` starts anew" in resumed.stderr


def test_a_server_that_goes_away_stops_the_run(desk, tmp_path, monkeypatch):
    books = str(tmp_path / "books.sqlite")
    with ExitStack() as stack:
        desk.sandbox = stack.enter_context(run_sandbox(database=books))
        monkeypatch.setenv("E2E_URL", desk.sandbox.url)
        desk.source(100)
        with desk.meanwhile(3, stack.close):
            run = desk.run(limits={"requests_per_minute": 1200})
    with run_sandbox(database=books) as desk.sandbox:
        assert desk.agrees(run)
    assert (run.exit_code, run.told["state"]) == (4, "stopped")
    assert "did not answer" in run.told["stopped_because"]
    assert set(run.sent) <= {"accepted", "in_doubt", "not_sent"}


def test_a_ledger_that_cannot_be_written_stops_the_run(desk):
    desk.source(1000)
    job = desk.job(limits={"rows_per_request": 2})
    with files_no_larger_than(250_000):
        run = desk("run", job)
    assert run.exit_code == 4
    assert "ledger.sqlite" in run.stderr
    assert "nothing is sent without it" in run.stderr
    assert 0 < desk.books.customers_written() < 1000
    assert (desk.books.written_twice(), desk.books.credited_twice()) == ([], [])


def test_what_the_ledger_missed_is_in_doubt_and_not_unsent(desk, monkeypatch):
    """The first batch leaves, and its answer cannot be written down."""
    write, moments = Ledger.write, count(1)

    def failing_once(*words) -> None:
        if next(moments) == 2:
            raise LedgerStopped("database is locked")
        write(*words)

    monkeypatch.setattr(Ledger, "write", failing_once)
    desk.source(20)
    run = desk.run(limits={"in_flight": 1})
    assert (run.exit_code, run.sent) == (4, {"in_doubt": 5, "not_sent": 15})
    assert run.told["stopped_because"] == "database is locked"
    assert desk.agrees(run)


def test_a_run_that_lost_its_lease_sends_and_writes_no_more(desk):
    """Another machine, whose clock says that the lease ran out long ago."""
    desk.source(200)
    job, left = desk.job(limits={"requests_per_minute": 1200}), []

    def take_over() -> None:
        with closing(Ledger(desk.home / "ledger.sqlite")) as other:
            tomorrow = datetime.now(UTC) + timedelta(days=1)
            other.take_lease(load_job(Path(job), os.environ).lease, "r-9", tomorrow, 60)
        left.append(len(desk.books.requests("/v2/bulk")))

    with desk.meanwhile(3, take_over):
        run = desk("run", job)
    assert (run.exit_code, "run r-9" in run.stderr, "took over" in run.stderr) == (4, True, True)
    # Two were in flight, and their answers belong to whoever goes on.
    assert len(desk.books.requests("/v2/bulk")) <= left[0] + 2
    assert [(run["state"], run["exit_code"]) for run in desk("runs").told["runs"]] == [("delivering", None)]


def test_a_full_disk_is_told_before_anything_is_sent(desk):
    desk.source(6000)
    job = desk.job()
    with files_no_larger_than(120_000):  # room for an empty ledger
        run = desk("run", job)
    assert run.exit_code == 4
    assert run.told["problems"] == [f"{desk.home}: cannot be written (file too large); make room"]
    assert desk.books.requests("/v2/bulk") == []


def test_a_home_that_cannot_be_made_is_told(desk):
    desk.source(5)
    in_a_file = desk.write("file", "no folder") / "home"
    run = desk.say("run", desk.job(), "--home", str(in_a_file), "--json")
    assert run.exit_code == 2
    assert str(in_a_file) in run.told["problems"][0]
    assert desk.books.requests("/v2/bulk") == []
