"""Guards hold to their number and stop beyond it; each says what was found, what is allowed and the way out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.job import Guards
from schemas.outcomes import Fate
from schemas.runs import Changed, Totals
from schemas.vanished import Vanished
from transforms.guards import RefusedShare, broken_before, needs_approval

PLANNED = {Fate.UNREADABLE: 2, Fate.FILTERED: 1000, Fate.INVALID: 144, Fate.DUPLICATE: 54, Fate.NOT_SENT: 1800}
POINTS = {"1016": {Fate.INVALID: 9_000, Fate.NOT_SENT: 700}, "1017": {Fate.NOT_SENT: 300}}
A, R = Fate.ACCEPTED, Fate.REFUSED
NOTHING_KNOWN = Changed()


def totals(rows, points=None):
    points = points or {}
    return Totals(sum(rows.values()), rows, {name: sum(of.values()) for name, of in points.items()}, points)


PLAN = totals(PLANNED, POINTS)


def broken(**guards):
    return broken_before(Guards(**guards), PLAN, most_points_per_customer=40, changed=NOTHING_KNOWN)


@pytest.mark.parametrize(
    ("guard", "holds", "breaks", "said"),
    [
        (
            "min_rows",
            3000,
            3001,
            "3,000 rows were read, at least 3,001 must be; see whether the source is whole, or lower",
        ),
        # Of 2,000 rows: filtered ones are nobody's mistake. Points of invalid rows are not sent.
        (
            "max_invalid_percent",
            7.3,
            7.2,
            "invalid or unreadable are 146 of 2,000 rows (7.3 %), 7.2 % are allowed; see the",
        ),
        (
            "max_points",
            1000,
            999,
            "1,000 points would be sent, 999 are allowed; see whether the mapped column holds points",
        ),
        (
            "max_points_per_customer",
            40,
            39,
            "40 points would go to one customer, 39 are allowed; see whether the mapped",
        ),
    ],
)
def test_a_guard_holds_to_its_number_and_no_further(guard, holds, breaks, said):
    assert broken(**{guard: holds}) == ()
    (told,) = broken(**{guard: breaks})
    assert told.startswith(f"guards.{guard}: {said}")
    assert told.endswith("it in the job file")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (Changed(200, 100), None),
        (Changed(0, 0), None),  # a first load
        (Changed(200, 101), "101 of 200 rows (50.5 %) of known customers changed, 50 % are allowed; see"),
        (Changed(200, 101, mapping_changed=True), "50 % are allowed; the mapping changed since the last load; see"),
    ],
)
def test_too_many_changed_customers_stop_a_run(changed, said):
    told = broken_before(Guards(max_changed_percent=50), PLAN, 0, changed)
    assert [said in one for one in told] == ([True] if said else [])
    assert all(one.startswith("guards.max_changed_percent: ") for one in told)


def test_all_broken_guards_are_told_at_once():
    told = broken(min_rows=5000, max_invalid_percent=1, max_points=1, max_points_per_customer=1)
    assert [one.split(":")[0].removeprefix("guards.") for one in told] == [
        "min_rows", "max_invalid_percent", "max_points", "max_points_per_customer",
    ]  # fmt: skip


def test_without_guards_nothing_is_guarded():
    worst = totals({Fate.INVALID: 10, Fate.REFUSED: 10}, {"1016": {Fate.NOT_SENT: 10**12}})
    assert broken_before(Guards(), worst, 10**12, Changed(1, 1)) == ()
    assert RefusedShare(Guards(), worst.rows).broken() == ()
    assert not needs_approval(Guards(), worst)


def test_a_source_of_filtered_rows_has_nothing_invalid():
    assert broken_before(Guards(max_invalid_percent=0), totals({Fate.FILTERED: 5}), 0, NOTHING_KNOWN) == ()


def test_a_share_never_looks_like_what_is_allowed():
    rows = totals({Fate.INVALID: 50_001, Fate.NOT_SENT: 949_999})
    (told,) = broken_before(Guards(max_invalid_percent=5), rows, 0, NOTHING_KNOWN)
    assert "50,001 of 1,000,000 rows (5.01 %), 5 % are allowed" in told


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([R] * 99, False),  # too few to judge by
        ([R] * 100, True),
        ([A] * 95 + [R] * 5, False),  # as many as are allowed
        ([A] * 94 + [Fate.ACCEPTED_WITH_LOSS] + [R] * 6, True),
        ([A] * 94 + [R] * 5 + [Fate.IN_DOUBT] * 100, False),  # 99 answers, and 100 of nobody knows what
    ],
)
def test_refusals_count_from_a_hundred_answers_on(answers, told):
    assert bool(RefusedShare(Guards(max_refused_percent=5), {}).add(answers)) is told


def test_at_the_end_few_answers_count_too():
    share = RefusedShare(Guards(max_refused_percent=5), {A: 9, R: 1, Fate.IN_DOUBT: 5, Fate.INVALID: 50})
    assert share.add([]) == ()
    assert share.broken() == (
        "guards.max_refused_percent: the API refused 1 of 10 rows (10 %) answered, 5 % are allowed; "
        "see the reasons in the report, or raise it in the job file",
    )


def test_what_an_earlier_process_sent_counts():
    before = totals({A: 94, R: 5, Fate.NOT_SENT: 500})
    assert RefusedShare(Guards(max_refused_percent=5), before.rows).add([R])
    assert not RefusedShare(Guards(max_refused_percent=5), before.rows).add([A])


@given(st.lists(st.sampled_from(Fate), max_size=400), st.integers(0, 400), st.integers(0, 100))
def test_answers_count_alike_however_they_come(answers, cut, percent):
    guards = Guards(max_refused_percent=percent)
    whole, halves = RefusedShare(guards, {}), RefusedShare(guards, {})
    halves.add(answers[:cut])
    assert whole.add(answers) == halves.add(answers[cut:])
    assert whole.broken() == halves.broken()


def test_approval_is_asked_above_its_number_of_points_to_be_sent():
    assert needs_approval(Guards(approve_above_points=999), PLAN)
    assert not needs_approval(Guards(approve_above_points=1000), PLAN)


@pytest.mark.parametrize(
    ("percent", "known", "gone", "broken"),
    [(5, 1000, 50, False), (5, 1000, 51, True), (0, 3, 1, True), (0, 0, 0, False), (100, 3, 3, False)],
)
def test_too_many_may_not_have_vanished(percent, known, gone, broken):
    guards = Guards(max_vanished_percent=percent)
    told = broken_before(guards, PLAN, 0, NOTHING_KNOWN, Vanished(known, gone))
    assert [one.split(" (")[0] for one in told] == (
        [f"guards.max_vanished_percent: {gone:,} of {known:,} customers"] if broken else []
    )


def test_nobody_has_vanished_where_nobody_looked():
    assert broken_before(Guards(max_vanished_percent=0), PLAN, 0, NOTHING_KNOWN, Vanished(not_looked="why")) == ()
