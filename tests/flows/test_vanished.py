"""Vanished: a source that holds everybody says who is gone; they are listed and capped, and nobody is deleted."""

import csv
import stat
from contextlib import closing
from datetime import datetime

import pytest

from connectors.ledger import Ledger
from tests.flows.conftest import merged
from tests.flows.shop import SYNC, Shop

pytestmark = pytest.mark.usefixtures("impatient")
HEADER = "member_no,phone,first_name,points\n"


def everybody(percent: float = 50, **over):
    return merged(SYNC, {"guards": {"max_vanished_percent": percent}, "destination": {"operation": "upsert"}} | over)


def holds(desk, *numbers: int) -> None:
    """The customers in the file."""
    desk.write("customers.csv", HEADER + "".join(f"C-{n},98450{n:05},Asha,0\n" for n in numbers))


def listed(desk, run) -> list[dict[str, str]]:
    with (desk.of(run) / "vanished.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def ids_of(desk, run) -> dict[str, str]:
    return {row["key_hash"].hex(): row["entity_id"] for row in desk.results(run)}


@pytest.fixture
def loaded(desk):
    """A desk whose job has loaded C-1 to C-10."""
    desk.source(10)
    holds(desk, *range(1, 11))
    return desk, desk.run(**everybody())


def test_who_is_gone_is_listed_and_nothing_is_deleted(loaded):
    desk, first = loaded
    holds(desk, 1, 2, 3, 4, 5, 6, 7, 9)
    second = desk.run(**everybody())
    assert (second.exit_code, second.sent) == (0, {"unchanged": 8})
    lines, ids = listed(desk, second), ids_of(desk, first)
    assert [line["key_hash"] for line in lines] == sorted(
        row["key_hash"].hex() for row in desk.results(first) if row["line"] in (9, 11)
    )
    assert all(line["entity_id"] == ids[line["key_hash"]] for line in lines)
    assert {line["last_run"] for line in lines} == {first.told["run"]}
    assert all(datetime.fromisoformat(line["accepted_at_utc"]).utcoffset() is not None for line in lines)
    assert second.told["files"]["vanished"] == "vanished.csv"
    assert stat.S_IMODE((desk.of(second) / "vanished.csv").stat().st_mode) == 0o600
    said = "2 of 10 customers that were loaded before are not in the source; vanished.csv lists them, and nothing was "
    assert f"{said}deleted" in second.told["notes"]
    assert second.told["requests"]["sent"] == 0


@pytest.mark.parametrize("left", ["waits", "was loaded before", "is the same"])
def test_nobody_is_looked_for_while_a_dropped_file_is_left(desk, left):
    (desk.folder / "inbox").mkdir()
    table = {"files": "inbox/*.csv", "ready": ".ok", "move_to": {"done": "done/"}}

    def drops(name: str, *numbers: int, marker: bool = True) -> None:
        holds(desk, *numbers)
        (desk.folder / "customers.csv").rename(desk.folder / f"inbox/{name}.csv")
        if marker:
            desk.write(f"inbox/{name}.csv.ok", "")

    job = desk.job(**everybody(source={"customers": table}))
    drops("north", 1, 2, 3)
    drops("south", 4, 5, 6)
    assert desk("run", job).sent == {"accepted": 6}
    drops("north", 1, 2, 3, 7)
    if left == "is the same":
        drops("south", 1, 2, 3, 7)
        assert "3 of 6 customers that were loaded before are not" in " ".join(desk("run", job).told["notes"])
        return
    drops("south", 4, 5, 6, *([8] if left == "waits" else []), marker=left != "waits")
    told = " ".join(desk("run", job).told["notes"])
    assert "of customers, 1 file was not read" in told
    assert "are not in the source" not in told


def test_whoever_is_back_is_there(loaded):
    desk, _ = loaded
    holds(desk, 1, 2, 3, 4, 5, 6)
    desk.run(**everybody())
    holds(desk, *range(1, 11))
    back = desk.run(**everybody(0))
    assert (back.exit_code, back.sent, "vanished" in back.told["files"]) == (0, {"unchanged": 10}, False)


def test_too_many_stop_the_run_before_anything_is_sent(loaded):
    desk, _ = loaded
    holds(desk, 1, 2, 3, 4, 5, 6, 7, 11)
    desk.sandbox.preload(["C-11"])
    stopped = desk.run(**everybody(29.9))
    assert (stopped.exit_code, stopped.sent) == (3, {"unchanged": 7, "not_sent": 1})
    assert stopped.told["stopped_because"].startswith(
        "guards.max_vanished_percent: 3 of 10 customers (30 %) that were loaded before are not in the source, 29.9 % "
        "are allowed; see whether it is whole, and vanished.csv, or raise it in the job file"
    )
    assert len(listed(desk, stopped)) == 3
    desk.job(**everybody(30))
    assert desk("resume").sent == {"unchanged": 7, "accepted": 1}


@pytest.mark.parametrize("rows", [HEADER, HEADER + ",9845000001,Asha,0\n"])
def test_an_empty_source_has_nobody(loaded, rows):
    desk, _ = loaded
    desk.write("customers.csv", rows)
    stopped = desk.run(**everybody(99))
    assert (stopped.exit_code, len(listed(desk, stopped))) == (3, 10)
    assert "10 of 10 customers (100 %)" in stopped.told["stopped_because"]


def test_a_plan_lists_them_and_is_no_failure(loaded):
    desk, _ = loaded
    holds(desk, 1)
    plan = desk("plan", desk.job(**everybody()))
    assert (plan.exit_code, len(listed(desk, plan)), len(plan.told["guards"])) == (0, 9, 1)


def test_whatever_became_of_a_row_its_customer_is_there(loaded):
    """One is filtered, one is no valid row, one stands for another; and one was forgotten."""
    desk, _ = loaded
    with closing(Ledger(desk.home / "ledger.sqlite")) as ledger:
        (key,) = [row["key_hash"] for row in desk.results(loaded[1]) if row["line"] == 11]
        ledger.forget(f"e2e {desk.sandbox.url} INSTORE", key, datetime.now().astimezone())
    lines = [f"C-{n},98450{n:05},Asha,0\n" for n in range(2, 8)] + ["C-8,no phone,Asha,0\n", "C-9,9845000009,Out,0\n"]
    desk.write("customers.csv", HEADER + "".join(lines) + "C-2,9845000002,Asha,0\n")
    rules = {"rules": {"filter": "first_name != 'Out'", "bad_optional": "reject"}}
    run = desk.run(**everybody(**rules))
    assert run.sent["invalid"] == run.sent["filtered"] == run.sent["duplicate"] == 1
    assert len(listed(desk, run)) == 1  # C-1


def test_whoever_is_forgotten_is_listed_no_more(loaded):
    desk, first = loaded
    holds(desk, 1, 2, 3, 4, 5, 6, 7, 8)
    second = desk.run(**everybody())
    assert desk("forget", "C-9", "--yes").exit_code == 0
    (left,) = listed(desk, second)
    assert left["key_hash"] == desk.results(first)[9]["key_hash"].hex()
    assert len(listed(desk, desk.run(**everybody()))) == 1


@pytest.mark.parametrize("words", [["run", "--limit", "2"], ["plan", "--limit", "2"]])
def test_of_some_rows_nobody_has_vanished(loaded, words):
    desk, _ = loaded
    run = desk(words[0], desk.job(**everybody(0)), *words[1:])
    assert (run.exit_code, run.told.get("guards", []), (desk.of(run) / "vanished.csv").exists()) == (0, [], False)


def test_a_retry_has_lost_nobody(loaded):
    desk, _ = loaded
    desk.write("customers.csv", (desk.folder / "customers.csv").read_text() + ",9845099999,Nobody,0\n")
    run = desk.run(**everybody(0))
    assert run.sent == {"unchanged": 10, "invalid": 1}
    assert desk("retry", run.told["run"]).exit_code == 0


def test_without_the_guard_nobody_looks(loaded):
    desk, _ = loaded
    holds(desk, 1)
    run = desk.run(**SYNC)
    assert (run.exit_code, (desk.of(run) / "vanished.csv").exists()) == (0, False)


def test_of_new_rows_nobody_can_say_who_vanished(desk):
    shop = Shop(desk)
    shop.write({1: 10, 2: 20})
    guard = {"guards": {"max_vanished_percent": 0}}
    assert shop.run(**guard).exit_code == 0
    shop.sql("delete from customers where id = 1")
    second = shop.run(**guard)
    assert second.exit_code == 0
    assert (
        "Who vanished is not known: customers was not read in full, as `bulkload run --full` does"
        in (second.told["notes"])
    )
    full = shop.run("--full", **guard)
    assert (full.exit_code, len(listed(desk, full))) == (3, 1)
