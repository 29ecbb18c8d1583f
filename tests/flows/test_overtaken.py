"""A run that goes on after a later one loaded its customers sends no older values, and loses no points."""

import csv
import random

import duckdb
import pytest

from flows import deliver, sending
from tests.flows.test_families import NESTED

pytestmark = pytest.mark.usefixtures("impatient")
QUERY = "select member_no, phone, first_name, points, statement_no from night"
COLUMNS = "member_no text, phone text, first_name text, points int, statement_no text"
HOUR_S = 3600
ONE_BY_ONE = {"limits": {"in_flight": 1, "rows_per_request": 1}, "window": {"from": "00:30", "to": "05:00"}}
NOT_YET = {"min_rows": 1000}


class Nights:
    """Customers in a database, each night others."""

    def __init__(self, desk):
        self.desk = desk
        desk.sandbox.preload(f"C-{n}" for n in range(1, 31))

    def write(self, *rows):
        """Each as number, name, points and statement."""
        told = ", ".join(f"('C-{n}', '98450{n:05}', '{name}', {points}, '{on}')" for n, name, points, on in rows)
        with duckdb.connect(str(self.desk.folder / "shop.duckdb")) as database:
            database.execute(f"create or replace table night ({COLUMNS}); insert into night values {told}")

    def job(self, **over):
        table = {"files": None, "database": "duckdb:///shop.duckdb", "query": QUERY}
        return self.desk.job(**{"mode": "sync", "points_id": "statement_no", "source": {"customers": table}, **over})

    def run(self, *rows, **over):
        self.write(*rows)
        return self.desk("run", self.job(**over))

    def begun(self, *rows, planned=False, **over):
        """A run of which nothing was sent yet, and how it goes on."""
        self.write(*rows)
        name = self.desk("plan" if planned else "run", self.job(guards=NOT_YET, **over)).told["run"]

        def on():
            job = self.job(**over)
            return self.desk("run", job, "--plan", name) if planned else self.desk("resume", name)

        return on

    def name(self, n=1):
        return self.desk.books.customer("externalId", f"C-{n}").profiles[0].first_name

    def booked(self, n=1):
        return [points for _, points in self.desk.books.points_of("externalId", f"C-{n}")]

    def rejected(self, outcome):
        with (self.desk.of(outcome) / "rejected.csv").open(encoding="utf-8", newline="") as opened:
            return list(csv.DictReader(opened))


@pytest.fixture
def nights(desk):
    return Nights(desk)


def codes(outcome):
    return [reason["code"] for reason in outcome.told["reasons"]]


@pytest.mark.parametrize("planned", [False, True])
@pytest.mark.parametrize("mode", ["sync", "migrate"])
def test_older_values_do_not_go_over_newer_ones(nights, planned, mode):
    on = nights.begun((1, "Old", 0, ""), (2, "Old", 0, ""), planned=planned, mode=mode)
    nights.run((1, "New", 0, ""), mode=mode)
    outcome = on()
    assert (outcome.exit_code, outcome.sent) == (0, {"duplicate": 1, "accepted": 1})
    assert (codes(outcome), nights.name(1), nights.name(2)) == (["duplicates.newer_run"], "New", "Old")


def test_points_that_nobody_credited_are_rejected_and_can_be_retried(nights):
    on = nights.begun((1, "Old", 50, "S1"))
    nights.run((1, "New", 20, "S2"))
    outcome = on()
    assert (outcome.sent, outcome.points) == ({"invalid": 1}, {"read": 50, "invalid": 50})
    (left,) = nights.rejected(outcome)
    assert (codes(outcome), left["statement_no"], nights.name()) == (["points.newer_run"], "S1", "New")
    retried = nights.desk("retry", outcome.told["run"])
    assert (retried.sent, nights.booked()) == ({"accepted": 1}, [20, 50])


@pytest.mark.parametrize(
    ("points", "fate", "code"),
    [(50, "duplicate", "duplicates.newer_run"), (60, "invalid", "points.differ_from_credited")],
)
def test_a_statement_that_the_later_run_credited_is_not_lost(nights, points, fate, code):
    on = nights.begun((1, "Old", points, "S1"))
    nights.run((1, "New", 50, "S1"))
    outcome = on()
    assert (outcome.sent, codes(outcome), nights.booked()) == ({fate: 1}, [code], [50])


def test_who_is_as_the_later_run_left_them_gets_the_points(nights):
    on = nights.begun((1, "Asha", 50, "S1"), (2, "Asha", 0, ""))
    nights.run((1, "Asha", 20, "S2"), (2, "Asha", 0, ""))
    assert (on().sent, nights.booked()) == ({"accepted": 1, "unchanged": 1}, [20, 50])


def test_a_later_retry_of_older_rows_is_no_newer_word(nights):
    first = nights.run((1, "Oldest", 1, "S1"), (1, "Oldest", 2, "S2"))
    assert first.sent == {"invalid": 1, "accepted": 1}
    on = nights.begun((1, "Old", 0, ""))
    nights.job()
    assert nights.desk("retry", first.told["run"]).sent == {"accepted": 1}
    assert (on().sent, nights.name()) == ({"accepted": 1}, "Old")


@pytest.fixture
def stopped(desk_with, monkeypatch):
    """Nights with a run that its window stopped: C-1 is in doubt and not applied, C-2 was accepted, C-3 not sent."""
    nights = Nights(desk_with("reset-before:1"))
    open_for = iter([0.0, 0.0])
    monkeypatch.setattr(sending, "opens_in_s", lambda window, now: next(open_for, HOUR_S))
    monkeypatch.setattr(deliver, "opens_in_s", lambda window, now: 0.0)
    run = nights.run((1, "Old", 0, ""), (2, "Old", 0, ""), (3, "Old", 0, ""), **ONE_BY_ONE)
    assert run.sent == {"in_doubt": 1, "accepted": 1, "not_sent": 1}
    monkeypatch.setattr(sending, "opens_in_s", lambda window, now: 0.0)
    return nights, run.told["run"]


def loaded_since(nights, *rows):
    """By another run; a plan, so that the stopped one does not go first."""
    nights.write(*rows)
    planned = nights.desk("plan", nights.job(**ONE_BY_ONE)).told["run"]
    return nights.desk("run", nights.job(**ONE_BY_ONE), "--plan", planned)


@pytest.mark.parametrize(
    ("in_doubt", "newer", "fates"),
    [
        ("resend", "accepted", {"in_doubt": 1, "accepted": 2}),
        ("look_up", "accepted", {"in_doubt": 1, "accepted": 2}),  # the customer was written to since
        ("look_up", "in_doubt", {"duplicate": 1, "accepted": 2}),  # neither was applied
    ],
)
def test_a_doubtful_row_is_not_sent_again_over_newer_values(stopped, in_doubt, newer, fates):
    nights, run = stopped
    nights.desk.sandbox.set_faults(["reset-before:1"] if newer == "in_doubt" else [])
    assert loaded_since(nights, (1, "New", 0, "")).sent == {newer: 1}
    before = nights.name()
    nights.job(destination={"in_doubt": in_doubt}, **ONE_BY_ONE)
    assert nights.desk("resume", run).sent == fates
    assert (nights.name(), nights.name(3)) == (before, "Old")


def test_what_is_in_doubt_is_looked_up_where_nothing_else_is_left(stopped):
    nights, run = stopped
    nights.desk.sandbox.set_faults(["reset-before:1"])
    assert loaded_since(nights, *((n, "New", 0, "") for n in (1, 2, 3))).sent == {"in_doubt": 1, "accepted": 2}
    nights.job(destination={"in_doubt": "look_up"}, **ONE_BY_ONE)
    assert nights.desk("resume", run).sent == {"duplicate": 2, "accepted": 1}


def test_what_was_sent_before_the_later_run_is_no_row_that_is_left(stopped, monkeypatch):
    nights, run = stopped
    loaded_since(nights, (2, "New", 0, ""))
    monkeypatch.setattr(sending, "opens_in_s", lambda window, now: HOUR_S)
    assert nights.desk("resume", run).sent == {"in_doubt": 1, "accepted": 1, "not_sent": 1}
    settled = nights.desk("settle", run, "--as", "accepted")
    assert (settled.exit_code, settled.sent) == (4, {"accepted": 2, "not_sent": 1})


def test_children_of_such_a_row_stay_with_it(desk):
    desk.sandbox.preload(f"C-{n}" for n in range(1, 12))
    desk.write(
        "family.csv", "parent_no,child_no,child_phone,child_name\nC-1,C-9,9845000009,Kid\nC-2,C-10,9845000010,Kid\n"
    )
    nights = Nights(desk)
    table = {"files": None, "database": "duckdb:///shop.duckdb", "query": QUERY}
    over = {"source": {"customers": table, **NESTED["source"]}, "map": NESTED["map"]}
    on = nights.begun((1, "Old", 0, ""), (2, "Old", 5, "S1"), (3, "Old", 0, ""), **over)
    nights.run((1, "New", 0, ""), (2, "New", 0, ""))
    outcome = on()
    assert outcome.sent == {"duplicate": 2, "invalid": 2, "accepted": 1}
    assert sorted(codes(outcome)) == ["duplicates.newer_run", "family.parent", "family.parent", "points.newer_run"]
    assert [(row["member_no"], row["family.child_no"]) for row in nights.rejected(outcome)] == [
        ("C-2", ""),
        ("C-2", "C-10"),
    ]


def test_nights_that_stand_still_and_go_on_in_any_order_credit_each_statement_once(nights):
    """Each statement is booked once or stands in a rejected.csv; and of names the newest is there."""
    chance, waiting, wanted, newest = random.Random(7), [], {n: set() for n in range(1, 13)}, {}
    rejected = {n: set() for n in wanted}

    def heed(outcome):
        assert outcome.exit_code == 0
        assert set(outcome.sent) <= {"accepted", "unchanged", "duplicate", "invalid"}
        assert sum(points for fate, points in outcome.points.items() if fate != "read") == outcome.points["read"]
        for row in nights.rejected(outcome):
            rejected[int(row["member_no"].removeprefix("C-"))].add(int(row["points"]))

    for night in range(10):
        rows = [(n, f"Name{'abcdefghij'[night]}", chance.randint(0, night) + 1) for n in chance.sample(range(1, 13), 8)]
        for n, name, points in rows:
            wanted[n].add(points)
            newest[n] = name
        told = [(n, name, points, f"S{points}") for n, name, points in rows]
        if chance.random() < 0.6:
            waiting.append(nights.begun(*told, planned=chance.random() < 0.5))
        else:
            heed(nights.run(*told))
        if waiting and chance.random() < 0.4:
            heed(waiting.pop(chance.randrange(len(waiting)))())
    while waiting:
        heed(waiting.pop(chance.randrange(len(waiting)))())
    assert any(rejected.values())
    for n, statements in wanted.items():
        booked = nights.booked(n)
        assert len(booked) == len(set(booked))
        assert statements - rejected[n] <= set(booked) <= statements
        assert nights.name(n) == newest.get(n, nights.name(n))
