"""Rows in doubt are looked up: what was applied is accepted, what was not is sent again, the rest waits."""

import os
import signal
import subprocess
import sys
import time

import pytest

from schemas.outcomes import Fate

pytestmark = pytest.mark.usefixtures("impatient")
LOOK_UP = {"in_doubt": "look_up"}


@pytest.mark.parametrize("fault", ["lost:1", "reset-after:1", "502-after:1", "500-after:1", "html:1", "short:1"])
def test_what_was_applied_is_accepted(desk_with, fault):
    desk = desk_with(fault)
    desk.source(12)
    run = desk.run(destination=LOOK_UP)
    assert (run.exit_code, run.sent) == (0, {"accepted": 12})
    assert len(desk.books.requests("/v2/bulk")) == 3
    assert desk.agrees(run)


@pytest.mark.parametrize("fault", ["reset-before:1", "502:1", "504:1", "500:1"])
def test_what_was_not_applied_is_sent_again(desk_with, fault):
    desk = desk_with(fault)
    desk.source(12)
    run = desk.run(destination=LOOK_UP)
    assert (run.exit_code, run.sent) == (0, {"accepted": 12})
    assert len(desk.books.requests("/v2/bulk")) == 4
    assert run.told["requests"]["looked_up"] > 0
    assert desk.agrees(run)


def test_points_that_are_not_seen_wait_for_a_person(desk_with):
    """The customer is stored and the credit is booked late: nobody may send it again."""
    desk = desk_with("lost:1", points_delay_s=3600.0)
    desk.source(5)
    run = desk.run(destination=LOOK_UP)
    assert (run.exit_code, run.sent, run.points) == (5, {"in_doubt": 5}, {"read": 15, "in_doubt": 15})
    assert "look_up.credit_not_seen" in [reason["code"] for reason in run.told["reasons"]]
    assert desk.books.credits()[1016].points == 15


def test_look_ups_take_their_turns_like_writes(desk_with):
    desk = desk_with("lost:1")
    desk.source(5)
    run = desk.run(destination=LOOK_UP, limits={"requests_per_minute": 600})
    reads = sorted(seen.at_s for seen in desk.books.requests("ookup"))
    assert run.sent == {"accepted": 5}
    assert len(reads) >= 5
    assert reads[-1] - reads[0] >= 0.09 * (len(reads) - 1)


def test_only_rows_without_points_are_resent_unread(desk_with):
    desk = desk_with("502:2")
    desk.source(8)
    lines = "".join(f"C-{n},98450{n:05},New,{n if n % 2 else ''}\n" for n in range(1, 9))
    desk.write("customers.csv", "member_no,phone,first_name,points\n" + lines)
    run = desk.run(destination={"in_doubt": "resend"})
    assert (run.exit_code, run.sent) == (5, {"accepted": 4, "in_doubt": 4})
    assert run.points["in_doubt"] == 1 + 3 + 5 + 7
    assert desk.books.requests("ookup") == []


# a person's word, and another look


@pytest.fixture
def doubtful(desk_with):
    """A desk with a run of which five rows are in doubt, and were applied."""
    desk = desk_with("lost:1")
    desk.source(12)
    return desk, desk.run()


def test_another_look_settles_what_a_run_held(doubtful):
    desk, run = doubtful
    settled = desk("settle", run.told["run"])
    assert (run.sent, settled.sent) == ({"accepted": 7, "in_doubt": 5}, {"accepted": 12})
    assert (settled.exit_code, settled.told["run"], settled.told["state"]) == (0, run.told["run"], "done")
    assert desk.agrees(settled)
    assert desk.run().sent == {"unchanged": 12}


def test_a_person_may_say_that_rows_were_accepted(doubtful):
    desk, run = doubtful
    settled = desk("settle", run.told["run"], "--as", "accepted")
    assert (settled.exit_code, settled.sent) == (0, {"accepted": 12})
    told = {row["codes"] for row in desk.results(settled) if row["fate"] == Fate.ACCEPTED and row["codes"]}
    assert all("settled_by_person" in codes for codes in told) and told
    assert desk.agrees(settled)
    assert desk.run().sent == {"unchanged": 12}


def test_a_person_may_say_that_rows_were_not_sent(desk_with):
    desk = desk_with("reset-before:1")
    desk.source(12)
    run = desk.run()
    settled = desk("settle", run.told["run"], "--as", "not-sent")
    assert (settled.exit_code, settled.sent) == (4, {"accepted": 7, "not_sent": 5})
    resumed = desk("resume", run.told["run"])
    assert (resumed.exit_code, resumed.sent) == (0, {"accepted": 12})
    assert desk.agrees(resumed)


@pytest.mark.parametrize("words", [[], ["--as", "accepted"]])
def test_rows_are_settled_when_the_nights_file_is_gone(doubtful, words):
    desk, run = doubtful
    (desk.folder / "customers.csv").unlink()
    settled = desk("settle", run.told["run"], *words)
    assert (settled.exit_code, settled.sent) == (0, {"accepted": 12})
    assert {row["file"] for row in desk.results(settled)} == {"customers.csv"}
    assert desk.agrees(settled)


def test_a_changed_mapping_is_not_settled_by(doubtful):
    desk, run = doubtful
    desk.job(map={"lastName": "first_name"})
    settled = desk("settle", run.told["run"])
    assert (settled.exit_code, "job.yaml (map) changed" in settled.stderr) == (2, True)


def test_a_run_that_held_its_doubts_may_look_when_it_goes_on(desk_with):
    desk = desk_with("lost:1", "503-auth:1000000")
    desk.source(12)
    stopped = desk.run()
    desk.sandbox.set_faults([])
    desk.job(destination=LOOK_UP)
    resumed = desk("resume", stopped.told["run"])
    assert (stopped.exit_code, resumed.exit_code, resumed.sent) == (4, 0, {"accepted": 12})


def test_there_is_nothing_to_settle_in_a_sound_run(desk):
    desk.source(5)
    assert desk.run().exit_code == 0
    settled = desk("settle")
    assert (settled.exit_code, "nothing to settle" in settled.stderr) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize("requests", [1, 4])
def test_a_killed_run_ends_as_an_undisturbed_one(desk_with, requests):
    desk = desk_with("slow=0.05")
    desk.source(60)
    words = ["run", desk.job(destination=LOOK_UP, limits={"requests_per_minute": 1200}), "--home", str(desk.home)]
    running = subprocess.Popen([sys.executable, "-c", "from flows.cli import main; main()", *words, "--quiet"])
    while len(desk.books.requests("/v2/bulk")) < requests:
        assert running.poll() is None
        time.sleep(0.002)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    name = desk("runs").told["runs"][0]["run"]
    resumed = desk("resume", name)
    assert (resumed.exit_code, resumed.sent) == (0, {"accepted": 60})
    # An intent that was written just before the end may never have left.
    assert 0 <= resumed.told["requests"]["sent"] - len(desk.books.requests("/v2/bulk")) <= 2
    assert desk.agrees(resumed)
