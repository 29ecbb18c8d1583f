"""Children and parents are people too: what a night left to be remembered of them, the next night knows."""

import pytest

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
