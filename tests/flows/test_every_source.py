"""The same customers give the same payloads, byte for byte, wherever they come from and however they are written."""

import contextlib
import datetime as dt
import gzip
import hashlib
import json
import os
import sqlite3
import zipfile
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from flows import load
from flows.hands import Silent, pool
from flows.settings import Home
from tests.senders import a_sender
from tests.servers_files import NO_SSHD, S3, SSHD, Sftp, running

ROWS = 100_000
# openpyxl takes a minute for as many.
ROWS_OF_A_WORKBOOK = 10_000
MAPPED = {
    "identifiers": {"externalId": "member_no", "mobile": "phone", "email": "email"},
    "firstName": "first_name",
    "lastName": "last_name",
    "fields": {"store_code": "store", "spent": {"column": "spent", "as": "decimal"}},
    "extendedFields": {"dob": {"column": "birth_date", "as": "date"}},
    "loyaltyProgramEnrollments": [
        {"programId": {"value": 1016}, "loyaltyPoints": "points", "pointsExpiryDate": "until"}
    ],
}
COLUMNS = [
    "member_no", "phone", "email", "first_name", "last_name", "store", "spent", "birth_date", "points", "until"
]  # fmt: skip
NAMES = ["Asha", "Zoë", "José", "नेहा", "麗", "O'Neil", 'Anna "Ann"', "Müller, jr"]


def customers(rows: int) -> pa.Table:
    """Leading zeros, long numbers, many scripts, quotes and commas, blanks, exact decimals, days and moments."""
    numbers = range(rows)
    first = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    return pa.table(
        {
            "member_no": [f"{n:012}" for n in numbers],
            "phone": [f"98{n:08}" for n in numbers],
            "email": [f"c{n}@shop.example" for n in numbers],
            "first_name": [NAMES[n % len(NAMES)] for n in numbers],
            "last_name": [None if n % 7 == 0 else f"Rao {n % 50}" for n in numbers],
            "store": [f"{n % 100:04}" for n in numbers],
            "spent": pa.array([Decimal(n) + Decimal("0.25") for n in numbers], pa.decimal128(12, 2)),
            "birth_date": pa.array([dt.date(1950, 1, 1) + dt.timedelta(n % 20_000) for n in numbers], pa.date32()),
            "points": pa.array([n % 900 for n in numbers], pa.int64()),
            "until": pa.array([first + dt.timedelta(seconds=n) for n in numbers], pa.timestamp("us", "UTC")),
        }
    )


@pytest.fixture(scope="module")
def people(request: pytest.FixtureRequest) -> pa.Table:
    return customers(request.param)


@pytest.fixture(scope="module")
def rows(people: pa.Table) -> list[tuple[object, ...]]:
    return list(zip(*(column.to_pylist() for column in people.columns), strict=True))


@pytest.fixture(scope="module")
def text(people: pa.Table) -> bytes:
    """As CSV; a moment with its offset, as people write it."""
    moments = pa.compute.strftime(people.column("until"), format="%Y-%m-%dT%H:%M:%S%Ez")
    written = people.set_column(9, "until", pa.compute.replace_substring_regex(moments, r"\.\d+", ""))
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(written, sink)
    return sink.getvalue().to_pybytes()


def payloads(folder: Path, table: dict[str, object]) -> str:
    """A digest over all payloads that would be sent, in order; what is written in capitals is the environment's."""
    environment = {**os.environ, "EVERY_KEY": "k"} | {
        name: str(table.pop(name)) for name in list(table) if name.isupper()
    }
    job = {
        "name": "every",
        "source": {"customers": table},
        "locale": {"country": "IN"},
        "map": MAPPED,
        "destination": {
            "url": "http://127.0.0.1:9",
            "enrollments": True,
            "auth": {"oauth": {"key": "${EVERY_KEY}", "secret": "${EVERY_KEY}"}},
        },
    }
    (folder / "job.yaml").write_text(json.dumps(job), encoding="utf-8")
    home = Home(folder / "home")
    with pool("threads") as workers:
        made = load.plan(folder / "job.yaml", home, workers, Silent(), environment)
    assert [reason.code for reason in made.reasons] == []
    digest = hashlib.sha256(f"{made.totals.read} rows".encode())
    for part in sorted((home.run(made.run) / "prepared").glob("*.parquet")):
        for payload in pq.read_table(part, columns=["payload"]).column(0).to_pylist():
            digest.update(payload)
    assert not (home.run(made.run) / "landed").exists()
    return digest.hexdigest()


@pytest.fixture(scope="module")
def expected(text: bytes, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("expected")
    (folder / "c.csv").write_bytes(text)
    return payloads(folder, {"files": "c.csv"})


def as_workbook(folder: Path, rows: list[tuple[object, ...]], names: list[str], **_: object) -> dict[str, object]:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Customers")
    sheet.append(names)
    for row in rows:
        # A workbook knows no zones, and numbers are numbers.
        *most, until = row
        assert isinstance(until, dt.datetime)
        sheet.append(
            [float(each) if isinstance(each, Decimal) else each for each in most] + [until.replace(tzinfo=None)]
        )
    book.save(folder / "c.xlsx")
    return {"files": "c.xlsx"}


def as_json_lines(folder: Path, rows: list[tuple[object, ...]], names: list[str], **_: object) -> dict[str, object]:
    with (folder / "c.jsonl").open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(dict(zip(names, row, strict=True)), default=_plain, ensure_ascii=False) + "\n")
    return {"files": "c.jsonl"}


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value.isoformat()  # type: ignore[attr-defined]


def as_parquet(folder: Path, people: pa.Table, **_: object) -> dict[str, object]:
    pq.write_table(people, folder / "c.parquet")
    return {"files": "c.parquet"}


def as_text(name: str, change, **table: object):
    """The CSV, written another way."""

    def write(folder: Path, text: bytes, **_: object) -> dict[str, object]:
        (folder / name).write_bytes(change(text))
        return {"files": name, **table}

    return write


def as_strings(text: bytes) -> pa.Table:
    kinds = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()))
    return pyarrow.csv.read_csv(pa.BufferReader(text), convert_options=kinds)


def with_tabs(text: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(as_strings(text), sink, pyarrow.csv.WriteOptions(delimiter="\t"))
    return sink.getvalue().to_pybytes()


def fixed_width(text: bytes) -> bytes:
    columns = [pa.compute.utf8_rpad(column, 30) for column in as_strings(text).columns]
    return "".join(pa.compute.binary_join_element_wise(*columns, "\n", "").to_pylist()).encode()


def in_a_zip_archive(folder: Path, text: bytes, **_: object) -> dict[str, object]:
    """Cut in two: the second member has a header of its own."""
    lines = text.splitlines(keepends=True)
    with zipfile.ZipFile(folder / "c.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        half = len(lines) // 2
        archive.writestr("c_1.csv", b"".join(lines[:half]))
        archive.writestr("c_2.csv", lines[0] + b"".join(lines[half:]))
    return {"files": "c.zip"}


def encrypted(folder: Path, text: bytes, stack: contextlib.ExitStack, **_: object) -> dict[str, object]:
    sender = stack.enter_context(a_sender())
    (folder / "c.csv.pgp").write_bytes(sender.encrypt(table=text))
    decrypt = {"pgp_key": str(sender.private_key), "passphrase": "${EVERY_PASSPHRASE}"}
    return {"files": "c.csv.pgp", "decrypt": decrypt, "EVERY_PASSPHRASE": sender.passphrase}


TYPES = ("text", "text", "text", "text", "text", "text", "numeric(12, 2)", "date", "bigint", "timestamp with time zone")


def in_postgresql(text: bytes, request: pytest.FixtureRequest, **_: object) -> dict[str, object]:
    server = request.getfixturevalue("postgresql")
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(COLUMNS, TYPES, strict=True))
    with psycopg.connect(server.url("postgresql", "postgres"), autocommit=True) as connection:
        connection.execute(f"create table people (nr serial, {columns})")
        with connection.cursor().copy(
            f"copy people ({', '.join(COLUMNS)}) from stdin with (format csv, header)"
        ) as copy:
            copy.write(text)
    query = f"select {', '.join(COLUMNS)} from people order by nr"
    return {"database": "${EVERY_URL}", "query": query, "EVERY_URL": server.url("postgresql", "postgres")}


def in_duckdb(folder: Path, people: pa.Table, **_: object) -> dict[str, object]:
    with duckdb.connect(str(folder / "crm.duckdb")) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("people_now", people)
        connection.execute("create table people as from people_now")
    return {"database": "duckdb:///crm.duckdb", "query": "from people"}


def in_sqlite(folder: Path, rows: list[tuple[object, ...]], **_: object) -> dict[str, object]:
    with contextlib.closing(sqlite3.connect(folder / "crm.sqlite")) as connection:
        connection.execute(f"create table people ({', '.join(COLUMNS)})")
        plain = (tuple(str(x) if isinstance(x, Decimal | dt.date) else x for x in row) for row in rows)
        connection.executemany(f"insert into people values ({', '.join('?' * len(COLUMNS))})", plain)
        connection.commit()
    return {"database": "sqlite:///crm.sqlite", "query": "select * from people order by rowid"}


def in_a_bucket(
    text: bytes, stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch, **_: object
) -> dict[str, object]:
    server = stack.enter_context(running(S3()))
    server.client.create_bucket(Bucket="customers")
    server.client.put_object(Bucket="customers", Key="inbox/c.csv.gz", Body=gzip.compress(text, mtime=0))
    where = {"ENDPOINT_URL": server.endpoint, "ACCESS_KEY_ID": "testing", "SECRET_ACCESS_KEY": "testing"}
    for name, value in where.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return {"files": "s3://customers/inbox/*.csv.gz"}


def on_a_server(folder: Path, text: bytes, stack: contextlib.ExitStack, **_: object) -> dict[str, object]:
    if SSHD is None:
        pytest.skip(NO_SSHD)
    server = stack.enter_context(running(Sftp(folder / "ssh")))
    (server.root / "c.csv").write_bytes(text)
    return {"files": server.url("c.csv"), "login": server.login.model_dump(exclude_none=True)}


PLACES = {name: f"{30 * n + 1}-{30 * n + 30}" for n, name in enumerate(COLUMNS)}
WAYS = {
    "tsv": as_text("c.tsv", with_tabs),
    "utf-16": as_text("c.csv", lambda text: text.decode().encode("utf-16")),
    "utf-16 without a mark": as_text("c.csv", lambda text: text.decode().encode("utf-16-le")),
    "gb18030": as_text("c.csv", lambda text: text.decode().encode("gb18030"), csv={"encoding": "gb18030"}),
    "fixed width": as_text(
        "c.txt",
        fixed_width,
        format="fixed",
        fixed={name: f"{30 * n + 1}-{30 * n + 30}" for n, name in enumerate(COLUMNS)},
    ),
    "gz": as_text("c.csv.gz", lambda text: gzip.compress(text, mtime=0)),
    "zip": in_a_zip_archive,
    "pgp": encrypted,
    "xlsx": as_workbook,
    "jsonl": as_json_lines,
    "parquet": as_parquet,
    "postgresql": in_postgresql,
    "duckdb": in_duckdb,
    "sqlite": in_sqlite,
    "s3": in_a_bucket,
    "sftp": on_a_server,
}


def few_in_a_workbook(way: str):
    return pytest.param(ROWS_OF_A_WORKBOOK if way == "xlsx" else ROWS, way, id=way)


@pytest.mark.slow
@pytest.mark.parametrize(("people", "way"), [few_in_a_workbook(way) for way in WAYS], indirect=["people"])
def test_the_same_customers_give_the_same_payloads(way, expected, people, rows, text, tmp_path, request, monkeypatch):
    with contextlib.ExitStack() as stack:
        table = WAYS[way](
            folder=tmp_path, people=people, rows=rows, text=text, names=COLUMNS,
            stack=stack, request=request, monkeypatch=monkeypatch,
        )  # fmt: skip
        assert payloads(tmp_path, table) == expected
