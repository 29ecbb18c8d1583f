"""Families on their way into payloads: every row of the nested table is a row of the run, with one fate."""

import csv
import json

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HEAD = "parent_no,child_no,child_phone,child_name\n"
NESTED = {
    "source": {"family": {"files": "family.csv", "nest": {"on": "parent_no"}}},
    "map": {
        "associationDetails": {
            "hierarchyCode": {"value": "FAMILY"},
            "roleCode": {"value": "HEAD"},
            "childRoleCode": {"value": "MEMBER"},
            "childCustomers": {
                "table": "family",
                "identifiers": {"mobile": "child_phone", "externalId": "child_no"},
                "firstName": "child_name",
            },
        }
    },
}


def nested_job(desk, **over):
    """The usual job with a nested table, and something changed."""
    return desk.job(**{word: {**NESTED.get(word, {}), **over.get(word, {})} for word in {**NESTED, **over}})


class Plan:
    """What became of a plan, row by row."""

    def __init__(self, desk, outcome):
        assert outcome.exit_code == 0, outcome.stderr
        self.told, self.folder = outcome.told, desk.of(outcome)

    def _parquet(self, kind, table):
        folder = self.folder / "nested" / table / kind if table else self.folder / kind
        return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]

    def prepared(self, table):
        """The prepared rows of the leading table ("") or the nested one, by number."""
        return sorted(self._parquet("prepared", table), key=lambda row: row["row"])

    def dropped(self):
        """(row, fate, code) of all that settling took out."""
        return [(line["row"], line["fate"], line["code"]) for line in self._parquet("dropped", "")]

    def fates(self, table):
        """(line, fate, codes) of each row by its number, as they stand before anything is sent."""
        out = {row: (fate, code) for row, fate, code in self.dropped()}
        return [(row["line"], *out.get(row["row"], (row["fate"], row["codes"]))) for row in self.prepared(table)]

    def codes(self):
        """Rows per reason."""
        return {reason["code"]: reason["rows"] for reason in self.told["reasons"]}

    def payloads(self):
        """What would be sent, as text by external id."""
        out = {row for row, *_ in self.dropped()}
        sent = [row["payload"].decode() for row in self.prepared("") if row["payload"] and row["row"] not in out]
        return {json.loads(text)["profiles"][0]["identifiers"][0]["value"]: text for text in sent}

    def children(self):
        """The first names of the children in each payload."""
        blocks = {who: json.loads(text).get("associationDetails", {}) for who, text in self.payloads().items()}
        return {
            who: [child["profiles"][0]["firstName"] for child in block.get("childCustomers", [])]
            for who, block in blocks.items()
        }

    def parts(self):
        """The parts of the run, as they are kept."""
        return json.loads((self.folder / "prepared.json").read_text())["prepared"]["parts"]

    def waves(self):
        """(row, wave) of rows that go after others."""
        return [(line["row"], line["wave"]) for line in pq.read_table(self.folder / "waves.parquet").to_pylist()]


@pytest.fixture
def planned(desk):
    """Plans four customers with these lines of family.csv."""

    def plan(lines: str, customers: str | None = None, **over):
        desk.source(4)
        if customers is not None:
            desk.write("customers.csv", "member_no,phone,first_name,points\n" + customers)
        desk.write("family.csv", HEAD + lines)
        return Plan(desk, desk("plan", nested_job(desk, **over)))

    return plan


KIM, LEE = "C-2,K-1,9845100001,Kim\n", "C-1,K-2,9845100002,Lee\n"


def test_children_travel_with_their_parent_in_the_order_of_their_file(planned):
    plan = planned(KIM + LEE + " C-2 ,K-3,9845100003,Bo\n")
    assert plan.children() == {"C-1": ["Lee"], "C-2": ["Kim", "Bo"], "C-3": [], "C-4": []}
    assert plan.fates("family") == [(3, None, None), (2, None, None), (4, None, None)]
    assert (plan.told["rows"]["read"], plan.told["rows"]["not_sent"], plan.told["requests"]) == (7, 7, 1)
    assert [origin["rows"] for origin in plan.told["sources"]] == [4, 3]


def test_a_customer_without_children_has_no_association(planned):
    assert "associationDetails" not in planned(KIM).payloads()["C-3"]


def test_nested_rows_are_numbered_behind_all_leading_ones(planned):
    plan = planned(LEE + KIM + "C-9,K-9,9845100009,Nobody\nbroken\n", run={"part_rows": 100})
    assert [(part["table"], part["first_row"], part["rows"], part["unreadable"]) for part in plan.parts()] == [
        ("", 0, 4, 0), ("family", 4, 2, 0), ("family", 6, 1, 0), ("family", 7, 0, 1),
    ]  # fmt: skip
    assert plan.told["rows"]["read"] == 8


def test_an_invalid_child_stays_and_its_parent_goes(planned):
    plan = planned(KIM + "C-2,,12,Bad\n")
    assert plan.children()["C-2"] == ["Kim"]
    assert plan.codes() == {"mobile.too_short": 1, "identifiers.missing": 1}


def test_a_childs_second_row_is_a_duplicate(planned):
    plan = planned(KIM + LEE + KIM)
    assert plan.children()["C-2"] == ["Kim"]
    assert plan.fates("family")[-1] == (4, "duplicate", "duplicates.another_row")


def test_a_plan_with_families_is_applied_as_it_was_shown(desk, planned):
    plan = planned(KIM + LEE + "C-2,,12,Bad\nC-2,K-3,9845000002,Own\n")
    run = desk("run", nested_job(desk), "--plan", plan.told["run"])
    assert (run.exit_code, run.told["rows"]["read"], run.sent["invalid"]) == (0, 8, 2)
    assert Plan(desk, run).dropped() == plan.dropped()


def test_a_child_with_its_parents_mobile_stays_behind(planned):
    plan = planned(KIM + "C-2,K-3,+91 98450 00002,Own\n")
    assert plan.children()["C-2"] == ["Kim"]
    assert plan.codes() == {"family.own_parent": 1}


@pytest.mark.parametrize("parent", ["C-9", "", " "])
def test_a_child_of_nobody_is_an_orphan(planned, parent):
    plan = planned(f"{parent},K-9,9845100009,Nobody\n")
    assert plan.codes() == {"family.orphan": 1}
    assert plan.told["rows"] | {"invalid": 1, "not_sent": 4} == plan.told["rows"]


def test_more_children_than_allowed_hold_the_whole_family(planned):
    plan = planned(KIM + LEE + "C-2,K-3,9845100003,Bo\n", rules={"max_children": 1})
    assert plan.codes() == {"family.too_many_children": 3}
    assert set(plan.payloads()) == {"C-1", "C-3", "C-4"}


def test_a_family_larger_than_a_request_is_held_together(planned):
    many = "".join(f"C-2,K-1{n},98452{n:05},{'Kim' * 30}\n" for n in range(8))
    plan = planned(LEE + many, limits={"bytes_per_request": 1000})
    assert plan.codes() == {"payload.too_large": 1, "family.parent": 8}
    assert plan.told["rows"]["invalid"] == 9


def test_children_share_what_holds_their_parent(planned):
    plan = planned(KIM + LEE, rules={"filter": "points != 2"})
    assert plan.told["rows"] | {"filtered": 2, "not_sent": 4} == plan.told["rows"]


@pytest.mark.parametrize(("keep", "stands"), [("first", "Asha"), ("last", "Uma")])
def test_children_of_a_customer_with_several_rows_follow_the_one_that_stands(planned, keep, stands):
    twice = "C-1,9845000001,Asha,\nC-2,9845000002,Ravi,\nC-1,9845000001,Uma,\n"
    plan = planned(LEE + KIM + "broken\n", twice, rules={"duplicates": {"keep": keep}})
    assert plan.told["rows"] | {"unreadable": 1, "duplicate": 1, "not_sent": 4, "read": 6} == plan.told["rows"]
    assert [[child["row"] for child in plan.prepared("family")], plan.prepared("")[2]["children"]] == [[3, 4], [3]]
    assert f'"firstName":"{stands}"' in plan.payloads()["C-1"]


def test_a_child_is_judged_by_the_parents_row_that_stands(planned):
    twice = "C-1,9845100002,Asha,\nC-1,9845000001,Uma,\n"  # the first has Lee's mobile
    assert planned(LEE, twice).told["rows"]["not_sent"] == 2
    plan = planned(LEE, twice, rules={"duplicates": {"keep": "first"}})
    assert plan.codes() == {"duplicates.another_row": 1, "family.own_parent": 1}


def test_a_household_under_one_nest_key_is_held_before_anything_is_sent(desk):
    desk.sandbox.preload(["C-1", "C-2", "C-3", "K-1"])
    rows = "C-1,9845000001,Asha,7,H-1\nC-2,9845000002,Ravi,5,H-1\nC-3,9845000003,Uma,3,H-3\n"
    desk.write("customers.csv", "member_no,phone,first_name,points,parent_no\n" + rows)
    desk.write("family.csv", HEAD + "H-1,K-1,9845100001,Kim\n")
    run = desk("run", nested_job(desk, limits={"rows_per_request": 1}))
    assert (run.exit_code, run.sent) == (0, {"conflict": 3, "accepted": 1})
    assert [(row["codes"], row["fate"]) for row in desk.results(run)][:2] == [("family.two_parents", "conflict")] * 2
    assert desk.agrees(run)


def test_a_childs_identifier_is_somebody_elses_though_its_parents_first_row_is_filtered(desk):
    desk.sandbox.preload(["C-1", "C-2", "K-1"])
    rows = "C-1,9845000001,Out,7\nC-1,9845000001,Asha,7\nC-2,9845100001,Ravi,3\n"
    desk.write("customers.csv", "member_no,phone,first_name,points\n" + rows)
    desk.write("family.csv", HEAD + "C-1,K-1,9845100001,Kim\n")
    run = desk("run", nested_job(desk, rules={"filter": "first_name != 'Out'"}))
    assert (run.sent, desk.books.merges()) == ({"filtered": 1, "conflict": 3}, [])


def test_children_find_their_parent_in_whichever_part_it_stands(planned):
    customers = "".join(f"C-{n % 150},98450{n:05},Asha,\n" for n in range(250))  # C-0 to C-99 twice
    kids = "".join(f"C-{n % 160},,98451{n:05},{n}\n" for n in range(480))
    plan = planned(kids, customers, run={"part_rows": 100})
    assert plan.children() == {f"C-{n}": [str(n), str(n + 160), str(n + 320)] for n in range(150)}
    assert plan.told["rows"] | {"read": 730, "duplicate": 100, "invalid": 30, "not_sent": 600} == plan.told["rows"]
    parts = [(part["table"], part["rows"]) for part in plan.parts()]
    assert parts == [("", 100), ("", 100), ("", 50), ("family", 300), ("family", 150), ("family", 30)]


def test_processes_prepare_the_same_families_as_threads(desk, planned):
    threads = planned(KIM + LEE + "C-9,K-9,9845100009,Nobody\n")
    processes = Plan(desk, desk("run", nested_job(desk, run={"workers": "processes"})))
    for table in ("", "family"):
        assert processes.prepared(table) == threads.prepared(table)


def test_check_counts_the_childrens_columns_as_used(desk):
    desk.source(1)
    desk.write("family.csv", HEAD)
    told = desk("check", nested_job(desk)).told
    assert told["unused_columns"] == {"customers": [], "family": []}


def test_a_limit_leaves_out_what_belongs_to_no_row_that_is_read(desk):
    desk.source(4)
    desk.write("family.csv", HEAD + LEE + "C-4,K-4,9845100004,Bo\n")
    told = desk("plan", nested_job(desk), "--limit", "2").told
    assert told["rows"] | {"read": 3, "not_sent": 3} == told["rows"]
    assert told["unmatched"] == {"family": 1}


def test_preview_shows_children_with_their_rows(desk):
    desk.source(4)
    desk.write("family.csv", HEAD + KIM + LEE)
    shown = desk("preview", nested_job(desk), "-n", "2").told["rows"]
    assert [(row.get("table"), row["line"]) for row in shown] == [(None, 2), (None, 3), ("family", 3), ("family", 2)]
    assert shown[1]["payload"]["associationDetails"]["childCustomers"] == [shown[3]["payload"]]
    assert shown[3]["before"] == {
        "parent_no": "C-2",
        "child_no": "K-1",
        "child_phone": "9845100001",
        "child_name": "Kim",
    }


def test_a_table_without_rows_gives_no_children(planned):
    assert planned("").told["rows"]["read"] == 4


def test_without_leading_rows_all_children_are_orphans(planned):
    assert planned(KIM + LEE, customers="").codes() == {"family.orphan": 2}


def test_columns_of_other_tables_are_refused_with_what_the_nested_one_has(desk):
    desk.source(1)
    desk.write("family.csv", "parent_no,child_phone\n")
    block = NESTED["map"]["associationDetails"]
    strange = {"mobile": "family.child_phone", "externalId": "member_no"}
    block = {**block, "childCustomers": {**block["childCustomers"], "identifiers": strange}}
    run = desk("plan", nested_job(desk, map={"associationDetails": block}))
    assert run.exit_code == 2
    assert "childCustomers.identifiers.externalId: nested table family has no column 'member_no'" in run.stderr
    assert "childCustomers.firstName" in run.stderr


# what is left of a run


@pytest.fixture
def ran(desk):
    """A run of three customers and their children, of whom one is nobody's and one has no identifier."""
    desk.source(3)
    desk.sandbox.preload(["K-1", {"mobile": "919845100012"}, "K-9"])
    desk.write("family.csv", HEAD + KIM + 'C-1,,12,"Bad, indeed"\nC-9,K-9,9845100009,Nobody\nbroken\n')
    return desk("run", nested_job(desk))


def rejected(desk, run):
    with (desk.of(run) / "rejected.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_child_has_its_line_in_the_results(desk, ran):
    lines = [(row["file"], row["line"]) for row in desk.results(ran)]
    assert lines == [("customers.csv", line) for line in (2, 3, 4)] + [("family.csv", line) for line in (3, 2, 4, 5)]
    assert all(row["key_hash"] and row["identifiers"] for row in desk.results(ran)[4:6])
    assert ran.told["rows"]["read"] == 7


def test_a_rejected_child_stands_beside_its_parent(desk, ran):
    bad, orphan = rejected(desk, ran)
    assert list(bad)[3:6] == ["points", "family.parent_no", "family.child_no"]
    assert (bad["member_no"], bad["family.child_name"], bad["_file"], bad["_line"]) == (
        "C-1", "Bad, indeed", "family.csv", "3",
    )  # fmt: skip
    assert (orphan["member_no"], orphan["family.child_no"], orphan["_code"]) == ("", "K-9", "family.orphan")


def test_broken_lines_of_the_nested_table_are_kept(desk, ran):
    assert (desk.of(ran) / "unreadable-lines" / "family-family.csv").read_bytes() == b"broken\n"


def test_a_corrected_child_goes_again_with_its_parent(desk, ran):
    file = desk.of(ran) / "rejected.csv"
    desk.write("corrected.csv", file.read_text().replace('"12"', '"9845100012"').replace('"C-9"', '"C-3"'))
    retry = desk("retry", ran.told["run"], str(desk.folder / "corrected.csv"))
    first = [(row["first_file"], row["first_line"], row["first_fate"]) for row in desk.results(retry)]
    # The orphan's line has no leading columns: it is a child only, and its parent has no row here.
    assert retry.told["rows"]["read"] == 3
    assert first == [(None, None, None), ("family.csv", 3, "invalid"), ("family.csv", 4, "invalid")]


def test_a_parent_and_its_children_are_rejected_and_retried_once_each(desk):
    desk.write("customers.csv", "member_no,phone,first_name,points\nC-1,9845000001,Asha,x\n")
    desk.write("family.csv", HEAD + LEE + "C-1,K-3,9845100003,Bo\n")
    run = desk("run", nested_job(desk))
    assert run.sent == {"invalid": 3}
    text = (desk.of(run) / "rejected.csv").read_text()
    # A person mends the parent's own line only.
    own, *kids = text.splitlines()[1:]
    desk.write("corrected.csv", "\n".join([text.splitlines()[0], *kids, own.replace('"x"', '"7"')]) + "\n")
    desk.sandbox.preload(["C-1"])
    retry = Plan(desk, desk("retry", run.told["run"], str(desk.folder / "corrected.csv")))
    assert retry.children() == {"C-1": ["Lee", "Bo"]}
    assert retry.told["rows"]["read"] == 3
    assert retry.told["points"]["1016"]["read"] == 7
    assert desk.books.points_of("externalId", "C-1") == [(1016, 7)]


# flat families


def flat(desk, lines: str, mobile=None):
    """Plans customers who name their parents."""
    desk.write("customers.csv", "member_no,phone,parent\n" + lines)
    mapping = {
        "identifiers": {"externalId": "member_no", "mobile": mobile or "phone"},
        "firstName": None,
        "loyaltyProgramEnrollments": None,
        "associationDetails": {
            "hierarchyCode": {"value": "FAMILY"},
            "roleCode": {"value": "MEMBER"},
            "parentCustomer": {"identifiers": {"externalId": "parent"}},
        },
    }
    return Plan(desk, desk("plan", desk.job(map=mapping)))


def test_rows_name_their_parents_and_go_in_waves(desk):
    plan = flat(desk, "C-1,9845000001,C-2\nC-2,9845000002,\nC-3,9845000003,\n")
    assert json.loads(plan.payloads()["C-1"])["associationDetails"]["parentCustomer"] == {
        "profiles": [{"source": "INSTORE", "identifiers": [{"type": "externalId", "value": "C-2"}]}]
    }
    assert "associationDetails" not in plan.payloads()["C-2"]
    kid, mum, _ = plan.prepared("")
    assert (kid["parent_key"], kid["relatives"]) == (mum["key"], mum["identifiers"][:1])
    assert (mum["parent_key"], mum["relatives"]) == (None, [])
    assert plan.waves() == [(1, 1), (0, 2)]


def test_a_row_whose_parent_is_not_loaded_is_told_so(desk):
    plan = flat(desk, "C-1,9845000001,C-2\nC-2,98450,\nC-3,9845000003,C-1\n", {"column": "phone", "required": True})
    assert plan.codes() == {"mobile.too_short": 1, "family.parent_not_loaded": 2}


@pytest.mark.parametrize(("fault", "word"), [("lost:1", "accepted"), ("reset-before:1", "not-sent")])
def test_a_row_waits_until_its_parents_doubt_is_settled(desk_with, fault, word):
    desk = desk_with(fault)
    desk.write("customers.csv", "member_no,phone,parent\nC-1,9845000001,C-2\nC-2,9845000002,\n")
    association = {"hierarchyCode": {"value": "FAMILY"}, "roleCode": {"value": "MEMBER"}}
    parent = {"parentCustomer": {"identifiers": {"externalId": "parent"}}}
    mapping = {"firstName": None, "loyaltyProgramEnrollments": None, "associationDetails": association | parent}
    run = desk.run(map=mapping, destination={"operation": "register"})
    assert (run.exit_code, run.sent) == (4, {"in_doubt": 1, "not_sent": 1})
    assert "rows that wait for a parent whose own row is in doubt: 1" in run.stdout
    assert desk("settle", run.told["run"], "--as", word).exit_code == 4
    resumed = desk("resume", run.told["run"])
    assert (resumed.exit_code, resumed.sent) == (0, {"accepted": 2})
    assert desk.books.written_twice() == []


# at random


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["C-1", "C-2", "C-3", " C-1", ""]), max_size=8),
    st.lists(st.tuples(st.sampled_from(["C-1", "C-2", "C-4", ""]), st.integers(0, 6)), max_size=12),
    st.sampled_from(["first", "last", "none"]),
    st.integers(0, 2),
)
def test_every_row_has_one_fate_and_travels_as_it_says(desk, keys, kids, keep, broken):
    customers = "".join(f"{key},98450{place:05},Asha,\n" for place, key in enumerate(keys))
    desk.write("customers.csv", "member_no,phone,first_name,points\n" + customers)
    # Some mobiles are leading rows' own.
    desk.write(
        "family.csv",
        HEAD + "".join(f"{parent},,98450{phone:05},{phone}\n" for parent, phone in kids) + "broken\n" * broken,
    )
    plan = Plan(desk, desk("plan", nested_job(desk, rules={"duplicates": {"keep": keep}, "max_children": 4})))
    rows = plan.told["rows"]
    assert rows["read"] == len(keys) + len(kids) + broken
    assert rows["read"] == sum(count for fate, count in rows.items() if fate != "read")
    dropped = plan.dropped()
    assert len({row for row, *_ in dropped}) == len(dropped)
    out = {row for row, *_ in dropped}
    travelling = sorted(
        kid for row in plan.prepared("") if row["fate"] is None and row["row"] not in out for kid in row["children"]
    )
    assert travelling == sorted(
        row["row"] for row in plan.prepared("family") if row["fate"] is None and row["row"] not in out
    )
