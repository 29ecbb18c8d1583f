"""Snowflake by a double of its connector: which SQL, which values, which calls. (Run by hand against fakesnow.)"""

from decimal import Decimal
from types import SimpleNamespace

import pyarrow as pa
import pytest

from schemas.errors import SourceError
from schemas.watermarks import Bound, Kind
from tests.connectors.doubles import Said, column, installed, table

URL = "snowflake://anna:hu%40sh@acme-eu/SHOP/PUBLIC?warehouse=SMALL&role=READER"
QUERY = "select ID, AT from SALES where AT > :since or AT = :since -- :since"


class SnowflakeError(Exception):
    def __init__(self, text, sqlstate):
        super().__init__(f"000000 ({sqlstate}): {text}")
        self.raw_msg, self.sqlstate = text, sqlstate


@pytest.fixture
def snowflake(monkeypatch):
    """A connector that answers with `tables`, and fails with `error` instead or after them."""
    said = Said()
    double = SimpleNamespace(said=said, tables=[table(ID=[1], AT=["x"])], error=None, code=7, scale=0)

    def batches():
        yield from double.tables
        if double.error:
            raise double.error

    cursor = SimpleNamespace(
        describe=said.hears("describe", lambda *_: [column("AT", type_code=double.code, scale=double.scale)]),
        execute=said.hears("execute"), fetch_arrow_batches=batches, close=said.hears("cursor.close"),
        description=[column("ID"), column("AT")],
    )  # fmt: skip
    connection = SimpleNamespace(cursor=lambda: cursor, close=said.hears("close"))
    installed(
        monkeypatch, "snowflake.connector", connect=said.hears("connect", lambda **_: connection),
        errors=SimpleNamespace(Error=SnowflakeError),
    )  # fmt: skip
    return double


def test_the_url_and_exact_numbers_reach_the_connector(snowflake, ask):
    ask(URL, "select ID, AT from SALES")
    ((given,),) = snowflake.said.of("connect")
    assert given == {
        "account": "acme-eu", "user": "anna", "password": "hu@sh", "database": "SHOP", "schema": "PUBLIC",
        "warehouse": "SMALL", "role": "READER", "login_timeout": 30, "network_timeout": 7_200, "paramstyle": "qmark",
        "application": "bulkload", "arrow_number_to_decimal": True,
    }  # fmt: skip
    assert snowflake.said.of("execute") == [("select ID, AT from SALES", None)]
    assert [name for name, _ in snowflake.said][-2:] == ["cursor.close", "close"]


@pytest.mark.parametrize(
    ("code", "scale", "kind", "value", "placed"),
    [
        (7, 0, Kind.TIMESTAMPTZ, "2024-01-01T00:00:00+00:00", "cast(? as timestamp_tz)"),
        (6, 0, Kind.TIMESTAMPTZ, "2024-01-01T00:00:00+00:00", "cast(? as timestamp_tz)"),
        (8, 0, Kind.TIMESTAMP, "2024-01-01T00:00:00", "cast(? as timestamp_ntz)"),
        (3, 0, Kind.DATE, "2024-01-01", "cast(? as date)"),
        (0, 0, Kind.INTEGER, "12", "cast(? as number(38, 0))"),
        (0, 4, Kind.DECIMAL, "12.345", "cast(? as number(38, 3))"),
        (1, None, Kind.DECIMAL, "1E+300", "cast(? as double)"),
        (2, None, Kind.TEXT, "x' or 1=1 --", "?"),
    ],
)
def test_the_value_is_bound_by_the_server_as_the_columns_type(snowflake, ask, code, scale, kind, value, placed):
    snowflake.code, snowflake.scale = code, scale
    ask(URL, QUERY, Bound("AT", kind, value))
    sql = f"select ID, AT from SALES where AT > {placed} or AT = {placed} -- :since"
    assert snowflake.said.of("execute") == [(sql, [value, value])]
    assert ask.query.kind == kind


def test_the_first_run_asks_for_the_type_and_begins_at_the_lowest(snowflake, ask):
    ask(URL, QUERY, Bound("AT", None, None))
    assert snowflake.said.of("describe") == [("select ID, AT from SALES where AT > null or AT = null -- :since",)]
    assert snowflake.said.of("execute")[0][1] == ["0001-01-01T00:00:00+00:00"] * 2
    assert ask.query.kind == Kind.TIMESTAMPTZ


def test_arrow_becomes_text_and_an_empty_result_keeps_its_columns(snowflake, ask):
    moment = pa.array([1704164645500000000], pa.timestamp("ns", "America/New_York"))
    snowflake.tables = [table(ID=[Decimal("1.50")], AT=moment), table(ID=[Decimal("2.00")], AT=moment)]
    assert ask(URL, "select ID, AT from SALES") == [
        {"ID": "1.50", "AT": "2024-01-02T03:04:05.500000+00:00"},
        {"ID": "2.00", "AT": "2024-01-02T03:04:05.500000+00:00"},
    ]
    finer = pa.array([1704164645500000000, 1704164645000000001], pa.timestamp("ns", "UTC"))
    snowflake.tables = [table(ID=[Decimal("1.50")] * 2, AT=finer)]
    assert [row["AT"] for row in ask(URL, "select ID, AT from SALES")] == [
        "2024-01-02T03:04:05.500000+00:00", "2024-01-02T03:04:05.000000001+00:00",
    ]  # fmt: skip
    snowflake.tables = []
    assert ask(URL, "select ID, AT from SALES") == []
    assert ask.query.reading.columns == ("ID", "AT")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SnowflakeError("Object 'SALES' does not exist", "42S02"), r"Object 'SALES' does not exist \(42S02\)"),
        (SnowflakeError("Numeric value 'SECR' is not recognized", "22018"), r"an error that quotes a value \(22018\)"),
        (OSError("hu@sh"), "the connection broke after 1 rows; nothing of this run was sent; run again"),
    ],
)
def test_a_stream_that_fails_is_told_without_a_value(snowflake, ask, error, told):
    snowflake.error = error
    with pytest.raises(SourceError, match=f"snowflake at acme-eu, database SHOP/PUBLIC: .*{told}") as refusal:
        ask(URL, "select ID, AT from SALES")
    assert not any(secret in str(refusal.value) for secret in ("SECR", "hu@sh", "hu%40sh", "anna"))
    assert refusal.value.__context__ is None


def test_an_unknown_option_is_refused(ask, snowflake):
    with pytest.raises(SourceError, match="the URL's warehous: not known; known are warehouse, role"):
        ask("snowflake://a:b@c/d?warehous=x", "select 1 as a")
