"""`mode: sync`: what the API accepted is remembered, and only what differs from it is sent."""

import random

HEADER = "member_no,phone,first_name,points\n"
SYNC = {"mode": "sync", "map": {"loyaltyProgramEnrollments": None}}


def rows(*changed: int) -> list[str]:
    return [f"C-{n},98450{n:05},{'Renamed' if n in changed else 'Asha'},0\n" for n in range(1, 31)]


def test_a_file_loaded_twice_sends_nothing_new(desk):
    desk.source(30)
    first, second = desk.run(**SYNC), desk.run(**SYNC)
    assert (first.sent, second.sent) == ({"accepted": 30}, {"unchanged": 30})
    assert second.told["requests"]["sent"] == 0
    assert second.exit_code == 0
    assert desk.books.written_twice() == []


def test_only_customers_that_changed_are_sent(desk):
    desk.source(30)
    desk.run(**SYNC)
    desk.write("customers.csv", HEADER + "".join(rows(4, 17)))
    again = desk.run(**SYNC)
    assert again.sent == {"unchanged": 28, "accepted": 2}
    assert sorted(row["line"] for row in desk.results(again) if row["fate"] == "accepted") == [5, 18]


def test_the_order_of_rows_changes_nothing(desk):
    desk.source(30)
    desk.run(**SYNC)
    desk.write("customers.csv", HEADER + "".join(random.Random(7).sample(rows(), 30)))
    assert desk.run(**SYNC).sent == {"unchanged": 30}


def test_a_refused_or_doubtful_row_is_not_remembered(desk_with):
    desk = desk_with("lost:1")
    desk.source(30)
    desk.write("customers.csv", HEADER + "".join(rows()) + "X-1,9845099999,Nobody,0\n")
    first = desk.run(**SYNC)
    assert first.sent == {"accepted": 25, "refused": 1, "in_doubt": 5}
    assert desk.run(**SYNC).sent == {"unchanged": 25, "accepted": 5, "refused": 1}


def test_what_another_job_accepted_is_its_own(desk):
    desk.source(30)
    desk.run(**SYNC)
    assert desk.run(**SYNC, name="other").sent == {"accepted": 30}


def test_duplicates_are_told_before_the_unchanged(desk):
    desk.source(30)
    desk.run(**SYNC)
    desk.write("customers.csv", HEADER + "C-1,9845000001,Old,0\n" + "".join(rows()))
    assert desk.run(**SYNC).sent == {"duplicate": 1, "unchanged": 30}
