"""Personal data and secrets stay where they belong, whatever happens: planted values are searched everywhere."""

import os
import sqlite3
import stat
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.settings import load_job

pytestmark = pytest.mark.usefixtures("impatient")

SECRET = "plantedSecret0815"
# What a customer tells us, and what the API is sent of it.
PLANTED = ["Qxzvname", "qxzv.mail@planted.example", "9845071077", "4929071077071077", "QXZV-KEY-4711"]
CUSTOMERS = (
    "member_no,phone,first_name,email,card,points\n"
    "QXZV-KEY-4711,9845071077,Qxzvname,qxzv.mail@planted.example,4929071077071077,7107\n"
    "QXZV-KEY-4711-b,98450710774929071077071077,Qxzvname,qxzv.mail@planted.example@,4929071077071078,x7107\n"
    "QXZV-KEY-4711-c,9845071077,Qxzvname,qxzv.mail@planted.example\n"
)
MAP = {
    "identifiers": {
        "externalId": "member_no",
        "mobile": {"column": "phone", "required": True},
        "email": "email",
        "cardnumber": {"column": "card", "seriesCode": {"value": "PLATINUM"}},
    }
}
MEANT_TO_BE_CORRECTED = ("rejected.csv", "rows", "prepared", "unreadable", "unreadable-lines")


def everything(desk, *outcomes) -> dict[str, str]:
    """All that anybody may look at, by name: what was said, and each file but those made to be corrected."""
    told = {f"{n} {name}": getattr(o, name) for n, o in enumerate(outcomes) for name in ("stdout", "stderr")}
    for path in (path for path in desk.home.rglob("*") if path.is_file()):
        name = path.relative_to(desk.home)
        if name.name == "results.parquet":
            told[str(name)] = str(pq.read_table(path).to_pylist())
        elif len(name.parts) == 1 or name.parts[1] not in MEANT_TO_BE_CORRECTED:
            told[str(name)] = path.read_bytes().decode("latin-1")
    return told


def leaks(desk, *outcomes) -> list[tuple[str, str]]:
    """Who told what; names of any case, mobiles with or without their country."""
    planted = [*PLANTED, SECRET]
    return [
        (name, value)
        for name, text in everything(desk, *outcomes).items()
        for value in planted
        if value.lower() in text.lower()
    ]


@pytest.fixture
def planted(desk_with, monkeypatch):
    def desk(*faults: str, secret: str = "demo-secret"):
        desk = desk_with(*faults)
        monkeypatch.setenv("E2E_SECRET", secret)
        desk.write("customers.csv", CUSTOMERS)
        desk.sandbox.preload(["QXZV-KEY-4711"])
        return desk

    return desk


def test_the_search_finds_what_is_there(planted):
    desk = planted()
    run = desk.run(map=MAP)
    rejected = (desk.of(run) / "rejected.csv").read_text(encoding="utf-8")
    assert [value for value in PLANTED if value not in rejected] == []
    assert run.sent == {"unreadable": 1, "invalid": 1, "refused": 1}
    assert len(run.told["reasons"]) >= 3


@pytest.mark.parametrize(
    "fault", ["", "lost", "html", "400", "429:3", "503-auth", "empty-error", "shuffled", "truncated", "500-applied"]
)
def test_no_run_tells_whose_data_it_carried(planted, fault):
    desk = planted(*([fault] if fault and fault != "400" else []))
    over = {"destination": {"path": "/v2/absent"}} if fault == "400" else {}
    run = desk.run(map=MAP, **over)
    plain = desk.say("run", desk.job(map=MAP, name="again", **over), "--home", str(desk.home))
    assert run.told["rows"]["read"] == 3
    assert leaks(desk, run, plain, desk("report"), desk("runs"), desk("plan", desk.job(map=MAP))) == []


@pytest.mark.parametrize(
    "over", [{}, {"nmae": 1}, {"map": {"lastName": "surname"}}, {"destination": {"url": "http://127.0.0.1:1"}}]
)
def test_no_refusal_tells_the_secret(planted, over):
    desk = planted(secret=SECRET)
    run, check, plain = desk.run(**over), desk("check", desk.job(**over)), desk.say("run", desk.job(**over))
    assert {run.exit_code, check.exit_code, plain.exit_code} == {2}
    assert leaks(desk, run, check, plain) == []


def test_a_job_that_is_printed_by_mistake_shows_no_secret(planted):
    job = load_job(Path(planted(secret=SECRET).job()), os.environ)
    assert SECRET not in repr(job)
    assert SECRET not in job.model_dump_json()


def test_files_made_to_be_corrected_are_their_owners_alone(planted):
    desk = planted()
    desk.run(map=MAP)
    assert {path.name for path in desk.home.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077} == set()


def test_the_ledger_knows_customers_by_a_keyed_hash_only(planted):
    desk = planted("lost")
    desk.run(map=MAP | {"identifiers": {"cardnumber": None}})
    with sqlite3.connect(desk.home / "ledger.sqlite") as ledger:
        dump = "\n".join(ledger.iterdump())
    ledger.close()
    assert [value for value in PLANTED if value.lower() in dump.lower()] == []


def test_a_report_shows_masked_examples(planted):
    desk = planted()
    run = desk.run(map=MAP)
    report = (desk.of(run) / "report.md").read_text(encoding="utf-8")
    assert "QX••••11" in report
