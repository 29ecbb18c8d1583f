"""Who was forgotten stays in nobody's row as a parent, and is sent in none."""

import pyarrow.parquet as pq
import pytest

from tests.flows.test_erasing import forget, named

pytestmark = pytest.mark.usefixtures("impatient")
HEADER = "member_no,phone,first_name,head,head_phone\n"
HEAD, KID, BAD = "HEADX-1,9845077001,Qxzvname,,\n", "C-2,9845000002,Kid,HEADX-1,9845077001\n", "C-3,12,Bad,HEADX-1,\n"
PARENT = {"identifiers": {"externalId": "head", "mobile": "head_phone"}}
MAP = {
    "associationDetails": {
        "hierarchyCode": {"value": "FAMILY"}, "roleCode": {"value": "MEMBER"}, "parentCustomer": PARENT,
    },
    "identifiers": {"externalId": "member_no", "mobile": {"column": "phone", "required": True}},
    "loyaltyProgramEnrollments": None,
}  # fmt: skip
FORMS = ("HEADX-1", "9845077001", "Qxzvname")


@pytest.fixture
def night(desk_with):
    """Loads rows that name their parent, whom the API knows."""
    desk = desk_with(maps_parents=True)
    desk.sandbox.preload(["HEADX-1", "C-2", "C-3"])

    def load(*rows, **over):
        desk.write("customers.csv", HEADER + "".join(rows))
        return desk.run(mode="sync", map=MAP, **over)

    load.desk = desk
    return load


def test_a_parent_is_erased_from_the_rows_of_children(night):
    desk = night.desk
    first, second = night(HEAD, KID, BAD), night(KID.replace("Kid", "Kidd"), BAD)
    assert (first.sent, second.sent) == ({"accepted": 2, "invalid": 1}, {"accepted": 1, "invalid": 1})
    assert forget(desk, "HEADX-1").exit_code == 0
    assert [name for form in FORMS for name in named(desk, form)] == []
    assert (desk.of(second) / "rejected.csv").read_text().splitlines()[1].startswith('"C-3","12","Bad","","",')
    hashes = [row["parent_key"] for run in (first, second) for row in _prepared(desk, run)]
    assert hashes == [None] * 5


def _prepared(desk, run):
    return [row for path in (desk.of(run) / "prepared").glob("*") for row in pq.read_table(path).to_pylist()]


def test_whoever_was_forgotten_is_not_sent_again_as_a_parent(night):
    night(HEAD, KID)
    forget(night.desk, "HEADX-1")
    sent = len(night.desk.books.requests("/v2/bulk"))
    again = night(KID.replace("Kid", "Kidd"))
    assert [(reason["fate"], reason["code"]) for reason in again.told["reasons"]] == [
        ("invalid", "family.parent_forgotten")
    ]
    assert len(night.desk.books.requests("/v2/bulk")) == sent


def test_a_row_in_doubt_that_names_the_parent_comes_first(night):
    desk = night.desk
    assert night(HEAD).sent == {"accepted": 1}
    desk.sandbox.set_faults(["503@writes"])
    doubtful = night(KID, limits={"attempts": 1})
    assert doubtful.sent == {"in_doubt": 1}
    run = doubtful.told["run"]
    assert forget(desk, "HEADX-1").told["problems"] == [
        f"run {run}: nobody knows what became of them; first: bulkload settle {run}"
    ]
