"""DuckDB files: streamed, typed, and opened for reading only."""

from contextlib import ExitStack

import duckdb
import pytest

from connectors.warehouse import open_query
from schemas.errors import SourceError
from schemas.watermarks import Bound, Kind

URL = "duckdb:///shop.duckdb"


@pytest.fixture
def shop(tmp_path):
    """`shop(*statements)` runs them in the file."""

    def run(*statements):
        with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
            for statement in statements:
                connection.execute(statement)

    run("create table sales (id integer)", "insert into sales values (1), (2)")
    return run


def test_a_batch_holds_few_rows_where_they_are_wide(shop, tmp_path):
    shop("create type tier as enum ('gold', 'blue')")
    sizes = {}
    for width in (1, 10_000):
        with ExitStack() as stack:
            query = f"select 'blue'::tier as tier, repeat('x', {width}) as text from range(25000)"
            reading = open_query(URL, query, None, "t", "source.t", stack, folder=tmp_path).reading
            sizes[width] = [batch.rows.num_rows for batch in reading.batches()]
    assert sizes == {1: [20_000, 5_000], 10_000: [1_000] * 25}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("timestamptz '2024-01-02 03:04:05+02'", "2024-01-02T01:04:05+00:00"),
        ("timestamp '2024-01-02 03:04:05.5'", "2024-01-02T03:04:05.500000"),
        ("timestamp_s '2024-01-02 03:04:05'", "2024-01-02T03:04:05"),
        ("timestamp_ns '2024-01-02 03:04:05.123456789'", "2024-01-02T03:04:05.123456789"),
        ("timestamptz 'infinity'", "infinity"),
        ("timestamp '-infinity'", "-infinity"),
        ("date 'infinity'", "infinity"),
        ("date '0044-03-15 (BC)'", "-0043-03-15"),
        ("170141183460469231731687303715884105727::hugeint", "170141183460469231731687303715884105727"),
        ("1.50::decimal(38, 2)", "1.50"),
        ("0.1::double", "0.1"),
        ("interval 1 day", "1 day"),
        ("'12:00:00+02'::timetz", "12:00:00+02"),
        ("'101'::bit", "101"),
        ("uuid '00000000-0000-0000-0000-000000000007'", "00000000-0000-0000-0000-000000000007"),
        ("""'{"a": 1.10}'::json""", '{"a": 1.10}'),
        ("[1.10, 2]", "[1.10,2.00]"),
        ("{'a': [1], 'b': null}", '{"a":[1],"b":null}'),
        ("'x'::enum('x', 'y')", "x"),
        ("union_value(a := 1)", "1"),
        ("'0091'", "0091"),
        ("null", None),
        ("true", "true"),
    ],
)  # fmt: skip
def test_a_value_becomes_its_exact_text(shop, ask, value, text):
    assert ask(URL, f"select {value} as a") == [{"a": text}]


def test_a_time_has_one_text_whatever_stands_beside_it(shop, ask):
    shop('create table times ("at" timestamp_ns)', "insert into times values ('2024-01-02 03:04:05.5')")
    (alone,) = ask(URL, 'select "at" from times')
    shop("insert into times values ('2024-01-02 03:04:05.123456789'), ('2024-01-02 03:04:05')")
    assert ask(URL, 'select "at" from times') == [
        alone, {"at": "2024-01-02T03:04:05.123456789"}, {"at": "2024-01-02T03:04:05"},
    ]  # fmt: skip
    shop("insert into times values ('infinity')")
    assert ask(URL, 'select "at" from times limit 1') == [alone]
    assert alone == {"at": "2024-01-02T03:04:05.500000"}


@pytest.mark.parametrize(
    ("kind", "type_", "first", "second"),
    [
        (Kind.TIMESTAMPTZ, "timestamptz", "2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00.000001+00:00"),
        (Kind.TIMESTAMP, "timestamp", "2024-01-01T00:00:00", "2024-01-01T00:00:00.000001"),
        (Kind.DATE, "date", "2024-01-01", "2024-01-02"),
        (Kind.INTEGER, "hugeint", "-9223372036854775809", "4"),
        (Kind.DECIMAL, "decimal(38, 3)", "12345678901234567890.001", "12345678901234567890.002"),
        (Kind.TEXT, "varchar", "a", "x' or 1=1 --"),
    ],
)
def test_the_first_run_is_full_and_tells_the_kind_the_next_one_goes_on(shop, ask, kind, type_, first, second):
    shop(f"create table log (moment {type_})")
    quoted = second.replace("'", "''")
    shop(f"insert into log values ('{first}'), ('{quoted}'), (null)")
    query = "select moment from log where moment > :since order by moment"
    assert [row["moment"] for row in ask(URL, query, Bound("moment", None, None))] == [first, second]
    assert ask.query.kind == kind
    assert [row["moment"] for row in ask(URL, query, Bound("moment", kind, first))] == [second]
    assert ask(URL, query, Bound("moment", kind, second)) == []
    assert ask.query.reading.columns == ("moment",)


def test_a_column_that_changed_its_kind_asks_for_a_full_run(shop, ask):
    with pytest.raises(SourceError, match="id was date and is integer now; run once with --full"):
        ask(URL, "select id from sales where id > :since", Bound("id", Kind.DATE, "2024-01-01"))


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("with x as (select 7) insert into sales select * from x", "opened for reading only"),
        ("select nope from sales", 'the query: Referenced column "nope" not found'),
        ("select id\nfrm sales s t", r'the query: syntax error at or near "sales" \(line 2\)'),
        ("select * from nope", "Table with name nope does not exist!"),
        ("select ('SECR' || id)::int as a from sales", "a row could not be computed"),
        ("select id as a, id as a from sales", "the query has a more than once"),
    ],
)
def test_what_goes_wrong_is_told_without_a_value(shop, ask, query, why):
    with pytest.raises(SourceError, match=f"source.loyalty: .*{why}") as refusal:
        ask(URL, query)
    assert "SECR" not in str(refusal.value)
    assert refusal.value.__context__ is None


def test_an_error_on_the_way_says_how_far_the_rows_came(shop, ask):
    """DuckDB computes ahead of what is fetched: where it fails at once no row came."""
    with pytest.raises(SourceError, match=r"the query failed after (0|\d+,\d{3}) rows: a row could not be computed"):
        ask(URL, "select case when i = 500000 then 'SECR' else '1' end::int as x from range(1000000) t(i)")


def test_awkward_names_are_kept(shop, ask):
    assert ask(URL, """select 1 as "a ""b"" :since", interval 1 day as "c d", 'x' as ünï""") == [
        {'a "b" :since': "1", "c d": "1 day", "ünï": "x"}
    ]


def test_a_file_that_another_process_writes_is_told(shop, tmp_path, ask):
    (tmp_path / "shop.duckdb").write_bytes(b"x" * 5000)
    with pytest.raises(SourceError, match=r"duckdb file .*shop.duckdb: no access: "):
        ask(URL, "select 1 as a")
