"""How far a table was read: per job and table, the last run's word, and all before it."""

import contextlib
import datetime as dt
import sqlite3
from dataclasses import replace

import pytest

from connectors.ledger import Ledger
from schemas.errors import WrongInput
from schemas.watermarks import Kind, Watermark

NOW = dt.datetime(2026, 3, 1, 0, 30, tzinfo=dt.UTC)
JOB, TABLE = "nightly there", "loyalty"
FIRST = Watermark("updated_at", Kind.TIMESTAMPTZ, "2026-03-01T00:00:00+00:00", "query", "columns")
SECOND = replace(FIRST, value="2026-03-02T00:00:00+00:00", query_sha256="another query")


@pytest.fixture
def ledger(tmp_path):
    with contextlib.closing(Ledger(tmp_path / "ledger.db")) as ledger:
        for run in ("r-1", "r-2", "r-3"):
            ledger.start_run(run, job="nightly", mode="sync", folder=tmp_path, started_at_utc=NOW)
        yield ledger


def test_the_last_run_that_moved_it_is_told(ledger):
    assert ledger.watermark(JOB, TABLE) is None
    ledger.move_watermark("r-1", JOB, TABLE, FIRST, NOW)
    assert ledger.watermark(JOB, TABLE) == ("r-1", FIRST)
    ledger.move_watermark("r-2", JOB, TABLE, SECOND, NOW)
    assert ledger.watermark(JOB, TABLE) == ("r-2", SECOND)


def test_each_job_and_table_has_its_own(ledger):
    ledger.move_watermark("r-1", JOB, TABLE, FIRST, NOW)
    assert (ledger.watermark("another job", TABLE), ledger.watermark(JOB, "customers")) == (None, None)


def test_a_run_is_told_where_it_stood_before_it(ledger):
    ledger.move_watermark("r-1", JOB, TABLE, FIRST, NOW)
    ledger.move_watermark("r-2", JOB, TABLE, SECOND, NOW)
    told = [ledger.watermark(JOB, TABLE, before=run) for run in ("r-1", "r-2", "r-3")]
    assert told == [None, ("r-1", FIRST), ("r-2", SECOND)]


def test_a_run_that_ends_anew_moves_its_own_and_no_later_one(ledger):
    ledger.move_watermark("r-1", JOB, TABLE, FIRST, NOW)
    ledger.move_watermark("r-2", JOB, TABLE, SECOND, NOW)
    ledger.move_watermark("r-1", JOB, TABLE, replace(FIRST, value="2026-03-01T09:00:00+00:00"), NOW)
    assert ledger.watermark(JOB, TABLE) == ("r-2", SECOND)
    assert ledger.watermark(JOB, TABLE, before="r-2") == ("r-1", replace(FIRST, value="2026-03-01T09:00:00+00:00"))


def test_a_run_that_must_be_followed_by_a_full_one_leaves_none(ledger):
    ledger.move_watermark("r-1", JOB, TABLE, FIRST, NOW)
    ledger.move_watermark("r-1", JOB, "customers", FIRST, NOW)
    ledger.forget_watermark("r-2", JOB, TABLE)
    assert (ledger.watermark(JOB, TABLE), ledger.watermark(JOB, "customers")) == (None, ("r-1", FIRST))
    ledger.move_watermark("r-3", JOB, TABLE, SECOND, NOW)
    ledger.forget_watermark("r-2", JOB, TABLE)
    assert ledger.watermark(JOB, TABLE) == ("r-3", SECOND)


def test_how_it_moved_is_kept(ledger, tmp_path):
    ledger.move_watermark("r-1", JOB, TABLE, FIRST, NOW)
    ledger.move_watermark("r-3", JOB, TABLE, SECOND, NOW + dt.timedelta(days=1))
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
        kept = database.execute("select run_no, value, moved_at_us from watermarks order by run_no").fetchall()
    day_us = 86_400_000_000
    assert kept == [(1, FIRST.value, kept[0][2]), (3, SECOND.value, kept[0][2] + day_us)]


def test_only_a_run_of_the_ledger_moves_it(ledger):
    with pytest.raises(WrongInput, match="run r-9: is not in"):
        ledger.move_watermark("r-9", JOB, TABLE, FIRST, NOW)
