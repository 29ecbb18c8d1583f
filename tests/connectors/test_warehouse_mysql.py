"""MySQL's protocol against a real MariaDB: exact text, a stream, and nothing written."""

import socket
from contextlib import ExitStack, closing
from pathlib import Path

import pymysql
import pytest

from connectors.warehouse import open_query
from schemas.errors import SourceError
from schemas.watermarks import Bound, Kind

LONG = "select seq, repeat('x', 200) as text from shop.seq_1_to_1000000"


@pytest.fixture(params=["mysql", "mariadb"])
def url(request, mariadb):
    return mariadb.url(request.param, "shop")


@pytest.fixture
def sql(mariadb):
    """`sql(statement, ...)` runs statements as the owner and gives the last one's rows."""
    with closing(
        pymysql.connect(host="127.0.0.1", port=mariadb.port, user=mariadb.user, password=mariadb.password,
                        database="shop", autocommit=True)
    ) as connection, connection.cursor() as cursor:  # fmt: skip

        def run(*statements):
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall()

        run("create table sales (id int, name text)", "insert into sales values (1, 'Anna'), (2, null)")
        yield run
        run("drop table sales")


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("datetime(6)", "'2024-01-02 03:04:05.5'", "2024-01-02T03:04:05.500000"),
        ("datetime", "'2024-01-02 03:04:05'", "2024-01-02T03:04:05"),
        ("timestamp(3)", "'2024-01-02 03:04:05.120'", "2024-01-02T03:04:05.120000+00:00"),
        ("datetime", "'0000-00-00 00:00:00'", "0000-00-00T00:00:00"),
        ("date", "'2024-02-29'", "2024-02-29"),
        ("time", "'-838:59:59'", "-838:59:59"),
        ("year", "2024", "2024"),
        ("decimal(30,5)", "1234567890123456789.5", "1234567890123456789.50000"),
        ("bigint unsigned", "18446744073709551615", "18446744073709551615"),
        ("double", "0.1", "0.1"),
        ("bit(10)", "b'1000000001'", "513"),
        ("json", """'{"a": 1.10}'""", '{"a": 1.10}'),
        ("blob", "'café'", "café"),
        ("varchar(9)", "'0091 é😀'", "0091 é😀"),
        ("char(5)", "'ab'", "ab"),
        ("enum('x','y')", "'y'", "y"),
        ("tinyint(1)", "true", "1"),
        ("text", "''", ""),
        ("text", "null", None),
    ],
)  # fmt: skip
def test_a_value_becomes_its_exact_text(sql, url, ask, column, value, text):
    sql("set time_zone = '+00:00', names utf8mb4, sql_mode = ''", f"alter table sales add a {column} null")
    sql(f"update sales set a = {value}")
    assert ask(url, "select a, id from sales where id = 1") == [{"a": text, "id": "1"}]


@pytest.mark.parametrize(
    ("query", "bound"),
    [("select id, a as points from sales", None),
     ("select id, a as points from sales where a > :since", Bound("points", None, None)),
     ("select id, a as points from sales where id > :since", Bound("id", None, None))],
)  # fmt: skip
def test_a_float_is_refused_before_the_server_rounds_it(sql, url, ask, query, bound):
    sql("alter table sales add a float", "update sales set a = 1234567")
    with pytest.raises(SourceError, match=r"source\.loyalty: points: the server rounds a float to six digits.*cast"):
        ask(url, query, bound)
    assert ask(url, "select cast(a as double) as points from sales limit 1") == [{"points": "1234567"}]


def test_a_sessions_time_zone_does_not_move_a_moment(sql, url, ask):
    sql("alter table sales add a timestamp null", "set time_zone = '+05:30'", "update sales set a = '2024-01-02 05:30'")
    assert ask(url, "select a from sales limit 1") == [{"a": "2024-01-02T00:00:00+00:00"}]


@pytest.mark.parametrize(
    ("kind", "column", "first", "second"),
    [
        (Kind.TIMESTAMPTZ, "timestamp(6)", "2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00.000001+00:00"),
        (Kind.TIMESTAMP, "datetime(6)", "2024-01-01T00:00:00", "2024-01-01T00:00:00.000001"),
        (Kind.DATE, "date", "2024-01-01", "2024-01-02"),
        (Kind.INTEGER, "bigint", "-3", "9007199254740993"),
        (Kind.DECIMAL, "decimal(40,3)", "12345678901234567890.001", "12345678901234567890.002"),
        (Kind.TEXT, "varchar(20)", "a", "x' or 1=1 -- \\"),
    ],
)
def test_the_first_run_is_full_and_tells_the_kind_the_next_one_goes_on(sql, url, ask, kind, column, first, second):
    sql("set time_zone = '+00:00'", f"alter table sales add at {column} null")
    for number, value in enumerate((first, second), 1):
        literal = value.replace("+00:00", "").replace("\\", "\\\\").replace("'", "''")
        sql(f"update sales set at = '{literal}' where id = {number}")
    sql("insert into sales(id) values (3)")
    query = "select at from sales where at > :since and '5%' like '%' order by at"
    assert [row["at"] for row in ask(url, query, Bound("at", None, None))] == [first, second]
    assert ask.query.kind == kind
    assert [row["at"] for row in ask(url, query, Bound("at", kind, first))] == [second]
    assert ask(url, query, Bound("at", kind, second)) == []


@pytest.mark.parametrize("column", ["datetime(6)", "datetime", "date"])
def test_the_first_run_reads_the_year_that_stands_for_no_date(sql, url, ask, column):
    sql(f"alter table sales add at {column} null", "update sales set at = '0001-01-01'")
    assert len(ask(url, "select id, at from sales where at > :since", Bound("at", None, None))) == 2


def test_awkward_names_and_empty_results_keep_their_columns(url, ask):
    assert ask(url, """select 1 as `a "b" :since`, 2 as `c%s`, 3 as ünï limit 0; -- done""") == []
    assert ask.query.reading.columns == ('a "b" :since', "c%s", "ünï")


def test_closing_early_reads_nothing_more(sql, url):
    with ExitStack() as stack:
        query = open_query(url, LONG, None, "t", "source.t", stack, folder=Path())
        assert next(query.reading.batches()).rows.num_rows == 20_000


@pytest.mark.parametrize("how", ["kill", "kill query"])
def test_a_stream_that_ends_early_is_never_a_short_table(sql, url, how):
    with ExitStack() as stack:
        query = open_query(url, LONG, None, "loyalty", "source.loyalty", stack, folder=Path())
        batches = query.reading.batches()
        next(batches)
        ((number,),) = sql("select max(id) from information_schema.processlist where info like 'select seq, repeat%'")
        sql(f"{how} {number}")
        told = r"connection broke after [\d,]+ rows|query failed after [\d,]+ rows: Query execution was interrupted"
        with pytest.raises(SourceError, match=told) as refusal:
            list(batches)
        assert refusal.value.__context__ is None


def test_a_table_that_somebody_holds_is_not_waited_for_without_end(sql, url, ask, monkeypatch):
    monkeypatch.setattr("connectors.warehouse_mysql.LOCKED_S", 1)
    sql("lock tables sales write")
    try:
        with pytest.raises(SourceError, match=r"Lock wait timeout .*\(1205\); somebody holds the table, run again"):
            ask(url, "select id from sales")
    finally:
        sql("unlock tables")


def test_a_host_that_falls_silent_is_asked_whether_it_is_there(url, ask, monkeypatch):
    made, connect = [], pymysql.connect
    monkeypatch.setattr(pymysql, "connect", lambda **told: made.append(connect(**told)) or made[-1])
    with ExitStack() as stack:
        open_query(url, "select 1 as a", None, "t", "source.t", stack, folder=Path())
        kept = [made[0]._sock.getsockopt(*each) for each in (
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL), (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
        )]  # fmt: skip
    assert kept == [1, 60, 15, 4]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("with x as (select 1) delete from sales", r"READ ONLY transaction|syntax error"),
        ("select nextval(numbers) as a", r"READ ONLY transaction \(1792\); a query may only read"),
        ("select nope from sales", r"Unknown column 'nope' in '.*' \(1054\)"),
        ("select id\nfrm sales s t", r"a syntax error in line 2 \(1064\)"),
        ("select id from nowhere", r"Table 'shop\.nowhere' doesn't exist \(1146\)"),
        ("select s.id, t.id from sales s, sales t", "the query has id more than once"),
        ("select (select name from sales union select 'SECR') as a", r"an error that may quote a value \(1242\)"),
        ("select unhex('ff') as a", r"column a \(binary\) holds what is no text|what is no text; take hex"),
    ],
)
def test_what_is_wrong_with_a_query_is_told_without_a_value(sql, url, ask, query, why):
    sql("create sequence numbers")
    try:
        with pytest.raises(SourceError, match=f"source.loyalty.*({why})") as refusal:
            ask(url, query)
    finally:
        sql("drop sequence numbers")
    assert "SECR" not in str(refusal.value)
    assert refusal.value.__context__ is None


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("owner:wr%40ng-hush@127.0.0.1:{port}/shop", "Access denied for user 'owner'.*look at user and password"),
        ("owner:{password}@127.0.0.1:{port}/nowhere", r"database nowhere: no connection: Unknown database 'nowhere'"),
        ("owner:{password}@127.0.0.1:1/shop", "mysql at 127.0.0.1:1, .*Connection refused"),
        ("owner:{password}@127.0.0.1:{port}/shop?ssl=1", "the URL's ssl: not known; known are ssl_ca"),
    ],
)
def test_a_server_that_cannot_be_used_is_named(mariadb, ask, at, why):
    with pytest.raises(SourceError, match=why) as refusal:
        ask(f"mysql://{at.format(port=mariadb.port, password=mariadb.password)}", "select 1 as a")
    assert not any(secret in str(refusal.value) for secret in (mariadb.password, "wr@ng", "wr%40ng", "hush"))
