"""A ledger of an earlier version is brought to this one with all its rows, once, whoever opens it."""

import contextlib
import datetime as dt
import sqlite3
import threading
from pathlib import Path

import pytest

from connectors.ledger import Ledger
from connectors.ledger_tables import RunState
from schemas.errors import WrongInput

NOW = dt.datetime(2026, 3, 1, 0, 30, tzinfo=dt.UTC)
VERSION_1 = """
create table ledger_schema (version INTEGER not null, primary key (version));
create table runs (
    run_no INTEGER not null, run TEXT not null, job TEXT not null, mode TEXT not null, folder TEXT not null,
    state TEXT not null, started_at_us BIGINT not null, finished_at_us BIGINT, exit_code INTEGER, digest TEXT,
    summary_json TEXT,
    primary key (run_no),
    check (state in ('preparing', 'planned', 'delivering', 'done', 'stopped', 'failed')),
    unique (run)
);
create table batches (
    run_no INTEGER not null, batch INTEGER not null, state TEXT not null, rows BLOB not null,
    body_sha256 BLOB not null, points BOOLEAN not null, attempt INTEGER not null, code TEXT not null,
    request_id TEXT, sent_at_us BIGINT not null, answered_at_us BIGINT,
    primary key (run_no, batch),
    check (state in ('planned', 'sending', 'answered', 'refused', 'in_doubt')),
    foreign key(run_no) references runs (run_no)
) without rowid;
create table row_results (
    run_no INTEGER not null, "row" BIGINT not null, batch INTEGER not null, attempt INTEGER not null,
    fate TEXT not null, codes TEXT not null, entity_id TEXT, answered_at_us BIGINT not null,
    primary key (run_no, "row"),
    foreign key(run_no, batch) references batches (run_no, batch),
    check (fate in ('accepted', 'refused', 'accepted_with_loss', 'in_doubt'))
) without rowid;
create table accepted (
    job TEXT not null, key_hash BLOB not null, payload_digest BLOB not null, points BOOLEAN not null,
    run_no INTEGER not null, fate TEXT not null, accepted_at_us BIGINT not null,
    primary key (job, key_hash),
    check (fate in ('accepted', 'refused', 'accepted_with_loss', 'in_doubt')),
    foreign key(run_no) references runs (run_no)
) without rowid;
insert into ledger_schema values (1);
insert into runs values (1, 'r-1', 'nightly', 'sync', '/r-1', 'delivering', 1772325000000000, null, null, 'abc', null);
insert into batches values (1, 1, 'in_doubt', x'0700000000000000', x'00', 1, 2, 'html', 'req-1', 1, 2);
insert into row_results values (1, 7, 1, 2, 'in_doubt', 'html', null, 2);
insert into accepted values ('nightly there', zeroblob(16), zeroblob(16), 1, 1, 'in_doubt', 3);
insert into accepted values ('nightly there', x'11111111111111111111111111111111', zeroblob(16), 1, 1, 'accepted', 3);
insert into accepted values ('nightly there', x'22222222222222222222222222222222', zeroblob(16), 0, 1, 'accepted', 3);
"""


@pytest.fixture
def old(tmp_path) -> Path:
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
        database.execute("pragma journal_mode = wal")
        database.executescript(VERSION_1)
    return tmp_path / "ledger.db"


def shape(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table's columns: place, name, type, whether it may be null, and its place in the key."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        return {table: database.execute(f"pragma table_info({table})").fetchall() for table in tables}


def indexes(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        made = database.execute("select sql from sqlite_master where type = 'index' and sql is not null").fetchall()
        return {" ".join(sql.split()) for (sql,) in made}


def version(path: Path) -> list[tuple[int]]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute("select version from ledger_schema").fetchall()


def test_a_ledger_of_version_1_keeps_its_rows(old):
    with contextlib.closing(Ledger(old)) as ledger:
        run, (doubt,) = ledger.run("r-1"), ledger.doubts("r-1")
        assert (run.started_at_utc, run.state, run.digest) == (NOW, RunState.DELIVERING, "abc")
        assert (run.caller, run.retry_of) == (None, None)
        assert (doubt.row, doubt.attempt, doubt.request_id, doubt.codes) == (7, 2, "req-1", ("html",))
        ledger.start_run("r-2", job="nightly", mode="sync", folder=old, started_at_utc=NOW, caller="flow-run-1")
        (known,) = ledger.accepted("nightly there", by_others_than="r-2")
        doubtful = {"key": bytes(16), "digest": bytes(16), "fate": "in_doubt", "identifiers": []}
        assert doubtful in known.to_pylist()
        assert ledger.run_of_caller("flow-run-1").run == "r-2"
    assert version(old) == [(4,)]


def test_who_was_credited_stays_credited_in_every_programme(old):
    """Version 2 knew no programmes; how many points they were nobody wrote down."""
    with contextlib.closing(Ledger(old)) as ledger:
        ledger.start_run("r-2", job="nightly", mode="sync", folder=old, started_at_utc=NOW)
        (credited,) = ledger.credited("nightly there", by_others_than="r-2")
    told = {credit["key"][0]: credit for credit in credited.to_pylist()}
    assert {key: credit["fate"] for key, credit in told.items()} == {0x00: "in_doubt", 0x11: "accepted"}
    assert {(one["programme"], one["statement"], one["points"]) for one in told.values()} == {("", b"", None)}


def test_an_upgraded_ledger_is_built_like_a_new_one(old, tmp_path):
    for path in (old, tmp_path / "new.db"):
        Ledger(path).close()
    assert shape(old) == shape(tmp_path / "new.db")
    assert indexes(old) == indexes(tmp_path / "new.db")
    assert {"settlements", "leases", "learned", "refused", "credits", "forgotten", "watermarks", "loaded_files"} <= set(
        shape(old)
    )


def test_a_ledger_of_version_3_gets_what_is_kept_of_sources(tmp_path):
    """Version 3 had all other tables as they are, and keeps what is in them."""
    new, path = tmp_path / "new.db", tmp_path / "ledger.db"
    for ledger in (Ledger(new), Ledger(path)):
        ledger.start_run("r-1", job="nightly", mode="sync", folder=path, started_at_utc=NOW)
        ledger.close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript("drop table watermarks; drop table loaded_files; update ledger_schema set version = 3")
    with contextlib.closing(Ledger(path)) as ledger:
        assert (ledger.run("r-1").started_at_utc, ledger.watermark("nightly", "loyalty")) == (NOW, None)
    assert (shape(path), version(path)) == (shape(new), [(4,)])


def test_several_that_open_an_old_ledger_at_once_upgrade_it_once(old):
    """All wait for a writer, and start together when it is done."""
    opened = []
    with contextlib.closing(sqlite3.connect(old, isolation_level=None)) as writer:
        writer.execute("begin immediate")
        openers = [threading.Thread(target=lambda: opened.append(Ledger(old))) for _ in range(4)]
        for opener in openers:
            opener.start()
        writer.execute("commit")
    for opener in openers:
        opener.join()
    assert [ledger.run().run for ledger in opened] == ["r-1"] * 4
    for ledger in opened:
        ledger.close()
    assert version(old) == [(4,)]


def test_an_upgrade_that_fails_leaves_the_old_ledger(old):
    with contextlib.closing(sqlite3.connect(old)) as database:
        database.execute("alter table runs add column retry_of text")  # the second step of the upgrade cannot be made
    before = shape(old)
    with pytest.raises(Exception, match="duplicate column name: retry_of"):
        Ledger(old)
    assert (shape(old), version(old)) == (before, [(1,)])


def test_a_newer_ledger_is_refused_in_words(old):
    with contextlib.closing(sqlite3.connect(old)) as newer:
        newer.execute("update ledger_schema set version = 7")
        newer.commit()
    with pytest.raises(WrongInput, match=r"newer bulkload \(ledger schema 7, this one reads 4\)"):
        Ledger(old)
