"""Children travel in their parents' elements: each has a fate, a line and a doubt of its own, and none goes alone."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time

import msgspec
import pytest

from connectors.sandbox import bulk, replies
from connectors.sandbox.wire import decode_batch
from tests.flows.test_families import HEAD, NESTED, nested_job

pytestmark = pytest.mark.usefixtures("impatient")
LOOK_UP = {"in_doubt": "look_up"}
KIDS = {0: [8, 9], 3: [10], 5: [11]}  # of the rows, by their numbers
CUSTOMERS = "member_no,phone,first_name,points\n" + "".join(f"C-{n},98450{n:05},Asha,{n}\n" for n in range(1, 9))
CHILDREN = HEAD + "".join(
    f"C-{parent + 1},C-{row + 1},98450{row + 1:05},Kid\n" for parent, rows in KIDS.items() for row in rows
)


class Families:
    """A desk with a plan: C-1 brings C-9 and C-10 along, C-4 C-11, C-6 C-12."""

    def __init__(self, desk, known=range(1, 13), **over):
        self.desk = desk
        desk.write("customers.csv", CUSTOMERS)
        desk.write("family.csv", CHILDREN)
        desk.sandbox.preload(f"C-{n}" for n in known)
        self.job = nested_job(desk, **over)
        self.name = desk("plan", self.job).told["run"]

    def run(self):
        return self.desk("run", self.job, "--plan", self.name)

    def fates(self, outcome):
        """Of the customers who were not simply accepted, by their number."""
        first = {"customers.csv": 1, "family.csv": 9}
        rows = self.desk.results(outcome)
        told = {row["line"] - 2 + first[row["file"]]: (row["fate"], row["codes"]) for row in rows}
        return {number: fate for number, fate in told.items() if fate != ("accepted", None)}


def test_children_are_accounted_for_beside_their_parents(desk):
    families = Families(desk)
    run = families.run()
    assert (run.exit_code, run.sent, families.fates(run)) == (0, {"accepted": 12}, {})
    batches = [row["batch"] for row in desk.results(run)]
    assert {parent: {batches[row] for row in (parent, *kids)} for parent, kids in KIDS.items()} == {
        parent: {batches[parent]} for parent in KIDS
    }
    assert len(desk.books.customer("externalId", "C-1").family.children) == 2
    assert desk.agrees(run)


def test_a_refused_child_is_rejected_alone(desk):
    families = Families(desk, known=[*range(1, 9), 9, 11, 12])
    run = families.run()
    assert (run.sent, families.fates(run)) == ({"accepted": 11, "refused": 1}, {10: ("refused", "1621")})
    with (desk.of(run) / "rejected.csv").open(encoding="utf-8", newline="") as opened:
        assert [row["family.child_no"] for row in csv.DictReader(opened)] == ["C-10"]
    assert desk.agrees(run)


def test_a_refused_parent_takes_its_children_along(desk):
    families = Families(desk, known=range(2, 13))
    run = families.run()
    assert families.fates(run) == dict.fromkeys((1, 9, 10), ("refused", "8009"))
    assert desk.agrees(run)


def test_a_child_that_lost_its_mobile_is_accepted_with_loss(desk, monkeypatch):
    def with_a_bad_mobile(body):
        return decode_batch(body.replace(b"9198450000" + b"11", b"12345"))

    monkeypatch.setattr(bulk, "decode_batch", with_a_bad_mobile)
    families = Families(desk)
    assert families.fates(families.run()) == {11: ("accepted_with_loss", "8056;8058;19223")}


def test_a_family_put_off_goes_alone_afterwards_and_whole(desk):
    families = Families(desk, limits={"attempts": 50})
    desk.sandbox.holds.take([{"externalId:C-9"}])
    releasing = threading.Timer(0.15, lambda: desk.sandbox.holds.release({"externalId:C-9"}))
    releasing.start()
    run = families.run()
    releasing.join()
    assert (run.exit_code, run.sent) == (0, {"accepted": 12})
    assert desk.agrees(run)


def test_a_family_held_for_good_is_refused_in_the_end(desk):
    families = Families(desk)
    desk.sandbox.holds.take([{"externalId:C-10"}])
    run = families.run()
    assert families.fates(run) == dict.fromkeys((1, 9, 10), ("refused", "521"))
    assert desk.agrees(run)


def test_a_family_that_sinks_its_batch_stands_alone_in_the_end(desk, monkeypatch):
    def without_c9(body):
        if b'"C-9"' in body:
            raise msgspec.DecodeError
        return decode_batch(body)

    monkeypatch.setattr(bulk, "decode_batch", without_c9)
    families = Families(desk, limits={"rows_per_request": 8})
    run = families.run()
    assert families.fates(run) == dict.fromkeys((1, 9, 10), ("refused", "http_400"))
    assert desk.agrees(run)


# In doubt.


@pytest.mark.parametrize("fault", ["lost:1", "html:1", "502-after:1"])
def test_children_that_were_applied_are_found(desk_with, fault):
    families = Families(desk_with(fault), destination=LOOK_UP)
    run = families.run()
    assert (run.exit_code, run.sent) == (0, {"accepted": 12})
    assert families.desk.agrees(run)


@pytest.mark.parametrize("fault", ["reset-before:1", "502:1", "500:1"])
def test_a_family_that_was_not_applied_is_sent_again_whole(desk_with, fault):
    families = Families(desk_with(fault), destination=LOOK_UP)
    run = families.run()
    assert (run.exit_code, run.sent) == (0, {"accepted": 12})
    assert len(families.desk.books.customer("externalId", "C-1").family.children) == 2
    assert families.desk.agrees(run)


def test_a_child_that_is_not_there_beside_its_parent_is_left_behind(desk_with):
    families = Families(desk_with("lost:2"), known=[*range(1, 9), 10, 11, 12], destination=LOOK_UP)
    run = families.run()
    fate, codes = families.fates(run).pop(9)
    assert (fate, codes.split(";")[-1]) == ("refused", "look_up.untouched")
    assert run.sent == {"accepted": 11, "refused": 1}
    assert families.desk.agrees(run)


NO_NAMES = {
    "firstName": None,
    "loyaltyType": None,
    "associationDetails": NESTED["map"]["associationDetails"]
    | {"childCustomers": {"table": "family", "identifiers": {"mobile": "child_phone", "externalId": "child_no"}}},
}


@pytest.fixture
def as_sent(desk_with):
    """Families of whom everybody is there already as their rows say; the first request comes to nothing."""

    def families(**mapped):
        desk = desk_with("reset-before:1")
        desk.sandbox.preload({"externalId": f"C-{n}", "mobile": f"9198450{n:05}"} for n in range(1, 13))
        return Families(desk, known=(), destination=LOOK_UP, map=NO_NAMES | mapped)

    return families


def test_families_are_not_applied_because_everybody_was_there(as_sent):
    families = as_sent(loyaltyProgramEnrollments=None)
    run = families.run()
    assert (run.exit_code, families.fates(run).keys() & {1, 4, 6, 9, 10, 11, 12}) == (0, set())
    assert [len(families.desk.books.customer("externalId", f"C-{n}").family.children) for n in (1, 4, 6)] == [2, 1, 1]


def test_a_child_that_was_there_goes_again_with_its_parent(as_sent):
    families = as_sent(firstName="first_name")
    run = families.run()
    assert (run.exit_code, run.sent, families.fates(run)) == (0, {"accepted": 12}, {})
    assert len(families.desk.books.customer("externalId", "C-1").family.children) == 2
    assert families.desk.agrees(run)


def test_a_child_that_was_there_is_in_doubt_with_its_parent(as_sent):
    families = as_sent()
    fates = families.fates(families.run())
    codes = {number: code.split(";")[-1] for number, (_, code) in fates.items()}
    assert (codes[1], codes[9], codes[10]) == ("look_up.credit_not_seen", *["look_up.family_not_seen"] * 2)


@pytest.fixture
def silent_of_c10(monkeypatch):
    """The API leaves C-10 out of its answer."""

    def flat(outcome):
        told = told_in_full(outcome)
        family = told.get("associationDetails", {})
        if "childCustomers" in family:
            family["childCustomers"] = [kid for kid in family["childCustomers"] if '"C-10"' not in json.dumps(kid)]
        return told

    told_in_full = replies._flat
    monkeypatch.setattr(replies, "_flat", flat)


@pytest.mark.usefixtures("silent_of_c10")
def test_children_may_be_in_doubt_alone(desk):
    families = Families(desk)
    run = families.run()
    assert (run.exit_code, families.fates(run)) == (5, dict.fromkeys((9, 10), ("in_doubt", "child_count")))
    looked = desk("settle", families.name)
    assert (looked.exit_code, looked.sent) == (0, {"accepted": 12})
    assert desk.agrees(looked)


@pytest.mark.usefixtures("silent_of_c10")
@pytest.mark.parametrize(
    ("word", "fates"),
    [
        ("accepted", ("accepted", "child_count;settled_by_person")),
        ("not-sent", ("refused", "child_count;look_up.untouched")),  # its parent is not sent again
    ],
)
def test_a_person_decides_on_children_alone(desk, word, fates):
    families = Families(desk)
    families.run()
    settled = desk("settle", families.name, "--as", word)
    assert (settled.exit_code, families.fates(settled)) == (0, dict.fromkeys((9, 10), fates))


def test_a_person_decides_on_whole_families(desk_with):
    families = Families(desk_with("reset-before:1"))
    run = families.run()
    in_doubt = run.sent["in_doubt"]
    settled = families.desk("settle", families.name, "--as", "not-sent")
    assert (in_doubt > 5, settled.sent) == (True, {"accepted": 12 - in_doubt, "not_sent": in_doubt})
    resumed = families.desk("resume", families.name)
    assert (resumed.exit_code, resumed.sent) == (0, {"accepted": 12})
    assert families.desk.agrees(resumed)


def test_points_keep_a_family_from_being_resent_unread(desk_with):
    families = Families(desk_with("502:1"), destination={"in_doubt": "resend"})
    run = families.run()
    assert {number for number, (fate, _) in families.fates(run).items() if fate == "in_doubt"} >= {1, 9, 10}
    assert len(families.desk.books.requests("/v2/bulk")) == 2


@pytest.mark.slow
def test_a_killed_run_leaves_no_child_behind(desk_with):
    families = Families(desk_with("slow=0.5"), destination=LOOK_UP, limits={"rows_per_request": 2, "in_flight": 1})
    desk = families.desk
    words = ["run", families.job, "--plan", families.name, "--home", str(desk.home), "--quiet"]
    running = subprocess.Popen([sys.executable, "-c", "from flows.cli import main; main()", *words])
    while not desk.sandbox.holds:
        assert running.poll() is None
        time.sleep(0.002)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    resumed = desk("resume", families.name)
    assert (resumed.exit_code, resumed.sent) == (0, {"accepted": 12})
    assert desk.agrees(resumed)
