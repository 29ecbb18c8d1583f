"""`bulkload init` of databases and of files on servers: looked at where they lie, and no secret of a URL is written."""

import sqlite3
from urllib.parse import quote

import adbc_driver_postgresql.dbapi
import duckdb
import pytest

from tests.servers_files import Ftp, Web, running
from transforms.job_file import read_job

ENVIRONMENT = {"CAPILLARY_KEY": "k", "CAPILLARY_SECRET": "s"}
SECRET = "planted-s3cret@/"
HEADER = "member_no,phone,first_name,updated_at"
MOBILES = ["7012345001", "8012345002", "9012345003", "9512345004", "+91 99123 45005", "8812345006", "9812345007"]
ROWS = [(f"C-{n}", mobile, "Asha", f"2024-05-{n:02} 10:00:00") for n, mobile in enumerate(MOBILES, 1)]
CSV = "\n".join([HEADER, *(",".join(row) for row in ROWS)]).encode()
CREATE = "create table members (member_no text, phone text, first_name text, updated_at timestamp)"


@pytest.fixture
def here(desk, monkeypatch):
    monkeypatch.chdir(desk.folder)
    return desk


def written(desk, name: str, **environment: str):
    """The job, and its text."""
    text = (desk.folder / name).read_text(encoding="utf-8")
    return read_job(text, ENVIRONMENT | environment), text


def maps_as_it_should(job) -> bool:
    assert {word: value.column for word, value in job.map.identifiers.items()} == {
        "externalId": "member_no",
        "mobile": "phone",
    }
    assert (job.key, job.locale.country, job.rules.duplicates.by) == ("member_no", "IN", "updated_at")
    return True


# databases


@pytest.fixture
def sqlite(here):
    with sqlite3.connect(here.folder / "crm.db") as made:
        made.execute(CREATE)
        made.executemany("insert into members values (?, ?, ?, ?)", ROWS)
    made.close()
    return "sqlite:///crm.db"


def test_a_table_of_a_database_file_is_named_from_where_the_job_lies(here, sqlite):
    (here.folder / "jobs").mkdir()
    assert here.say("init", sqlite, "--table", "members", "-o", "jobs/members.yaml").exit_code == 0
    job, _ = written(here, "jobs/members.yaml")
    table = job.source["customers"]
    assert (table.database.get_secret_value(), table.query) == ("sqlite:///../crm.db", "select * from members")
    assert maps_as_it_should(job)


def test_a_job_for_a_query_is_named_after_nothing_it_holds(here, sqlite):
    query = "select * from members where first_name = 'Asha'"
    assert here.say("init", sqlite, "--query", query).exit_code == 0
    job, _ = written(here, "customers.yaml")
    assert job.source["customers"].query == query
    assert maps_as_it_should(job)


def test_duckdb_is_asked_too(here):
    with duckdb.connect(str(here.folder / "crm.duckdb")) as made:
        made.execute(CREATE)
        made.executemany("insert into members values (?, ?, ?, ?)", ROWS)
    assert here.say("init", "duckdb:///crm.duckdb", "--table", "members").exit_code == 0
    assert maps_as_it_should(written(here, "members.yaml")[0])


def test_the_password_of_a_database_stays_in_the_environment(here, postgresql):
    url = postgresql.url("postgresql", "postgres")
    with adbc_driver_postgresql.dbapi.connect(url) as made, made.cursor() as cursor:
        cursor.execute("drop table if exists init_members")
        cursor.execute(CREATE.replace("members", "init_members"))
        values = ", ".join(str(row) for row in ROWS)
        cursor.execute(f"insert into init_members values {values}")
        made.commit()
    told = here.say("init", url, "--table", "public.init_members")
    assert told.exit_code == 0
    job, text = written(here, "init-members.yaml", WAREHOUSE_URL=url)
    assert job.source["customers"].database.get_secret_value() == url
    assert "database: ${WAREHOUSE_URL}" in text
    assert postgresql.password not in text + told.stdout + told.stderr
    assert maps_as_it_should(job)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["sqlite:///crm.db"], "a database needs --query or --table"),
        (["sqlite:///crm.db", "--table", "members", "--query", "select 1 as id"], "one of them"),
        (["customers.csv", "--query", "select 1 as id"], "--query goes with a database's URL"),
        (["customers.csv", "--table", "members"], "goes with a database's URL or an Excel workbook"),
        (["sqlite:///crm.db", "--query", "delete from members"], "no query"),
        (["sqlite:///crm.db", "--table", "strangers"], "strangers"),
        (["sqlite:///crm.db", "--query", "select '${HOME}' as id"], "takes for a placeholder"),
        (["postgresql://loader:planted-s3cret@@127.0.0.1:1/crm", "--table", "members"], "cannot be split"),
    ],
)
def test_what_cannot_be_asked_is_refused_without_a_secret(here, sqlite, words, problem):
    refused = here.say("init", *words, "-o", "job.yaml")
    assert (refused.exit_code, (here.folder / "job.yaml").exists()) == (2, False)
    assert problem in refused.stderr
    assert "planted" not in refused.stderr


# servers


def test_a_login_in_a_url_goes_to_the_environment(here, monkeypatch):
    monkeypatch.setattr(Ftp, "PASSWORD", SECRET)
    with running(Ftp(here.folder / "ftp")) as server:
        server.put("in/members.csv", CSV)
        url = f"ftp://loader:{quote(SECRET, safe='')}@127.0.0.1:{server.port}/in/members.csv"
        told = here.say("init", url)
    assert told.exit_code == 0
    job, text = written(here, "members.yaml", SOURCE_USER="loader", SOURCE_PASSWORD=SECRET)
    table = job.source["customers"]
    assert table.files == f"ftp://127.0.0.1:{server.port}/in/members.csv"
    assert (table.login.user, table.login.password.get_secret_value()) == ("loader", SECRET)
    assert not [word for word in ("planted", "s3cret") if word in text + told.stdout + told.stderr]
    assert maps_as_it_should(job)


def test_a_signed_url_goes_to_the_environment_whole(here):
    with running(Web(here.folder / "web")) as server:
        server.put("members.csv", CSV)
        url = server.url("members.csv?signature=planted-s3cret")
        told = here.say("init", url)
    assert told.exit_code == 0
    job, text = written(here, "members.yaml", SOURCE_URL=url)
    assert job.source["customers"].files == url
    assert "planted" not in text + told.stdout + told.stderr
    assert maps_as_it_should(job)


def test_of_several_files_on_a_server_the_first_is_looked_at(here):
    with running(Ftp(here.folder / "ftp")) as server:
        server.put("in/m_1.csv", CSV)
        server.put("in/m_2.csv", CSV)
        url = f"ftp://loader:{Ftp.PASSWORD}@127.0.0.1:{server.port}/in/m_*.csv"
        told = here.say("init", url, "-o", "m.yaml", "--json")
    assert (told.exit_code, told.told["rows"]["read"]) == (0, 7)
    job, text = written(here, "m.yaml", SOURCE_USER="u", SOURCE_PASSWORD="p")
    assert job.source["customers"].files.endswith("/m_*.csv")
    assert "# 2 files, of which the first was looked at" in text


def test_a_server_without_the_file_is_told_in_words(here):
    with running(Web(here.folder / "web")) as server:
        refused = here.say("init", server.url("nothing.csv"))
    assert refused.exit_code == 2
    assert refused.stderr.startswith("source.customers")
