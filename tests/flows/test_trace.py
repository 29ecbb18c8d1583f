"""`bulkload trace`: one customer through all runs, however they are called, and never by their name."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from flows.settings import Home
from flows.trace import traced_by

CUSTOMERS = (
    "member_no,phone,first_name,email,points\n"
    "C-1001,98450 00001,Asha,Asha.Rao@Example.com,5\n"
    "C-1002,9845000002,Ravi,ravi@example.com,7\n"
    "C-1003,12,Uma,uma@example.com,9\n"
)
MAP = {"identifiers": {"externalId": "member_no", "mobile": "phone", "email": "email"}}


@pytest.fixture
def loaded(desk):
    """A desk after one run: the first customer is accepted, the second refused, the third loses its mobile."""
    desk.write("customers.csv", CUSTOMERS)
    desk.sandbox.preload(["C-1001", "C-1003"])
    desk.first = desk.run(map=MAP)
    return desk


def touches(desk, identifier):
    traced = desk("trace", identifier)
    assert traced.exit_code == 0
    return traced.told["touches"]


@pytest.mark.parametrize(
    "identifier",
    [
        "C-1001", " C-1001 ", "9845000001", "98450 00001", "+91 98450-00001", "919845000001", "09845000001",
        "asha.rao@example.com", "ASHA.RAO@EXAMPLE.COM", "mailto:asha.rao@example.com",
    ],
)  # fmt: skip
def test_a_customer_is_found_by_whatever_a_job_read(loaded, identifier):
    (touch,) = touches(loaded, identifier)
    assert (touch["run"], touch["job"], touch["file"], touch["line"]) == (
        loaded.first.told["run"], "e2e", "customers.csv", 2,
    )  # fmt: skip
    assert touch["fate"] == "accepted"


def test_a_touch_tells_all_that_results_know(loaded):
    (touch,) = touches(loaded, "C-1001")
    row = loaded.results(loaded.first)[0]
    assert touch["payload_digest"] == row["payload_digest"].hex()
    assert touch["key_hash"] == row["key_hash"].hex()
    assert (touch["batch"], touch["attempt"], touch["request_id"], touch["entity_id"]) == (
        row["batch"], row["attempt"], row["request_id"], row["entity_id"],
    )  # fmt: skip
    assert touch["answered_at_utc"] == row["answered_at_utc"].isoformat(timespec="seconds")
    assert touch["started_at_utc"] == loaded("runs").told["runs"][0]["started_at_utc"]


def test_codes_come_with_their_meaning(loaded):
    (refused,), (dropped,) = touches(loaded, "C-1002"), touches(loaded, "C-1003")
    assert (refused["fate"], dropped["fate"]) == ("refused", "accepted")
    assert refused["codes"][0]["code"].isdigit()
    assert dropped["codes"] == [{"code": "mobile.too_short", "meaning": "mobile is too short to be one."}]
    assert all(len(one["meaning"]) > 20 for one in refused["codes"])


def test_every_run_is_told_the_newest_last(loaded):
    second = loaded.run(map=MAP, name="again")
    third = loaded("plan", loaded.job(map=MAP, name="third"))
    told = touches(loaded, "9845000001")
    assert [(touch["run"], touch["fate"]) for touch in told] == [
        (loaded.first.told["run"], "accepted"), (second.told["run"], "accepted"), (third.told["run"], "not_sent"),
    ]  # fmt: skip
    assert (told[2]["file"], told[2]["line"], told[2]["batch"]) == ("customers.csv", 2, None)


def test_each_job_reads_an_identifier_in_its_own_way(loaded):
    loaded.write("customers.csv", CUSTOMERS.replace("98450 00001", "07400 123456"))
    british = loaded.run(map=MAP, name="british", locale={"country": "GB"})
    as_text = {"identifiers": {"externalId": None, "mobile": {"column": "phone", "as": "text"}, "email": None}}
    loaded.run(map=as_text, name="text")
    assert [touch["job"] for touch in touches(loaded, "447400123456")] == ["british"]
    assert [touch["job"] for touch in touches(loaded, "07400 123456")] == ["british", "text"]
    assert british.exit_code == 0


def test_what_is_remembered_now_is_told(loaded):
    (one,), run = loaded("trace", "C-1001").told["remembered"], loaded.first.told["run"]
    assert one["job"].startswith("e2e http://127.0.0.1")
    assert (one["accepted"]["fate"], one["accepted"]["run"], one["refused"]) == ("accepted", run, None)
    assert one["credits"] == [
        {"programme": "1016", "statement_hash": None, "points": 5, "fate": "accepted", "run": run}
    ]  # fmt: skip
    (other,) = loaded("trace", "C-1002").told["remembered"]
    assert (other["accepted"], other["refused"]["fate"], other["credits"]) == (None, "refused", [])


def test_who_is_nowhere_is_told_so(loaded, desk):
    nobody = loaded.say("trace", "C-9", "--home", str(loaded.home))
    assert (nobody.exit_code, nobody.stdout) == (0, "••••: no run here has touched such a customer\n")
    assert desk("trace", "C-9", "--home", str(desk.folder / "elsewhere")).told["touches"] == []


def test_an_identifier_that_several_have_finds_them_all(loaded):
    loaded.write("customers.csv", CUSTOMERS.replace("9845000002", "9845000001"))
    loaded.run(map=MAP, name="shared")
    shared = [touch["line"] for touch in touches(loaded, "9845000001") if touch["job"] == "shared"]
    assert shared == [2, 3]


def test_runs_whose_folder_is_gone_are_named(loaded):
    run = loaded.first.told["run"]
    shutil.rmtree(loaded.home / run)
    traced = loaded("trace", "C-1001").told
    assert (traced["touches"], traced["not_searched"]) == ([], [{"run": run, "why": "its folder is gone"}])
    assert [one["accepted"]["run"] for one in traced["remembered"]] == [run]
    plain = loaded.say("trace", "C-1001", "--home", str(loaded.home)).stdout
    assert f"not searched: {run}: its folder is gone" in plain


def test_the_ledger_knows_by_an_identifier_whom_gone_runs_had(loaded):
    loaded.write("customers.csv", CUSTOMERS.splitlines()[0] + "\nC-1009,9845000009,Zoe,zoe@example.com,1\n")
    loaded.run(map=MAP)
    shutil.rmtree(loaded.home / loaded.first.told["run"])
    (one,) = loaded("trace", "9845000001").told["remembered"]
    assert one["accepted"]["run"] == loaded.first.told["run"]


def test_an_older_run_is_searched_by_its_keys(loaded):
    folder = loaded.of(loaded.first)
    results = pq.read_table(folder / "results.parquet").drop_columns(["identifiers", "payload_digest"])
    pq.write_table(results, folder / "results.parquet")
    manifest = json.loads((folder / "prepared.json").read_text())
    del manifest["spelling"], manifest["joins"]
    (folder / "prepared.json").write_text(json.dumps(manifest))
    (touch,) = touches(loaded, "C-1001")
    assert (touch["fate"], touch["payload_digest"]) == ("accepted", None)
    assert touches(loaded, "9845000001") == []


def test_the_lines_for_people_say_the_same(loaded):
    said = loaded.say("trace", "C-1002", "--home", str(loaded.home)).stdout.splitlines()
    (touch,) = touches(loaded, "C-1002")
    assert said[0] == "C••••2: 1 row in 1 run"
    assert said[2] == "  customers.csv:3 refused"
    assert said[3] == f"  {touch['codes'][0]['code']}: {touch['codes'][0]['meaning']}"
    assert f"  payload digest {touch['payload_digest']}" in said


def test_nobody_is_named(loaded):
    for identifier in ("C-1001", "9845000001", "asha.rao@example.com"):
        traced, plain = loaded("trace", identifier), loaded.say("trace", identifier, "--home", str(loaded.home))
        said = (traced.stdout + traced.stderr + plain.stdout + plain.stderr).lower()
        for personal in ("c-1001", "9845000001", "98450 00001", "asha", "rao", "example.com"):
            assert personal not in said


def test_a_trace_leaves_nothing_behind(loaded):
    before = {path: path.read_bytes() for path in loaded.home.rglob("*") if path.is_file() and path.suffix != ".sqlite"}
    traced_by("C-1001", Home(loaded.home))
    after = {path: path.read_bytes() for path in loaded.home.rglob("*") if path.is_file() and path.suffix != ".sqlite"}
    assert after == before
