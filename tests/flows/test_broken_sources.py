"""A source that breaks or changes under a run is noticed: nothing is half loaded, and the message says what to do."""

import threading
import time

import psycopg
import pytest

from tests.servers_files import S3, running

CUSTOMERS = "member_no,phone,first_name,points\nC-1,9845000001,Asha,5\n"
QUERY = """
select 'C-' || n as member_no, '98' || lpad(n::text, 8, '0') as phone, 'Asha' as first_name, 1 as points
from generate_series(1, 200000) as n
where n < 150000 or pg_sleep(case when n = 150000 then 60 else 0 end) is not null
"""


@pytest.fixture
def bucket(monkeypatch):
    """A function that puts a customers.csv into a bucket."""
    with running(S3()) as server:
        server.client.create_bucket(Bucket="customers")
        where = {"ENDPOINT_URL": server.endpoint, "ACCESS_KEY_ID": "testing", "SECRET_ACCESS_KEY": "testing"}
        for name, value in where.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        yield lambda text: server.client.put_object(Bucket="customers", Key="customers.csv", Body=text.encode())


def nothing_is_left(desk):
    """No request, no run that could be gone on with, and no file of the source."""
    assert desk.books.requests("/v2/bulk") == []
    assert [run["state"] for run in desk("runs").told["runs"]] in ([], ["failed"])
    return [path.name for path in desk.home.rglob("*") if path.is_file() and path.suffix in (".csv", ".parquet")] == []


def terminate_when_it_sleeps(url):
    """As an administrator or a restart does it, in the middle of the rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        until_s = time.monotonic() + 30
        ended: list[tuple[bool]] = []
        while not ended and time.monotonic() < until_s:
            ended = connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'"
            ).fetchall()
            time.sleep(0.02)


@pytest.mark.slow
def test_a_server_that_goes_away_in_the_middle_of_the_rows_loads_nothing(desk, postgresql, monkeypatch):
    url = postgresql.url("postgresql", "postgres")
    monkeypatch.setenv("E2E_WAREHOUSE", url)
    job = desk.job(source={"customers": {"files": None, "database": "${E2E_WAREHOUSE}", "query": QUERY}})
    ending = threading.Thread(target=terminate_when_it_sleeps, args=[url])
    ending.start()
    told = desk("run", job)
    ending.join()
    assert told.exit_code == 2
    (problem,) = told.told["problems"]
    assert "source.customers" in problem
    assert "run again" in problem
    assert postgresql.password not in told.stdout + told.stderr
    assert nothing_is_left(desk)


def test_an_object_that_was_replaced_between_plan_and_run_is_noticed(desk, bucket):
    bucket(CUSTOMERS)
    job = desk.job(source={"customers": {"files": "s3://customers/customers.csv"}})
    planned = desk("plan", job).told["run"]
    bucket(CUSTOMERS.replace("Asha", "Usha"))
    told = desk("run", job, "--plan", planned)
    assert told.exit_code == 2
    assert "s3://customers/customers.csv changed since it was planned; `bulkload run` starts anew" in told.stderr
    assert desk.books.requests("/v2/bulk") == []


def test_a_plan_of_an_object_is_applied_as_it_was_copied(desk, bucket):
    desk.sandbox.preload(["C-1"])
    bucket(CUSTOMERS)
    job = desk.job(source={"customers": {"files": "s3://customers/customers.csv"}})
    planned = desk("plan", job).told
    assert planned["sources"][0]["uri"] == "s3://customers/customers.csv"
    assert desk("run", job, "--plan", planned["run"]).sent == {"accepted": 1}


def test_a_query_is_read_once_for_its_plan(desk, tmp_path):
    """What the plan showed is sent, whatever the table holds by then."""
    import duckdb

    desk.sandbox.preload(["C-1", "C-2"])
    columns = "'C-1' as member_no, '9845000001' as phone, 'Asha' as first_name, 5 as points"
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as crm:
        crm.execute(f"create table customers as select {columns}")
    table = {"files": None, "database": "duckdb:///crm.duckdb", "query": "from customers"}
    job = desk.job(source={"customers": table})
    planned = desk("plan", job).told["run"]
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as crm:
        crm.execute("update customers set member_no = 'C-2', points = 7")
    told = desk("run", job, "--plan", planned)
    assert (told.sent, told.points) == ({"accepted": 1}, {"read": 5, "accepted": 5})
