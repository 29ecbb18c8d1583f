"""Which dropped files a job has loaded, from run to run."""

import contextlib
import datetime as dt

import pytest

from connectors.ledger import Ledger
from schemas.taken import TakenFile

NOW = dt.datetime(2026, 3, 1, 0, 30, tzinfo=dt.UTC)
JOB, DIGEST = "nightly there", "0a" * 32


@pytest.fixture
def ledger(tmp_path):
    with contextlib.closing(Ledger(tmp_path / "ledger.db")) as opened:
        for run in ("r-1", "r-2"):
            opened.start_run(run, job="nightly", mode="sync", folder=tmp_path, started_at_utc=NOW)
        yield opened


def file(name, sha256=DIGEST):
    return TakenFile(f"sftp://host/{name}", f"/{name}", "a stamp", sha256, 5, (0,))


def test_a_file_is_known_by_its_content(ledger):
    ledger.loaded("r-1", JOB, {"customers": [file("a.csv")]}, NOW)
    assert ledger.loaded_by(JOB, "customers", DIGEST) == "r-1"
    assert ledger.loaded_by(JOB, "customers", DIGEST.upper()) == "r-1"


@pytest.mark.parametrize(
    ("job", "table", "sha256"),
    [("weekly there", "customers", DIGEST), (JOB, "loyalty", DIGEST), (JOB, "customers", "0b" * 32)],
    ids=["job", "table", "content"],
)
def test_what_another_job_or_table_loaded_is_new(ledger, job, table, sha256):
    ledger.loaded("r-1", JOB, {"customers": [file("a.csv")]}, NOW)
    assert ledger.loaded_by(job, table, sha256) is None


def test_what_is_loaded_again_by_force_is_the_later_run_s(ledger):
    ledger.loaded("r-1", JOB, {"customers": [file("a.csv")]}, NOW)
    ledger.loaded("r-2", JOB, {"customers": [file("b.csv")], "loyalty": []}, NOW)
    assert ledger.loaded_by(JOB, "customers", DIGEST) == "r-2"


def test_a_run_without_files_marks_none(ledger):
    ledger.loaded("r-1", JOB, {}, NOW)
    assert ledger.loaded_by(JOB, "customers", DIGEST) is None
