"""A query as a table: what a job may ask for, whatever the database is."""

import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from connectors.warehouse import open_query
from schemas.errors import SourceError
from schemas.rows import SourceFile
from schemas.watermarks import Bound, Kind

ROOT = Path(__file__).resolve().parents[2]
URL = "sqlite:///shop.db"


@pytest.fixture(autouse=True)
def shop(tmp_path):
    """A file with the numbers 1 to 45,000 beside the job."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("create table sales (id integer, name text)")
        numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 45000)"
        connection.execute(f"insert into sales {numbers} select i, 'n' || i from n")
        connection.commit()


def test_rows_come_in_batches_and_are_numbered_from_one(tmp_path):
    with ExitStack() as stack:
        query = open_query(URL, "select id, name from sales", None, "sales", "source.sales", stack, folder=tmp_path)
        assert query.reading.columns == ("id", "name")
        batches = list(query.reading.batches())
    assert [batch.rows.num_rows for batch in batches] == [20_000, 20_000, 5_000]
    assert [line for batch in batches for line in batch.lines.to_pylist()] == list(range(1, 45_001))
    assert {field.type for batch in batches for field in batch.rows.schema} == {pa.string()}
    assert batches[2].rows.to_pylist()[-1] == {"id": "45000", "name": "n45000"}


def test_a_query_is_a_file_with_a_digest_of_its_text_and_what_it_is_bound_to(tmp_path, ask):
    digests = set()
    for query, value in (("id > :since", "7"), ("id > :since", "8"), ("id>:since", "7"), ("id > :since", None)):
        ask(URL, f"select id from sales where {query}", Bound("id", Kind.DECIMAL, value))
        (file,) = ask.query.reading.files
        digests.add(file.sha256)
    assert len(digests) == 4
    assert file == SourceFile(Path("loyalty query"), 0, file.sha256, f"sqlite:///{tmp_path}/shop.db")


@pytest.mark.parametrize(
    ("query", "bound", "why"),
    [
        ("select 1 as a where :since", None, r"asks for :since; say with since:"),
        ("select id from sales", Bound("id", None, None), "no :since; write where id > :since"),
        ("select name from sales where id > :since", Bound("id", None, None), "the query gives no id; it gives name"),
        ("select id from sales where id > :since", Bound("id", Kind.DECIMAL, "a"), "begin after is no decimal, which"),
        ("select 1 as a, 2 as a", None, "the query has a more than once; rename"),
        ("select 1 as ' '", None, "the query has no name for column 1"),
    ],
)
def test_a_query_that_does_not_go_with_the_job_is_refused(ask, query, bound, why):
    with pytest.raises(SourceError, match=rf"source\.loyalty: .*{why}"):
        ask(URL, query, bound)


def test_the_horizon_is_postgresqls(ask):
    with pytest.raises(SourceError, match=r"overlap: transactions is PostgreSQL's; give since\.overlap a time"):
        ask(URL, "select id from sales where id > :since", Bound("id", None, None), horizon=True)


@pytest.mark.parametrize(
    ("scheme", "driver"),
    [
        ("postgresql", "adbc_driver_postgresql.dbapi"),
        ("redshift", "psycopg"),
        ("mysql", "pymysql"),
        ("snowflake", "snowflake.connector"),
        ("bigquery", "google.cloud.bigquery"),
        ("databricks", "databricks.sql"),
        ("mssql", "mssql_python"),
    ],
)
def test_a_missing_driver_is_told_with_the_command_that_installs_it(ask, monkeypatch, scheme, driver):
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(SourceError) as refusal:
        ask(f"{scheme}://h/d", "select 1 as a")
    assert str(refusal.value) == (
        f"source.loyalty: {scheme} needs a driver; install it: pip install 'bulkload[{scheme}]'"
    )


COUNTED = {
    "postgresql": "generate_series(1, {rows}) t(n)",
    "redshift": "generate_series(1, {rows}) t(n)",
    "mysql": "(select seq as n from shop.seq_1_to_{rows}) t",
    "duckdb": "range(1, {rows} + 1) t(n)",
    "sqlite": "(with recursive n(n) as (select 1 union all select n + 1 from n where n < {rows}) select n from n) t",
}


@pytest.mark.slow
@pytest.mark.parametrize("scheme", COUNTED)
def test_memory_is_flat_in_the_number_of_rows(request, tmp_path, scheme):
    if scheme == "duckdb":
        duckdb.connect(str(tmp_path / "shop.duckdb")).close()
    url = {"duckdb": "duckdb:///shop.duckdb", "sqlite": URL}.get(scheme) or request.getfixturevalue(
        "mariadb" if scheme == "mysql" else "postgresql"
    ).url(scheme, "shop" if scheme == "mysql" else "postgres")
    text = "'" + "x" * 200 + "'"
    query = f"select n, {text} as a, {text} as b from {COUNTED[scheme]} where n > :since"
    peaks = {rows: peak_mb(url, query.format(rows=rows), rows, tmp_path) for rows in (50_000, 250_000)}
    assert peaks[250_000] < peaks[50_000] + 40, peaks  # of 80 MB and more that these rows would take


def peak_mb(url, query, rows, folder):
    """What a process of its own held at most, reading so many rows."""
    code = """
import sys
from contextlib import ExitStack
from pathlib import Path
from connectors.warehouse import open_query
from schemas.watermarks import Bound
url, query, rows, folder = sys.argv[1:]
with ExitStack() as stack:
    opened = open_query(url, query, Bound("n", None, None), "t", "source.t", stack, folder=Path(folder))
    assert sum(batch.rows.num_rows for batch in opened.reading.batches()) == int(rows)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    command = [sys.executable, "-c", code, url, query, str(rows), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1000
