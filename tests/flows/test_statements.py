"""A credit is sent once per customer, programme and statement, whatever else changes; held against the API's books."""

import random

import pytest

HEADER = "member_no,phone,first_name,points,statement_no\n"
MODES = pytest.mark.parametrize("mode", ["sync", "migrate"])


def row(n: int, points: object = "", statement: str = "", first_name: str = "Asha") -> str:
    return f"C-{n},98450{n:05},{first_name},{points},{statement}\n"


@pytest.fixture
def night(desk):
    """Load a file of these rows, by statements."""
    desk.sandbox.preload(f"C-{n}" for n in range(1, 31))

    def loaded(*rows: str, **over):
        desk.write("customers.csv", HEADER + "".join(rows))
        return desk.run(**{"points_id": "statement_no", **over})

    return loaded


def booked(desk, n: int = 1) -> list[tuple[int, int]]:
    return desk.books.points_of("externalId", f"C-{n}")


@MODES
def test_yesterdays_credit_is_not_credited_again_and_a_new_statement_is(desk, night, mode):
    first = night(row(1, 50, "S1"), row(2, 70, "S1"), mode=mode)
    second = night(row(1, 50, "S1"), row(2, 30, "S2"), mode=mode)
    third = night(row(1, 50, "S1"), row(2, 30, "S2"), mode=mode)
    assert [run.sent for run in (first, second, third)] == [
        {"accepted": 2}, {"unchanged": 1, "accepted": 1}, {"unchanged": 2},
    ]  # fmt: skip
    assert second.points == {"read": 80, "unchanged": 50, "accepted": 30}
    assert third.told["requests"]["sent"] == 0
    assert (booked(desk, 1), booked(desk, 2)) == ([(1016, 50)], [(1016, 70), (1016, 30)])


@MODES
def test_a_change_is_sent_without_what_was_credited_before(desk, night, mode):
    night(row(1, 50, "S1"), mode=mode)
    changed = night(row(1, 50, "S1", "Renamed"), mode=mode)
    assert (changed.exit_code, changed.sent) == (0, {"accepted": 1})
    assert changed.points == {"read": 50, "unchanged": 50}
    assert desk.books.customer("externalId", "C-1").profiles[0].first_name == "Renamed"
    assert night(row(1, 50, "S1", "Renamed"), mode=mode).sent == {"unchanged": 1}
    assert booked(desk) == [(1016, 50)]


def test_points_that_come_and_go_change_nobody(desk, night):
    """Most nights most customers get none."""
    nights = [("", ""), (50, "S1"), ("", ""), (0, "S2"), (20, "S3"), ("", "S3")]
    told = [night(row(1, points, statement), mode="sync").sent for points, statement in nights]
    once, nothing = {"accepted": 1}, {"unchanged": 1}
    assert told == [once, once, nothing, nothing, once, nothing]
    assert booked(desk) == [(1016, 50), (1016, 20)]


def test_only_the_new_one_of_several_programmes_is_credited(desk, night):
    both = [
        {"programId": {"value": 1016}, "loyaltyPoints": "points"},
        {"programId": {"value": 2077}, "loyaltyPoints": {"value": 7}},
    ]
    night(row(1, 50, "S1"))
    more = night(row(1, 50, "S1"), map={"loyaltyProgramEnrollments": both})
    assert (more.sent, more.told["points"]) == (
        {"accepted": 1},
        {"1016": {"read": 50, "unchanged": 50}, "2077": {"read": 7, "accepted": 7}},
    )
    assert booked(desk) == [(1016, 50), (2077, 7)]


def test_without_statements_a_customer_is_credited_once_per_programme(desk, night):
    night(row(1, 50), points_id=None)
    again = night(row(1, 50, first_name="Renamed"), points_id=None)
    assert (again.sent, again.points) == ({"accepted": 1}, {"read": 50, "unchanged": 50})
    assert booked(desk) == [(1016, 50)]


@MODES
def test_a_restated_statement_is_told_and_not_credited(desk, night, mode):
    night(row(1, 50, "S1"), row(2, 50, "S1"), mode=mode)
    restated = night(row(1, 60, "S1"), row(2, 60, "S1", "Renamed"), mode=mode)
    assert (restated.sent, restated.points) == (
        {"invalid": 1, "accepted": 1},
        {"read": 120, "invalid": 60, "unchanged": 60},
    )
    told = {(reason["fate"], reason["code"]) for reason in restated.told["reasons"]}
    assert told == {("invalid", "points.differ_from_credited"), ("accepted", "points.differ_from_credited")}
    assert (booked(desk, 1), booked(desk, 2)) == ([(1016, 50)], [(1016, 50)])


def test_points_without_their_statement_are_invalid(desk, night):
    run = night(row(1, 50), row(2), row(3, 0))
    assert (run.sent, run.points) == ({"invalid": 1, "accepted": 2}, {"read": 50, "invalid": 50})
    assert [reason["code"] for reason in run.told["reasons"]] == ["points_id.missing"]
    assert desk.books.credits() == {}


def test_the_column_of_statements_must_be_there(night):
    run = night(row(1, 50, "S1"), points_id="statement")
    assert (run.exit_code, "points_id: the source has no column 'statement'" in run.stderr) == (2, True)


def test_two_statements_of_one_customer_are_not_credited_as_one(desk, night):
    """Nor lost in silence: the second is loaded by a retry."""
    run = night(row(1, 50, "S1"), row(1, 20, "S2"), row(2, 5, "S1"), row(2, 5, "S1"))
    assert (run.sent, run.points) == (
        {"invalid": 1, "duplicate": 1, "accepted": 2},
        {"read": 80, "invalid": 50, "duplicate": 5, "accepted": 25},
    )
    assert ("invalid", "points.another_statement") in {(r["fate"], r["code"]) for r in run.told["reasons"]}
    retry = desk("retry", run.told["run"])
    assert (retry.sent, retry.points) == ({"accepted": 1}, {"read": 50, "accepted": 50})
    assert booked(desk) == [(1016, 20), (1016, 50)]


def test_only_the_statement_in_doubt_is_held_back(desk_with):
    desk = desk_with("lost:1")
    desk.sandbox.preload(["C-1"])
    told = []
    for rows in ((row(1, 50, "S1"),), (row(1, 50, "S1"),), (row(1, 20, "S2"),), (row(1),)):
        desk.write("customers.csv", HEADER + "".join(rows))
        run = desk.run(points_id="statement_no", mode="sync")
        told.append((run.sent, run.points))
    assert told == [
        ({"in_doubt": 1}, {"read": 50, "in_doubt": 50}),
        ({"in_doubt": 1}, {"read": 50, "in_doubt": 50}),
        ({"accepted": 1}, {"read": 20, "accepted": 20}),
        ({"unchanged": 1}, {"read": 0}),
    ]
    assert booked(desk) == [(1016, 50), (1016, 20)]


def test_a_doubt_that_is_settled_as_accepted_is_a_credit(desk_with):
    desk = desk_with("lost:1")
    desk.sandbox.preload(["C-1"])
    desk.write("customers.csv", HEADER + row(1, 50, "S1"))
    run = desk.run(points_id="statement_no", mode="sync")
    assert desk("settle", run.told["run"], "--as", "accepted").sent == {"accepted": 1}
    assert desk.run(points_id="statement_no", mode="sync").sent == {"unchanged": 1}
    assert booked(desk) == [(1016, 50)]


def test_a_lost_change_is_looked_up_as_it_was_sent(desk, night):
    """Without yesterday's credit, which the books have from yesterday."""
    night(row(1, 50, "S1"), mode="sync")
    desk.sandbox.set_faults(["lost:1"])
    found = night(row(1, 50, "S1", "Renamed"), mode="sync", destination={"in_doubt": "look_up"})
    assert (found.sent, found.points) == ({"accepted": 1}, {"read": 50, "unchanged": 50})
    assert found.told["requests"]["looked_up"] > 0
    assert booked(desk) == [(1016, 50)]


def test_guards_count_only_what_will_be_credited(night):
    night(*(row(n, 1000, "S1") for n in range(1, 4)))
    guards = {"max_points": 10, "max_points_per_customer": 10, "approve_above_points": 10}
    rows = [row(n, 1000, "S1", "Renamed") for n in range(1, 4)]
    assert night(*rows, row(4, 10, "S1"), guards=guards).sent == {"accepted": 4}
    stopped = night(*rows, row(5, 11, "S1"), guards={"max_points": 10})
    assert (stopped.exit_code, "11 points would be sent" in stopped.told["stopped_because"]) == (3, True)


@MODES
def test_nights_in_any_order_of_rows_credit_each_statement_once(desk, night, mode):
    """Rows come and go, repeat old statements and change names; the books have each statement, and nothing else."""
    chance = random.Random(7)
    wanted: dict[int, set[str]] = {n: set() for n in range(1, 31)}
    for number in range(4):
        rows = []
        for n in chance.sample(range(1, 31), 25):
            statement = f"S{chance.randint(0, number)}"
            wanted[n].add(statement)
            rows.append(row(n, 1 + int(statement[1:]), statement, chance.choice(["Asha", "Renamed"])))
        run = night(*rows, mode=mode)
        assert sum(run.points.get(fate, 0) for fate in ("accepted", "unchanged")) == run.points["read"]
        assert set(run.sent) <= {"accepted", "unchanged"}
    for n, statements in wanted.items():
        assert sorted(booked(desk, n)) == sorted((1016, 1 + int(one[1:])) for one in statements)


@MODES
def test_a_job_that_learns_of_statements_credits_nobody_twice(desk, night, mode):
    """Whether its first statement is what was credited without one is for a person to say."""
    night(row(1, 50), row(2, 70), mode=mode, points_id=None)
    told = night(row(1, 50, "S1"), row(2, 20, "S1"), mode=mode)
    assert told.sent == {"invalid": 2}
    assert [reason["code"] for reason in told.told["reasons"]] == ["points.credited_without_statement"]
    again = desk("retry", told.told["run"])
    assert again.sent == {"accepted": 2}
    assert night(row(1, 50, "S1"), row(2, 30, "S2"), mode=mode).sent == {"unchanged": 1, "accepted": 1}
    assert booked(desk, 2) == [(1016, 70), (1016, 20), (1016, 30)]


@MODES
def test_a_job_that_forgets_its_statements_credits_once(desk, night, mode):
    night(row(1, 50, "S1"), mode=mode)
    night(row(1, 30, "S2"), mode=mode)
    assert night(row(1, 50), mode=mode, points_id=None).sent == {"unchanged": 1}
    assert night(row(1, 80), mode=mode, points_id=None).sent == {"invalid": 1}
    assert booked(desk) == [(1016, 50), (1016, 30)]


def test_a_statement_that_was_retried_is_a_duplicate_the_next_night(desk, night):
    rows = [row(1, 50, "S1"), row(1, 60, "S2")]
    first = night(*rows, mode="sync")
    assert first.sent == {"invalid": 1, "accepted": 1}
    desk("retry", first.told["run"])
    assert night(*rows, mode="sync").sent == {"duplicate": 1, "unchanged": 1}
    assert booked(desk) == [(1016, 60), (1016, 50)]
