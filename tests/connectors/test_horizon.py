"""The horizon stays before whatever may still be committed, and is refused where nobody can tell."""

from datetime import datetime, timedelta

import psycopg
import pytest

from schemas.errors import SourceError
from schemas.watermarks import Bound, Kind
from tests.servers import postgresql_server

QUERY = "select id, at from sales where at > :since"
FIRST = Bound("at", None, None)


@pytest.fixture
def url(postgresql):
    return postgresql.url("postgresql", "postgres")


@pytest.fixture
def owner(url):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table sales (id int, at timestamptz, local timestamp, day date)")
        yield connection
        connection.execute("drop table sales")


def horizon(ask, url, query=QUERY, bound=FIRST):
    ask(url, query, bound, horizon=True)
    return datetime.fromisoformat(ask.query.horizon)


def test_it_stays_a_second_before_the_oldest_open_transaction(owner, url, ask):
    with psycopg.connect(url) as writer:
        (began,) = writer.execute("select now()").fetchone()
        writer.execute("insert into sales(id, at) values (1, now())")
        assert horizon(ask, url) == began - timedelta(seconds=1)
        writer.commit()
    assert horizon(ask, url) > began - timedelta(seconds=1)


def test_without_one_it_is_a_second_ago(owner, url, ask):
    before = owner.execute("select clock_timestamp()").fetchone()[0]
    found = horizon(ask, url)
    after = owner.execute("select clock_timestamp()").fetchone()[0]
    assert before <= found + timedelta(seconds=1) <= after


def test_a_column_without_a_zone_gets_it_as_now_reads_there(owner, url, ask):
    local = Bound("local", Kind.TIMESTAMP, None)
    query = "select id, local from sales where local > :since"
    with psycopg.connect(url) as writer:
        (began,) = writer.execute("select now() at time zone 'Asia/Kolkata'").fetchone()
        there = f"{url}?options=-c%20TimeZone%3DAsia/Kolkata"
        assert horizon(ask, there, query, local) == began - timedelta(seconds=1)


def test_a_zone_that_turns_its_clock_is_refused_without_one_in_the_column(owner, url, ask):
    query = "select id, local from sales where local > :since"
    there = f"{url}?options=-c%20TimeZone%3DEurope/Berlin"
    with pytest.raises(SourceError, match=r"\(Europe/Berlin\) an hour comes twice"):
        horizon(ask, there, query, Bound("local", Kind.TIMESTAMP, None))
    horizon(ask, there)  # with an offset nothing comes twice


def test_only_times_have_one(owner, url, ask):
    with pytest.raises(SourceError, match=r"needs a time in since\.column, this is date; give since\.overlap a time"):
        horizon(ask, url, "select day from sales where day > :since", Bound("day", None, None))


def test_rows_of_an_open_transaction_are_in_the_next_reading(owner, url, ask):
    with psycopg.connect(url) as writer:
        writer.execute("insert into sales(id, at) values (1, now())")
        owner.execute("insert into sales(id, at) values (2, now())")
        assert [row["id"] for row in ask(url, QUERY, FIRST, horizon=True)] == ["2"]
        writer.commit()
    again = Bound("at", Kind.TIMESTAMPTZ, ask.query.horizon)
    assert sorted(row["id"] for row in ask(url, QUERY, again, horizon=True)) == ["1", "2"]


def test_a_user_who_does_not_see_the_others_is_refused(owner, postgresql, ask):
    owner.execute("create role reader login password 'reading'")
    owner.execute("grant select on sales to reader")
    url = f"postgresql://reader:reading@127.0.0.1:{postgresql.port}/postgres"
    try:
        with pytest.raises(SourceError, match=r"does not see when others' .*; grant pg_read_all_stats, or give since"):
            horizon(ask, url)
        owner.execute("grant pg_monitor to reader")
        horizon(ask, url)
    finally:
        owner.execute("drop owned by reader")
        owner.execute("drop role reader")


def test_a_prepared_transaction_hides_its_beginning(owner, url, ask):
    with psycopg.connect(url, autocommit=True) as writer:
        writer.execute("begin")
        writer.execute("insert into sales(id) values (1)")
        writer.execute("prepare transaction 'late'")
    with pytest.raises(SourceError, match="1 prepared transactions are open, and nobody knows when they began"):
        horizon(ask, url)
    owner.execute("commit prepared 'late'")
    horizon(ask, url)


def test_a_session_that_is_not_tracked_hides_its_beginning(owner, url, ask):
    with psycopg.connect(f"{url}?options=-c%20track_activities%3Doff") as writer:
        writer.execute("insert into sales(id) values (1)")
        with pytest.raises(SourceError, match="1 sessions have track_activities off and hide theirs"):
            horizon(ask, url)


def test_a_replica_is_refused(ask):
    refused = pytest.raises(SourceError, match="a replica does not know who writes; ask the primary, or give since")
    with postgresql_server(standby=True) as replica, refused:
        horizon(ask, replica.url("postgresql", "postgres"), "select now() as at where now() > :since")
