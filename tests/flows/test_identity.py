"""People who share an identifier are kept apart: against the sandbox, which merges as the API does."""

import contextlib
import json
import sqlite3

import httpx
import pyarrow.parquet as pq
import pytest

HEADER = "member_no,phone,email,first_name,points\n"
MAPPED = {"map": {"identifiers": {"email": "email"}, "commChannels": {"mobile": "phone"}}}


def people(*rows: tuple[str, str, str]) -> str:
    """Member, phone and e-mail; each with one point."""
    return HEADER + "".join(f"{member},{phone},{email},Asha,1\n" for member, phone, email in rows)


@pytest.fixture
def loaded(desk):
    """Loads these people, all of them known to the sandbox by their member numbers."""

    def load(*rows: tuple[str, str, str], preload=True, **over):
        desk.write("customers.csv", people(*rows))
        if preload:
            desk.sandbox.preload(dict.fromkeys(member for member, _, _ in rows))
        return desk.run(**{**MAPPED, **over})

    return load


def merged(desk) -> int:
    return len(desk.books.merges())


CROSSING = [  # the first has one of either of the others; the last nothing of anybody
    ("C-1", "9845000001", "asha@x.com"),
    ("C-2", "9845000001", "ravi@x.com"),
    ("C-3", "9845000003", "Asha@X.com"),
    ("C-4", "9845000004", "uma@x.com"),
]


def test_five_hundred_people_with_one_dummy_mobile_stay_five_hundred(desk, loaded):
    run = loaded(*((f"C-{n}", "9999999999", f"p{n}@x.com") for n in range(500)))
    assert (run.exit_code, run.sent) == (0, {"accepted": 500})
    assert merged(desk) == 0
    assert "500 mobiles were dropped: placeholders" in (desk.of(run) / "report.md").read_text(encoding="utf-8")
    assert desk.agrees(run)


def test_people_with_crossing_identifiers_are_held_and_told(desk, loaded):
    run = loaded(*CROSSING)
    assert run.sent == {"conflict": 3, "accepted": 1}
    assert merged(desk) == 0
    assert run.told["clusters_found"] == 1
    (cluster,) = run.told["clusters"]
    assert (cluster["rows"], cluster["customers"]) == (3, 3)
    assert sorted((shared["type"], shared["value"]) for shared in cluster["shared"]) == [
        ("email", "a••••@••••.com"),
        ("mobile", "91••••01"),
    ]
    assert cluster["lines"] == ["customers.csv:2", "customers.csv:3", "customers.csv:4"]
    assert json.loads((desk.of(run) / "plan.json").read_text(encoding="utf-8"))["clusters"] == [cluster]
    assert [row["cluster"] for row in desk.results(run)] == [0, 0, 0, None]
    assert desk.agrees(run)


def test_a_plain_script_that_sends_the_same_payloads_merges_them(desk, loaded):
    run = loaded(*CROSSING)
    payloads = pq.read_table(desk.of(run) / "prepared" / "00000.parquet")["payload"].to_pylist()
    told = {"key": "demo", "secret": "demo-secret"}
    with httpx.Client(base_url=desk.sandbox.url) as script:
        token = script.post("/v3/oauth/token/generate", json=told).json()["data"]["accessToken"]
        headers = {"X-CAP-API-OAUTH-TOKEN": token, "Content-Type": "application/json"}
        for payload in payloads[:3]:
            script.put("/v2/bulk?source=INSTORE", content=b"[" + payload + b"]", headers=headers)
    assert merged(desk) == 2


def test_keep_first_sends_one_of_each_cluster(desk, loaded):
    run = loaded(*CROSSING, rules={"shared_identifier": "keep_first"})
    assert [row["fate"] for row in desk.results(run)] == ["accepted", "conflict", "conflict", "accepted"]
    assert merged(desk) == 0
    assert desk.agrees(run)


def test_held_people_are_held_again_until_they_are_corrected(desk, loaded):
    loaded(*CROSSING)
    again = loaded(*CROSSING, preload=False)
    assert again.sent == {"conflict": 3, "unchanged": 1}
    corrected = [CROSSING[0], ("C-2", "9845000002", "ravi@x.com"), ("C-3", "9845000003", "c3@x.com"), CROSSING[3]]
    assert loaded(*corrected, preload=False).sent == {"accepted": 3, "unchanged": 1}
    assert merged(desk) == 0


def test_rejected_rows_of_a_conflict_are_sent_once_corrected(desk, loaded):
    run = loaded(*CROSSING)
    rejected = (desk.of(run) / "rejected.csv").read_text(encoding="utf-8")
    desk.write("corrected.csv", rejected.replace('"C-2","9845000001"', '"C-2","9845000002"').replace("Asha@X", "c3@x"))
    again = desk("retry", run.told["run"], str(desk.folder / "corrected.csv"))
    assert again.sent == {"accepted": 3}
    assert merged(desk) == 0


@pytest.mark.parametrize("workers", ["threads", "processes"])
def test_what_too_many_customers_share_is_taken_out(desk, loaded, workers):
    front_desk = [(f"C-{n}", f"98450{n:05}", "frontdesk@hotel.com" if n % 2 else f"p{n}@x.com") for n in range(300)]
    more = {"rules": {"placeholder_above": 149}, "run": {"part_rows": 100, "workers": workers}}
    run = loaded(*front_desk, **more)
    assert (run.exit_code, run.sent) == (0, {"accepted": 300})
    assert merged(desk) == 0
    told = json.loads((desk.of(run) / "plan.json").read_text(encoding="utf-8"))
    assert {"target": "email", "kind": "dropped_widely_shared", "rows": 150} in told["changes"]
    assert [row["codes"] for row in desk.results(run)[:2]] == [None, "email.widely_shared"]
    assert desk.agrees(run)


def test_a_part_that_was_prepared_again_is_as_if_prepared_so_at_once(desk, loaded):
    def rows(shared):
        return [(f"C-{n}", f"98450{n:05}", shared if n % 3 else f"P{n}@x.com") for n in range(100)]

    widely = loaded(*rows("frontdesk@hotel.com"))
    empty = loaded(*rows(""), name="another")
    for name in ("payload", "digest", "identifiers", "key", "fate", "size", "points", "row", "line"):
        one, other = (
            pq.read_table(desk.of(run) / "prepared" / "00000.parquet", columns=[name]).column(0).to_pylist()
            for run in (widely, empty)
        )
        assert one == other, name
    changes = [
        json.loads((desk.of(run) / "plan.json").read_text(encoding="utf-8"))["changes"] for run in (widely, empty)
    ]
    assert [one for one in changes[0] if one["kind"] != "dropped_widely_shared"] == changes[1]


def test_what_is_shared_stays_where_the_job_says_so_and_holds_them(desk, loaded):
    two = [(f"C-{n}", f"98450{n:05}", "frontdesk@hotel.com") for n in range(30)]
    assert loaded(*two, rules={"placeholder_above": None}).sent == {"conflict": 30}


def test_a_required_mobile_that_is_nobodys_makes_the_row_invalid(desk, loaded):
    rows = [(f"C-{n}", "9845012345" if n else "1234567890", f"p{n}@x.com") for n in range(30)]
    run = loaded(*rows, rules={"bad_optional": "reject"})
    codes = [row["codes"] for row in desk.results(run)]
    assert (run.sent, codes[:2]) == ({"invalid": 30}, ["mobile.placeholder", "mobile.widely_shared"])


def test_neither_the_order_of_rows_nor_the_size_of_parts_changes_a_fate(desk, loaded):
    rows = [(f"C-{n}", f"98450{n - n % 7 // 6:05}", f"p{n - n % 11 // 10}@x.com") for n in range(250)]
    ways = [(rows, 100), (rows, 1000), (rows[::-1], 100)]
    fates = []
    for place, (ordered, part_rows) in enumerate(ways):
        run = loaded(*ordered, name=f"e2e-{place}", run={"part_rows": part_rows})
        fates.append({ordered[row["line"] - 2][0]: row["codes"] for row in desk.results(run)})
    assert fates[0] == fates[1] == fates[2]
    assert set(fates[0].values()) == {None, "identity.shared"}
    assert merged(desk) == 0


def test_no_identifier_is_shown_in_clear(desk, loaded):
    run = loaded(*CROSSING)
    for name in ("report.html", "report.md", "run.json", "plan.json", "clusters.json"):
        told = (desk.of(run) / name).read_text(encoding="utf-8")
        assert "9845000001" not in told
        assert "asha@x.com" not in told.lower()


@pytest.fixture
def nights(desk):
    """Loads these people night after night; what a run was sent is as the sandbox has it."""

    def night(*rows: tuple[str, str], fault="", **over):
        desk.write("customers.csv", HEADER + "".join(f"{member},{phone},,{name},\n" for member, phone, name in rows))
        desk.sandbox.preload(dict.fromkeys(member for member, _, _ in rows))
        desk.sandbox.set_faults([fault] if fault else [])
        run = desk.run(**{**MAPPED, "mode": "sync", **over})
        desk.sandbox.set_faults([])
        return run

    return night


ASHA = ("C-1", "9845000001", "Asha")
OTHER_MOBILE, NO_MOBILE = ("C-1", "9845000006", "Asha"), ("C-1", "", "Asha")
HER_OLD_ONE = ("C-2", "9845000001", "Ravi")


EVERYBODYS = [(f"C-{n}", "9845000001", "Asha") for n in range(1, 25)]


@pytest.mark.parametrize("second", [[NO_MOBILE], [OTHER_MOBILE], EVERYBODYS], ids=["none", "another", "shared"])
def test_what_a_customer_had_once_is_nobody_elses(desk, nights, second):
    """Left out, replaced or dropped because too many share it: the API has it of her all the same."""
    nights(ASHA)
    nights(*second)
    third = nights(NO_MOBILE, HER_OLD_ONE)
    assert [row["codes"] for row in desk.results(third)][-1] == "identity.of_another"
    assert merged(desk) == 0


def test_what_she_had_before_a_doubt_is_nobody_elses(desk, nights):
    nights(ASHA)
    doubtful = nights(("C-1", "9845000001", "Renamed"), fault="reset-before@writes")
    assert desk("settle", doubtful.told["run"], "--as", "not-sent").sent == {"not_sent": 1}
    assert nights(HER_OLD_ONE).sent == {"conflict": 1}
    assert merged(desk) == 0


def test_who_was_held_before_a_run_stopped_is_held_when_it_goes_on(desk, nights):
    one_by_one = {"limits": {"rows_per_request": 1, "in_flight": 1}}
    uma, her = ("C-3", "9845000003", "Uma"), ("C-1", "", "Renamed")
    nights(ASHA, uma)
    stopped = nights(("C-3", "9845000003", "Umah"), her, HER_OLD_ONE, fault="reset-before@writes:1", **one_by_one)
    assert stopped.sent == {"in_doubt": 1, "accepted": 1, "conflict": 1}
    desk("settle", stopped.told["run"], "--as", "not-sent")
    assert desk("resume", stopped.told["run"]).sent == {"accepted": 2, "conflict": 1}
    assert merged(desk) == 0


def test_whom_version_2_remembered_is_known_by_her_mobile_once_she_is_met_again(desk, nights):
    nights(ASHA)
    with contextlib.closing(sqlite3.connect(desk.home / "ledger.sqlite")) as ledger:
        ledger.execute("update accepted set identifiers = null")
        ledger.commit()
    assert nights(ASHA).sent == {"unchanged": 1}
    assert nights(HER_OLD_ONE).sent == {"conflict": 1}
    assert merged(desk) == 0
