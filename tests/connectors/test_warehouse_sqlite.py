"""SQLite files: every value keeps its text, whatever its neighbours are, and nothing can be written."""

import sqlite3
from contextlib import ExitStack, closing

import pytest

from connectors.warehouse import open_query
from schemas.errors import SourceError
from schemas.watermarks import Bound, Kind

URL = "sqlite:///shop.db"


@pytest.fixture
def shop(tmp_path):
    """`shop(*statements)` runs them in the file."""

    def run(*statements):
        with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    run("create table sales (id, at)")
    return run


def test_values_of_several_types_in_one_column_keep_their_text(shop, ask):
    shop("insert into sales(id) values (9007199254740993), (0.1), ('0091'), (null), (1e16), (2.0), (x'6162'), (1e-7)")
    texts = [row["id"] for row in ask(URL, "select id from sales")]
    assert texts == ["9007199254740993", "0.1", "0091", None, "10000000000000000", "2", "ab", "1e-7"]


def test_awkward_names_and_empty_results_keep_their_columns(shop, ask):
    assert ask(URL, """select 1 as "a ""b"" :since", 2 as [c d], 'x' as ünï where false""") == []
    assert ask.query.reading.columns == ('a "b" :since', "c d", "ünï")


@pytest.mark.parametrize(
    ("values", "kind", "last"),
    [
        ("(1, 9007199254740992), (2, 9007199254740993), (3, null)", Kind.DECIMAL, "9007199254740992"),
        ("(1, '2024-01-01'), (2, '2024-02-01')", Kind.TEXT, "2024-01-01"),
        ("(1, 1.5), (2, 2.5)", Kind.DECIMAL, "1.5"),
    ],
)
def test_the_first_run_is_full_and_tells_the_kind_the_next_one_goes_on(shop, ask, values, kind, last):
    shop(f"insert into sales values {values}")
    query = "select id, at from sales where at > :since"
    assert [row["id"] for row in ask(URL, query, Bound("at", None, None))] == ["1", "2"]
    assert ask.query.kind == kind
    assert [row["id"] for row in ask(URL, query, Bound("at", kind, last))] == ["2"]


def test_a_column_that_changed_its_kind_asks_for_a_full_run(shop, ask):
    shop("insert into sales values (1, 20240101)")
    with pytest.raises(SourceError, match="at was text and is decimal now; run once with --full"):
        ask(URL, "select at from sales where at > :since", Bound("at", Kind.TEXT, "2024-01-01"))


def test_where_no_row_says_there_is_no_kind(shop, ask):
    assert ask(URL, "select id, at from sales where at > :since", Bound("at", None, None)) == []
    assert ask.query.kind is None


def test_a_malicious_value_stays_a_value(shop, ask):
    shop("insert into sales values (1, 'a'), (2, 'x'' or 1=1 --')")
    bound = Bound("at", Kind.TEXT, "x' or 1=1 --")
    assert [row["id"] for row in ask(URL, "select id, at from sales where at >= :since", bound)] == ["2"]


def test_nothing_can_be_written(shop, ask):
    with pytest.raises(SourceError, match="attempt to write a readonly database"):
        ask(URL, "with x as (select 1) insert into sales(id) select * from x returning id")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("select nope from sales", "the query: no such column: nope"),
        ("select from", 'the query: near "from": syntax error'),
        ("select at from sales", r"the query failed after 0 rows: a column holds what is no text; take hex"),
        ("select cast(at as text) as at from sales", r"after 0 rows: a column holds what is no text"),
        ("select id, at from sales where at > :since", "since.column: at is bytes; take a time"),
    ],
)
def test_what_goes_wrong_is_told_without_a_value(shop, ask, query, why):
    shop("insert into sales values (1, x'ff5345435245')")
    bound = Bound("at", None, None) if ":since" in query else None
    with pytest.raises(SourceError, match=why) as refusal:
        ask(URL, query, bound)
    assert "SECR" not in str(refusal.value)
    assert refusal.value.__context__ is None


def test_a_file_that_is_no_database_is_refused(tmp_path, ask):
    (tmp_path / "shop.db").write_text("id,name\n" * 500, encoding="utf-8")
    with pytest.raises(SourceError, match=r"sqlite file .*shop\.db: the query: file is not a database"):
        ask(URL, "select a from sales")


def test_closing_before_the_end_leaves_nothing_open(shop, tmp_path):
    shop("insert into sales(id) values (1)")
    with ExitStack() as stack:
        open_query(URL, "select id from sales", None, "sales", "source.sales", stack, folder=tmp_path)
    shop("drop table sales")  # it would be locked
