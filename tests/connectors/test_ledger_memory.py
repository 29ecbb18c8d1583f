"""What one run leaves to the next: customers as the API has them, and limits that it taught."""

import contextlib
import datetime as dt

import pyarrow as pa
import pytest

from connectors.ledger import ACCEPTED, Ledger

NOW = dt.datetime(2026, 3, 1, 0, 30, tzinfo=dt.UTC)
JOB, OTHER_JOB = "nightly there", "weekly there"
ASHA, BEN, CHAI, DINA = (bytes([n]) * 16 for n in range(4))


@pytest.fixture
def ledger(tmp_path):
    with contextlib.closing(Ledger(tmp_path / "ledger.db")) as opened:
        for run in ("r-1", "r-2", "asks"):
            opened.start_run(run, job="nightly", mode="sync", folder=tmp_path, started_at_utc=NOW)
        yield opened


def customers(*rows):
    """Each as key, fate and whether points were credited; the digest is the key again."""
    columns = [[key for key, _, _ in rows], [key for key, _, _ in rows]]
    columns += [[fate for _, fate, _ in rows], [points for _, _, points in rows]]
    return pa.table([pa.array(c, kind) for c, kind in zip(columns, ACCEPTED.types, strict=True)], schema=ACCEPTED)


def known(ledger, job=JOB):
    found = [row for some in ledger.remembered(job, by_others_than="asks") for row in some.to_pylist()]
    return {row["key"]: (row["fate"], row["points"]) for row in found}


def test_what_was_in_doubt_is_accepted_when_the_same_run_says_so(ledger):
    ledger.remember("r-1", JOB, customers((ASHA, "in_doubt", True)), NOW)
    assert known(ledger) == {ASHA: ("in_doubt", True)}
    ledger.remember("r-1", JOB, customers((ASHA, "accepted", True)), NOW)
    assert known(ledger) == {ASHA: ("accepted", True)}


def test_only_doubts_of_the_run_are_forgotten(ledger):
    ledger.remember("r-1", JOB, customers((ASHA, "in_doubt", True), (BEN, "in_doubt", True)), NOW)
    ledger.remember("r-1", JOB, customers((CHAI, "accepted", True)), NOW)
    ledger.remember("r-2", JOB, customers((DINA, "in_doubt", True)), NOW)
    ledger.remember("r-2", OTHER_JOB, customers((ASHA, "in_doubt", True)), NOW)
    ledger.forget_doubtful("r-1")
    assert known(ledger) == {CHAI: ("accepted", True), DINA: ("in_doubt", True)}
    assert known(ledger, OTHER_JOB) == {ASHA: ("in_doubt", True)}


def test_a_limit_is_learned_for_one_operation_of_one_host(ledger):
    ledger.learn("eu.example", "update", "rows_per_request", 50, NOW)
    ledger.learn("eu.example", "update", "rows_per_request", 25, NOW)
    ledger.learn("eu.example", "update", "requests_per_minute", 40, NOW)
    assert ledger.learned("eu.example", "update") == {"rows_per_request": 25, "requests_per_minute": 40}
    assert (ledger.learned("eu.example", "upsert"), ledger.learned("us.example", "update")) == ({}, {})


def test_a_limit_can_be_forgotten(ledger):
    ledger.learn("eu.example", "update", "rows_per_request", None, NOW)
    ledger.learn("eu.example", "update", "rows_per_request", 50, NOW)
    ledger.learn("eu.example", "update", "requests_per_minute", 40, NOW)
    ledger.learn("eu.example", "update", "rows_per_request", None, NOW)
    assert ledger.learned("eu.example", "update") == {"requests_per_minute": 40}
