"""Databricks by a double of its connector: which SQL, which values, which calls. Never run against the real one."""

from types import SimpleNamespace

import pytest

from schemas.errors import SourceError
from schemas.watermarks import Bound, Kind
from tests.connectors.doubles import Said, installed, table

URL = "databricks://token:hush@dbc.example/main/shop?http_path=/sql/1.0/warehouses/abc"
QUERY = "select id, at from sales where at > :since"


class DatabricksError(Exception):
    pass


@pytest.fixture
def databricks(monkeypatch):
    """A connector that gives `tables` one after another, then an empty one or `error`."""
    said = Said()
    double = SimpleNamespace(said=said, tables=[table(id=[1], at=["x"]), table(id=[2], at=["y"])], error=None)

    def fetch(_):
        if double.tables:
            return double.tables.pop(0)
        if double.error:
            raise double.error
        return table(id=[], at=[])

    cursor = SimpleNamespace(
        execute=said.hears("execute"), fetchmany_arrow=said.hears("fetch", fetch), close=said.hears("cursor.close"),
        description=[("id", "bigint", None), ("at", "timestamp", None)],
    )  # fmt: skip
    double.cursor = cursor
    connection = SimpleNamespace(cursor=lambda: cursor, close=said.hears("close"))
    installed(
        monkeypatch, "databricks.sql", connect=said.hears("connect", lambda **_: connection),
        exc=SimpleNamespace(Error=DatabricksError),
    )  # fmt: skip
    return double


def test_the_url_reaches_the_connector_and_tables_are_fetched_to_the_last(databricks, ask):
    assert ask(URL, "select id, at from sales") == [{"id": "1", "at": "x"}, {"id": "2", "at": "y"}]
    ((given,),) = databricks.said.of("connect")
    assert given == {
        "server_hostname": "dbc.example", "http_path": "/sql/1.0/warehouses/abc", "access_token": "hush",
        "catalog": "main", "schema": "shop", "user_agent_entry": "bulkload",
        "session_configuration": {"timezone": "UTC"},
    }  # fmt: skip
    assert databricks.said.of("fetch") == [(20_000,)] * 3
    assert [name for name, _ in databricks.said][-2:] == ["cursor.close", "close"]


@pytest.mark.parametrize(
    ("told", "kind", "value", "placed"),
    [
        ("timestamp", Kind.TIMESTAMPTZ, "2024-01-01T00:00:00+00:00", "cast(:since as timestamp)"),
        ("timestamp_ntz", Kind.TIMESTAMP, "2024-01-01T00:00:00", "cast(:since as timestamp_ntz)"),
        ("date", Kind.DATE, "2024-01-01", "cast(:since as date)"),
        ("bigint", Kind.INTEGER, "12", "cast(:since as bigint)"),
        ("decimal", Kind.DECIMAL, "12.345", "cast(:since as decimal(38, 3))"),
        ("double", Kind.DECIMAL, "1E+300", "cast(:since as double)"),
        ("string", Kind.TEXT, "x' or 1=1 --", ":since"),
    ],
)
def test_the_value_is_bound_by_the_server_as_the_columns_type(databricks, ask, told, kind, value, placed):
    databricks.cursor.description = [("id", "bigint", None), ("at", told, None)]
    ask(URL, QUERY, Bound("at", kind, value))
    assert databricks.said.of("execute") == [
        ("select * from (select id, at from sales where at > null\n) as asked limit 0",),
        (f"select id, at from sales where at > {placed}", {"since": str(value)}),
    ]
    assert ask.query.kind == kind


def test_the_first_run_begins_at_the_lowest(databricks, ask):
    ask(URL, QUERY, Bound("at", None, None))
    assert databricks.said.of("execute")[1][1] == {"since": "0000-12-31T00:00:00+00:00"}


def test_an_empty_result_keeps_its_columns(databricks, ask):
    databricks.tables = []
    assert ask(URL, "select id, at from sales") == []
    assert ask.query.reading.columns == ("id", "at")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[CAST_INVALID_INPUT] The value 'SECR' cannot be cast. SQLSTATE: 22018", r"quotes a value \(22018\)"),
        (
            "[INSUFFICIENT_PERMISSIONS] no SELECT on sales SQLSTATE: 42501",
            r"no SELECT on sales \(42501\); grant select",
        ),
        ("the server hung up: hush", "the connection broke after 2 rows; nothing of this run was sent; run again"),
    ],
)
def test_a_stream_that_fails_is_told_without_a_value(databricks, ask, text, told):
    databricks.error = DatabricksError(text)
    with pytest.raises(SourceError, match=f"databricks at dbc.example, database main/shop: .*{told}") as refusal:
        ask(URL, "select id, at from sales")
    assert not any(secret in str(refusal.value) for secret in ("SECR", "hush"))
    assert refusal.value.__context__ is None


def test_a_url_without_its_warehouse_is_refused(databricks, ask):
    with pytest.raises(SourceError, match=r"the URL needs \?http_path="):
        ask("databricks://token:hush@dbc.example/main", "select 1 as a")


@pytest.mark.parametrize("who", ["", "dapi0123@", "dapi0123:@", ":@"])
def test_a_url_without_a_token_is_refused_before_a_browser_opens(databricks, ask, who):
    with pytest.raises(SourceError, match="the URL needs a token: databricks://token:") as refusal:
        ask(f"databricks://{who}dbc.example/main?http_path=/sql", "select 1 as a")
    assert "dapi0123" not in str(refusal.value)
    assert databricks.said.of("connect") == []
