"""PostgreSQL: a real server, its types as text, one snapshot, nothing held in memory, nothing written."""

from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from connectors.warehouse import open_query
from schemas.errors import SourceError
from schemas.watermarks import Bound, Kind

LONG = "select n, repeat('x', 200) as text from generate_series(1, 1000000) n"
# One that was left a moment ago may still be on its way out.
NEWEST = "from pg_stat_activity where query like 'COPY%' order by backend_start desc limit 1"
AWKWARD = "p@ss:w/rd#?%&+[ "


@pytest.fixture
def url(postgresql):
    return postgresql.url("postgresql", "postgres")


@pytest.fixture
def sql(url):
    """`sql(statement, ...)` runs statements as the owner and gives the last one's rows."""
    with psycopg.connect(url, autocommit=True) as connection:

        def run(*statements):
            for statement in statements:
                found = connection.execute(statement)
            return found.fetchall() if found.description else None

        run("create table sales (id int, name text)", "create sequence numbers")
        run("insert into sales values (1, 'Anna'), (2, null)", "create role reader login password 'reading'")
        run("grant select on sales to reader")
        yield run
        run("drop table sales", "drop sequence numbers", "drop role reader")


@contextmanager
def opened(url, query, bound=None, **more):
    with ExitStack() as stack:
        yield open_query(url, query, bound, "loyalty", "source.loyalty", stack, folder=Path(), **more)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1234567890.10::numeric(14,2)", "1234567890.10"),
        (f"{'9' * 45}::numeric", "9" * 45),
        ("'NaN'::numeric", "nan"),
        ("0.0000000000001::numeric", "0.0000000000001"),
        ("""'{"a": 1.10}'::jsonb""", '{"a": 1.10}'),
        ("""'{"a":  1.10}'::json""", '{"a":  1.10}'),
        ("12.50::money", "12.50"),
        ("array[['a','b'],['c','d']]", '[["a", "b"], ["c", "d"]]'),
        ("array[1.10, null]", "[1.10, null]"),
        ("array['a,b', '{}', null]::text[]", '["a,b", "{}", null]'),
        ("'10.0.0.1'::inet", "10.0.0.1/32"),
        ("int4range(1, 5)", "[1,5)"),
        ("'12:00+02'::timetz", "12:00:00+02"),
        ("'12:00:00.5'::time", "12:00:00.500000"),
        ("B'101'", "101"),
        ("point(1, 2)", "(1,2)"),
        ("'<a/>'::xml", "<a/>"),
        ("row(1, 'a')", '{"f1": 1, "f2": "a"}'),
        ("interval '1 month 2 days 03:04:05'", "1 mon 2 days 03:04:05"),
        ("'00000000-0000-0000-0000-000000000007'::uuid", "00000000-0000-0000-0000-000000000007"),
        ("4294967295::oid", "4294967295"),
        ("timestamptz '2024-01-02 03:04:05+02'", "2024-01-02T01:04:05+00:00"),
        ("timestamptz '2024-01-02 03:04:05.000006+00'", "2024-01-02T03:04:05.000006+00:00"),
        ("timestamp '2024-01-02 03:04:05'", "2024-01-02T03:04:05"),
        ("timestamptz 'infinity'", "infinity"),
        ("timestamp '-infinity'", "-infinity"),
        ("date 'infinity'", "infinity"),
        ("date '-infinity'", "-infinity"),
        ("date '0044-03-15 BC'", "-0043-03-15"),
        ("timestamp '12024-12-31 23:59:59.999999'", "12024-12-31T23:59:59.999999"),
        ("timestamp '4713-01-01 00:00:00 BC'", "-4712-01-01T00:00:00"),
        ("date '2024-02-29'", "2024-02-29"),
        ("'ab'::char(5)", "ab   "),
        ("'0091'", "0091"),
        ("''", ""),
        ("null", None),
        ("true", "true"),
        ("0.1::float8", "0.1"),
        ("'-Infinity'::float8", "-inf"),
        ("9223372036854775807", "9223372036854775807"),
    ],
)  # fmt: skip
def test_a_value_becomes_its_exact_text(url, ask, value, text):
    assert ask(url, f"select {value} as a, 1 as b") == [{"a": text, "b": "1"}]


def test_enums_domains_and_composites_become_text(sql, url, ask):
    sql("create type mood as enum ('glad')", "create domain points as numeric", "create type pair as (a int, b text)")
    try:
        rows = ask(url, "select 'glad'::mood as m, 1.50::points as p, (1, 'x')::pair as c, array['glad'::mood] as l")
    finally:
        sql("drop type mood", "drop domain points", "drop type pair")
    assert rows == [{"m": "glad", "p": "1.50", "c": '{"a": 1, "b": "x"}', "l": '["glad"]'}]


@pytest.mark.parametrize(("option", "limit_ms"), [("", 1), ("?options=-c%20lock_timeout%3D2", 600_000)])
def test_a_table_that_somebody_holds_is_not_waited_for_without_end(sql, url, ask, monkeypatch, option, limit_ms):
    """The user's own limit stands."""
    monkeypatch.setattr("connectors.warehouse_postgresql.LOCK_TIMEOUT", f"{limit_ms}ms")
    with psycopg.connect(url) as other:
        other.execute("lock table sales in access exclusive mode")
        told = r"canceling statement due to lock timeout \(55P03.*\); somebody holds the table; run again later"
        with pytest.raises(SourceError, match=told):
            ask(url + option, "select id from sales")


@pytest.mark.parametrize("scheme", ["postgresql", "redshift"])
@pytest.mark.parametrize("value", ["caf\\303\\251", "\\377"])
def test_bytes_are_refused_be_they_a_text_or_not(postgresql, ask, scheme, value):
    """Else one row's bytes would be read as letters and the next one's be refused, or be digits."""
    url = postgresql.url(scheme, "postgres")
    with pytest.raises(SourceError, match=r"source\.loyalty: a, c: bytes, .*convert_from\(column, 'UTF8'\)"):
        ask(url, f"select '{value}'::bytea as a, 1 as b, null::bytea as c")


def test_bytes_that_the_query_makes_a_text_are_read(url, ask):
    query = r"select convert_from('caf\303\251'::bytea, 'UTF8') as a, encode('\377'::bytea, 'hex') as b"
    assert ask(url, query) == [{"a": "café", "b": "ff"}]


def test_awkward_names_and_empty_results_keep_their_columns(url, ask):
    assert ask(url, """select 1 as "a ""b"" :since", 'x'::xml as "c%s;--", 2 as ünï limit 0; -- done""") == []
    assert ask.query.reading.columns == ('a "b" :since', "c%s;--", "ünï")


@pytest.mark.parametrize(
    ("kind", "column", "first", "second"),
    [
        (Kind.TIMESTAMPTZ, "timestamptz", "2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00.000001+00:00"),
        (Kind.TIMESTAMP, "timestamp", "2024-01-01T00:00:00", "2024-01-01T00:00:00.000001"),
        (Kind.DATE, "date", "2024-01-01", "2024-01-02"),
        (Kind.INTEGER, "smallint", "-3", "4"),
        (Kind.DECIMAL, "numeric", "12345678901234567890.001", "12345678901234567890.002"),
        (Kind.DECIMAL, "float8", "0.1", "0.2"),
        (Kind.TEXT, "text", "a", "x' or 1=1 --"),
    ],
)
def test_the_first_run_is_full_and_tells_the_kind_the_next_one_goes_on(sql, url, ask, kind, column, first, second):
    sql(f"alter table sales add at {column}", f"update sales set at = '{first}' where id = 1")
    sql(f"update sales set at = $${second}$$ where id = 2", "insert into sales values (3)")
    query = "select at from sales where at > :since order by at"
    assert [row["at"] for row in ask(url, query, Bound("at", None, None))] == [first, second]
    assert ask.query.kind == kind
    assert [row["at"] for row in ask(url, query, Bound("at", kind, first))] == [second]
    assert [row["at"] for row in ask(url, query, Bound("at", None, first))] == [second]
    assert ask(url, query, Bound("at", kind, second)) == []


def test_a_malicious_value_stays_a_value_and_an_index_is_used(sql, url, ask):
    evil = "Anna' or true --"
    assert ask(url, "select name from sales where name = :since", Bound("name", Kind.TEXT, evil)) == []
    sql("create index by_id on sales (id)", "set enable_seqscan = off")
    sql("select set_config('bulkload.since', '1', false)")
    plan = sql("explain select * from sales where id > current_setting('bulkload.since')::int8")
    assert any("Index Cond" in line for (line,) in plan)


def test_rows_stream_while_the_server_is_still_at_work(sql, url):
    with opened(url, LONG) as query:
        batches = query.reading.batches()
        first = next(batches)
        assert sql(f"select state {NEWEST}") == [("active",)]
        assert first.rows.num_rows <= 20_000


def test_a_bound_query_streams_too(sql, url):
    with opened(url, f"{LONG} where n > :since", Bound("n", Kind.INTEGER, "5")) as query:
        assert next(query.reading.batches()).rows.column(0)[0].as_py() == "6"
        assert sql(f"select state {NEWEST}") == [("active",)]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("pg_terminate_backend", r"the connection broke after [\d,]+ rows; nothing of this run was sent; run again"),
        ("pg_cancel_backend", r"the query failed after [\d,]+ rows: canceling statement due to user request \(57014\)"),
    ],
)
def test_a_stream_that_ends_early_is_never_a_short_table(sql, url, how, told):
    with opened(url, LONG) as query:
        batches = query.reading.batches()
        next(batches)
        assert sql(f"select {how}(pid) {NEWEST}") == [(True,)]
        with pytest.raises(SourceError, match=told) as refusal:
            list(batches)
        assert "after 0 rows" not in str(refusal.value)
        assert refusal.value.__context__ is None


def test_a_row_that_cannot_be_computed_is_told_without_its_value(url, ask):
    value = "case when n = 90000 then 'SECR' else '1' end::int"
    query = f"select {value} as a, repeat('x', 200) as b from generate_series(1, 99999) n"
    with pytest.raises(SourceError, match=r"failed after [\d,]+ rows: a text cannot be read as the type") as refusal:
        ask(url, query)
    assert "SECR" not in str(refusal.value)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("select nextval('numbers') as a", r"cannot execute nextval\(\) in a read-only transaction \(25006\)"),
        ("with x as (delete from sales returning 1) select * from x", "data-modifying statement"),
        ("select nope\nfrom nowhere", r'relation "nowhere" does not exist \(42P01, line 2\)'),
        ("select id\nfrom sales\nwhere name", r"argument of WHERE must be type boolean.*line 3"),
        ("select 'SECR'::int as a", "a text cannot be read as the type it is cast to"),
        ("select ('SECR' || id)::int as a from sales", "a text cannot be read as the type it is cast to"),
        ("select 1/(id-1) as a from sales", r"a division by zero \(22012\)"),
        ("select s.id, t.id from sales s, sales t", "the query has id more than once; rename"),
    ],
)
def test_what_is_wrong_with_a_query_is_told_without_a_value(sql, url, ask, query, why):
    with pytest.raises(SourceError, match=f"source.loyalty: .*{why}") as refusal:
        ask(url, query)
    assert "SECR" not in str(refusal.value)
    assert refusal.value.__context__ is None


def test_a_statement_timeout_is_told(url, ask):
    with pytest.raises(SourceError, match=r"statement timeout \(57014\); look at the server\'s statement_timeout"):
        ask(f"{url}?options=-c%20statement_timeout%3D50", "select pg_sleep(5)::text as a")


def test_missing_rights_are_told(sql, postgresql, ask):
    url = f"postgresql://reader:reading@127.0.0.1:{postgresql.port}/postgres"
    assert len(ask(url, "select * from sales")) == 2
    sql("revoke select on sales from reader")
    with pytest.raises(SourceError, match=r"permission denied for table sales \(42501\); grant select on it"):
        ask(url, "select * from sales")


@pytest.mark.parametrize("secret", ["wrong", "wr%40ng%3A%2Fsecret", "%25%23%3F"])
def test_a_wrong_password_is_told_without_any_of_it(postgresql, ask, secret):
    with pytest.raises(SourceError) as refusal:
        ask(f"postgresql://owner:{secret}@127.0.0.1:{postgresql.port}/shop", "select 1 as a")
    assert str(refusal.value) == (
        f"source.loyalty: postgresql at 127.0.0.1:{postgresql.port}, database shop: no connection: connection to "
        f'server at "127.0.0.1", port {postgresql.port} failed: FATAL: password authentication failed for user "owner"'
    )
    assert refusal.value.__context__ is None


def test_a_password_of_awkward_letters_is_taken(sql, postgresql, ask):
    sql(f"alter role reader password '{AWKWARD}'")
    encoded = "p%40ss%3Aw%2Frd%23%3F%25%26%2B%5B%20"
    url = f"postgresql://reader:{encoded}@127.0.0.1:{postgresql.port}/postgres"
    assert ask(url, "select current_user::text as who") == [{"who": "reader"}]


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("127.0.0.1:{port}/nowhere", 'database nowhere: no connection: .*database "nowhere" does not exist'),
        ("127.0.0.1:1/shop", "postgresql at 127.0.0.1:1, database shop: no connection: .*Connection refused"),
        ("nowhere.invalid/shop", "postgresql at nowhere.invalid, .*could not translate host name"),
        ("127.0.0.1:{port}/postgres?sslmode=require", "server does not support SSL, but SSL was required"),
    ],
)
def test_a_server_that_cannot_be_reached_is_named(postgresql, ask, at, why):
    url = f"postgresql://owner:{postgresql.password}@{at.format(port=postgresql.port)}"
    with pytest.raises(SourceError, match=why) as refusal:
        ask(url, "select 1 as a")
    assert postgresql.password not in str(refusal.value)
