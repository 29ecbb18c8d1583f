"""The same customers give the same payloads, byte for byte, wherever they come from and however they are written."""

import contextlib
import datetime as dt
import gzip
import hashlib
import json
import os
import sqlite3
import subprocess
import zipfile
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from flows import load
from flows.hands import Silent, pool
from flows.settings import Home
from tests.servers import postgresql_server
from tests.servers_files import s3_server, sftp_server

ROWS = 100_000
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
NAMES = ["Asha", "Zoë", "José", "नेहा", "麗", "O'Neil", 'Anna "Ann"', "Müller, jr"]


def customers() -> pa.Table:
    """Leading zeros, long numbers, many scripts, quotes and commas, blanks, exact decimals, days and moments."""
    numbers = range(ROWS)
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
def people() -> pa.Table:
    return customers()


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


def file(name: str, content: bytes, **table: object):
    def write(folder: Path, **_: object) -> dict[str, object]:
        (folder / name).write_bytes(content)
        return {"files": name, **table}

    return write


def payloads(folder: Path, table: dict[str, object]) -> str:
    """A digest over all payloads that would be sent, in order."""
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
    environment = {**os.environ, "EVERY_KEY": "k", "EVERY_URL": str(table.pop("url", ""))}
    with pool("threads") as workers:
        made = load.plan(folder / "job.yaml", home, workers, Silent(), environment)
    assert made.totals.read == ROWS
    assert [reason.code for reason in made.reasons] == []
    digest = hashlib.sha256()
    for part in sorted((home.run(made.run) / "prepared").glob("*.parquet")):
        for payload in pq.read_table(part, columns=["payload"]).column(0).to_pylist():
            digest.update(payload)
    assert not (home.run(made.run) / "landed").exists()
    return digest.hexdigest()


@pytest.fixture(scope="module")
def expected(text: bytes, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("expected")
    return payloads(folder, file("c.csv", text)(folder))
