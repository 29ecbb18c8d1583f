"""Since on a real PostgreSQL with writers at work: rows that are committed late are read all the same."""

import random
import threading
import time
from collections import Counter
from datetime import datetime

import psycopg
import pytest

from tests.flows.conftest import merged
from tests.flows.shop import SYNC, read_by, stands

QUERY = (
    "select 'C-' || id as member_no, phone, 'Asha' as first_name, updated_at from customers where updated_at > :since"
)
INSERT = "insert into customers values (%s, '98450' || lpad(%s::text, 5, '0'), now())"


@pytest.fixture
def owner(postgresql):
    with psycopg.connect(postgresql.url("postgresql", "postgres"), autocommit=True) as connection:
        connection.execute("create table customers (id int, phone text, updated_at timestamptz)")
        yield connection
        connection.execute("drop table customers")


@pytest.fixture
def run(desk, postgresql, owner, monkeypatch):
    """`run(overlap)` runs the job, and tells the numbers of the customers whom it read."""
    monkeypatch.setenv("E2E_SHOP", postgresql.url("postgresql", "postgres"))

    def run(overlap, *words):
        table = {
            "files": None,
            "database": "${E2E_SHOP}",
            "query": QUERY,
            "since": {"column": "updated_at", "overlap": overlap},
        }
        # Whoever is not known to the API is made.
        over = {"source": {"customers": table}, "destination": {"operation": "upsert"}}
        outcome = desk("run", desk.job(**merged(SYNC, over)), *words)
        assert outcome.exit_code == 0, outcome.stderr
        return read_by(desk, outcome)

    return run


@pytest.mark.parametrize(
    ("overlap", "met"),
    [("0s", []), ("15m", [1, 2]), ("transactions", [1, 2])],
)
def test_a_row_that_is_committed_late_is_missed_by_its_time_alone(run, owner, postgresql, overlap, met):
    """Its time is when its transaction began: customer 2 was written after customer 1, and committed before."""
    with psycopg.connect(postgresql.url("postgresql", "postgres")) as writer:
        writer.execute(INSERT, (1, 1))
        owner.execute(INSERT, (2, 2))
        assert run(overlap) == [2]
        writer.commit()
    assert sorted(run(overlap)) == met


def test_the_watermark_stays_before_an_open_transaction(run, owner, postgresql, desk):
    with psycopg.connect(postgresql.url("postgresql", "postgres")) as writer:
        (began,) = writer.execute("select now()").fetchone()
        owner.execute(INSERT, (2, 2))
        run("transactions")
        assert datetime.fromisoformat(stands(desk)) < began
        writer.rollback()


def test_a_person_may_say_from_where_on_before_anything_was_read(run, owner):
    owner.execute("insert into customers values (1, '9845000001', '2026-03-01T00:00:00Z')")
    owner.execute("insert into customers values (2, '9845000002', '2026-03-01T00:30:01Z')")
    assert run("0s", "--since", "2026-03-01T06:00") == [2]  # in Kolkata


def test_without_open_transactions_nothing_is_read_twice(run, owner):
    owner.execute("insert into customers values (1, '9845000001', now() - interval '1 hour')")
    assert (run("transactions"), run("transactions")) == ([1], [])


def test_the_way_to_transactions_is_a_full_run(run, owner, desk):
    """Rows of transactions that were open under the overlap may still be missing."""
    owner.execute(INSERT, (1, 1))
    run("15m")
    with pytest.raises(AssertionError, match="run once with --full"):
        run("transactions")
    assert desk("run", str(desk.folder / "job.yaml"), "--full").exit_code == 0
    run("transactions")
    run("15m")  # and back at any time


@pytest.mark.slow
@pytest.mark.parametrize("overlap", ["5s", "transactions"])
def test_four_writers_at_work_lose_no_row(run, owner, postgresql, overlap):
    """Transactions of up to 0.4 s, each with a row; the runs follow one another as fast as they can."""
    numbers, ended = iter(range(1, 100_000)), threading.Event()
    written, lock = list[int](), threading.Lock()

    def write(seed):
        chance = random.Random(seed)
        with psycopg.connect(postgresql.url("postgresql", "postgres")) as connection:
            while not ended.is_set():
                with lock:
                    number = next(numbers)
                connection.execute(INSERT, (number, number))
                time.sleep(chance.uniform(0, 0.4))
                connection.commit()
                written.append(number)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for writer in writers:
        writer.start()
    met = Counter[int]()
    try:
        for _ in range(6):
            met.update(run(overlap))
    finally:
        ended.set()
        for writer in writers:
            writer.join()
    met.update(run(overlap))
    assert (sorted(met), len(written) > 20) == (sorted(written), True)
