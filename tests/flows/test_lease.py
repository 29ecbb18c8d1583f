"""Of several real processes one at a time sends; a dead one is taken over, and one that slept cannot write."""

import contextlib
import datetime as dt
import signal
import subprocess
import sys
import threading

import pytest

from connectors.lease import LeaseHeld
from connectors.ledger import Ledger
from connectors.ledger_tables import RunState
from flows.lease import holding

PLACE = "update eu.example INSTORE"
HOLD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from connectors.ledger import Ledger
from connectors.ledger_tables import RunState
from flows.lease import holding

home, place, for_s = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
ledger = Ledger(home / "ledger.sqlite")
ledger.start_run("r-1", job="nightly", mode="sync", folder=home, started_at_utc=datetime.now(UTC))
with holding(ledger, home, place, "r-1", for_s):
    for line in sys.stdin:
        ledger.set_run_state("r-1", RunState(line.strip()))
        print("written", flush=True)
"""


@pytest.fixture
def ledger(tmp_path):
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as opened:
        yield opened


@contextlib.contextmanager
def another(home, for_s=60.0):
    """Another process that holds the lease, and writes when it is told to."""
    command = [sys.executable, "-c", HOLD, str(home), PLACE, str(for_s)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        try:
            assert told(process, "planned") == "written\n"
            yield process
        finally:
            process.kill()


def told(process, state):
    process.stdin.write(f"{state}\n")
    process.stdin.flush()
    return process.stdout.readline()


def sleep_past_its_lease(holder, ledger):
    """Stopped just after a renewal, so that it sleeps outside a transaction."""
    renewed = ledger.lease(PLACE).until_utc
    while ledger.lease(PLACE).until_utc == renewed:
        pass
    holder.send_signal(signal.SIGSTOP)
    while ledger.lease(PLACE).until_utc > dt.datetime.now(dt.UTC):
        pass


def test_a_live_process_is_named_and_respected(ledger, tmp_path):
    with another(tmp_path) as holder:
        words = rf"run r-1 \(process {holder.pid} on .*{PLACE}.*; wait for its end"
        with pytest.raises(LeaseHeld, match=words), holding(ledger, tmp_path, PLACE, "r-2"):
            pass
        with holding(ledger, tmp_path, "update us.example INSTORE", "r-2"):
            pass
        assert told(holder, "done") == "written\n"


def test_a_lease_that_was_given_back_is_free(ledger, tmp_path):
    with another(tmp_path) as holder:
        holder.communicate()
        with holding(ledger, tmp_path, PLACE, "r-2"):
            assert ledger.lease(PLACE).run == "r-2"
    assert (ledger.lease(PLACE).token, ledger.lease(PLACE).until_utc) == (2, None)


def test_a_killed_process_is_taken_over_at_once(ledger, tmp_path):
    with another(tmp_path, for_s=3600) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert ledger.lease(PLACE).until_utc > dt.datetime.now(dt.UTC)
        with holding(ledger, tmp_path, PLACE, "r-2"):
            assert (ledger.lease(PLACE).run, ledger.lease(PLACE).token) == ("r-2", 2)


def test_a_stopped_process_of_this_machine_keeps_its_lease(ledger, tmp_path):
    """It may wake up with a request half sent: only its death is proof that it sends nothing."""
    with another(tmp_path, for_s=0.3) as holder:
        sleep_past_its_lease(holder, ledger)
        with pytest.raises(LeaseHeld, match="run r-1 "), holding(ledger, tmp_path, PLACE, "r-2"):
            pass


def test_who_slept_while_another_machine_took_over_cannot_write(ledger, tmp_path):
    with another(tmp_path, for_s=0.3) as holder:
        sleep_past_its_lease(holder, ledger)
        # As another machine would: it sees the time of the last renewal, and no lock.
        ledger.take_lease(PLACE, "r-2", dt.datetime.now(dt.UTC), 3600)
        holder.send_signal(signal.SIGCONT)
        assert told(holder, "done") == ""
        assert "LeaseLost: run r-2 " in holder.communicate()[1]
    assert ledger.run("r-1").state is RunState.PLANNED
    assert ledger.lease(PLACE).until_utc is not None


def test_a_held_lease_is_renewed(ledger, tmp_path):
    with holding(ledger, tmp_path, PLACE, "r-1", for_s=0.03):
        first = ledger.lease(PLACE)
        while (now := ledger.lease(PLACE)).until_utc == first.until_utc:
            pass
        assert (now.token, now.taken_at_utc) == (first.token, first.taken_at_utc)
        assert now.until_utc > first.until_utc
    assert "lease" not in {thread.name for thread in threading.enumerate()}
