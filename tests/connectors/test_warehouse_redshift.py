"""Redshift, with PostgreSQL standing in for it: the driver, the cursor and the forms of values are real."""

from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from connectors.warehouse import open_query
from schemas.errors import SourceError
from schemas.watermarks import Bound, Kind

LONG = "select n, repeat('x', 200) as text from generate_series(1, 300000) n"


@pytest.fixture
def url(postgresql):
    return postgresql.url("redshift", "postgres")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("timestamptz '2024-01-02 03:04:05.5+02'", "2024-01-02T01:04:05.500000+00:00"),
        ("timestamp '2024-01-02 03:04:05'", "2024-01-02T03:04:05"),
        ("timestamptz 'infinity'", "infinity"),
        ("date '2024-02-29'", "2024-02-29"),
        ("1.50::numeric(10, 2)", "1.50"),
        ("0.1::float8", "0.1"),
        ("true", "true"),
        ("false", "false"),
        ("null::bool", None),
        ("""'{"a": 1.10}'::jsonb""", '{"a": 1.10}'),
        ("'0091'", "0091"),
        ("9223372036854775807", "9223372036854775807"),
    ],
)
def test_a_value_becomes_its_exact_text(url, ask, value, text):
    assert ask(url, f"select {value} as a") == [{"a": text}]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1234567::float4", "1234567"),
        ("0.1::float4", "0.1"),
        ("123456789.123456789::float8", "123456789.12345679"),
        ("100000000000000.07::float8", "100000000000000.06"),
        ("1e22::float8", "10000000000000000000000"),
        ("-0.0001234567::float8", "-0.0001234567"),
        ("'Infinity'::float8", "inf"),
    ],
)
def test_a_float_keeps_its_digits_whatever_the_cluster_has_set(url, ask, value, text):
    few = f"{url}?options=-c%20extra_float_digits%3D0"  # as a cluster has it
    assert ask(few, f"select {value} as a") == [{"a": text}]


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        (Kind.TIMESTAMPTZ, "2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00.000001+00:00"),
        (Kind.TIMESTAMP, "2024-01-01T00:00:00", "2024-01-01T00:00:00.000001"),
        (Kind.DATE, "2024-01-01", "2024-01-02"),
        (Kind.INTEGER, "-3", "4"),
        (Kind.DECIMAL, "12345678901234567890.001", "12345678901234567890.002"),
        (Kind.TEXT, "a", "x' or 1=1 --"),
    ],
)
def test_the_first_run_is_full_and_tells_the_kind_the_next_one_goes_on(url, ask, kind, first, second):
    cast = {Kind.INTEGER: "int8", Kind.DECIMAL: "numeric"}.get(kind, kind)
    rows = f"(values ($${first}$$::{cast}), ($${second}$$), (null)) as v(at)"
    query = f"select at from {rows} where at > :since and '5%' like '%' order by at"
    assert [row["at"] for row in ask(url, query, Bound("at", None, None))] == [first, second]
    assert ask.query.kind == kind
    assert [row["at"] for row in ask(url, query, Bound("at", kind, first))] == [second]
    assert ask(url, query, Bound("at", kind, second)) == []
    assert ask.query.reading.columns == ("at",)


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_the_first_run_reads_the_year_that_stands_for_no_date(url, ask, kind):
    query = f"select at from (values ('0001-01-01'::{kind})) as v(at) where at > :since"
    assert len(ask(url, query, Bound("at", None, None))) == 1


def test_a_stream_that_ends_early_is_never_a_short_table(postgresql, url):
    with ExitStack() as stack, psycopg.connect(postgresql.url("postgresql", "postgres"), autocommit=True) as owner:
        query = open_query(url, LONG, None, "loyalty", "source.loyalty", stack, folder=Path())
        batches = query.reading.batches()
        assert next(batches).rows.num_rows == 20_000
        owner.execute("select pg_terminate_backend(pid) from pg_stat_activity where query like 'FETCH%'")
        with pytest.raises(SourceError, match="the connection broke after 20,000 rows; nothing of this run") as refusal:
            list(batches)
        assert refusal.value.__context__ is None


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("select set_config('a.b', 'c', true), txid_current() as a, nextval('pg_catalog.nothing')", "does not exist"),
        ("with x as (delete from pg_class returning 1) select * from x", "data-modifying|read-only"),
        ("select nope", r'the query: column "nope" does not exist \(42703\)'),
        ("select 'SECR'::int as a", "a text cannot be read as the type it is cast to"),
        ("select 1 as a, 2 as a", "the query has a more than once"),
    ],
)
def test_what_is_wrong_with_a_query_is_told_without_a_value(url, ask, query, why):
    with pytest.raises(SourceError, match=f"source.loyalty: .*({why})") as refusal:
        ask(url, query)
    assert "SECR" not in str(refusal.value)
    assert refusal.value.__context__ is None


@pytest.mark.parametrize("scheme", ["redshift", "postgresql"])
@pytest.mark.parametrize(
    "option", ["password=nobodys", "host=192.0.2.1", "port=1", "user=nobody", "dbname=no", "client_encoding=latin1"]
)
def test_what_the_url_says_before_its_options_stands(postgresql, ask, scheme, option):
    """Messages and digests name that host."""
    assert ask(f"{postgresql.url(scheme, 'postgres')}?{option}", "select 'é€' as a") == [{"a": "é€"}]


@pytest.mark.parametrize("option", ["prepare_threshold=hush", "row_factory=hush", "nothing=hush"])
def test_an_option_that_is_not_libpqs_is_refused(url, ask, option):
    name, _, _ = option.partition("=")
    with pytest.raises(SourceError, match=f'no connection: invalid connection option "{name}"') as refusal:
        ask(f"{url}?{option}", "select 1 as a")
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("owner:wr%40ng-hush@127.0.0.1:{port}/shop", 'password authentication failed for user "owner"'),
        ("owner:x@127.0.0.1:1/shop", "redshift at 127.0.0.1:1, database shop: .*Connection refused"),
    ],
)
def test_a_server_that_cannot_be_used_is_named(postgresql, ask, at, why):
    with pytest.raises(SourceError, match=why) as refusal:
        ask(f"redshift://{at.format(port=postgresql.port)}", "select 1 as a")
    assert not any(secret in str(refusal.value) for secret in ("wr@ng", "wr%40ng", "hush"))
