"""SQL Server by Microsoft's driver, as Arrow; mssql://user:password@host:1433/database?Encrypt=yes."""

import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from connectors.asking import BATCH_ROWS, CONNECT_S, Answer, Asked, Driver, Trouble, driver_module, kind_of, options_of
from connectors.bounds import checked_value, scale_of
from connectors.lines import check_names
from schemas.watermarks import Kind

OPTIONS = ("Encrypt", "TrustServerCertificate", "HostNameInCertificate", "Authentication", "MultiSubnetFailover")
_KINDS = {
    "datetimeoffset": Kind.TIMESTAMPTZ, "date": Kind.DATE,
    **dict.fromkeys(("datetime2", "datetime", "smalldatetime"), Kind.TIMESTAMP),
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), Kind.INTEGER),
    **dict.fromkeys(("decimal", "numeric", "money", "smallmoney", "float", "real"), Kind.DECIMAL),
    **dict.fromkeys(("char", "varchar", "nchar", "nvarchar"), Kind.TEXT),
}  # fmt: skip
_AS = {
    Kind.TIMESTAMPTZ: "cast(? as datetimeoffset(7))", Kind.TIMESTAMP: "cast(? as datetime2(7))",
    Kind.DATE: "cast(? as date)", Kind.INTEGER: "cast(? as bigint)", Kind.TEXT: "?",
}  # fmt: skip
_LOWEST = {
    Kind.TIMESTAMPTZ: "0001-01-01T00:00:00+00:00", Kind.TIMESTAMP: "0001-01-01T00:00:00", Kind.DATE: "0001-01-01",
    Kind.INTEGER: str(-(2**63)), Kind.DECIMAL: "-1e300", Kind.TEXT: "",
}  # fmt: skip
# Errors that name objects, users and hosts; others quote values.
_QUOTABLE = re.compile(
    r"(Invalid object name|Invalid column name|Incorrect syntax|Ambiguous column|The \w+ permission was denied"
    r"|Login failed|Cannot open database|Login timeout|Query timeout|Server is not found|TCP Provider|SSL Provider"
    r"|No column name|The multi-part identifier)[^\n]*"
)
_GONE = re.compile(r"Communication link failure|connection (is|was) (broken|closed)|forcibly closed|08S01|08007")


def answer(asked: Asked) -> Answer:
    """Run the query with the intent to read, and roll back; what the user may write is for the grants to say."""
    mssql = driver_module("mssql_python", "mssql", asked.label)
    options = options_of(asked, OPTIONS)
    driver = Driver((mssql.Error, OSError, RuntimeError, pa.ArrowException), _read)
    connection = asked.trying(
        driver, "no connection", lambda: mssql.connect(_told(asked, options), autocommit=False, timeout=0)
    )
    asked.stack.callback(connection.close)
    asked.stack.callback(connection.rollback)
    return asked.trying(driver, "the query", lambda: _run(asked, driver, connection.cursor()))


def _told(asked: Asked, options: dict[str, str]) -> str:
    address = asked.address
    parts = {"Server": f"{address.host},{address.port or 1433}", "Database": address.path, "Uid": address.user}
    parts |= {"Pwd": address.password, "ApplicationIntent": "ReadOnly", "Connect Timeout": str(CONNECT_S), **options}
    return "".join(f"{name}={_braced(value)};" for name, value in parts.items() if value)


def _braced(value: str) -> str:
    return "{" + value.replace("}", "}}") + "}"


def _run(asked: Asked, driver: Driver, cursor: Any) -> Answer:
    kind, values, placed = None, list[str](), ""
    if asked.bound is not None:
        # A query with order by or with is no part of another one here; the server tells its columns unrun.
        cursor.execute("exec sys.sp_describe_first_result_set @tsql = ?", asked.words.filled("null"))
        places = {each[0]: place for place, each in enumerate(cursor.description)}
        found = [(row[places["name"]], row[places["system_type_name"]]) for row in cursor.fetchall()]
        kinds = {name: (told, _KINDS.get(told.partition("(")[0])) for name, told in found}
        kind = kind_of(asked.bound.column, kinds, asked.label)
        value = checked_value(asked.bound, kind, asked.label)
        values = [_LOWEST[kind] if value is None else str(value)] * (len(asked.words.pieces) - 1)
        placed = _as(kind, value)
    cursor.execute(asked.words.filled(placed), *values)
    check_names([each[0] for each in cursor.description], asked.label, "the query")
    reader = cursor.arrow_reader(batch_size=BATCH_ROWS)
    asked.stack.callback(reader.close)
    batches: Iterator[pa.RecordBatch] = iter(reader)
    return Answer(reader.schema, asked.streamed(driver, batches), kind)


def _as(kind: Kind, value: object) -> str:
    if kind != Kind.DECIMAL:
        return _AS[kind]
    scale = scale_of(value)
    return "cast(? as float)" if scale is None else f"cast(? as decimal(38, {scale}))"


def _read(error: Exception) -> Trouble:
    text = str(error)
    if _GONE.search(text):
        return Trouble("the connection broke", gone=True)
    found = _QUOTABLE.search(text)
    return Trouble(
        found.group() if found else "an error that may quote a value; try the query in the server's own client"
    )
