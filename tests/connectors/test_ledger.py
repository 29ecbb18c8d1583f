"""What is acknowledged is on disk, for its owner only, and a ledger that cannot be used says so in words."""

import asyncio
import contextlib
import datetime as dt
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from connectors.ledger import RESULTS, Ledger, LedgerStopped
from connectors.ledger_tables import IllegalMove, Intent, Recorded, RunState, Withdrawn, microseconds
from connectors.scribe import Scribe
from schemas.batches import Batch, Delivered
from schemas.errors import WrongInput
from schemas.outcomes import BatchReply, Fate, RowReply, Verdict

NOW = dt.datetime(2026, 3, 1, 0, 30, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(minutes=5)


def opened(home, *runs):
    ledger = Ledger(home / "ledger.db")
    for run in runs:
        ledger.start_run(run, job="nightly", mode="sync", folder=home / run, started_at_utc=NOW)
    return contextlib.closing(ledger)


def batch(number, size=2):
    return Batch(number, tuple(range(number * size, (number + 1) * size)), b"[]")


def accepted(batch, at=NOW):
    rows = tuple(RowReply(Fate.ACCEPTED, ("8068",), f"id-{row}") for row in batch.rows)
    return Recorded(Delivered(batch, 1, BatchReply(Verdict.ANSWERED, "", rows), f"req-{batch.number}"), at)


def test_a_run_is_remembered_as_it_went(tmp_path):
    with opened(tmp_path, "r-1", "r-2") as ledger:
        ledger.set_run_state("r-2", RunState.PLANNED, digest="abc")
        ledger.set_run_state("r-2", RunState.DELIVERING)
        ledger.finish_run("r-2", RunState.DONE, exit_code=5, finished_at_utc=LATER, summary={"rows": {"read": 7}})
    with opened(tmp_path) as ledger:
        run = ledger.run()
        assert [one.run for one in ledger.runs()] == ["r-2", "r-1"]
        assert [one.run for one in ledger.runs(limit=1)] == ["r-2"]
        assert ledger.run("r-1").state is RunState.PREPARING
    assert (run.run, run.job, run.mode, run.folder) == ("r-2", "nightly", "sync", tmp_path / "r-2")
    assert (run.state, run.exit_code, run.digest, run.summary) == (RunState.DONE, 5, "abc", {"rows": {"read": 7}})
    assert (run.started_at_utc, run.finished_at_utc) == (NOW, LATER)


def test_a_run_knows_who_started_it_and_what_it_sends_again(tmp_path):
    with opened(tmp_path, "r-1") as ledger:
        again = {"job": "nightly", "mode": "sync", "folder": tmp_path, "started_at_utc": NOW, "caller": "flow-run-7"}
        ledger.start_run("r-2", **again)
        ledger.start_run("r-3", **again, retry_of="r-1")
        assert [(run.caller, run.retry_of) for run in ledger.runs()] == [
            ("flow-run-7", "r-1"), ("flow-run-7", None), (None, None),
        ]  # fmt: skip
        assert ledger.run_of_caller("flow-run-7").run == "r-3"
        assert ledger.run_of_caller("flow-run-8") is None


def test_unknown_and_doubled_runs_are_refused(tmp_path):
    with opened(tmp_path) as ledger:
        with pytest.raises(WrongInput, match="has no run yet"):
            ledger.run()
        with pytest.raises(WrongInput, match="run r-9: is not in"):
            ledger.write("r-9", [])
        ledger.start_run("r-1", job="j", mode="sync", folder=tmp_path, started_at_utc=NOW)
        with pytest.raises(IllegalMove, match="r-1"):
            ledger.start_run("r-1", job="j", mode="sync", folder=tmp_path, started_at_utc=NOW)


def test_results_come_part_by_part_in_row_order(tmp_path):
    with opened(tmp_path, "r-1", "r-2") as ledger:
        for number in (3, 1, 2):
            ledger.write("r-1", [Intent(batch(number), 1, NOW), accepted(batch(number), LATER)])
        part, empty = ledger.results("r-1", 3, 5), ledger.results("r-2", 0, 100)
    assert part.schema == empty.schema == RESULTS
    assert empty.num_rows == 0
    assert part["sent_at_utc"].cast(pa.int64()).to_pylist() == [microseconds(NOW)] * 3
    assert part["answered_at_utc"].cast(pa.int64()).to_pylist() == [microseconds(LATER)] * 3
    assert part.drop_columns(["sent_at_utc", "answered_at_utc"]).to_pylist() == [
        {"row": row, "batch": number, "attempt": 1, "fate": "accepted", "codes": "8068", "entity_id": f"id-{row}",
         "request_id": f"req-{number}"}
        for row, number in ((3, 1), (4, 2), (5, 2))
    ]  # fmt: skip


def test_a_dead_process_leaves_its_batches_in_doubt(tmp_path):
    with opened(tmp_path, "r-1") as ledger:
        ledger.write("r-1", [Intent(batch(number), 1, NOW) for number in (1, 2, 3, 4)])
        ledger.write("r-1", [accepted(batch(2)), Withdrawn(3, 1, "429")])
    with opened(tmp_path) as ledger:
        assert ledger.doubt_leftovers("r-1", LATER) == [1, 4]
        assert ledger.doubt_leftovers("r-1", LATER) == []
        told = ledger.results("r-1", 0, 100).select(["row", "fate", "codes"]).to_pylist()
        assert ledger.next_batch("r-1") == 5
    assert [tuple(row.values()) for row in told] == [
        (2, "in_doubt", "process_died"), (3, "in_doubt", "process_died"),
        (4, "accepted", "8068"), (5, "accepted", "8068"),
        (8, "in_doubt", "process_died"), (9, "in_doubt", "process_died"),
    ]  # fmt: skip


def test_the_ledger_is_for_its_owners_eyes_only(tmp_path):
    home = tmp_path / "runs"
    with opened(home, "r-1"):
        assert home.stat().st_mode & 0o777 == 0o700
        assert {file.stat().st_mode & 0o777 for file in home.iterdir()} == {0o600}
        assert {file.suffix for file in home.iterdir()} >= {".db", ".db-wal"}


def test_every_commit_is_durable(tmp_path):
    with opened(tmp_path) as ledger, ledger._reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"pragma {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_file_that_is_no_ledger_is_refused(tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"name,mobile\n" * 1_000)
    with pytest.raises(WrongInput, match="not a database; move it away"):
        Ledger(tmp_path / "ledger.db")


def test_a_place_that_can_be_no_home_is_told(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WrongInput, match="choose another --home"):
        Ledger(tmp_path / "file" / "ledger.db")


def full(ledger):
    """No page may be added any more, as on a full disk."""
    ledger._engine.dispose()
    with ledger._engine.connect() as connection:
        connection.exec_driver_sql("pragma max_page_count = 1")


async def told(scribe, *ops):
    return await asyncio.gather(*(scribe.write(op) for op in ops), return_exceptions=True)


def test_a_full_disk_reaches_every_waiter(tmp_path):
    async def story(ledger):
        async with Scribe(ledger, "r-1") as scribe:
            return await told(scribe, *(Intent(batch(number, size=1_000), 1, NOW) for number in range(20)))

    with opened(tmp_path, "r-1") as ledger:
        full(ledger)
        errors = asyncio.run(story(ledger))
        assert ledger.next_batch("r-1") == 1
    assert {type(error) for error in errors} == {LedgerStopped}
    assert "full" in str(errors[0])


def test_an_illegal_step_fails_alone(tmp_path):
    async def story(ledger):
        async with Scribe(ledger, "r-1") as scribe:
            return await told(scribe, *(Intent(batch(number), 1, NOW) for number in (1, 2, 2, 3)))

    with opened(tmp_path, "r-1") as ledger:
        outcomes = asyncio.run(story(ledger))
        assert ledger.doubt_leftovers("r-1", NOW) == [1, 2, 3]
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), IllegalMove, type(None)]


def test_many_workers_lose_and_double_nothing(tmp_path):
    async def story(ledger):
        todo = iter(range(300))

        async def worker(scribe):
            for number in todo:
                await scribe.write(Intent(batch(number), 1, NOW))
                await scribe.write(accepted(batch(number)))

        async with Scribe(ledger, "r-1") as scribe:
            await asyncio.gather(*(worker(scribe) for _ in range(16)))

    with opened(tmp_path, "r-1") as ledger:
        asyncio.run(story(ledger))
        assert ledger.results("r-1", 0, 10_000)["row"].to_pylist() == list(range(600))


def test_leaving_the_scribe_writes_what_still_waits(tmp_path):
    async def story(ledger):
        async with Scribe(ledger, "r-1") as scribe:
            waiting = [asyncio.create_task(scribe.write(Intent(batch(number), 1, NOW))) for number in range(5)]
            await asyncio.sleep(0)
            waiting[3].cancel()
        return await asyncio.gather(*waiting, return_exceptions=True)

    with opened(tmp_path, "r-1") as ledger:
        outcomes = asyncio.run(story(ledger))
        assert ledger.doubt_leftovers("r-1", NOW) == [0, 1, 2, 3, 4]
    assert [type(outcome).__name__ for outcome in outcomes] == ["NoneType"] * 3 + ["CancelledError", "NoneType"]


WRITER = """
import asyncio, json, os, sys
from pathlib import Path
sys.path[:0] = [{root!r}, {here!r}]
from test_ledger import *

async def worker(scribe, todo):
    for number in todo:
        await scribe.write(Intent(batch(number), 1, NOW))
        os.write(1, b"sent %d\\n" % number)
        await scribe.write(accepted(batch(number)))
        os.write(1, b"answered %d\\n" % number)

async def story(ledger):
    todo = iter(range(10_000_000))
    async with Scribe(ledger, "r-1") as scribe:
        await asyncio.gather(*(worker(scribe, todo) for _ in range(8)))

with opened(Path({home!r}), "r-1") as ledger:
    asyncio.run(story(ledger))
"""


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path):
    here = Path(__file__).parent
    code = WRITER.format(root=str(here.parent.parent), here=str(here), home=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writer:
        lines = [writer.stdout.readline().split() for _ in range(400)]
        writer.kill()
        lines += [line.split() for line in writer.stdout.read().splitlines() if line]
    sent, answered = ({int(number) for word, number in lines if word == kind} for kind in (b"sent", b"answered"))
    with opened(tmp_path) as ledger:
        doubtful = set(ledger.doubt_leftovers("r-1", NOW))
        table = ledger.results("r-1", 0, 10_000_000).select(["batch", "fate"]).to_pylist()
    applied = {row["batch"] for row in table if row["fate"] == "accepted"}
    assert len(answered) >= 100
    assert answered <= applied
    assert sent <= applied | doubtful
    assert len(table) == 2 * len(applied | doubtful)
    assert not applied & doubtful
