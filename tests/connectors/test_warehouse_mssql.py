"""SQL Server by a double of Microsoft's driver: which SQL, which values, which calls. Never run against a real one."""

from types import SimpleNamespace

import pyarrow as pa
import pytest

from schemas.errors import SourceError
from schemas.watermarks import Bound, Kind
from tests.connectors.doubles import Said, installed, table

URL = "mssql://anna:hu%7Dsh%3B@db.example/shop?Encrypt=yes"
QUERY = "with s as (select * from sales) select id, at from s where at > :since order by [at :since]"


class MssqlError(Exception):
    pass


@pytest.fixture
def mssql(monkeypatch):
    """A driver whose server calls the column `at` of `type`, and fails with `error` instead of, or after, its rows."""
    said = Said()
    double = SimpleNamespace(said=said, type="datetimeoffset(7)", error=None, early=None)

    class Reader:
        schema = pa.schema([("id", pa.int64()), ("at", pa.string())])
        close = staticmethod(said.hears("reader.close"))

        def __iter__(self):
            yield from table(id=[1], at=["x"]).to_batches()
            if double.error:
                raise double.error

    class Cursor:
        def execute(self, sql, *values):
            said.append(("execute", (sql, *values)))
            if double.early:
                raise double.early
            names = ("is_hidden", "name", "system_type_name") if sql.startswith("exec") else ("id", "at")
            self.description = [(name, None) for name in names]

        def fetchall(self):
            return [(False, "id", "int"), (False, "at", double.type)]

        arrow_reader = staticmethod(said.hears("arrow_reader", lambda batch_size: Reader()))

    connection = SimpleNamespace(cursor=Cursor, rollback=said.hears("rollback"), close=said.hears("close"))
    connect = said.hears("connect", lambda *_, **__: connection)
    installed(monkeypatch, "mssql_python", connect=connect, Error=MssqlError)
    return double


def test_the_url_is_a_connection_string_that_nothing_can_break_out_of(mssql, ask):
    assert ask(URL, "select id, at from sales;") == [{"id": "1", "at": "x"}]
    ((told, options),) = mssql.said.of("connect")
    assert told == (
        "Server={db.example,1433};Database={shop};Uid={anna};Pwd={hu}}sh;};ApplicationIntent={ReadOnly};"
        "Connect Timeout={30};Encrypt={yes};"
    )
    assert options == {"autocommit": False, "timeout": 0}
    assert mssql.said.of("arrow_reader") == [({"batch_size": 20_000},)]
    assert [name for name, _ in mssql.said][-3:] == ["reader.close", "rollback", "close"]


@pytest.mark.parametrize(
    ("type_", "kind", "value", "placed"),
    [
        ("datetimeoffset(7)", Kind.TIMESTAMPTZ, "2024-01-01T00:00:00+00:00", "cast(? as datetimeoffset(7))"),
        ("datetime2(3)", Kind.TIMESTAMP, "2024-01-01T00:00:00", "cast(? as datetime2(7))"),
        ("datetime", Kind.TIMESTAMP, "2024-01-01T00:00:00", "cast(? as datetime2(7))"),
        ("date", Kind.DATE, "2024-01-01", "cast(? as date)"),
        ("bigint", Kind.INTEGER, "12", "cast(? as bigint)"),
        ("decimal(20,4)", Kind.DECIMAL, "12.345", "cast(? as decimal(38, 3))"),
        ("float", Kind.DECIMAL, "1E+300", "cast(? as float)"),
        ("nvarchar(40)", Kind.TEXT, "x' or 1=1 --", "?"),
    ],
)
def test_the_value_is_bound_by_the_server_as_the_columns_type(mssql, ask, type_, kind, value, placed):
    mssql.type = type_
    ask(URL, QUERY, Bound("at", kind, value))
    assert mssql.said.of("execute") == [
        ("exec sys.sp_describe_first_result_set @tsql = ?", QUERY.replace("> :since", "> null")),
        (QUERY.replace("> :since", f"> {placed}"), value),
    ]
    assert ask.query.kind == kind


def test_the_first_run_begins_at_the_lowest(mssql, ask):
    ask(URL, QUERY, Bound("at", None, None))
    assert mssql.said.of("execute")[1][1:] == ("0001-01-01T00:00:00+00:00",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[SQL Server]Conversion failed when converting the value 'SECR'", "an error that may quote a value"),
        ("[SQL Server]Invalid object name 'sales'.", "Invalid object name 'sales'"),
        ("Communication link failure", "the connection broke after 1 rows; nothing of this run was sent; run again"),
    ],
)
def test_a_stream_that_fails_is_told_without_a_value(mssql, ask, text, told):
    mssql.error = MssqlError(text)
    with pytest.raises(SourceError, match=f"mssql at db.example, database shop: .*{told}") as refusal:
        ask(URL, "select id, at from sales")
    assert "SECR" not in str(refusal.value)
    assert refusal.value.__context__ is None


def test_what_cannot_be_asked_is_told_at_once(mssql, ask):
    mssql.early = MssqlError("[SQL Server]Invalid column name 'nope'.")
    with pytest.raises(SourceError, match="the query: Invalid column name 'nope'"):
        ask(URL, "select nope from sales")
