"""`mode: sync`: what the API accepted is remembered, and only what differs from it is sent."""

import random
from contextlib import closing
from datetime import UTC, datetime

import pytest

from connectors.ledger import Ledger
from tests.flows.conftest import merged

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


def test_what_is_in_doubt_is_sent_again_and_what_was_refused_is_not(desk_with):
    desk = desk_with("lost:1")
    desk.source(30)
    desk.write("customers.csv", HEADER + "".join(rows()) + "X-1,9845099999,Nobody,0\n")
    first = desk.run(**SYNC)
    assert first.sent == {"accepted": 25, "refused": 1, "in_doubt": 5}
    again = desk.run(**SYNC)
    assert again.sent == {"unchanged": 25, "accepted": 5, "refused": 1}
    assert (desk.books.writes(), again.told["requests"]["sent"]) == (
        35,
        1,
    )  # five that the API had, and we did not know


def refused_rows(desk, outcome) -> list[tuple[str, str]]:
    return [(row["fate"], row["codes"]) for row in desk.results(outcome) if row["fate"] == "refused"]


def rejected(desk, outcome) -> str:
    return (desk.of(outcome) / "rejected.csv").read_text(encoding="utf-8")


EARLIER = [("refused", "refused.earlier_run")]


@pytest.mark.parametrize("change", ["the row", "the mapping", "the API, and a retry"])
def test_a_refused_row_is_sent_again_when_it_can_help(desk, change):
    desk.source(3)
    desk.write("customers.csv", HEADER + "".join(rows()[:3]) + "X-1,9845099999,Nobody,0\n")
    first, second = desk.run(**SYNC), desk.run(**SYNC)
    assert (refused_rows(desk, first), refused_rows(desk, second)) == ([("refused", "8009")], EARLIER)
    assert (second.exit_code, second.sent, second.told["requests"]["sent"]) == (0, {"unchanged": 3, "refused": 1}, 0)
    assert '"X-1","9845099999","Nobody","0","refused","refused.earlier_run"' in rejected(desk, second)
    desk.sandbox.preload(["X-1"])
    assert refused_rows(desk, desk.run(**SYNC)) == EARLIER  # nobody told us
    if change == "the row":
        desk.write("customers.csv", HEADER + "X-1,9845099999,Somebody,0\n")
        assert desk.run(**SYNC).sent == {"accepted": 1}
    elif change == "the mapping":
        assert desk.run(**merged(SYNC, {"map": {"lastName": "first_name"}})).sent == {"accepted": 4}
    else:
        assert desk("retry", second.told["run"]).sent == {"accepted": 1}
    assert refused_rows(desk, desk.run(**SYNC)) == []


def test_a_refused_credit_goes_again_with_other_points_only(desk):
    for points, told in ((5, "8009"), (5, "refused.earlier_run"), (6, "8009"), (6, "refused.earlier_run")):
        desk.write("customers.csv", HEADER + f"X-1,9845099999,Nobody,{points}\n")
        run = desk.run(mode="sync")
        assert (refused_rows(desk, run), run.points) == ([("refused", told)], {"read": points, "refused": points})


@pytest.mark.parametrize(
    ("mended", "told"),
    [
        ({"operation": "upsert"}, []),
        ({"attribution": {"code": "no.such.till"}}, [("refused", "1004")]),
        ({"headers": {"x-request": "1"}}, [("refused", "8009")]),
        ({"query": {"format": "json"}}, [("refused", "8009")]),
    ],
)
def test_what_the_job_mends_at_its_destination_is_tried_again(desk, mended, told):
    """One operation may take whom another does not know, one store may have what another lacks."""
    desk.write("customers.csv", HEADER + "X-1,9845099999,Nobody,0\n")
    elsewhere = SYNC | {"destination": mended}
    assert [refused_rows(desk, desk.run(**SYNC)) for _ in range(2)] == [[("refused", "8009")], EARLIER]
    assert [refused_rows(desk, desk.run(**elsewhere)) for _ in range(2)] == [told, EARLIER if told else []]


def test_a_migration_sends_again_what_was_refused(desk):
    desk.write("customers.csv", HEADER + "X-1,9845099999,Nobody,0\n")
    assert [refused_rows(desk, desk.run(**SYNC | {"mode": "migrate"})) for _ in range(2)] == [[("refused", "8009")]] * 2


def test_a_refusal_of_an_earlier_run_breaks_no_guard(desk):
    desk.source(1)
    desk.write("customers.csv", HEADER + rows()[0] + "X-1,9845099999,Nobody,0\n")
    guarded = SYNC | {"guards": {"max_refused_percent": 10}}
    assert [desk.run(**guarded).exit_code for _ in range(2)] == [3, 0]


def test_a_loss_is_remembered_as_such(desk):
    """The API took the customer and dropped a field that it does not know; it is not sent again for that."""
    desk.source(2)
    lossy = merged(SYNC, {"map": {"extendedFields": {"no_such_field": "first_name"}}})
    first, second = desk.run(**lossy), desk.run(**lossy)
    assert (first.sent, second.sent) == ({"accepted_with_loss": 2}, {"unchanged": 2})
    with closing(Ledger(desk.home / "ledger.sqlite")) as ledger:
        (memory,) = ledger.memories()
        (known,) = ledger.accepted(memory, by_others_than=second.told["run"])
    assert known.column("fate").to_pylist() == ["accepted_with_loss"] * 2
    assert all(len(known_by) == 2 for known_by in known.column("identifiers").to_pylist())  # externalId and mobile


def test_what_another_job_accepted_is_its_own(desk):
    desk.source(30)
    desk.run(**SYNC)
    assert desk.run(**SYNC, name="other").sent == {"accepted": 30}


def test_duplicates_are_told_before_the_unchanged(desk):
    desk.source(30)
    desk.run(**SYNC)
    desk.write("customers.csv", HEADER + "C-1,9845000001,Old,0\n" + "".join(rows()))
    assert desk.run(**SYNC).sent == {"duplicate": 1, "unchanged": 30}


RENAMED = merged(SYNC, {"map": {"lastName": "first_name"}})


def test_a_mapping_that_changes_customers_is_told_before_they_are_sent(desk):
    desk.source(10)
    assert desk.run(**SYNC).told.get("notes") is None
    plan = desk("plan", desk.job(**RENAMED))
    assert plan.told["changed"] == {"known": 10, "changed": 10, "mapping_changed": True}
    said = desk.say("plan", desk.job(**RENAMED), "--home", str(desk.home))
    told = "The mapping changed since the last load: it changes 10 of 10 known customers"
    assert (told in said.stdout, told in said.stderr) == (True, True)
    run = desk.run(**RENAMED)
    assert (run.sent, run.told["notes"]) == ({"accepted": 10}, [told])
    assert desk("plan", desk.job(**RENAMED)).told["changed"] == {"known": 10, "changed": 0, "mapping_changed": False}


def test_more_changes_than_allowed_stop_a_run_before_anything_is_sent(desk):
    desk.source(30)
    desk.run(**SYNC)
    desk.write("customers.csv", HEADER + "".join(rows(*range(1, 11))) + "X-1,9845099999,New,0\n")
    guarded = SYNC | {"guards": {"max_changed_percent": 33}}
    stopped = desk.run(**guarded)
    assert (stopped.exit_code, stopped.told["requests"]["sent"]) == (3, 0)
    assert "10 of 30 rows (33.34 %) of known customers changed, 33 % are allowed" in stopped.told["stopped_because"]
    desk.job(**SYNC | {"guards": {"max_changed_percent": 34}})
    assert desk("resume").sent == {"accepted": 10, "unchanged": 20, "refused": 1}
    by_mapping = desk.run(**RENAMED | {"guards": {"max_changed_percent": 34}})
    assert "the mapping changed since the last load" in by_mapping.told["stopped_because"]


def test_who_is_forgotten_is_not_sent_again(desk):
    desk.source(2)
    first = desk.run(mode="sync")
    keys = {row["line"]: row["key_hash"] for row in desk.results(first)}
    with closing(Ledger(desk.home / "ledger.sqlite")) as ledger:
        (memory,) = ledger.memories()
        assert ledger.forget(memory, keys[2], datetime.now(UTC)) == {
            "accepted": 1,
            "refused": 0,
            "credits": 1,
            "children": 0,
        }
    again = desk.run(mode="sync")
    assert (again.sent, again.points) == ({"invalid": 1, "unchanged": 1}, {"read": 3, "invalid": 1, "unchanged": 2})
    assert [reason["code"] for reason in again.told["reasons"]] == ["customer.forgotten"]


def test_a_run_settled_late_does_not_undo_what_was_sent_since(desk_with):
    """Monday's doubt is settled on Tuesday, after Tuesday's change was accepted."""
    desk = desk_with("lost:1")
    desk.source(8)
    monday = desk.run(**SYNC)
    assert monday.sent == {"in_doubt": 5, "accepted": 3}
    desk.write("customers.csv", HEADER + "".join(rows(8)[:8]))
    desk.run(**SYNC)
    assert desk("settle", monday.told["run"], "--as", "accepted").sent == {"accepted": 8}
    assert desk.run(**SYNC).sent == {"unchanged": 8}
    desk.write("customers.csv", HEADER + "".join(rows()[:8]))
    assert desk.run(**SYNC).sent == {"unchanged": 7, "accepted": 1}
