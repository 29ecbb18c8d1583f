"""However a job is run, killed and run again: nobody's points are credited twice."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from connectors.sandbox.server import run_sandbox

pytestmark = pytest.mark.slow
SLOWLY = {"requests_per_minute": 300, "rows_per_request": 5, "in_flight": 2}


def running(desk, *words: str) -> subprocess.Popen:
    command = [sys.executable, "-c", "from flows.cli import main; main()", *words, "--home", str(desk.home), "--quiet"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    for _ in range(600):
        if len(desk.books.requests("/v2/bulk")) >= 3:
            return process
        time.sleep(0.05)
    raise AssertionError("nothing was sent")


def killed(desk) -> str:
    """A run that dies after its third request; its name."""
    process = running(desk, "run", desk.job(limits=SLOWLY))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return desk("runs").told["runs"][0]["run"]


def credited_once(desk) -> bool:
    return (desk.books.credited_twice(), desk.books.written_twice()) == ([], [])


def test_a_killed_run_comes_before_any_other(desk):
    desk.source(60)
    plan = desk("plan", desk.job(limits=SLOWLY))
    died = killed(desk)
    for words in (["run", desk.job()], ["run", desk.job(limits=SLOWLY), "--plan", plan.told["run"]]):
        refused = desk(*words)
        assert (refused.exit_code, f"first: bulkload resume {died}" in refused.stderr) == (2, True)
    assert desk("resume").exit_code in (0, 5)
    again = desk("run", desk.job(limits=SLOWLY))
    assert again.told["requests"]["sent"] == 0
    assert credited_once(desk)


def test_a_killed_run_whose_source_changed_is_closed(desk):
    desk.source(60)
    died = killed(desk)
    with (desk.folder / "customers.csv").open("a", encoding="utf-8") as source:
        source.write("X-1,9845099999,Nobody,1\n")
    refused = desk("resume")
    assert (refused.exit_code, "customers.csv changed since it was planned" in refused.stderr) == (2, True)
    rest = desk("run", desk.job(limits=SLOWLY))
    assert rest.exit_code in (0, 5)
    assert rest.sent["refused"] == 1  # the new row, of nobody that the API knows
    assert rest.sent["unchanged"] + rest.sent["accepted"] + rest.sent.get("in_doubt", 0) == 60
    assert {run["run"]: run["state"] for run in desk("runs").told["runs"]}[died] == "stopped"
    assert credited_once(desk)


def test_a_killed_run_whose_folder_is_gone_is_not_forgotten(desk):
    desk.source(60)
    died = killed(desk)
    shutil.rmtree(desk.home / died)
    for words in (["resume"], ["run", desk.job(limits=SLOWLY)]):
        refused = desk(*words)
        assert (refused.exit_code, died in refused.stderr) == (2, True)
    assert credited_once(desk)


def test_two_processes_never_load_one_job_or_one_place(desk, monkeypatch):
    desk.source(60)
    first = running(desk, "run", desk.job(limits=SLOWLY))
    (sending,) = desk("runs").told["runs"]
    for job in (desk.job(limits=SLOWLY), desk.job(name="other-name")):
        second = desk("run", job)
        assert (second.exit_code, f"run {sending['run']} (process {first.pid} on " in second.stderr) == (2, True)
    with run_sandbox() as other:
        monkeypatch.setenv("E2E_URL", other.url)
        elsewhere = desk("run", desk.job(limits=SLOWLY))
        assert (elsewhere.exit_code, "job e2e: another process is loading it" in elsewhere.stderr) == (2, True)
    assert [run["run"] for run in desk("runs").told["runs"]] == [sending["run"]]
    assert first.wait() == 0
    assert credited_once(desk)


def test_another_organisation_has_accepted_nothing_yet(desk, monkeypatch):
    desk.source(5)
    assert desk.run().sent == {"accepted": 5}
    with run_sandbox() as other:
        other.preload(f"C-{n}" for n in range(1, 6))
        monkeypatch.setenv("E2E_URL", other.url)
        assert desk.run().sent == {"accepted": 5}
        assert other.books.customers_written() == 5


def test_resume_without_a_name_sends_no_plan(desk):
    desk.source(5)
    desk("plan", desk.job())
    resumed = desk("resume")
    assert (resumed.exit_code, "no run was stopped or killed" in resumed.stderr) == (2, True)
    assert desk.books.writes() == 0


def test_a_changed_row_of_a_doubtful_customer_stays_in_doubt(desk_with):
    desk = desk_with("lost:1")
    desk.source(5)
    assert desk.run().sent == {"in_doubt": 5}
    changed = desk.run(map={"lastName": "first_name"})
    assert (changed.exit_code, changed.sent) == (5, {"in_doubt": 5})
    assert credited_once(desk)
