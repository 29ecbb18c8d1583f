"""Since: only new rows are read, none is lost that was not sent, and a person may say from where on."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from connectors.ledger import Ledger, LedgerStopped
from schemas.errors import OutOfBalance
from tests.flows.conftest import customers, merged
from tests.flows.shop import QUERY, SYNC, Shop, minute, read_by, stands

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def shop(desk):
    return Shop(desk)


def notes(outcome) -> list[str]:
    return [note for note in outcome.told["notes"] if note.startswith(("customers: ", "loyalty: "))]


# from run to run


def test_the_first_run_reads_all_and_the_next_only_what_is_new(shop):
    shop.write({1: 10, 2: 30, 3: 20})
    first = shop.run()
    assert (shop.read(first), shop.stands()) == ([1, 2, 3], minute(30))
    assert notes(first) == [
        "customers: all rows whose updated_at has a value, as no run says up to where it was read",
        f"customers: read up to updated_at {minute(30)}, the next run reads from there",
    ]
    assert first.told["since"] == {"customers": {"column": "updated_at", "to": minute(30)}}
    shop.write({2: 30, 4: 40, 1: 50})
    second = shop.run()
    assert (sorted(shop.read(second)), shop.stands()) == ([1, 4], minute(50))
    assert second.told["since"] == {"customers": {"column": "updated_at", "from": minute(30), "to": minute(50)}}
    assert notes(second)[0] == (
        f"customers: rows with updated_at after {minute(30)} (the watermark of run {first.told['run']})"
    )
    assert shop.run().told["rows"]["read"] == 0
    assert shop.stands() == minute(50)


def test_an_overlap_reads_a_while_before_the_watermark_again(shop):
    shop.write({1: 10, 2: 30})
    first = shop.run(overlap="2m")
    shop.write({3: 29, 4: 28})  # committed late: the watermark is past them
    second = shop.run(overlap="2m")
    assert sorted(shop.read(second)) == [2, 3]  # 4 came later than the overlap allows
    assert second.sent == {"unchanged": 1, "accepted": 1}
    assert notes(second)[0] == (
        f"customers: rows with updated_at after {minute(28)} (2m before the watermark of run {first.told['run']})"
    )
    assert shop.stands() == minute(30)


def test_rows_without_a_time_are_for_full_runs_only(shop):
    shop.write({1: 10, 2: None})
    first = shop.run(query=EVERYBODY)
    assert (shop.read(first), shop.stands()) == ([1, 2], minute(10))
    assert notes(first)[-1] == "customers: rows without updated_at, which only full runs read: 1"


@pytest.mark.parametrize("words", [["check"], ["preview"], ["plan"], ["run", "--limit", "2"]])
def test_only_a_run_of_all_rows_moves_the_watermark(shop, words):
    shop.write({1: 10, 2: 30, 3: 20})
    outcome = shop.desk(words[0], shop.job(), *words[1:])
    assert (outcome.exit_code, shop.stands()) == (0, None)
    shop.run()
    shop.write({4: 50, 5: 40, 6: 60})
    shop.desk(words[0], shop.job(), *words[1:])
    assert shop.stands() == minute(30)


def test_a_plan_shows_from_where_on_and_moves_when_it_is_applied(shop):
    shop.write({1: 10})
    shop.run()
    shop.write({2: 20})
    plan = shop.desk("plan", shop.job())
    assert plan.told["since"] == {"customers": {"column": "updated_at", "from": minute(10)}}
    assert f"rows with updated_at after {minute(10)}" in plan.told["notes"][0]
    assert json.loads((shop.desk.of(plan) / "plan.json").read_text())["since"] == plan.told["since"]
    shop.write({3: 30})  # nobody reads it
    applied = shop.desk("run", shop.job(), "--plan", plan.told["run"])
    assert (applied.exit_code, applied.sent, shop.stands()) == (0, {"accepted": 1}, minute(20))


def test_a_row_of_the_future_does_not_stop_the_sync(shop):
    shop.write({1: 10, 9: 30})
    shop.sql("update customers set updated_at = timestamptz '9999-12-31 00:00:00+00' where id = 9")
    began = datetime.now(UTC)
    first = shop.run()
    assert began <= datetime.fromisoformat(shop.stands() or "") <= datetime.now(UTC)
    assert notes(first)[-1] == (
        "customers: the highest updated_at is of the future (9999-12-31T00:00:00+00:00): such rows are read again in "
        "every run until then; correct them where they are written"
    )
    shop.sql("insert into customers values ('C-2', '9845000002', 'Ben', now(), 2)")
    shop.desk.sandbox.preload(["C-2"])
    assert sorted(shop.read(shop.run())) == [2, 9]


# rows that are not sent, or in doubt


def test_rows_in_doubt_stay_within_reach_until_they_are_settled(desk_with):
    shop = Shop(desk_with("lost:1"))
    shop.write({1: 50, 2: 40, 3: 30, 4: 20, 5: 60, 6: 10, 7: 90})
    first = shop.run()
    assert first.sent == {"in_doubt": 5, "accepted": 2}  # 1 to 5: the lowest of them is 4
    assert shop.stands() == "2026-03-01T00:19:59.999999+00:00"
    assert notes(first)[-1].startswith(
        "customers: 5 of the rows are not sent or in doubt: the next run reads from updated_at"
    )
    settled = shop.desk("settle", first.told["run"], "--as", "accepted")
    assert (settled.sent, shop.stands()) == ({"accepted": 7}, minute(90))
    assert settled.told["since"]["customers"]["to"] == minute(90)
    assert shop.run().told["rows"]["read"] == 0


def test_a_run_that_is_settled_late_disturbs_no_later_one(desk_with):
    shop = Shop(desk_with("lost:1"))
    shop.write({1: 10, 2: 20, 3: 30, 4: 40, 5: 50, 6: 60})
    first = shop.run()
    shop.write({7: 70})
    second = shop.run()
    assert (sorted(shop.read(second)), shop.stands()) == ([1, 2, 3, 4, 5, 6, 7], minute(70))
    assert shop.desk("settle", first.told["run"], "--as", "accepted").sent == {"accepted": 6}
    assert shop.stands() == minute(70)


def test_a_stopped_run_leaves_what_it_did_not_send_to_the_next(shop):
    shop.write({number: 100 - number for number in range(1, 61)})
    with shop.desk.meanwhile(3, lambda: os.kill(os.getpid(), signal.SIGTERM)):
        stopped = shop.run(limits={"requests_per_minute": 1200, "in_flight": 1})
    results = shop.desk.results(stopped)
    members = dict(enumerate(shop.read(stopped), start=1))
    left = {members[row["line"]] for row in results if row["fate"] == "not_sent"}
    assert (stopped.exit_code, len(left) >= 30) == (4, True)
    assert left <= set(shop.read(shop.run()))
    assert shop.stands() == minute(99)


def test_a_resumed_run_moves_the_watermark_on(shop):
    shop.write({number: number for number in range(1, 61)})
    with shop.desk.meanwhile(3, lambda: os.kill(os.getpid(), signal.SIGTERM)):
        shop.run(limits={"requests_per_minute": 1200, "in_flight": 1})
    assert minute(1) < (shop.stands() or "") < minute(60)
    assert shop.desk("resume").sent == {"accepted": 60}
    assert shop.stands() == minute(60)


def test_refused_and_invalid_rows_are_done_with(shop):
    shop.write({1: 10, 2: 20})
    shop.sql("insert into customers values ('X-1', '9845099999', 'Nobody', '2026-03-01 00:30:00+00', 98)")
    shop.sql("insert into customers values (null, null, 'Nobody', '2026-03-01 00:40:00+00', 99)")
    run = shop.run()
    assert run.sent == {"accepted": 2, "refused": 1, "invalid": 1}
    assert shop.stands() == minute(40)
    retried = shop.desk("retry", run.told["run"])
    assert (retried.told["rows"]["read"], shop.stands()) == (2, minute(40))


@pytest.mark.slow
def test_a_killed_run_has_moved_nothing(shop):
    shop.write({number: number for number in range(1, 61)})
    words = ["run", shop.job(limits={"requests_per_minute": 600}), "--home", str(shop.desk.home), "--quiet"]
    running = subprocess.Popen([sys.executable, "-c", "from flows.cli import main; main()", *words])
    with shop.desk.meanwhile(3, running.kill):
        assert running.wait(60) == -signal.SIGKILL
    assert shop.stands() is None
    resumed = shop.desk("resume")
    held = [number for number in range(1, 61) if shop.desk.results(resumed)[number - 1]["fate"] == "in_doubt"]
    below = minute(min(held) - 1) if held else minute(60)
    assert below <= (shop.stands() or "") < minute(min(held, default=61))


def test_a_run_that_dies_at_its_very_end_moves_it_once_more(shop, monkeypatch):
    shop.write({1: 10, 2: 20})

    def failing(*words, **more):
        raise LedgerStopped("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "finish_run", failing)
        assert shop.run().exit_code == 4
    assert shop.stands() == minute(20)
    assert (shop.desk("resume").sent, shop.stands()) == ({"accepted": 2}, minute(20))
    assert shop.run().told["rows"]["read"] == 0


def test_a_run_that_does_not_balance_moves_nothing(shop, monkeypatch):
    shop.write({1: 10})

    def bug(totals):
        raise OutOfBalance("a row too many")

    monkeypatch.setattr("flows.finish.check", bug)
    assert (shop.run().exit_code, shop.stands()) == (1, None)


# a person's word


def test_full_reads_all_and_goes_on_from_the_end(shop):
    shop.write({1: 10, 2: 30})
    shop.run()
    shop.write({3: 5})
    full = shop.run("--full")
    assert (shop.read(full), full.sent) == ([1, 2, 3], {"unchanged": 2, "accepted": 1})
    assert notes(full)[0] == "customers: all rows whose updated_at has a value, as --full says"
    assert shop.stands() == minute(30)


@pytest.mark.parametrize("told", ["2026-03-01T00:15:00Z", "2026-03-01 05:45", "2026-03-01T05:45+05:30"])
def test_since_reads_from_there(shop, told):
    """The job's time zone is Asia/Kolkata."""
    shop.write({1: 10, 2: 20, 3: 30})
    shop.run()
    again = shop.run("--since", told)
    assert (sorted(shop.read(again)), shop.stands()) == ([2, 3], minute(30))
    assert notes(again)[0] == f"customers: rows with updated_at after {minute(15)}, as --since says"


def test_since_begins_where_no_run_has_read(shop):
    shop.write({1: 10, 2: 20})
    first = shop.run("--since", "2026-03-01T00:15:00Z")
    assert (shop.read(first), shop.stands()) == ([2], minute(20))
    assert shop.desk("plan", shop.job(), "--since", "2026-03-01T00:05:00Z").told["rows"]["read"] == 2


def test_rows_that_since_reads_and_does_not_send_stay_within_reach(desk_with):
    shop = Shop(desk_with())
    shop.write({1: 10, 2: 20, 3: 30})
    shop.run()
    shop.desk.sandbox.set_faults(["lost:1"])
    shop.write({1: 10, 2: 20}, name="Ben")
    again = shop.run("--since", "2026-03-01T00:15:00Z")
    assert again.sent == {"in_doubt": 1, "unchanged": 1}
    assert shop.stands() == "2026-03-01T00:19:59.999999+00:00"
    assert sorted(shop.read(shop.run())) == [2, 3]


def test_since_beyond_the_watermark_leaves_it_before_what_was_not_read(shop):
    shop.write({1: 10, 2: 30})
    shop.run()
    shop.write({3: 40, 4: 60})
    ahead = shop.run("--since", "2026-03-01T00:50:00Z")
    assert (shop.read(ahead), shop.stands()) == ([4], minute(30))
    assert notes(ahead)[-1] == (
        "customers: rows before those of this run are still to be read: the next run reads from updated_at "
        f"{minute(30)}"
    )
    assert shop.read(shop.run()) == [3, 4]


EVERYBODY = QUERY.replace("updated_at > :since", "coalesce(updated_at, '-infinity') >= :since")


def test_held_rows_without_a_time_have_all_read_again(shop):
    shop.write({1: 10, 2: 100})
    shop.run(query=EVERYBODY)
    shop.write({3: 50, 4: None, 5: 60})
    guarded = shop.run("--full", query=EVERYBODY, guards={"min_rows": 1000})
    assert (guarded.exit_code, shop.stands()) == (3, None)
    assert notes(guarded)[-2] == "customers: the next run reads all rows: 3 are not sent or in doubt"
    assert shop.run(query=EVERYBODY).sent == {"unchanged": 2, "accepted": 3}


def test_a_held_row_stays_within_reach_of_a_shorter_overlap(shop):
    shop.write({1: 10, 2: 100})
    shop.run(overlap="90m")
    shop.write({3: 50, 4: 110})
    shop.run(overlap="90m", guards={"min_rows": 1000})
    assert shop.run(overlap="10m").sent == {"unchanged": 1, "accepted": 2}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--since", "yesterday"], "--since yesterday: updated_at is a timestamptz; write it like 2026-03-01T00:30:00"),
        (["--since", "2026-13-01"], "write it like 2026-03-01T00:30:00+05:30"),
        (["--full", "--since", "2026-03-01"], "--full and --since: give one of them"),
    ],
)
def test_a_wish_that_cannot_be_understood_is_refused(shop, words, said):
    shop.write({1: 10})
    for _ in range(2):
        refused = shop.run(*words)
        assert (refused.exit_code, said in refused.stderr) == (2, True)
        assert shop.run().exit_code == 0  # by now the kind of the column is known


@pytest.mark.parametrize("words", [["--full"], ["--since", "2026-03-01"]])
def test_a_wish_of_no_table_is_refused(desk, words):
    desk.source(1)
    refused = desk("run", desk.job(), *words)
    assert refused.exit_code == 2
    assert f"{words[0]}: source.customers has no since, all is read in full; leave it out" in refused.stderr


# a query that changed

CHANGED = {
    "the query": {"query": QUERY.replace(">", ">=")},
    "the column": {"query": QUERY.replace("updated_at", "id"), "column": "id", "overlap": None},
    "how it overlaps": {"overlap": "transactions"},
    "the filter": {"rules": {"filter": "member_no == 'C-1'"}},
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_changed_query_asks_for_a_full_run(shop, what):
    shop.write({1: 10, 2: 20})
    first = shop.run()
    changed = shop.run(**CHANGED[what])
    assert (changed.exit_code, changed.told["problems"]) == (2, [
        "source.customers: the query, what since says, or rules.filter changed since run "
        f"{first.told['run']} read up to {minute(20)}; rows it did not select then may be older: "
        "run once with --full, or --since VALUE"
    ])  # fmt: skip


def test_a_query_whose_columns_changed_asks_for_a_full_run(shop):
    shop.write({1: 10, 2: 20})
    star = "select * from customers where updated_at > :since"
    shop.run(query=star)
    shop.sql("alter table customers add column tier text")
    changed = shop.run(query=star)
    assert (changed.exit_code, "the query's columns changed since run" in changed.stderr) == (2, True)


@pytest.mark.parametrize("words", [["--full"], ["--since", "2026-03-01T00:15:00Z"]])
def test_after_a_full_run_the_changed_query_is_the_known_one(shop, words):
    shop.write({1: 10, 2: 20})
    shop.run()
    changed = QUERY.replace(">", ">=")
    assert shop.run(*words, query=changed).exit_code == 0
    assert sorted(shop.read(shop.run(query=changed))) == [2]
    assert shop.run().exit_code == 2


def test_blanks_and_comments_change_no_query(shop):
    shop.write({1: 10})
    shop.run()
    spaced = "-- every night\n" + QUERY.replace(" from", "\n  from").replace(" where", " /* new ones */\n where")
    assert shop.run(query=spaced).told["rows"]["read"] == 0


# kinds


def test_numbers_have_no_overlap_and_it_is_told_once(shop):
    by_id = {"query": "select * from customers where id > :since", "column": "id", "overlap": None}
    shop.write({7: 1, 8: 2})
    first = shop.run(**by_id)
    assert notes(first)[1] == "customers: id is no time: no overlap reads before it for rows that come late"
    assert shop.stands() == "8"
    shop.write({9: 3})
    second = shop.run(**by_id)
    assert (shop.read(second), len(notes(second)), second.told["since"]["customers"]["from"]) == ([9], 2, "8")
    refused = shop.run(**by_id | {"overlap": "2h"})
    assert (refused.exit_code, "since.overlap: id is no time but integer" in refused.stderr) == (2, True)
    assert shop.run("--since", "7", **by_id).told["rows"]["read"] == 2


def test_a_day_is_read_again_as_it_may_not_have_been_over(shop):
    by_day = {"query": "select member_no, phone, first_name, updated_at::date as day from customers "
                       "where updated_at::date > :since", "column": "day", "overlap": None}  # fmt: skip
    shop.write({1: 10, 2: 20})
    shop.run(**by_day)
    shop.write({3: 30})
    assert (sorted(shop.read(shop.run(**by_day))), shop.stands()) == ([1, 2, 3], "2026-03-01")


@pytest.mark.parametrize(("overlap", "warned"), [("1h", True), ("2h", False)])
def test_of_a_time_without_a_zone_the_clock_is_told_of_once(shop, overlap, warned):
    plain = {"query": "select * replace (updated_at::timestamp as updated_at) from customers "
                      "where updated_at::timestamp > :since", "overlap": overlap}  # fmt: skip
    shop.write({1: 10})
    told = [any("has no time zone" in note for note in notes(shop.run(**plain))) for _ in range(2)]
    assert (told, shop.stands()) == ([warned, False], "2026-03-01T00:10:00")


def sqlite_shop(desk, times: dict[int, str]) -> str:
    with sqlite3.connect(desk.folder / "shop.sqlite") as database:
        database.execute("create table if not exists customers (member_no, phone, first_name, updated_at)")
        lines = [(f"C-{number}", f"98450{number:05}", "Asha", at) for number, at in times.items()]
        database.executemany("insert into customers values (?, ?, ?, ?)", lines)
    database.close()
    desk.sandbox.preload(f"C-{number}" for number in times)
    table = {"files": None, "database": "sqlite:///shop.sqlite", "query": QUERY, "since": {"column": "updated_at"}}
    return desk.job(**merged(SYNC, {"source": {"customers": table}}))


def test_a_time_that_is_a_text_is_kept_and_not_shown(desk):
    first = desk("run", sqlite_shop(desk, {1: "2026-03-01 00:10:00", 2: "2026-03-01 00:20:00"}))
    assert stands(desk) == "2026-03-01 00:20:00"
    second = desk("run", sqlite_shop(desk, {3: "2026-03-01 00:30:00"}))
    assert (read_by(desk, second), stands(desk)) == ([3], "2026-03-01 00:30:00")
    assert second.told["since"] == {"customers": {"column": "updated_at"}}
    assert notes(second) == [
        f"customers: rows with updated_at after the last one read (the watermark of run {first.told['run']})",
        "customers: read up to the last updated_at, the next run reads from there",
    ]


def test_a_time_of_the_future_that_is_a_text_moves_nothing(desk):
    desk("run", sqlite_shop(desk, {1: "2026-03-01 00:10:00"}))
    second = desk("run", sqlite_shop(desk, {2: "9999-12-31 00:00:00"}))
    assert (read_by(desk, second), stands(desk)) == ([2], "2026-03-01 00:10:00")
    assert notes(second)[-1].startswith("customers: the highest updated_at is of the future: such rows are read again")
    assert sorted(read_by(desk, desk("run", sqlite_shop(desk, {3: "2026-03-01 00:20:00"})))) == [2, 3]


def test_words_are_never_kept(desk):
    first = desk("run", sqlite_shop(desk, {1: "asha@example.com", 2: "ben@example.com"}))
    assert (first.exit_code, stands(desk)) == (0, None)
    assert notes(first)[-1].startswith("customers: updated_at holds words: how far it was read is not kept")


# a joined table

LOYALTY = {
    "source": {
        "customers": {"files": "customers.csv"},
        "loyalty": {
            "database": "duckdb:///shop.duckdb",
            "query": "select member_no, tier, updated_at from loyalty where updated_at > :since",
            "since": {"column": "updated_at", "overlap": "0s"},
            "join": {"on": "member_no"},
        },
    },
    "map": {"lastName": "loyalty.tier"},
}


@pytest.fixture
def joined(shop):
    """C-1 to C-8 in a file; their tiers in the shop, changed in minutes 10 to 80, and that of C-99, in minute 90."""
    shop.desk.source(8)
    shop.sql("create table loyalty as select 'C-' || n as member_no, 'gold' as tier, timestamptz "
             "'2026-03-01 00:00:00+00' + n * interval 10 minute as updated_at from range(1, 9) t(n)")  # fmt: skip
    shop.sql("insert into loyalty values ('C-99', 'gold', '2026-03-01 01:30:00+00')")
    return shop


IN_FULL = (
    "loyalty: all rows whose updated_at has a value, whatever since says: a leading row needs its joined one, changed "
    "or not"
)


@pytest.mark.parametrize("nulls", ["omit", "clear"])
def test_a_change_of_one_joined_row_wipes_and_sends_no_other(joined, nulls):
    job = merged(merged(SYNC, LOYALTY), {"rules": {"nulls": nulls}})
    first = joined.desk.run(**job)
    assert (first.sent, notes(first)) == ({"accepted": 8}, [IN_FULL])
    joined.sql("update loyalty set tier = 'blue', updated_at = '2026-03-01 02:00:00+00' where member_no = 'C-5'")
    assert joined.desk.run(**job).sent == {"unchanged": 7, "accepted": 1}
    assert joined.desk.run(**job).sent == {"unchanged": 8}


def test_a_customer_who_comes_later_has_the_joined_row_that_was_there_before(joined):
    joined.desk.run(**merged(SYNC, LOYALTY))
    joined.desk.write("customers.csv", customers(8) + "C-99,9845000099,Asha,9\n")
    joined.desk.sandbox.preload(["C-99"])
    second = joined.desk.run(**merged(SYNC, LOYALTY))
    assert (second.sent, second.told.get("unmatched")) == ({"unchanged": 8, "accepted": 1}, None)


def test_no_watermark_is_kept_of_a_joined_table(joined):
    joined.desk.sandbox.set_faults(["lost:1"])
    first = joined.desk.run(**merged(SYNC, LOYALTY))
    assert (first.sent, first.told.get("since")) == ({"in_doubt": 5, "accepted": 3}, None)
    assert joined.stands("loyalty") is None
    refused = joined.desk("run", joined.desk.job(**merged(SYNC, LOYALTY)), "--full")
    assert (refused.exit_code, "source.customers has no since, all is read in full" in refused.stderr) == (2, True)


def test_what_changed_in_a_joined_table_alone_is_told_to_wait(joined):
    joined.write({number: number for number in range(1, 9)})
    since = {"column": "updated_at", "overlap": "0s"}
    lead = {"files": None, "database": "duckdb:///shop.duckdb", "query": QUERY, "since": since}
    job = SYNC | {"source": LOYALTY["source"] | {"customers": lead}, "map": SYNC["map"] | LOYALTY["map"]}
    first = joined.desk.run(**job)
    assert notes(first)[1].startswith(
        "customers: rows are read when they changed themselves: what changed in loyalty alone waits for that, or for"
    )
    joined.sql("update loyalty set tier = 'blue' where member_no in ('C-3', 'C-4')")
    assert joined.desk.run(**job).told["rows"]["read"] == 0
    joined.write({3: 100})
    third = joined.desk.run(**job)
    assert (third.sent, len(notes(third))) == ({"accepted": 1}, 3)
    full = joined.desk("run", joined.desk.job(**job), "--full")
    assert full.sent == {"unchanged": 7, "accepted": 1}
