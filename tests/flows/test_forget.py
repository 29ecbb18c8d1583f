"""`bulkload forget`: nothing of one customer is left in a home, and everything of all others is."""

import json
import shutil
import sqlite3
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer

from connectors.locks import only_one
from connectors.sandbox.server import run_sandbox
from connectors.sandbox.settings import Settings
from flows import forget as forgetting
from flows.forget import forgotten_by
from flows.settings import Home
from schemas.errors import Stopped
from tests.flows.conftest import Desk
from transforms.masking import mask

pytestmark = pytest.mark.usefixtures("impatient")

# Whom the tests forget: as the source has them, as they are sent, and as reports show them.
RAW = ["QXZV-KEY-4711", "98450 71077", "9845071077", "Qxzvname", "Qxzv.Mail@Planted.Example", "4929071077071077"]
FORMS = [*RAW, "919845071077", "qxzv.mail@planted.example", "qxzvtown", mask("QXZV-KEY-4711")]
OTHER = ["RAVI-KEY-0815", "9845000002", "Ravi", "ravi@planted.example", "4000123412341234", mask("RAVI-KEY-0815")]
HEADER = "member_no,phone,first_name,email,card,points\n"
HERS = "QXZV-KEY-4711,98450 71077,Qxzvname,Qxzv.Mail@Planted.Example,4929071077071077,7\n"
HERS_AGAIN = "QXZV-KEY-4711,12,Qxzvname,Qxzv.Mail@Planted.Example,4929071077071077,7\n"
HERS_BROKEN = "QXZV-KEY-4711,98450 71077,Qxzvname\n"
HERS_KEYLESS = ",9845071077,Qxzvname,,,3\n"
HIS = "RAVI-KEY-0815,9845000002,Ravi,ravi@planted.example,4000123412341234,9\n"
HIS_BROKEN = "RAVI-KEY-0815,9845000002,Ravi\n"
REFUSED = "REFU-KEY-0001,9845000003,Uma,uma@planted.example,4000123412341235,1\n"
CUSTOMERS = HEADER + HIS + HERS_AGAIN + HERS + HERS_BROKEN + HIS_BROKEN + HERS_KEYLESS + REFUSED
TOWNS = "member_no,town\nRAVI-KEY-0815,Ravitown\nQXZV-KEY-4711,Qxzvtown\nQXZV-KEY-4711,Qxzvtown\n"
MAP = {
    "identifiers": {
        "externalId": "member_no",
        "mobile": "phone",
        "email": "email",
        "cardnumber": {"column": "card", "seriesCode": {"value": "GOLD"}},
    },
    "fields": {"town": "town"},
}
SOURCE = {"customers": {"files": "customers.csv"}, "towns": {"files": "towns.csv", "join": {"on": "member_no"}}}
JOB = {"map": MAP, "source": SOURCE, "key": "member_no"}
ONE_TOWN = TOWNS.replace("QXZV-KEY-4711,Qxzvtown\n", "", 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home with several runs of both customers: loaded, refused, rejected, unreadable, joined; and a copy of it."""
    folder = tmp_path_factory.mktemp("forget")
    with pytest.MonkeyPatch.context() as patch, run_sandbox(Settings()) as sandbox:
        told = {"PREFECT_HOME": folder, "E2E_URL": sandbox.url, "E2E_KEY": "demo", "E2E_SECRET": "demo-secret"}
        for name, value in told.items():
            patch.setenv(name, str(value))
        patch.delenv("PREFECT_API_URL", raising=False)
        desk = Desk(folder, sandbox)
        desk.write("customers.csv", CUSTOMERS)
        desk.write("towns.csv", TOWNS)
        sandbox.preload(["RAVI-KEY-0815"])
        desk.first = desk.run(**JOB)  # hers has two towns: invalid
        desk.write("towns.csv", ONE_TOWN)
        desk.second = desk.run(**JOB, name="second")  # hers is refused: the API does not know her
        sandbox.preload(["QXZV-KEY-4711"])
        desk.third = desk.run(**JOB, name="third")
        shutil.copytree(desk.home, folder / "copy")
        yield desk


@pytest.fixture
def desk(made):
    """That home, as it was made."""
    shutil.rmtree(made.home)
    shutil.copytree(made.folder / "copy", made.home)
    return made


def text_of(path) -> str:
    """All that a file holds, tables decoded."""
    whole = path.read_bytes().decode("latin-1") + path.read_bytes().decode("utf-8", "ignore")
    if path.suffix == ".parquet":
        whole += str(pq.read_table(path).to_pylist())
    if path.suffix == ".arrow":
        whole += str(pa.ipc.open_file(path.read_bytes()).read_all().to_pylist())
    return whole


def left(desk, forms) -> list[tuple[str, str]]:
    """Which files of the home hold which of these, in any case."""
    files = [path for path in desk.home.rglob("*") if path.is_file()]
    texts = {path.relative_to(desk.home).as_posix(): text_of(path).lower() for path in files}
    return sorted((name, form) for name, text in texts.items() for form in forms if form.lower() in text)


def hashes(desk) -> set[str]:
    """The keyed hashes that results of the home have of customers."""
    rows = [row for path in desk.home.glob("*/results.parquet") for row in pq.read_table(path).to_pylist()]
    return {row["key_hash"].hex() for row in rows if row["key_hash"]}


def forget(desk, identifier="QXZV-KEY-4711"):
    return desk("forget", identifier, "--yes")


# all of one, nothing of the others


def test_the_search_finds_what_is_planted(desk):
    assert {form for _, form in left(desk, FORMS)} == set(FORMS)
    kinds = {name.partition("/")[2].partition("/")[0] for name, _ in left(desk, FORMS)}
    assert kinds == {
        "rows", "joining", "joined", "prepared", "unreadable", "unreadable-lines", "rejected.csv", "report.html",
        "report.md",
    }  # fmt: skip


@pytest.mark.parametrize(
    "identifier", ["QXZV-KEY-4711", "+91 98450 71077", "QXZV.mail@planted.example", "4929071077071077"]
)
def test_nothing_of_the_customer_is_left(desk, identifier):
    forgotten = forget(desk, identifier)
    assert forgotten.exit_code == 0
    assert left(desk, FORMS) == []
    assert desk("trace", identifier).told["touches"] == []


def test_a_joined_row_goes_also_where_nobody_asked_for_it(desk):
    desk.write("customers.csv", HEADER + HIS)
    desk.write("towns.csv", ONE_TOWN)
    run = desk("plan", desk.job(**JOB, name="towns"))
    assert desk("run", desk.job(**JOB, name="towns"), "--plan", run.told["run"]).exit_code == 0
    assert forget(desk).exit_code == 0
    assert left(desk, FORMS) == []


def test_others_are_untouched(desk):
    before = left(desk, OTHER)
    forget(desk)
    assert left(desk, OTHER) == before


def test_others_keep_every_byte_and_value(desk):
    def others(run):
        folder = desk.of(run)
        rejected = [line for line in (folder / "rejected.csv").read_bytes().splitlines(True) if b"REFU" in line]
        prepared = pq.read_table(folder / "prepared" / "00000.parquet").to_pylist()
        return [row for row in desk.results(run) if row["line"] in (2, 8)], rejected, [prepared[0], prepared[-1]]

    before = [others(run) for run in (desk.first, desk.second, desk.third)]
    forget(desk)
    assert [others(run) for run in (desk.first, desk.second, desk.third)] == before


def test_every_row_keeps_its_line_and_fate(desk):
    runs = [desk.first, desk.second, desk.third]
    kept = ("file", "line", "fate", "codes", "batch", "attempt", "answered_at_utc")
    before = [[[row[name] for name in kept] for row in desk.results(run)] for run in runs]
    told = [desk("report", run.told["run"]).told for run in runs]
    forget(desk)
    assert [[[row[name] for name in kept] for row in desk.results(run)] for run in runs] == before
    assert [desk("report", run.told["run"]).told for run in runs] == told
    hers = [row for row in desk.results(desk.third) if row["line"] in (3, 4)]
    gone = ("key_hash", "identifiers", "payload_digest", "entity_id", "request_id")
    assert {row[name] for row in hers for name in gone} == {None}


def test_reports_keep_all_but_her(desk):
    folder = desk.of(desk.first)
    before = [(folder / name).read_text(encoding="utf-8") for name in ("report.html", "report.md")]
    forget(desk)
    after = [(folder / name).read_text(encoding="utf-8") for name in ("report.html", "report.md")]
    for was, is_now in zip(before, after, strict=True):
        assert "erased" in is_now
        assert is_now.replace("erased", "") == was.replace(mask("QXZV-KEY-4711"), "")


def test_runs_and_reports_still_work(desk):
    before = desk("runs").told
    forget(desk)
    assert desk("runs").told == before
    for run in (desk.first, desk.second, desk.third):
        assert desk("report", run.told["run"]).exit_code == 0


def test_files_stay_their_owners_alone(desk):
    forget(desk)
    assert {path.name for path in desk.home.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077} == set()
    assert list(desk.home.rglob("*.part")) == []


# later


def test_a_later_file_does_not_send_them(desk):
    forget(desk)
    desk.write("customers.csv", HEADER + HIS.replace("Ravi,", "Ravindra,") + HERS)
    desk.write("towns.csv", ONE_TOWN)
    later = desk.run(**JOB, name="third")
    assert later.sent == {"invalid": 1, "accepted": 1}
    assert [row["codes"] for row in desk.results(later)][1] == "customer.forgotten"
    assert desk.books.writes_of("externalId", "QXZV-KEY-4711") == 1


def test_forgetting_twice_is_harmless(desk):
    forget(desk)
    state = {path: path.read_bytes() for path in desk.home.rglob("*") if path.is_file() and "ledger" not in path.name}
    again = forget(desk)
    assert (again.exit_code, again.told["rows"], again.told["runs"]) == (0, 0, [])
    assert again.told["receipt"] is None
    assert {path: path.read_bytes() for path in state} == state


def test_who_is_nowhere_is_told_so(desk):
    nobody = desk.say("forget", "NOBODY-1", "--yes", "--home", str(desk.home))
    assert (nobody.exit_code, nobody.stdout) == (0, "NO••••-1: nothing here is such a customer's; nothing was erased\n")
    assert not (desk.home / "forgotten").exists()


def test_whom_only_the_ledger_knows_is_forgotten_there(desk):
    shutil.rmtree(desk.of(desk.third))
    kept = forget(desk, "9845071077").told
    assert [one["job"].split()[0] for one in kept["forgotten"]] == ["e2e", "second"]
    kept = forget(desk, "QXZV-KEY-4711").told
    assert [(one["job"].split()[0], one["ledger"]["credits"]) for one in kept["forgotten"]] == [("third", 1)]
    assert kept["not_searched"] == {desk.third.told["run"]: "its folder is gone"}


# the receipt


def test_the_receipt_says_what_was_erased_and_what_remains(desk):
    forgotten = forget(desk).told
    file = desk.home / "forgotten" / Path(forgotten["receipt"]).name
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = json.loads(file.read_text())
    assert {name: forgotten[name] for name in kept} == kept
    assert [(run["run"], run["rows"]) for run in kept["runs"]] == [
        (run.told["run"], 3) for run in (desk.first, desk.second, desk.third)
    ]  # fmt: skip
    third = kept["runs"][2]["files"]
    assert {name: third[name] for name in ("rows/00000.arrow", "prepared/00000.parquet", "results.parquet")} == {
        "rows/00000.arrow": 3, "prepared/00000.parquet": 3, "results.parquet": 3,
    }  # fmt: skip
    assert third["unreadable-lines/customers.csv"] == third["unreadable/00000.parquet"] == 1
    assert [(one["job"].split()[0], one["ledger"]) for one in kept["forgotten"]] == [
        ("e2e", {"accepted": 0, "refused": 0, "credits": 0, "children": 0}),
        ("second", {"accepted": 0, "refused": 1, "credits": 0, "children": 0}),
        ("third", {"accepted": 1, "refused": 0, "credits": 1, "children": 0}),
    ]  # fmt: skip
    assert any("The API still has the customer" in line for line in kept["remains"])


def test_the_receipts_hash_is_the_only_one_left(desk):
    before = hashes(desk)
    kept = forget(desk).told["forgotten"]
    (gone,) = before - hashes(desk)
    assert {one["key_hash"] for one in kept} == {gone}
    with sqlite3.connect(desk.home / "ledger.sqlite") as ledger:
        found = [
            name
            for name in ("accepted", "refused", "credits", "forgotten")
            for (key,) in ledger.execute(f"select key_hash from {name}")
            if key.hex() == gone
        ]
    ledger.close()
    assert found == ["forgotten"] * 3


def test_nobody_is_named(desk):
    plain = desk.say("forget", "QXZV-KEY-4711", "--yes", "--home", str(desk.home))
    said = (plain.stdout + plain.stderr).lower()
    assert [form for form in RAW if form.lower() in said] == []
    assert "receipt: " in plain.stdout


# who is asked, and what is refused


def test_without_a_terminal_somebody_must_say_yes(desk):
    before = left(desk, FORMS)
    asked = desk("forget", "QXZV-KEY-4711")
    assert (asked.exit_code, asked.told["problems"]) == (
        2, ["forget erases for good: give --yes, or run it at a terminal and answer"],
    )  # fmt: skip
    assert left(desk, FORMS) == before


@pytest.mark.parametrize("answer", [True, False])
def test_at_a_terminal_a_person_is_asked(desk, monkeypatch, answer):
    asked = []
    monkeypatch.setattr(forgetting.sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(forgetting.sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(typer, "confirm", lambda what, err: asked.append(what) or answer)
    if answer:
        receipt, _ = forgotten_by("QXZV-KEY-4711", False, Home(desk.home))
        assert receipt.rows == 9
    else:
        with pytest.raises(Stopped, match="nothing was erased"):
            forgotten_by("QXZV-KEY-4711", False, Home(desk.home))
    assert asked[0].startswith("QX••••11: 9 rows in 3 runs of e2e, second, third, 3 jobs that remember them.")


def test_several_customers_are_told_by_their_masked_keys(desk):
    desk.write("customers.csv", HEADER + HIS.replace("9845000002", "9845071077"))
    desk.write("towns.csv", TOWNS + "RAVI-KEY-0815,Ravitown\n")  # two towns: the row is not sent
    run = desk.run(**JOB, name="shared")
    refused = forget(desk, "9845071077")
    assert (refused.exit_code, refused.told["problems"]) == (
        2,
        ["several customers have this identifier: QX••••11, RA••••15; give the key of the one that is meant"],
    )
    assert forget(desk, "QXZV-KEY-4711").exit_code == 0
    assert "9845071077" in text_of(desk.of(run) / "rows" / "00000.arrow")


@pytest.mark.parametrize("identifier", ["QXZV-KEY-4711", "9845071077"])
def test_a_run_that_can_go_on_with_them_comes_first(desk, identifier):
    desk.write("customers.csv", HEADER + HERS)
    desk.write("towns.csv", ONE_TOWN)
    plan = desk("plan", desk.job(**JOB, name="planned"))
    refused = forget(desk, identifier)
    assert refused.exit_code == 2
    (problem,) = refused.told["problems"]
    assert problem.startswith(f"run {plan.told['run']}: it is planned and would send them")
    shutil.rmtree(desk.of(plan))
    assert forget(desk, identifier).exit_code == 0


def test_a_run_of_others_does_not_stand_in_the_way(desk):
    desk.write("customers.csv", HEADER + HIS)
    desk.write("towns.csv", ONE_TOWN)
    desk("plan", desk.job(**JOB, name="planned"))
    assert forget(desk).exit_code == 0


def test_rows_in_doubt_are_settled_first(desk_with, monkeypatch):
    desk = desk_with("lost")
    desk.write("customers.csv", HEADER + HERS)
    desk.write("towns.csv", ONE_TOWN)
    desk.sandbox.preload(["QXZV-KEY-4711"])
    run = desk.run(**JOB)
    assert run.sent == {"in_doubt": 1}
    (problem,) = forget(desk).told["problems"]
    assert problem.endswith(f"first: bulkload settle {run.told['run']}")
    assert desk("settle", run.told["run"], "--as", "accepted").exit_code == 0
    assert forget(desk).exit_code == 0
    assert left(desk, FORMS) == []


def test_nobody_is_forgotten_while_a_job_is_loaded(desk):
    before = left(desk, FORMS)
    with only_one(desk.home, "second"):
        refused = forget(desk)
    assert (refused.exit_code, refused.told["problems"]) == (
        2, ["job second: another process is loading it; wait for its end"],
    )  # fmt: skip
    assert left(desk, FORMS) == before
