"""Guards and approval in the real command: nothing leaves that nobody wanted, and every row is accounted for."""

import os
import pty
import select
import subprocess
import sys
from contextlib import suppress
from itertools import count

import pytest

from connectors.ledger import Ledger, LedgerStopped
from flows.hands import Silent
from flows.resume import resume
from flows.settings import Home
from schemas.outcomes import Fate

pytestmark = pytest.mark.usefixtures("impatient")
ASKING = {"approve_above_points": 50}


def broken(outcome) -> list[str]:
    """The names of the guards that a plan or a report tells of."""
    said = outcome.told["guards"] if "guards" in outcome.told else outcome.told["stopped_because"].split(". ")
    return [one.split(":")[0] for one in said]


# before anything is sent


@pytest.mark.parametrize(
    ("guards", "names"),
    [
        ({"min_rows": 21}, ["guards.min_rows"]),
        ({"max_invalid_percent": 4.9}, ["guards.max_invalid_percent"]),
        ({"max_points": 208, "max_points_per_customer": 19}, ["guards.max_points", "guards.max_points_per_customer"]),
    ],
)
def test_a_broken_guard_stops_a_run_before_anything_is_sent(desk, guards, names):
    """C-1 to C-20 with 1 to 20 points; one mobile of them is no mobile."""
    desk.source(20)
    text = (desk.folder / "customers.csv").read_text()
    desk.write("customers.csv", text.replace("9845000001", "98450"))
    required = {"identifiers": {"mobile": {"column": "phone", "required": True}}}
    run = desk.run(guards=guards, map=required)
    assert (run.exit_code, run.told["state"], broken(run)) == (3, "stopped", names)
    assert run.sent == {"invalid": 1, "not_sent": 19}
    assert desk.agrees(run)
    assert desk.books.requests("/v2/bulk") == []
    assert names[0] in (desk.of(run) / "report.html").read_text()
    enough = {"min_rows": 20, "max_invalid_percent": 5, "max_points": 209, "max_points_per_customer": 20}
    assert desk.run(guards=enough, map=required).sent == {"invalid": 1, "accepted": 19}


def test_a_plan_says_which_guards_it_breaks_and_is_no_failure(desk):
    desk.source(20)
    plan = desk("plan", desk.job(guards={"min_rows": 100, "max_points": 1000, "max_points_per_customer": 10}))
    assert (plan.exit_code, broken(plan)) == (0, ["guards.min_rows", "guards.max_points_per_customer"])
    assert plan.told["most_points_per_customer"] == 20
    told = desk.say("plan", desk.job(guards={"min_rows": 100}), "--home", str(desk.home))
    assert "a run would stop: guards.min_rows: 20 rows were read, at least 100 must be" in told.stdout
    assert desk.books.requests("/v2/bulk") == []


def test_an_applied_plan_keeps_to_its_guards(desk):
    desk.source(20)
    job = desk.job(guards={"max_points": 100})
    plan = desk("plan", job).told["run"]
    run = desk("run", job, "--plan", plan)
    assert (run.exit_code, run.told["run"], run.sent) == (3, plan, {"not_sent": 20})


def test_a_raised_guard_lets_the_same_run_go_on(desk):
    desk.source(20)
    stopped = desk.run(guards={"max_points": 100})
    again = desk("resume")
    assert (again.exit_code, again.sent, broken(again)) == (3, {"not_sent": 20}, ["guards.max_points"])
    desk.job(guards={"max_points": 1000})
    resumed = desk("resume")
    assert (resumed.exit_code, resumed.told["run"], resumed.sent) == (0, stopped.told["run"], {"accepted": 20})
    assert desk.agrees(resumed)


def test_an_empty_source_breaks_its_guard(desk):
    desk.source(0)
    assert (desk.run().exit_code, desk.run(guards={"min_rows": 1}).exit_code) == (0, 3)


# at the end


def test_a_finished_run_that_was_refused_too_much_says_so(desk):
    desk.source(10)
    desk.write("customers.csv", (desk.folder / "customers.csv").read_text() + "X-1,9845099999,Nobody,1\n")
    run = desk.run(guards={"max_refused_percent": 9})
    assert (run.exit_code, run.told["state"], run.sent) == (3, "done", {"accepted": 10, "refused": 1})
    assert run.told["stopped_because"].startswith("guards.max_refused_percent: the API refused 1 of 11 rows (9.1 %)")
    assert desk.run(name="again", guards={"max_refused_percent": 10}).exit_code == 0


# approval


def test_few_enough_points_need_no_approval(desk):
    desk.source(10)
    assert desk.run(guards={"approve_above_points": 55}).exit_code == 0


@pytest.mark.parametrize("hands", [["--json"], ["--quiet"], []])
def test_where_nobody_can_be_asked_nothing_is_sent(desk, hands):
    desk.source(10)
    run = desk.say("run", desk.job(guards=ASKING), "--home", str(desk.home), *hands)
    assert run.exit_code == 4
    told = desk("report").told
    assert told["stopped_because"] == (
        "approval denied: nobody said yes to 55 points, and guards.approve_above_points asks above 50; "
        f"`bulkload resume {told['run']}` asks again at a terminal, with --yes it does not ask"
    )
    assert (told["state"], told["rows"]["not_sent"]) == ("stopped", 10)
    assert desk.books.requests("/v2/bulk") == []


def test_yes_approves_a_run_a_plan_and_what_was_denied(desk):
    desk.source(10)
    assert desk("run", desk.job(guards=ASKING), "--yes").sent == {"accepted": 10}
    job = desk.job(name="planned", guards=ASKING)
    assert desk("run", job, "--plan", desk("plan", job).told["run"], "--yes").sent == {"accepted": 10}
    job = desk.job(name="denied", guards=ASKING)
    denied = desk("run", job)
    resumed = desk("resume", denied.told["run"], "--yes")
    assert (denied.exit_code, resumed.exit_code, resumed.sent) == (4, 0, {"accepted": 10})


def test_a_broken_guard_is_not_approved_away(desk):
    desk.source(10)
    run = desk("run", desk.job(guards={"max_points": 54, "approve_above_points": 50}), "--yes")
    assert (run.exit_code, broken(run), run.sent) == (3, ["guards.max_points"], {"not_sent": 10})


class Person(Silent):
    """Says no, and remembers what was asked."""

    def approve(self, plan) -> bool:
        self.asked = plan
        return False


def test_a_resumed_run_asks_only_for_what_is_left(desk, monkeypatch):
    """C-1 to C-5 are credited; then the ledger cannot be written, and C-6 to C-10 are left with 40 points."""
    write, moments = Ledger.write, count(1)

    def failing_at_the_second_batch(*words) -> None:
        if next(moments) == 3:
            raise LedgerStopped("database is locked")
        write(*words)

    desk.source(10)
    job = desk.job(guards={"approve_above_points": 39}, limits={"in_flight": 1})
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "write", failing_at_the_second_batch)
        assert desk("run", job, "--yes").sent == {"accepted": 5, "not_sent": 5}
    person = Person()
    report = resume(Home(desk.home), None, person, os.environ)
    assert (report.exit_code, report.totals.rows[Fate.ACCEPTED], report.totals.rows[Fate.NOT_SENT]) == (4, 5, 5)
    assert (person.asked.totals.points_of(Fate.NOT_SENT), person.asked.requests) == (40, 1)
    desk.job(guards={"approve_above_points": 40}, limits={"in_flight": 1})
    resumed = desk("resume")
    assert (resumed.exit_code, resumed.sent) == (0, {"accepted": 10})
    assert desk.agrees(resumed)


# at a real terminal


# Ctrl-C at a terminal is a signal only for whom the terminal controls, and who was not told to ignore it.
STARTED = (
    "import fcntl, signal, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "signal.signal(signal.SIGINT, signal.default_int_handler); from flows.cli import main; main()"
)


class Command:
    """A command as a process of its own, with a terminal for its input and its errors."""

    def __init__(self, *words: str) -> None:
        self._terminal, theirs = pty.openpty()
        command = [sys.executable, "-c", STARTED, *words]
        self._process = subprocess.Popen(
            command, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, start_new_session=True
        )
        os.close(theirs)
        self.seen = ""

    def shows(self, words: str) -> None:
        """Wait until the screen has these words."""
        while words not in self.seen:
            self._look()

    def types(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def ends(self) -> int:
        """Read to its end; its exit code."""
        with suppress(OSError):  # Linux: the other side has hung up
            while True:
                self._look()
        os.close(self._terminal)
        self._process.communicate(timeout=60)
        return self._process.returncode

    def _look(self) -> None:
        ready, _, _ = select.select([self._terminal], [], [], 60)
        assert ready, f"nothing came for a minute after {self.seen!r}"
        self.seen += os.read(self._terminal, 65_536).decode().replace("\r\n", "\n")


def asked(desk, *words: str) -> Command:
    """A command that has shown its question."""
    command = Command(*words, "--home", str(desk.home))
    command.shows("anything else to send nothing: ")
    return command


@pytest.mark.slow
def test_a_terminal_shows_what_it_asks_and_takes_the_number_for_a_yes(desk):
    desk.source(50)
    command = asked(desk, "run", desk.job(guards=ASKING))
    for words in (
        "About to credit 1,275 points.", "rows         50\n", "programme    1016: 1,275 points\n",
        "requests     10, 0.0 s at the allowed rate\n", f"destination  {desk.sandbox.url}\n", "Type 1275 to credit",
    ):  # fmt: skip
        assert words in command.seen
    assert desk.books.requests("/v2/bulk") == []
    command.types("1,275\n")
    assert command.ends() == 0
    assert "50 of 50 rows are loaded" in command.seen
    assert desk.agrees(desk("report"))


@pytest.mark.slow
@pytest.mark.parametrize("keys", ["yes\n", "\n", "\x03", "\x04"], ids=["yes", "enter", "ctrl-c", "ctrl-d"])
def test_anything_else_at_a_terminal_is_a_no_and_resume_asks_again(desk, keys):
    desk.source(10)
    command = asked(desk, "run", desk.job(guards=ASKING))
    command.types(keys)
    assert (command.ends(), "Stopped   approval denied" in command.seen) == (4, True)
    assert desk("report").told["rows"]["not_sent"] == 10
    if keys == "yes\n":
        command = asked(desk, "resume")
        command.types("55\n")
        assert command.ends() == 0
        assert desk("report").told["rows"]["accepted"] == 10
    else:
        assert desk.books.requests("/v2/bulk") == []
