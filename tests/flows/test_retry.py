"""`bulkload retry`: rejected rows go again, linked to what became of them first; nothing accepted does."""

import csv
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

FIRST = ("first_run", "first_file", "first_line", "first_fate")
NEEDS_MOBILE = {"identifiers": {"mobile": {"column": "phone", "required": True}}}


def customers(count: int) -> str:
    """C-1 with 1 point, C-2 with 2 and so on; their mobiles differ."""
    lines = (f"C-{n},98450{n:05},Asha,{n}\n" for n in range(1, count + 1))
    return "member_no,phone,first_name,points\n" + "".join(lines)


def rejected(desk, run) -> list[dict[str, str]]:
    with (desk.of(run) / "rejected.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def corrected(desk, run, correct, name: str = "corrected.csv", **how):
    """A copy of a run's rejected.csv as pandas writes it, after `correct` has changed it."""
    frame = pd.read_csv(desk.of(run) / "rejected.csv", dtype="str", keep_default_na=False)
    changed = correct(frame)
    path = desk.folder / name
    (frame if changed is None else changed).to_csv(path, index=False, **how)
    return str(path)


def links(desk, run) -> list[tuple]:
    return [(row["fate"], *(row[name] for name in FIRST)) for row in desk.results(run)]


def once(desk) -> bool:
    return (desk.books.credited_twice(), desk.books.written_twice()) == ([], [])


@pytest.fixture
def monday(desk):
    """A run of C-1 to C-5, of whom the API does not know C-4 and C-5."""
    desk.write("customers.csv", customers(5))
    desk.sandbox.preload(["C-1", "C-2", "C-3"])
    run = desk.run()
    assert run.sent == {"accepted": 3, "refused": 2}
    return run


@pytest.fixture
def wrong_phones(desk):
    """A run of C-1 to C-4, of which C-2's and C-3's mobiles are too short."""
    desk.sandbox.preload([f"C-{n}" for n in range(1, 5)])
    desk.write("customers.csv", customers(4).replace("9845000002", "98450").replace("9845000003", "98450"))
    run = desk.run(map=NEEDS_MOBILE)
    assert run.sent == {"accepted": 2, "invalid": 2}
    return run


# as it stands


def test_a_row_that_an_earlier_doubt_held_back_is_retried_once_that_is_settled(desk_with):
    desk = desk_with("lost:1")
    desk.sandbox.preload(["C-1", "C-2"])
    path = desk.job(mode="sync")
    desk.write("customers.csv", customers(2))
    lost = desk("run", path)
    desk.sandbox.set_faults([])
    desk.write("customers.csv", customers(1).replace("Asha", "New"))
    held = desk("run", path)
    assert (held.exit_code, held.sent) == (5, {"in_doubt": 1})
    assert "then bulkload retry " + held.told["run"] in (desk.of(held) / "report.md").read_text()
    early = desk("retry", held.told["run"])
    assert (early.exit_code, early.sent) == (5, {"in_doubt": 1})
    desk("settle", lost.told["run"], "--as", "accepted")
    again = desk("retry", held.told["run"])
    assert (again.exit_code, again.sent) == (0, {"accepted": 1})
    assert again.told["retry_of"] == held.told["run"]


def test_refused_rows_go_again_once_the_api_knows_them(desk, monday):
    desk.sandbox.preload(["C-4", "C-5"])
    retry = desk("retry", monday.told["run"])
    assert (retry.exit_code, retry.told["rows"]["read"], retry.sent) == (0, 2, {"accepted": 2})
    assert (retry.told["retry_of"], retry.told["job"]) == (monday.told["run"], "e2e")
    assert "-e2e" in retry.told["run"]
    assert links(desk, retry) == [("accepted", monday.told["run"], "customers.csv", line, "refused") for line in (5, 6)]
    assert desk.books.credits()[1016].points == 1 + 2 + 3 + 4 + 5
    assert once(desk)


def test_an_ordinary_run_is_linked_to_nothing(desk, monday):
    assert "retry_of" not in monday.told
    assert {link[1:] for link in links(desk, monday)} == {(None,) * 4}


def test_a_second_retry_sends_nothing_that_was_accepted(desk, monday):
    desk.sandbox.preload(["C-4"])
    first = desk("retry", monday.told["run"])
    desk.sandbox.preload(["C-5"])
    second, third = desk("retry", monday.told["run"]), desk("retry", monday.told["run"])
    assert first.sent == {"accepted": 1, "refused": 1}
    assert second.sent == {"unchanged": 1, "accepted": 1}
    assert (third.sent, third.told["requests"]["sent"]) == ({"unchanged": 2}, 0)
    assert once(desk)


def test_a_retry_of_a_retry_stays_linked_to_the_source(desk, monday):
    desk.sandbox.preload(["C-4"])
    desk("retry")
    desk.sandbox.preload(["C-5"])
    again = desk("retry")
    assert links(desk, again) == [("accepted", monday.told["run"], "customers.csv", 6, "refused")]


def test_rows_rejected_again_keep_their_place_in_the_source(desk, wrong_phones):
    file = corrected(desk, wrong_phones, lambda t: t.assign(phone=["9845000002", "x"], member_no=["X-2", "C-3"]))
    retry = desk("retry", wrong_phones.told["run"], file)
    assert retry.sent == {"invalid": 1, "refused": 1}
    assert [(row["_fate"], row["_file"], row["_line"]) for row in rejected(desk, retry)] == [
        ("refused", "customers.csv", "3"), ("invalid", "customers.csv", "4"),
    ]  # fmt: skip
    assert [(row["file"], row["line"]) for row in desk.results(retry)] == [("corrected.csv", 2), ("corrected.csv", 3)]
    assert {row["first_fate"] for row in desk.results(retry)} == {"invalid"}
    assert rejected(desk, retry)[0]["_code"] == "8009"


# corrected


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"sep": ";", "encoding": "utf-8-sig", "lineterminator": "\r\n"},
        {"sep": "\t", "encoding": "utf-16"},
        {"columns": ["_line", "points", "_file", "first_name", "phone", "member_no"]},
        {"quoting": csv.QUOTE_ALL},
    ],
    ids=["as it was", "spreadsheet", "unicode text", "reordered", "quoted"],
)
def test_corrected_rows_go_again_however_they_were_saved(desk, wrong_phones, how):
    file = corrected(desk, wrong_phones, lambda t: t.assign(phone=["9845000002", "9845000003"]), **how)
    retry = desk("retry", wrong_phones.told["run"], file)
    assert (retry.exit_code, retry.sent) == (0, {"accepted": 2})
    assert links(desk, retry) == [
        ("accepted", wrong_phones.told["run"], "customers.csv", line, "invalid") for line in (3, 4)
    ]
    assert once(desk)


def test_a_row_of_a_customer_accepted_meanwhile_credits_nothing(desk, wrong_phones):
    """C-2's row was mended at the source and has run; C-3's row becomes C-4's, who had points from Monday."""
    desk.write("customers.csv", customers(2))
    assert desk.run(map=NEEDS_MOBILE).sent == {"unchanged": 1, "accepted": 1}
    file = corrected(
        desk, wrong_phones, lambda t: t.assign(phone=["9845000002", "9845000004"], member_no=["C-2", "C-4"])
    )
    retry = desk("retry", wrong_phones.told["run"], file)
    assert (retry.sent, retry.told["requests"]["sent"]) == ({"unchanged": 1, "invalid": 1}, 0)
    assert [reason["code"] for reason in retry.told["reasons"]] == ["points.differ_from_credited"]
    assert once(desk)


def test_a_row_twice_in_the_file_is_sent_once(desk, wrong_phones):
    def doubled(t):
        t["phone"] = ["9845000002", "9845000003"]
        return pd.concat([t, t.iloc[[0]]])

    retry = desk("retry", wrong_phones.told["run"], corrected(desk, wrong_phones, doubled))
    assert retry.sent == {"duplicate": 1, "accepted": 2}
    assert [link[3] for link in links(desk, retry)] == [3, 4, 3]
    assert once(desk)


def test_rows_added_by_hand_are_the_files_own(desk, wrong_phones):
    def with_another(t):
        t["phone"] = ["9845000002", "still wrong"]
        return pd.concat([t, pd.DataFrame([{"member_no": "C-9", "phone": "9845000009"}])])

    retry = desk("retry", wrong_phones.told["run"], corrected(desk, wrong_phones, with_another))
    assert retry.sent == {"accepted": 1, "invalid": 1, "refused": 1}
    assert links(desk, retry)[2] == ("refused", None, None, None, None)
    assert [(row["_file"], row["_line"]) for row in rejected(desk, retry)] == [
        ("customers.csv", "4"), ("corrected.csv", "4"),
    ]  # fmt: skip


def test_other_tables_join_the_rejected_rows_as_usual(desk):
    desk.write("customers.csv", "member,phone,first_name\nC-1,9845000001,Asha\nC-2,98450,Ravi\n")
    desk.write("loyalty.csv", "member,points\nC-1,5\nC-2,7\n")
    desk.sandbox.preload(["C-1", "C-2"])
    loyalty = {"files": "loyalty.csv", "join": {"on": "member"}}
    mapped = {"identifiers": {"externalId": "member", "mobile": {"column": "phone", "required": True}}}
    run = desk.run(source={"loyalty": loyalty}, map=mapped)
    assert run.sent == {"accepted": 1, "invalid": 1}
    retry = desk("retry", run.told["run"], corrected(desk, run, lambda t: t.assign(phone="9845000002")))
    assert (retry.sent, retry.points) == ({"accepted": 1}, {"read": 7, "accepted": 7})
    assert desk.books.points_of("externalId", "C-2") == [(1016, 7)]


def test_a_sync_without_points_is_retried_too(desk):
    desk.write("customers.csv", customers(3))
    desk.sandbox.preload(["C-1"])
    run = desk.run(mode="sync", map={"loyaltyProgramEnrollments": None})
    assert run.sent == {"accepted": 1, "refused": 2}
    desk.sandbox.preload(["C-2", "C-3"])
    retry = desk("retry", run.told["run"])
    assert (retry.told["mode"], retry.sent) == ("sync", {"accepted": 2})
    nightly = desk.run(mode="sync", map={"loyaltyProgramEnrollments": None})
    assert nightly.sent == {"unchanged": 3}


def test_a_retry_may_change_all_of_its_customers(desk):
    """They are the few whose rows were corrected; the guard is for a whole night's file."""
    over = {"mode": "sync", "map": {**NEEDS_MOBILE, "loyaltyProgramEnrollments": None}}
    guarded = over | {"guards": {"max_changed_percent": 40}}
    desk.source(4)
    desk.run(**guarded)
    desk.write("customers.csv", customers(4).replace("9845000002", "98450").replace("9845000003", "98450"))
    run = desk.run(**guarded)
    assert run.sent == {"unchanged": 2, "invalid": 2}
    file = corrected(desk, run, lambda t: t.assign(phone=["9845000002", "9845000003"], first_name="Uma"))
    assert desk("retry", run.told["run"], file).sent == {"accepted": 2}
    desk.write("customers.csv", customers(4).replace("Asha", "Renamed"))
    assert desk.run(**guarded).exit_code == 3


# what cannot be retried


def test_a_run_without_rejected_rows_has_nothing_to_retry(desk):
    desk.source(3)
    run = desk.run()
    retry = desk("retry", run.told["run"])
    assert (retry.exit_code, retry.told["problems"]) == (
        2, [f"run {run.told['run']}: it rejected no row; there is nothing to retry"],
    )  # fmt: skip


def test_only_a_run_that_has_ended_is_retried(desk, monday):
    plan = desk("plan", desk.job()).told["run"]
    retry = desk("retry", plan)
    assert (retry.exit_code, "only a run that has ended has rejected rows" in retry.stderr) == (2, True)
    assert desk("retry").told["retry_of"] == monday.told["run"]


def test_without_any_run_there_is_nothing_to_retry(desk):
    assert "no run has ended yet" in desk("retry").stderr
    assert "is not in" in desk("retry", "20200101-000000-e2e").stderr


@pytest.mark.parametrize(
    ("correct", "said"),
    [
        (lambda t: t.drop(columns=["_line"]), "corrected.csv: lacks _line, by which rows are linked to run"),
        (lambda t: t[["member_no", "phone", "first_name", "points"]], "lacks _file and _line"),
        (lambda t: t.drop(columns=["phone"]), "map.identifiers.mobile: the source has no column 'phone'"),
        (lambda t: t.assign(_line="77"), "corrected.csv: 2 rows name lines that run"),
        (lambda t: t.assign(_file="tuesday.csv"), "corrected.csv: 2 rows name lines that run"),
    ],
)
def test_a_file_that_is_not_the_runs_own_is_refused(desk, monday, correct, said):
    sent = len(desk.books.requests("/v2/bulk"))
    retry = desk("retry", monday.told["run"], corrected(desk, monday, correct))
    assert (retry.exit_code, said in retry.stderr) == (2, True)
    assert len(desk.books.requests("/v2/bulk")) == sent
    assert [path.name for path in desk.home.glob("2*")] == [monday.told["run"]]


def test_a_missing_file_is_told(desk, monday):
    desk.write("corrected.csv", "x")
    retry = desk("retry", monday.told["run"], str(desk.folder / "correctd.csv"))
    assert (retry.exit_code, "does not exist; did you mean corrected.csv" in retry.stderr) == (2, True)


def test_a_renamed_job_is_not_retried(desk, monday):
    """The ledger would remember nobody under the new name, and credit everybody again."""
    desk.job(name="other")
    retry = desk("retry", monday.told["run"])
    assert (retry.exit_code, "its name is not e2e any more" in retry.stderr) == (2, True)


def test_a_run_whose_folder_was_cleared_says_so(desk, monday):
    (desk.of(monday) / "results.parquet").unlink()
    retry = desk("retry", monday.told["run"])
    assert (retry.exit_code, "`bulkload run` starts anew" in retry.stderr) == (2, True)


# stopped and killed


def test_a_stopped_run_goes_on_after_its_rejected_rows_were_retried(desk):
    """C-100's row, which Monday has not sent yet, is added by hand to the rejected ones."""
    desk.write("customers.csv", customers(100))
    desk.sandbox.preload(["C-1", *(f"C-{n}" for n in range(7, 101))])
    with desk.meanwhile(3, lambda: os.kill(os.getpid(), signal.SIGTERM)):
        monday = desk.run(limits={"requests_per_minute": 1200})
    assert (monday.exit_code, monday.sent["refused"]) == (4, 5)
    desk.sandbox.preload(f"C-{n}" for n in range(2, 7))
    by_hand = pd.DataFrame([{"member_no": "C-100", "phone": "9845000100", "first_name": "Asha", "points": "100"}])
    file = corrected(desk, monday, lambda t: pd.concat([t, by_hand]))
    assert desk("retry", monday.told["run"], file).sent == {"accepted": 6}
    resumed = desk("resume", monday.told["run"])
    assert (resumed.exit_code, resumed.sent) == (0, {"refused": 5, "unchanged": 1, "accepted": 94})
    assert desk("retry", monday.told["run"]).sent == {"unchanged": 5}
    assert desk.books.credits()[1016].points == sum(range(1, 101))
    assert once(desk)


def process(desk, *words: str) -> subprocess.Popen:
    command = [sys.executable, "-c", "from flows.cli import main; main()", *words, "--home", str(desk.home), "--quiet"]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def killed_after(desk, requests: int, *words: str) -> str:
    """The name of a run that dies after so many bulk requests."""
    running = process(desk, *words)
    until_s = time.monotonic() + 60
    while len(desk.books.requests("/v2/bulk")) < requests:
        assert time.monotonic() < until_s
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    return desk("runs").told["runs"][0]["run"]


@pytest.mark.slow
def test_a_killed_retry_goes_on_with_the_same_rejected_rows(desk):
    desk.write("customers.csv", customers(60))
    desk.run()  # stopped by its canary
    run = desk("resume")
    assert run.sent == {"refused": 60}
    desk.sandbox.preload(f"C-{n}" for n in range(1, 61))
    desk.job(limits={"requests_per_minute": 300})
    died = killed_after(desk, 12 + 3, "retry", run.told["run"])
    assert f"first: bulkload resume {died}" in desk("retry", died).stderr
    resumed = desk("resume")
    assert (resumed.told["run"], resumed.told["retry_of"]) == (died, run.told["run"])
    assert resumed.told["rows"]["accepted"] + resumed.told["rows"]["in_doubt"] == 60
    assert {link[1:3] for link in links(desk, resumed)} == {(run.told["run"], "customers.csv")}
    assert once(desk)


@pytest.mark.slow
def test_a_killed_retry_whose_file_was_edited_is_closed(desk):
    desk.write("customers.csv", customers(60))
    desk.run()  # stopped by its canary
    run = desk("resume")
    desk.sandbox.preload(f"C-{n}" for n in range(1, 61))
    desk.job(limits={"requests_per_minute": 300})
    file = corrected(desk, run, lambda t: t)
    killed_after(desk, 12 + 3, "retry", run.told["run"], file)
    corrected(desk, run, lambda t: t.assign(first_name="Uma"))
    resumed = desk("resume")
    assert (resumed.exit_code, "corrected.csv changed since it was planned" in resumed.stderr) == (2, True)
    assert desk("retry", run.told["run"]).exit_code in (0, 5)
    assert once(desk)
