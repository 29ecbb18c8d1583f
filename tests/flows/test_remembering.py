"""Children and parents are people too: what a night left to be remembered of them, the next night knows."""

import json

import pytest

from connectors.sandbox import replies
from tests.flows.conftest import merged
from tests.flows.test_families import HEAD, NESTED

pytestmark = pytest.mark.usefixtures("impatient")
HEADER = "member_no,phone,first_name,points\n"
C1, C2 = "C-1,9845000001,Asha,\n", "C-2,9845000002,Ravi,\n"
KIM = "C-1,K-1,9845000011,Kim\n"  # child of C-1
HER_MOBILE = "C-3,9845000011,Uma,\n"


@pytest.fixture
def night(desk):
    """Loads a night's customers and children, whom the API knows by their numbers."""
    desk.sandbox.preload([*(f"C-{n}" for n in range(1, 6)), "K-1", "K-2"])

    def load(customers, children="", **over):
        desk.write("customers.csv", HEADER + customers)
        desk.write("family.csv", HEAD + children)
        return desk.run(**merged({**NESTED, "mode": "sync"}, over))

    return load


def codes(run):
    return {reason["code"]: reason["rows"] for reason in run.told["reasons"]}


def test_a_child_with_a_mobile_of_an_earlier_customer_is_not_merged(desk, night):
    night(HER_MOBILE)
    run = night(C1 + C2, KIM)
    assert (run.sent, codes(run)) == (
        {"conflict": 2, "accepted": 1},
        {"identity.of_another": 1, "family.parent": 1},
    )
    assert desk.books.merges() == []


def test_a_customer_with_a_mobile_of_an_earlier_child_is_not_merged(desk, night):
    assert night(C1, KIM).sent == {"accepted": 2}
    run = night(C2 + HER_MOBILE)
    assert (run.sent, codes(run)) == ({"accepted": 1, "conflict": 1}, {"identity.of_another": 1})
    assert desk.books.merges() == []


def test_who_was_a_child_before_may_come_with_a_row_of_her_own(desk, night):
    night(C1, KIM)
    own = "K-1,9845000011,Kim,\n"
    first, second = night(C1 + own, KIM), night(C1 + own, KIM)
    assert (first.sent, second.sent) == ({"unchanged": 2, "accepted": 1}, {"unchanged": 3})


def test_whom_no_key_tells_from_a_later_customer_may_be_the_same_person(desk, night):
    """The API finds her by her mobile, and makes one of nobody else."""
    desk.sandbox.preload([{"mobile": "919845000011"}])
    assert night(C1, KIM.replace("K-1", "")).sent == {"accepted": 2}
    assert night(HER_MOBILE.replace("C-3", "C-77"), destination={"operation": "upsert"}).sent == {"accepted": 1}


def test_a_child_told_by_the_mobile_alone_is_the_customer_of_before(desk, night):
    night(HER_MOBILE)
    assert night(C1, KIM.replace("K-1", "")).sent == {"accepted": 2}
    assert desk.books.merges() == []


def test_a_child_told_by_the_mobile_alone_is_the_child_of_before(desk, night):
    night(C1, KIM)
    assert night(C1.replace("Asha", "Asha-2"), KIM.replace("K-1", "")).sent == {"accepted": 2}


def test_a_child_of_two_customers_of_before_is_not_merged(desk, night):
    by_mail = {"table": "family", "identifiers": {"mobile": "child_phone", "email": "child_name"}}
    block = {**NESTED["map"]["associationDetails"], "childCustomers": by_mail}
    mapping = {"associationDetails": block, "identifiers": {"email": "first_name"}}
    night("C-3,9845000011,uma@x.com,\nC-4,9845000004,kim@x.com,\n", map=mapping)
    run = night("C-1,9845000001,asha@x.com,\n", "C-1,,9845000011,kim@x.com\n", map=mapping)
    assert codes(run) == {"identity.of_another": 1, "family.parent": 1}


def test_the_order_of_children_changes_nothing(night):
    kids = [KIM, "C-1,K-2,9845000012,Lee\n"]
    assert night(C1, "".join(kids)).sent == {"accepted": 3}
    assert night(C1, "".join(reversed(kids))).sent == {"unchanged": 3}


# refused, or in doubt

LEE = "C-1,K-9,9845000019,Lee\n"  # whom the API does not know


def of_children(desk, run):
    return [(row["fate"], row["codes"]) for row in desk.results(run) if row["file"] == "family.csv"]


def test_a_refused_child_is_told_of_every_night_until_it_is_changed(desk, night):
    first, second = night(C1 + C2, KIM + LEE), night(C1 + C2, KIM + LEE)
    assert of_children(desk, first) == [("accepted", None), ("refused", "1621")]
    assert of_children(desk, second) == [("unchanged", "family.parent"), ("refused", "refused.earlier_run")]
    assert (second.sent, second.told["requests"]["sent"]) == ({"unchanged": 3, "refused": 1}, 0)
    assert "K-9" in (desk.of(second) / "rejected.csv").read_text()
    changed = night(C1 + C2, KIM + LEE.replace("K-9", "K-2"))
    assert changed.sent == {"unchanged": 1, "accepted": 3}


def test_a_refused_child_goes_again_when_the_mapping_changes(desk, night):
    night(C1, LEE)
    again = night(C1, LEE, map={"lastName": {"value": "Rao"}})
    assert of_children(desk, again) == [("refused", "1621")]


def test_a_refused_child_is_retried_with_its_unchanged_parent(desk, night):
    first = night(C1, LEE)
    desk.sandbox.preload(["K-9"])
    assert desk("retry", first.told["run"]).sent == {"accepted": 2}
    assert night(C1, LEE).sent == {"unchanged": 2}


def test_back_to_what_was_accepted_the_child_is_unchanged_whatever_its_parent_was_refused_for(desk, night):
    """The parent's element was refused, with all in it; of the child nothing was said for its own sake."""
    assert night(C2, KIM.replace("C-1", "C-2")).sent == {"accepted": 2}
    other_key = "C-2,9845000002,Ravi-2,\n"
    desk.sandbox.holds.take([{"externalId:C-2"}])
    night(other_key, KIM.replace("C-1", "C-2"))
    desk.sandbox.holds.release({"externalId:C-2"})
    assert night(C2, KIM.replace("C-1", "C-2")).sent == {"unchanged": 2}


def test_a_child_in_doubt_of_an_unchanged_parent_is_in_doubt_still(desk, night, monkeypatch):
    told_in_full = replies._flat

    def flat(outcome):
        told = told_in_full(outcome)
        family = told.get("associationDetails", {})
        if "childCustomers" in family:
            family["childCustomers"] = [kid for kid in family["childCustomers"] if '"K-2"' not in json.dumps(kid)]
        return told

    monkeypatch.setattr(replies, "_flat", flat)
    two = KIM + "C-1,K-2,9845000012,Lee\n"
    first, second = night(C1, two), night(C1, two)
    assert of_children(desk, first) == [("in_doubt", "child_count")] * 2
    assert of_children(desk, second) == [("in_doubt", "in_doubt.earlier_run")] * 2
    assert (second.exit_code, second.told["requests"]["sent"]) == (5, 0)
    desk("settle", first.told["run"], "--as", "accepted")
    assert night(C1, two).sent == {"unchanged": 3}
