"""The first rows go alone, and what became of them is read before the rest goes."""

from collections import Counter
from itertools import pairwise

import pytest

pytestmark = pytest.mark.usefixtures("impatient")
LOOK_UP = {"in_doubt": "look_up"}


def test_the_first_request_is_small_and_alone(desk):
    desk.source(60)
    run = desk.run(limits={"rows_per_request": 25, "in_flight": 4})
    first, *others = sorted(desk.books.requests("/v2/bulk"))
    assert (run.exit_code, run.sent) == (0, {"accepted": 60})
    assert min(one.at_s for one in others) >= first.at_s + first.took_s
    rows = Counter(row["batch"] for row in desk.results(run))
    assert sorted(rows.values()) == [5, 10, 10, 10, 25]  # the first batch of 25 in three
    assert [row["batch"] for row in desk.results(run)[:11]].count(desk.results(run)[0]["batch"]) == 10


def test_a_mapping_that_everybody_is_refused_for_costs_ten_rows(desk):
    desk.source(60)
    desk.write("customers.csv", (desk.folder / "customers.csv").read_text().replace("C-", "X-"))
    run = desk.run()
    assert (run.exit_code, run.told["state"]) == (3, "stopped")
    assert run.sent == {"refused": 5, "not_sent": 55}
    assert "canary: all of the first 5 rows were refused" in run.told["stopped_because"]
    assert len(desk.books.requests("/v2/bulk")) == 1


def test_a_person_who_has_looked_may_go_on(desk):
    desk.source(60)
    desk.write("customers.csv", (desk.folder / "customers.csv").read_text().replace("C-", "X-"))
    stopped = desk.run()
    resumed = desk("resume", stopped.told["run"])
    assert (resumed.exit_code, resumed.sent) == (0, {"refused": 60})


def test_a_single_wrong_row_is_no_reason_to_stop(desk):
    desk.write("customers.csv", "member_no,phone,first_name,points\nX-1,9845000001,Asha,1\n")
    run = desk.run()
    assert (run.exit_code, run.sent) == (0, {"refused": 1})


def test_a_canary_in_doubt_is_followed_by_another(desk_with):
    desk = desk_with("lost:2")
    desk.source(20)
    run = desk.run(limits={"in_flight": 4}, destination=LOOK_UP)
    seen = sorted(desk.books.requests("/v2/bulk"))
    assert (run.exit_code, run.sent) == (0, {"accepted": 20})
    for before, after in pairwise(seen[:4]):
        assert after.at_s >= before.at_s + before.took_s


def test_what_is_swallowed_is_noted(desk):
    """The organisation has no such field, and the API drops it without a word."""
    desk.source(12)
    run = desk.run(destination=LOOK_UP, map={"fields": {"no_such_field": "first_name"}})
    assert run.sent == {"accepted": 12}
    (note,) = run.told["notes"]
    assert note.startswith("fields.no_such_field was sent for the first 5 customers")
