"""Dropped files: taken when they are whole, loaded once, put away when the run has ended."""

import csv
import errno
import gzip
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.local_place import LocalPlace
from connectors.locks import claimed
from connectors.places import place_of
from connectors.sandbox.server import run_sandbox
from connectors.sandbox.settings import Settings
from flows.claims import claim_of
from flows.drops import Picking
from flows.taking import Taking
from flows.whole import whole_files
from schemas.errors import OutOfBalance
from schemas.tables import Table
from tests.flows.conftest import CUSTOMERS, Desk, Outcome
from tests.senders import a_sender
from tests.servers_files import NO_SSHD, SSHD, Ftp, Sftp, running

PROCESS = [sys.executable, "-c", "from flows.cli import main; main()"]
WITHOUT_POINTS = {"map": {"loyaltyType": None, "loyaltyProgramEnrollments": None}}
HEADER = "line,fate,code,message,entity_id,attempt,request_id"


def lines(first: int, last: int) -> str:
    """Customers C-first to C-last, each with as many points as its number."""
    return CUSTOMERS + "".join(f"C-{n},98450{n:05},Asha,{n}\n" for n in range(first, last + 1))


@pytest.fixture
def drop(desk: Desk) -> Desk:
    """A desk with an inbox, and a sandbox that knows C-1 to C-40."""
    (desk.folder / "inbox").mkdir()
    desk.sandbox.preload(f"C-{n}" for n in range(1, 41))
    return desk


def job(desk: Desk, file: str = "job.yaml", **over: Any) -> str:
    """A job whose customers are dropped; `table` changes the words of its table."""
    table = {
        "files": "inbox/*.csv",
        "still_for": "0s",
        "move_to": {"done": "done/", "failed": "failed/"},
        **over.pop("table", {}),
    }
    made = Path(desk.job(source={"customers": table}, **over))
    return str(made.rename(made.with_name(file)))


def lying(desk: Desk, folder: str) -> list[str]:
    """The names of the files in a folder, without result files."""
    return sorted(
        each.name for each in (desk.folder / folder).glob("*") if each.is_file() and not each.name.startswith("result_")
    )


def notes(outcome: Outcome) -> str:
    return "\n".join(outcome.told.get("notes", []))


def test_files_wait_for_their_marker(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 2))
    drop.write("inbox/a.csv.ok", "")
    drop.write("inbox/b.csv", lines(3, 4))
    done = drop("run", job(drop, table={"ready": ".ok"}))
    assert done.sent == {"accepted": 2}
    assert "1 file waits for its .ok" in notes(done)
    assert (lying(drop, "inbox"), lying(drop, "done")) == (["b.csv"], ["a.csv", "a.csv.ok"])


@pytest.mark.parametrize(("ready", "marker"), [("{stem}.ok", "a.ok"), ("ready-{name}", "ready-a.csv.gz")])
def test_a_marker_may_be_named_by_the_job(drop: Desk, ready: str, marker: str):
    drop.write("inbox/a.csv.gz", gzip.compress(lines(1, 2).encode()))
    path = job(drop, table={"files": "inbox/*", "ready": ready})
    assert drop("run", path).told["run"] == ""
    drop.write(f"inbox/{marker}", "")
    assert drop("run", path).sent == {"accepted": 2}
    assert lying(drop, "done") == sorted(["a.csv.gz", marker])


def test_a_file_that_still_grows_is_left(drop: Desk):
    growing, over = drop.write("inbox/a.csv", lines(1, 1)), threading.Event()
    drop.write("inbox/b.csv", lines(2, 3))

    def grow() -> None:
        while not over.wait(0.05):
            with growing.open("a") as file:
                file.write("C-9,9845000009,Asha,9\n")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        done = drop("run", job(drop, table={"still_for": "1s"}))
    finally:
        over.set()
        writer.join()
    assert done.sent == {"accepted": 2}
    assert "1 file is still being written" in notes(done)
    assert lying(drop, "inbox") == ["a.csv"]


def test_the_oldest_file_is_read_first(drop: Desk):
    for name, age_s in (("a.csv", 10), ("b.csv", 30), ("c.csv", 20)):
        os.utime(drop.write(f"inbox/{name}", lines(ord(name[0]) - 96, ord(name[0]) - 96)), (0, time.time() - age_s))
    done = drop("run", job(drop))
    assert [row["file"] for row in drop.results(done)] == ["b.csv", "c.csv", "a.csv"]


def test_links_are_left_alone_and_told(drop: Desk):
    """Moved, they would lead nowhere, or to a file that nobody dropped."""
    drop.write("inbox/a.csv", lines(1, 2))
    drop.write("store.csv", lines(3, 4))
    (drop.folder / "inbox" / "b.csv").symlink_to("../store.csv")
    done = drop("run", job(drop))
    assert done.sent == {"accepted": 2}
    assert "1 file is a link, which a move would take away from its file" in notes(done)
    assert (lying(drop, "inbox"), lying(drop, "done")) == (["b.csv"], ["a.csv"])


def test_a_name_that_is_no_utf_8_stops_no_other_file(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 2))
    (drop.folder / "inbox" / os.fsdecode(b"b\xff.csv")).write_text(lines(3, 4))
    done = drop("run", job(drop))
    assert (done.exit_code, done.sent) == (0, {"accepted": 2})
    assert "1 file has a name that is no UTF-8 and must be given another one" in notes(done)


def test_a_table_of_a_name_that_is_no_utf_8_is_refused(drop: Desk):
    (drop.folder / "inbox" / os.fsdecode(b"b\xff.csv")).write_text(lines(3, 4))
    refused = drop("run", drop.job(source={"customers": {"files": "inbox/*.csv"}}))
    assert refused.exit_code == 2
    assert "b\ufffd.csv is a name that is no UTF-8; give the file another one" in refused.stderr


def test_a_file_is_claimed_once_by_whatever_links_one_comes_to_it(drop: Desk):
    (drop.folder / "linked").symlink_to("inbox")
    assert claim_of(str(drop.folder / "linked" / "a.csv")) == claim_of(str(drop.folder / "inbox" / "a.csv"))


def test_names_may_be_told_by_an_expression(drop: Desk):
    drop.write("inbox/customers_01.csv", lines(1, 2))
    drop.write("inbox/orders_01.csv", "no customers\n")
    done = drop("run", job(drop, table={"files": "inbox", "match": r"customers_\d+\.csv"}))
    assert done.sent == {"accepted": 2}
    assert lying(drop, "inbox") == ["orders_01.csv"]


def test_a_file_is_loaded_once_whatever_it_is_called(drop: Desk):
    path = job(drop)
    drop.write("inbox/a.csv", lines(1, 2))
    first = drop("run", path)
    drop.write("inbox/again.csv", lines(1, 2))
    drop.write("inbox/new.csv", lines(3, 3))
    second = drop("run", path)
    assert second.told["rows"]["read"] == 1
    assert f"1 file was loaded by run {first.told['run']}" in notes(second)
    assert lying(drop, "done") == ["a.csv", "again.csv", "new.csv"]


def test_a_file_is_loaded_again_by_force(drop: Desk):
    path = job(drop, mode="sync")
    drop.write("inbox/a.csv", lines(1, 2))
    drop("run", path)
    drop.write("inbox/a.csv", lines(1, 2))
    again = drop("run", path, "--force")
    assert again.sent == {"unchanged": 2}
    assert len(lying(drop, "done")) == 2


def test_of_two_files_of_one_content_one_is_loaded(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 2))
    drop.write("inbox/b.csv", lines(1, 2))
    done = drop("run", job(drop))
    assert done.told["rows"]["read"] == 2
    assert "1 file has the same content as another one" in notes(done)
    assert lying(drop, "done") == ["a.csv", "b.csv"]


def test_without_a_ready_file_there_is_no_run(drop: Desk):
    path = job(drop, table={"ready": ".ok"})
    drop.write("inbox/a.csv", lines(1, 2))
    drop.write("inbox/b.csv", lines(3, 4))
    nothing = drop("run", path)
    assert nothing.exit_code == 0
    assert nothing.told["run"] == ""
    assert set(nothing.told["rows"].values()) == {0}
    assert nothing.told["notes"] == ["source.customers: nothing to load: 2 files wait for their .ok"]
    assert [drop(*words).exit_code for words in (("plan", path), ("check", path), ("preview", path))] == [0, 0, 0]
    assert drop("runs").told["runs"] == []


def test_a_job_that_wants_rows_stops_without_any(drop: Desk):
    path = job(drop, guards={"min_rows": 1})
    for command in ("run", "plan"):
        stopped = drop(command, path)
        assert stopped.exit_code == 3
        assert "nothing to load" in stopped.stderr
        assert "guards.min_rows" in stopped.stderr


def test_what_was_loaded_before_goes_though_nothing_is_new(drop: Desk):
    path = job(drop)
    drop.write("inbox/a.csv", lines(1, 2))
    drop("run", path)
    shutil.copy(drop.folder / "done/a.csv", drop.folder / "inbox/copy.csv")
    nothing = drop("run", path)
    assert (nothing.exit_code, nothing.told["run"]) == (0, "")
    assert (lying(drop, "inbox"), lying(drop, "done")) == ([], ["a.csv", "copy.csv"])


def test_a_crash_before_the_move_loads_nothing_twice(drop: Desk):
    path = job(drop)
    where = drop.write("inbox/a.csv", lines(1, 3))
    first = drop("run", path)
    (drop.folder / "done/a.csv").rename(where)  # as if the process had died when the run was over
    second = drop("run", path)
    assert (second.exit_code, second.told["run"]) == (0, "")
    assert first.told["run"] in notes(second)
    assert lying(drop, "done") == ["a.csv"]
    assert drop.books.written_twice() == []


def test_a_guard_puts_files_with_the_failed_until_the_run_is_resumed(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 3))
    drop.write("inbox/a.csv.ok", "")
    table = {"ready": ".ok"}
    stopped = drop("run", job(drop, table=table, guards={"max_points": 1}))
    assert stopped.exit_code == 3
    assert (lying(drop, "inbox"), lying(drop, "failed")) == ([], ["a.csv", "a.csv.ok"])
    job(drop, table=table)
    resumed = drop("resume")
    assert (resumed.exit_code, resumed.sent) == (0, {"accepted": 3})
    assert (lying(drop, "failed"), lying(drop, "done")) == ([], ["a.csv", "a.csv.ok"])
    drop.write("inbox/b.csv", lines(1, 3))
    drop.write("inbox/b.csv.ok", "")
    assert drop("run", job(drop, table=table)).told["run"] == ""


def test_files_of_a_run_that_a_guard_stops_again_stay_with_the_failed(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 3))
    drop.write("inbox/a.csv.ok", "")
    drop("run", job(drop, table={"ready": ".ok"}, guards={"max_points": 1}))
    for _ in range(2):
        again = drop("resume")
        assert (again.exit_code, notes(again)) == (3, "")
        assert lying(drop, "failed") == ["a.csv", "a.csv.ok"]


def test_a_marker_of_two_files_goes_with_them(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 3))
    drop.write("inbox/a.tsv", lines(4, 5).replace(",", "\t"))
    drop.write("inbox/a.ok", "")
    done = drop("run", job(drop, table={"files": "inbox/a.?sv", "ready": "{stem}.ok"}))
    assert done.sent == {"accepted": 5}
    assert (lying(drop, "inbox"), lying(drop, "done")) == ([], ["a.csv", "a.ok", "a.tsv"])


class Killed(BaseException):
    """Nobody catches it, as nobody catches a signal 9."""


@pytest.mark.parametrize("moves", range(4))
@pytest.mark.parametrize("before", [True, False], ids=["before the move", "after the move"])
def test_a_run_killed_while_it_puts_files_away_finds_them(
    drop: Desk, monkeypatch: pytest.MonkeyPatch, moves: int, before: bool
):
    for name in ("a.csv", "b.csv"):
        drop.write(f"inbox/{name}", lines(1, 3) if name == "a.csv" else lines(4, 5))
        drop.write(f"inbox/{name}.ok", "")
    moved, move = [], LocalPlace.move

    def killed(*given: Any) -> Any:
        moved.append(given)
        if before and len(moved) > moves:
            raise Killed
        there = move(*given)
        if len(moved) > moves:
            raise Killed
        return there

    table = {"ready": ".ok"}
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(LocalPlace, "move", killed)
        drop("run", job(drop, table=table, guards={"max_points": 1}))
    job(drop, table=table)
    resumed = drop("resume")
    assert (resumed.exit_code, resumed.sent, resumed.stderr) == (0, {"accepted": 5}, "")
    whole = ["a.csv", "a.csv.ok", "b.csv", "b.csv.ok"]
    assert [lying(drop, folder) for folder in ("inbox", "failed", "done")] == [[], [], whole]


@pytest.mark.parametrize("moves", range(2))
def test_a_done_run_killed_while_it_puts_files_away_holds_up_no_file(
    drop: Desk, monkeypatch: pytest.MonkeyPatch, moves: int
):
    """Its marker is left at most, and says nothing of the next file of that name."""
    moved, move = [], LocalPlace.move

    def killed(*given: Any) -> Any:
        moved.append(given)
        if len(moved) > moves:
            raise Killed
        return move(*given)

    drop.write("inbox/a.csv", lines(1, 3))
    drop.write("inbox/a.csv.ok", "")
    path = job(drop, table={"ready": ".ok"})
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(LocalPlace, "move", killed)
        drop("run", path)
    drop("run", path)
    assert "a.csv" in lying(drop, "done")
    drop.write("inbox/a.csv", lines(4, 6))
    assert drop("run", path).told["run"] == ""
    drop.write("inbox/a.csv.ok", "")
    assert drop("run", path).sent == {"accepted": 3}
    assert lying(drop, "inbox") == []


def test_a_run_out_of_balance_is_done_with_no_file(drop: Desk, monkeypatch: pytest.MonkeyPatch):
    def bug(*_: Any) -> None:
        raise OutOfBalance("a row too many")

    path = job(drop, mode="sync")
    drop.write("inbox/a.csv", lines(1, 3))
    with monkeypatch.context() as patch:
        patch.setattr("flows.finish._prove", bug)
        assert drop("run", path).exit_code == 1
    assert lying(drop, "inbox") == ["a.csv"]
    assert drop("run", path).sent == {"unchanged": 3}
    assert lying(drop, "done") == ["a.csv"]


def test_a_file_that_was_put_away_and_changed_there_stays(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 3))
    drop("run", job(drop, guards={"max_points": 1}))
    (drop.folder / "failed/a.csv").write_text(lines(1, 2))
    job(drop)
    resumed = drop("resume")
    assert resumed.sent == {"accepted": 3}
    assert "failed/a.csv was written again since it was read" in notes(resumed)
    assert (lying(drop, "failed"), lying(drop, "done")) == (["a.csv"], [])


def test_a_marker_older_than_its_file_does_not_count(drop: Desk):
    """Without move_to, yesterday's marker lies there while today's file is still being sent."""
    path = job(drop, table={"ready": ".ok", "move_to": None})
    drop.write("inbox/a.csv", lines(1, 3))
    drop.write("inbox/a.csv.ok", "")
    assert drop("run", path).sent == {"accepted": 3}
    drop.write("inbox/a.csv", lines(4, 6)[:-9])
    half = drop("run", path)
    assert half.told["notes"] == ["source.customers: nothing to load: 1 file waits for its .ok to be written anew"]
    drop.write("inbox/a.csv", lines(4, 6))
    drop.write("inbox/a.csv.ok", "")
    assert drop("run", path).sent == {"accepted": 3}


def test_a_stopped_run_leaves_its_files_and_goes_on_without_them(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 3))
    asking = drop("run", job(drop, guards={"approve_above_points": 1}))
    assert (asking.exit_code, lying(drop, "inbox")) == (4, ["a.csv"])
    (drop.folder / "inbox/a.csv").rename(drop.folder / "taken-away.csv")
    resumed = drop("resume", "--yes")
    assert (resumed.exit_code, resumed.sent) == (0, {"accepted": 3})
    assert "is not there any more" in notes(resumed)
    assert "is not there any more" in resumed.stderr


def test_one_bad_file_fails_alone(drop: Desk):
    path = job(drop, table={"files": "inbox/*.gz"})
    whole = gzip.compress(lines(1, 3).encode())
    drop.write("inbox/a.csv.gz", whole)
    drop.write("inbox/b.csv.gz", gzip.compress(os.urandom(20_000).hex().encode())[:-1000])
    bad = drop("run", path)
    assert bad.exit_code == 2
    assert "b.csv.gz" in bad.stderr
    assert "a.csv.gz" not in bad.stderr
    assert (lying(drop, "inbox"), lying(drop, "failed")) == (["a.csv.gz"], ["b.csv.gz"])
    assert drop("run", path).sent == {"accepted": 3}


@pytest.mark.parametrize("csv_words", [{"encoding": "utf-9"}, {"encoding": "cp037"}])
def test_words_of_the_job_put_no_file_away(drop: Desk, csv_words: dict[str, str]):
    drop.write("inbox/a.csv", lines(1, 3))
    refused = drop("run", job(drop, table={"csv": csv_words}))
    assert (refused.exit_code, "csv.encoding" in refused.stderr) == (2, True)
    assert lying(drop, "inbox") == ["a.csv"]


@pytest.mark.parametrize("kind", ["csv", "zip"])
def test_a_disk_that_cannot_be_read_puts_no_file_away(drop: Desk, monkeypatch: pytest.MonkeyPatch, kind: str):
    with zipfile.ZipFile(drop.folder / "inbox/a.csv.zip", "w") as archive:
        archive.writestr("a.csv", lines(1, 3))
    drop.write("inbox/a.csv", lines(1, 3))
    opened, plain = [], Path.open

    def stale(path: Path, *how: Any, **more: Any) -> Any:
        if path.parent.name == "inbox":
            opened.append(path)
            if len(opened) > 1:  # the first time its digest is taken
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return plain(path, *how, **more)

    monkeypatch.setattr(Path, "open", stale)
    refused = drop("run", job(drop, table={"files": f"inbox/*.{kind}"}))
    assert (refused.exit_code, "cannot be read (Stale" in refused.stderr) == (2, True)
    assert (lying(drop, "inbox"), lying(drop, "failed")) == (["a.csv", "a.csv.zip"], [])


@pytest.mark.parametrize("odd", ["oldest", "newest"])
def test_a_file_without_the_jobs_columns_fails_alone(drop: Desk, odd: str):
    age_s = {"oldest": 30, "newest": 10}
    os.utime(drop.write("inbox/b.csv", "order\n1\n"), (0, time.time() - age_s[odd]))
    os.utime(drop.write("inbox/a.csv", lines(1, 3)), (0, time.time() - 20))
    bad = drop("run", job(drop))
    assert bad.exit_code == 2
    assert "b.csv lacks member_no, phone, first_name, points, which the job names" in bad.stderr
    assert (lying(drop, "inbox"), lying(drop, "failed")) == (["a.csv"], ["b.csv"])
    assert drop("run", job(drop)).sent == {"accepted": 3}


@pytest.mark.parametrize("first", [lines(1, 2), "order\n1\n"], ids=["all have them", "none has them"])
def test_files_of_other_columns_are_refused_where_none_is_worse(drop: Desk, first: str):
    drop.write("inbox/a.csv", first)
    header, *rows = first.splitlines()
    drop.write("inbox/b.csv", "".join(f"{line}\n" for line in [f"{header},note", *(f"{row},2" for row in rows)]))
    refused = drop("run", job(drop))
    assert (refused.exit_code, "b.csv: adds note, compared with a.csv" in refused.stderr) == (2, True)
    assert lying(drop, "inbox") == ["a.csv", "b.csv"]


def test_a_marker_stays_with_the_good_one_of_its_two_files(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 3))
    drop.write("inbox/a.csv.gz", b"no gzip")
    drop.write("inbox/a.ok", "")
    path = job(drop, table={"files": "inbox/a.csv*", "ready": "{stem}.ok"})
    assert drop("run", path).exit_code == 2
    assert (lying(drop, "inbox"), lying(drop, "failed")) == (["a.csv", "a.ok"], ["a.csv.gz"])
    assert drop("run", path).sent == {"accepted": 3}
    assert (lying(drop, "inbox"), lying(drop, "done")) == ([], ["a.csv", "a.ok"])


def test_a_limited_run_is_done_with_no_file(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 3))
    path = job(drop)
    some = drop("run", path, "--limit", "1")
    assert "dropped files stay" in notes(some)
    assert lying(drop, "inbox") == ["a.csv"]
    rest = drop("run", path)
    assert rest.told["rows"]["read"] == 3
    assert lying(drop, "done") == ["a.csv"]


def test_each_file_gets_a_result_file(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 2) + "C-3,9845000003,Asha\n\n,9845000004,Asha,4\n")
    drop.write("inbox/b.csv", lines(5, 5))
    done = drop("run", job(drop, table={"move_to": {"done": "done/", "results": "answers/"}}))
    stamp = done.told["run"].split("-e2e")[0].replace("-", "")
    assert lying(drop, "done") == ["a.csv", "b.csv"]
    text = (drop.folder / f"answers/result_{stamp}_a.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert text.splitlines()[0] == HEADER
    assert [(row["line"], row["fate"]) for row in rows] == [
        ("2", "accepted"), ("3", "accepted"), ("4", "unreadable"), ("6", "invalid"),
    ]  # fmt: skip
    assert rows[0]["request_id"]
    assert [bool(row["message"]) for row in rows] == [False, False, True, True]
    assert "98450" not in text
    assert "Asha" not in text
    other = (drop.folder / f"answers/result_{stamp}_b.csv").read_text()
    assert len(other.splitlines()) == 2


def test_a_file_of_the_longest_name_gets_a_result_file(drop: Desk):
    name = "é" * 124 + "_42.csv"
    drop.write(f"inbox/{name}", lines(1, 2))
    done = drop("run", job(drop))
    assert lying(drop, "done") == [name]
    (result,) = (drop.folder / "done").glob("result_*éé_42.csv")
    assert result.read_text(encoding="utf-8").startswith(HEADER)
    assert notes(done) == ""


def test_a_result_file_names_the_members_of_an_archive(drop: Desk):
    with zipfile.ZipFile(made := io.BytesIO(), "w") as archive:
        archive.writestr("north.csv", lines(1, 1))
        archive.writestr("south.csv", lines(2, 2))
    drop.write("inbox/a.csv.zip", made.getvalue())
    drop("run", job(drop, table={"files": "inbox/*.zip"}))
    (result,) = (drop.folder / "done").glob("result_*_a.csv")
    rows = list(csv.DictReader(result.read_text().splitlines()))
    assert [(row["member"], row["line"], row["fate"]) for row in rows] == [
        ("north.csv", "2", "accepted"), ("south.csv", "2", "accepted"),
    ]  # fmt: skip


def test_a_file_without_rows_gets_a_result_file(drop: Desk):
    drop.write("inbox/a.csv", CUSTOMERS)
    assert drop("run", job(drop)).told["rows"]["read"] == 0
    assert [each.read_text() for each in (drop.folder / "done").glob("result_*_a.csv")] == [HEADER + "\n"]


def test_files_of_one_name_have_their_own_lines_only(desk: Desk):
    for folder, content in (
        ("people", lines(1, 3)),
        ("families", "parent_no,child_phone,child_name\nC-1,9811111111,Kid\n"),
    ):
        (desk.folder / folder).mkdir()
        desk.write(f"{folder}/data.csv", content)
    source = {
        "customers": {"files": "people/*.csv", "still_for": "0s", "move_to": {"done": "done/", "results": "answers/"}},
        "family": {
            "files": "families/*.csv",
            "nest": {"on": "parent_no"},
            "still_for": "0s",
            "move_to": {"results": "answers/"},
        },
    }
    children = {"table": "family", "identifiers": {"mobile": "child_phone"}, "firstName": "child_name"}
    roles = {"hierarchyCode": "FAMILY", "roleCode": "HEAD", "childRoleCode": "MEMBER"}
    details = {name: {"value": code} for name, code in roles.items()}
    family = {"associatedWith": {"value": "till"}, "associationDetails": {**details, "childCustomers": children}}
    done = desk("run", desk.job(source=source, mode="sync", map={**WITHOUT_POINTS["map"], **family}))
    assert done.told["rows"]["read"] == 4
    answers = [path.read_text().splitlines()[1:] for path in (desk.folder / "answers").iterdir()]
    assert sorted([line.split(",")[0] for line in told] for told in answers) == [["2"], ["2", "3", "4"]]


def test_what_cannot_be_put_away_is_told_and_the_run_stands(drop: Desk):
    drop.write("done", "a file where the folder should be")
    drop.write("inbox/a.csv", lines(1, 2))
    done = drop("run", job(drop))
    assert (done.exit_code, done.sent) == (0, {"accepted": 2})
    assert "a.csv cannot be moved" in done.stderr
    assert "a.csv cannot be moved" in notes(done)
    assert lying(drop, "inbox") == ["a.csv"]
    (drop.folder / "done").unlink()
    assert drop("run", job(drop)).told["run"] == ""
    assert lying(drop, "done") == ["a.csv"]


def test_files_are_never_put_where_they_lie(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 2))
    refused = drop("run", job(drop, table={"move_to": {"done": "./inbox"}}))
    assert refused.exit_code == 2
    assert "is where the files themselves lie" in refused.stderr


def test_a_file_that_was_put_away_is_not_found_again(drop: Desk):
    path = job(drop, table={"files": "inbox/**/*.csv", "move_to": {"done": "inbox/done"}})
    drop.write("inbox/a.csv", lines(1, 2))
    drop("run", path)
    (drop.folder / "inbox/done/a.csv").write_text(lines(3, 4))
    assert drop("run", path).told["run"] == ""


def test_rejected_rows_are_retried_after_the_file_has_moved(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 2) + ",9845000004,Asha,4\n")
    done = drop("run", job(drop))
    corrected = (drop.of(done) / "rejected.csv").read_text().replace('"","9845000004"', '"C-4","9845000004"')
    drop.write("corrected.csv", corrected)
    again = drop("retry", done.told["run"], str(drop.folder / "corrected.csv"))
    assert again.sent == {"accepted": 1}
    assert lying(drop, "done") == ["a.csv"]


def test_a_dropped_table_may_be_joined(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 2))
    drop.write("customers.csv", "member_no,phone,points\nC-1,9845000001,1\nC-2,9845000002,2\n")
    table = {"files": "inbox/*.csv", "still_for": "0s", "move_to": {"done": "done"}, "join": {"on": "member_no"}}
    (drop.folder / "inbox/a.csv").write_text("member_no,first_name\nC-1,Asha\nC-2,Zoe\n")
    path = drop.job(source={"customers": {"files": "customers.csv"}, "names": table})
    assert drop("run", path).sent == {"accepted": 2}
    assert lying(drop, "done") == ["a.csv"]
    nothing = drop("run", path)
    assert nothing.told["notes"][0].startswith("source.names: nothing to load: ")


def test_a_plan_is_applied_to_its_files_only(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 2))
    path = job(drop)
    planned = drop("plan", path)
    assert lying(drop, "inbox") == ["a.csv"]
    drop.write("inbox/b.csv", lines(3, 4))
    applied = drop("run", path, "--plan", planned.told["run"])
    assert applied.sent == {"accepted": 2}
    assert (lying(drop, "inbox"), lying(drop, "done")) == (["b.csv"], ["a.csv"])


def test_a_plan_whose_file_was_replaced_is_refused(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 2))
    path = job(drop)
    planned = drop("plan", path)
    drop.write("inbox/a.csv", lines(1, 3))
    refused = drop("run", path, "--plan", planned.told["run"])
    assert refused.exit_code == 2
    assert "changed since it was planned" in refused.stderr


def test_a_file_that_vanishes_before_it_is_read_is_left_out(drop: Desk):
    (drop.home / "landed").mkdir(parents=True)
    drop.write("inbox/a.csv", lines(1, 2))
    drop.write("inbox/b.csv", lines(3, 4))
    with ExitStack() as stack:
        table = Table(files="inbox/*.csv", move_to={"done": "done"})
        place = place_of("inbox/*.csv", None, None, drop.folder, "source.customers", stack)
        picking = Picking(table, "customers", place, Taking(drop.folder, drop.home / "landed", "", stack, stack))
        listed = whole_files(table, place, "source.customers", picking.left, wait=False)
        (drop.folder / "inbox/a.csv").unlink()
        for each in listed:
            picking.pick(each)
    assert [each.found.name for each in picking.drops] == ["b.csv"]
    assert picking.told() == ["1 file was taken away or written again before it could be read"]


def test_refusals_beyond_the_guard_after_the_end_are_done_with(drop: Desk):
    drop.write("inbox/a.csv", lines(39, 42))
    judged = drop("run", job(drop, guards={"max_refused_percent": 10}))
    assert (judged.exit_code, judged.told["state"]) == (3, "done")
    assert lying(drop, "done") == ["a.csv"]


def test_where_files_can_only_be_read_none_is_moved(drop: Desk):
    refused = drop("run", job(drop, table={"files": "https://files.example.com/a.csv"}))
    assert refused.exit_code == 2
    assert "source.customers: files can only be read there; leave out move_to" in refused.stderr


@pytest.mark.slow
@pytest.mark.skipif(SSHD is None, reason=NO_SSHD)
def test_a_drop_may_lie_on_an_sftp_server(drop: Desk):
    server = Sftp(drop.folder / "server")
    try:
        for folder in ("in", "done"):
            (server.root / folder).mkdir()
        (server.root / "in/a.csv").write_text(lines(1, 2))
        (server.root / "in/a.csv.ok").touch()
        (server.root / "in/b.csv").write_text(lines(3, 4))
        table = {
            "files": server.url("in/*.csv"),
            "login": server.login.model_dump(exclude_none=True),
            "ready": ".ok",
            "move_to": {"done": "../done"},
        }
        path = job(drop, table=table)
        first = drop("run", path)
        assert first.sent == {"accepted": 2}
        assert sorted(each.name for each in (server.root / "in").iterdir()) == ["b.csv"]
        moved = sorted(each.name for each in (server.root / "done").iterdir())
        assert (moved[:2], moved[2][:7]) == (["a.csv", "a.csv.ok"], "result_")
        shutil.move(server.root / "done/a.csv", server.root / "in/c.csv")
        (server.root / "in/c.csv.ok").touch()
        assert first.told["run"] in notes(drop("run", path))
        assert (server.root / "done/c.csv").exists()
    finally:
        server.stop()


@pytest.mark.slow
@pytest.mark.skipif(SSHD is None, reason=NO_SSHD)
def test_files_put_away_by_a_login_in_the_url_are_found_again(drop: Desk, monkeypatch: pytest.MonkeyPatch):
    with running(Sftp(drop.folder / "server")) as server:
        server.put("in/a[1].csv", lines(1, 2).encode())
        login = server.login.model_dump(exclude_none=True)
        url = server.url("in/*.csv").replace("://", f"://{login.pop('user')}@")
        table = {"files": url, "login": login, "move_to": {"done": "../done", "failed": "../failed"}}
        assert drop("run", job(drop, table=table, guards={"min_rows": 9})).exit_code == 3
        job(drop, table=table)
        for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):  # whom a URL without a user would mean
            monkeypatch.setenv(name, "nobody")
        resumed = drop("resume")
        assert (resumed.sent, resumed.stderr) == ({"accepted": 2}, "")
        assert "done/a[1].csv" in server.content()


def test_files_of_one_path_on_two_servers_are_put_away_each_by_itself(drop: Desk):
    with running(Ftp(drop.folder / "one")) as one, running(Ftp(drop.folder / "two")) as two:
        one.put("in/a.csv", lines(1, 2).encode())
        two.put("in/a.csv", b"member_no,tier\nC-1,gold\n")
        tables = [
            {
                "files": server.url("in/*.csv"),
                "still_for": "0s",
                "login": {"user": Ftp.USER, "password": "${E2E_FTP}"},
                "move_to": {"done": "../done", "failed": "../failed"},
            }
            for server in (one, two)
        ]
        source = {"customers": tables[0], "loyalty": {**tables[1], "join": {"on": "member_no"}}}
        words = {"source": source, "key": "member_no", "map": {"lastName": "loyalty.tier"}}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("E2E_FTP", Ftp.PASSWORD)
            assert drop("run", drop.job(**words, guards={"min_rows": 9})).exit_code == 3
            drop.job(**words)
            resumed = drop("resume")
        assert (resumed.sent, notes(resumed)) == ({"accepted": 2}, "")
        assert [[path for path in each.content() if "result_" not in path] for each in (one, two)] == [
            ["done/a.csv"]
        ] * 2


@pytest.mark.skipif(shutil.which("gpg") is None, reason="needs gnupg")
def test_an_encrypted_drop_with_a_damaged_file(drop: Desk, monkeypatch: pytest.MonkeyPatch):
    with a_sender() as sender:
        whole = sender.encrypt(table=lines(1, 2).encode())
        drop.write("inbox/a.csv.pgp", whole)
        drop.write("inbox/b.csv.pgp", sender.encrypt(table=lines(3, 3).encode())[:-20])
        drop.write("key.asc", sender.private_key.read_bytes())
        path = job(
            drop,
            table={"files": "inbox/*.pgp", "decrypt": {"pgp_key": "key.asc", "passphrase": "${E2E_PASSPHRASE}"}},
        )
        monkeypatch.setenv("E2E_PASSPHRASE", "wrong")
        refused = drop("run", path)
        assert (refused.exit_code, "is not the passphrase" in refused.stderr) == (2, True)
        assert lying(drop, "inbox") == ["a.csv.pgp", "b.csv.pgp"]
        monkeypatch.setenv("E2E_PASSPHRASE", "correct horse")
        damaged = drop("run", path)
        assert (damaged.exit_code, lying(drop, "failed")) == (2, ["b.csv.pgp"])
        assert "b.csv.pgp: gpg does not vouch for the file" in damaged.stderr
        assert drop("run", path).sent == {"accepted": 2}
        assert lying(drop, "done") == ["a.csv.pgp"]


@pytest.mark.skipif(shutil.which("gpg") is None, reason="needs gnupg")
def test_a_key_that_no_file_is_for_puts_none_away(drop: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("E2E_PASSPHRASE", "correct horse")
    with a_sender() as ours, a_sender() as other:
        drop.write("inbox/a.csv.pgp", other.encrypt(table=lines(1, 2).encode()))
        drop.write("key.asc", ours.private_key.read_bytes())
        decrypt = {"pgp_key": "key.asc", "passphrase": "${E2E_PASSPHRASE}"}
        path = job(drop, table={"files": "inbox/*.pgp", "decrypt": decrypt})
        refused = drop("run", path)
        assert (refused.exit_code, "does not hold" in refused.stderr) == (2, True)
        assert lying(drop, "inbox") == ["a.csv.pgp"]
        drop.write("inbox/b.csv.pgp", ours.encrypt(table=lines(3, 3).encode()))
        assert drop("run", path).exit_code == 2
        assert (lying(drop, "inbox"), lying(drop, "failed")) == (["b.csv.pgp"], ["a.csv.pgp"])


def test_a_file_that_another_run_has_is_left_to_it(drop: Desk):
    where = drop.write("inbox/a.csv", lines(1, 2))
    drop.write("inbox/b.csv", lines(3, 3))
    drop.home.mkdir()
    with claimed(drop.home, claim_of(str(where))) as ours:
        assert ours
        done = drop("run", job(drop))
        planned = drop("plan", job(drop))
    assert done.sent == {"accepted": 1}
    assert "1 file is being loaded by another run" in notes(done)
    assert planned.told["problems"] == ["source.customers: nothing to load: 1 file is being loaded by another run"]
    assert lying(drop, "inbox") == ["a.csv"]
    assert list(drop.home.glob(".drop-*")) == []


def test_a_run_goes_on_only_with_files_that_nobody_has(drop: Desk):
    where = drop.write("inbox/a.csv", lines(1, 2))
    path = job(drop)
    planned = drop("plan", path)
    with claimed(drop.home, claim_of(str(where))):
        refused = drop("run", path, "--plan", planned.told["run"])
    assert refused.exit_code == 2
    assert "is being loaded by another run" in refused.stderr


@pytest.mark.slow
def test_a_killed_run_has_its_files_until_it_is_resumed(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 40))
    path = job(
        drop, limits={"rows_per_request": 1, "in_flight": 1}, destination={"in_doubt": "resend"}, **WITHOUT_POINTS
    )
    with (
        subprocess.Popen([*PROCESS, "run", path, "--home", str(drop.home), "--quiet"]) as running,
        drop.meanwhile(3, running.kill),
    ):
        running.wait()
    assert running.returncode == -signal.SIGKILL
    refused = drop("run", path)
    assert (refused.exit_code, "first: bulkload resume" in refused.stderr) == (2, True)
    assert lying(drop, "inbox") == ["a.csv"]
    resumed = drop("resume")
    assert resumed.told["rows"]["accepted"] == 40
    assert lying(drop, "done") == ["a.csv"]
    assert list(drop.home.glob(".drop-*")) == []


@pytest.mark.slow
def test_two_processes_load_each_file_of_a_drop_once(drop: Desk):
    for n in range(1, 21):
        drop.write(f"inbox/{n:02}.csv", lines(2 * n - 1, 2 * n))
    with run_sandbox(Settings(), ()) as other:
        other.preload(f"C-{n}" for n in range(1, 41))
        jobs = [job(drop, "one.yaml", name="one"), job(drop, "two.yaml", name="two", destination={"url": other.url})]
        running = [
            subprocess.Popen([*PROCESS, "run", path, "--home", str(drop.home), "--json"], stdout=subprocess.PIPE)
            for path in (*jobs, *jobs)
        ]
        codes = [(process.communicate(), process.returncode)[1] for process in running]
        assert set(codes) <= {0, 2}  # a job that is being loaded is not loaded by a second process
        assert {path.name for path in (drop.folder / "done").glob("[0-9]*")} == {f"{n:02}.csv" for n in range(1, 21)}
        books = (drop.books, other.books)
        assert [each.written_twice() for each in books] == [[], []]
        assert sum(each.customers_written() for each in books) == 40
        assert sum(credit[1016].points for each in books if (credit := each.credits())) == sum(range(1, 41))


@pytest.mark.parametrize(
    ("planned", "now"),
    [
        (True, {"people": {"files": "inbox/*.csv", "still_for": "0s"}}),
        (False, {"people": {"files": "inbox/*.csv", "still_for": "0s"}}),
        (False, {"customers": {"files": "inbox/*.csv", "ready": ".ok"}}),
    ],
)
def test_a_run_whose_source_is_another_now_does_not_go_on(drop: Desk, planned: bool, now: dict[str, Any]):
    drop.write("inbox/a.csv", lines(1, 4))
    then = {"customers": {"files": "inbox/*.csv"}}
    name = drop("plan" if planned else "run", drop.job(source=then, guards={"min_rows": 100})).told["run"]
    job_file = drop.job(source={"customers": None, **now})
    again = drop("run", job_file, "--plan", name) if planned else drop("resume", name)
    assert (again.exit_code, f"run {name}: job.yaml (source) changed since it was planned" in again.stderr) == (2, True)


def test_a_retry_whose_joined_table_has_another_name_now_is_refused(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 4) + "C-5,12,Asha,5\n")
    drop.write("inbox/loyalty.csv", "member_no,tier\nC-1,gold\n")
    there = {"files": "inbox/loyalty.csv", "still_for": "0s", "move_to": {"done": "done/"}, "join": {"on": "member_no"}}
    lead = {"files": "inbox/a.csv", "still_for": "0s", "move_to": {"done": "done/"}}
    rules = {"bad_optional": "reject"}
    run = drop(
        "run", drop.job(source={"customers": lead, "loyalty": there}, map={"lastName": "loyalty.tier"}, rules=rules)
    )
    assert run.sent["accepted"] == 4
    drop.job(source={"customers": lead, "tiers": there}, map={"lastName": "tiers.tier"}, rules=rules)
    again = drop("retry")
    assert (again.exit_code, "source.loyalty: run" in again.stderr) == (2, True)


def test_a_drop_where_nothing_lies_yet_is_checked_for_all_the_rest(drop: Desk, monkeypatch: pytest.MonkeyPatch):
    done = drop("check", job(drop))
    assert (done.exit_code, done.told["tables"]) == (0, {})
    assert "nothing to load" in done.told["warnings"][0]
    monkeypatch.setenv("E2E_SECRET", "wrong")
    refused = drop("check", job(drop))
    assert (refused.exit_code, "token" in refused.stderr) == (2, True)


def test_files_that_wait_for_those_of_a_joined_table_are_told(drop: Desk):
    drop.write("inbox/a.csv", lines(1, 4))
    lead, joined = ({"files": f"inbox/{word}*.csv", "still_for": "0s", "move_to": {"done": "done/"}} for word in "al")
    run = drop("run", drop.job(source={"customers": lead, "loyalty": {**joined, "join": {"on": "member_no"}}}))
    assert (run.exit_code, lying(drop, "inbox")) == (0, ["a.csv"])
    assert "source.customers: files that lie there wait until source.loyalty has one to go with them" in notes(run)
