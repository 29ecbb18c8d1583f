"""What one run leaves to the next: customers as the API has them, and limits that it taught."""

import contextlib
import datetime as dt

import pyarrow as pa
import pytest

from connectors.ledger import Ledger
from schemas.memory import ACCEPTED, ACCEPTED_SENT, CHILDREN_SENT, CREDITED, REFUSED_SENT, Remembered

NOW = dt.datetime(2026, 3, 1, 0, 30, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(hours=1)
JOB, OTHER_JOB = "nightly there", "weekly there"
ASHA, BEN, CHAI, DINA = (bytes([n]) * 16 for n in range(4))
OLD, NEW = b"o" * 16, b"n" * 16
MARCH = b"m" * 16


@pytest.fixture
def ledger(tmp_path):
    with contextlib.closing(Ledger(tmp_path / "ledger.db")) as opened:
        for run in ("r-1", "r-2", "asks"):
            opened.start_run(run, job="nightly", mode="sync", folder=tmp_path, started_at_utc=NOW)
            opened.loads_with(run, JOB, "no mapping", "there")
        yield opened


def table(rows, schema):
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)


def left(accepted=(), refused=(), credited=(), children=()):
    """`accepted`, `children`: key, digest, fate, identifiers, when; `refused`: key, digest, when; `credited`: all."""
    tables = [(accepted, ACCEPTED_SENT), (refused, REFUSED_SENT), (credited, CREDITED), (children, CHILDREN_SENT)]
    return Remembered(*(table(rows, schema) for rows, schema in tables))


def customers(*rows):
    """Each as key and fate."""
    return left([(key, OLD, fate, [], NOW) for key, fate in rows])


def lines(tables):
    return [row for some in tables for row in some.to_pylist()]


def known(ledger, job=JOB):
    return {row["key"]: row["fate"] for row in lines(ledger.accepted(job, by_others_than="asks"))}


def digests(ledger):
    return {row["key"]: row["digest"] for row in lines(ledger.accepted(JOB, by_others_than="asks"))}


def credited(ledger):
    told = lines(ledger.credited(JOB, by_others_than="asks"))
    return {(row["key"], row["programme"], row["statement"]): (row["points"], row["fate"]) for row in told}


def refused(ledger, destination="there"):
    return [row["key"] for row in lines(ledger.refused(JOB, "asks", destination))]


def test_what_was_in_doubt_is_accepted_when_the_same_run_says_so(ledger):
    ledger.remember("r-1", JOB, customers((ASHA, "in_doubt")))
    assert known(ledger) == {ASHA: "in_doubt"}
    ledger.remember("r-1", JOB, customers((ASHA, "accepted")))
    assert known(ledger) == {ASHA: "accepted"}


def test_only_doubts_of_the_run_are_forgotten(ledger):
    ledger.remember("r-1", JOB, left(credited=[(ASHA, "1016", MARCH, 5, "in_doubt")]))
    ledger.remember("r-1", JOB, left(credited=[(BEN, "1016", MARCH, 5, "accepted")]))
    ledger.remember("r-2", JOB, left(credited=[(CHAI, "1016", MARCH, 5, "in_doubt")]))
    ledger.remember("r-1", JOB, customers((CHAI, "accepted")))
    ledger.forget_doubtful("r-1")
    assert [key for key, _, _ in credited(ledger)] == [BEN, CHAI]
    assert known(ledger) == {CHAI: "accepted"}


def test_of_a_forgotten_doubt_the_identifiers_stay_and_nothing_counts_as_accepted(ledger):
    """What was accepted before is gone, and the API has its identifiers all the same."""
    ledger.remember("r-1", JOB, left([(ASHA, OLD, "accepted", [1], NOW)]))
    ledger.remember("r-2", JOB, left([(ASHA, NEW, "in_doubt", [2], LATER)], refused=[(ASHA, NEW, NOW)]))
    assert (refused(ledger), ledger.remembered_of([ASHA])[0].accepted.fate) == ([], "in_doubt")
    ledger.forget_doubtful("r-2")
    (told,) = lines(ledger.accepted(JOB, by_others_than="asks"))
    assert (told["fate"], told["identifiers"]) == ("in_doubt", [1, 2])
    assert (refused(ledger), ledger.remembered_of([ASHA])[0].accepted) == ([ASHA], None)
    assert ledger.holders(1) == [(JOB, ASHA)]
    ledger.remember("r-1", JOB, left([(ASHA, OLD, "accepted", [1], NOW)]))
    assert (known(ledger), digests(ledger)) == ({ASHA: "accepted"}, {ASHA: OLD})


def identifiers(ledger, run="asks"):
    return {row["key"]: row["identifiers"] for row in lines(ledger.accepted(JOB, by_others_than=run))}


def test_identifiers_come_back_as_they_were(ledger):
    some, most = [1, 2**64 - 1, 7], [2**63]
    rows = [(ASHA, OLD, "accepted", some, NOW), (BEN, OLD, "accepted", [], NOW), (CHAI, OLD, "accepted", most, NOW)]
    ledger.remember("r-1", JOB, left(rows))
    assert identifiers(ledger) == {ASHA: some, BEN: [], CHAI: most}


@pytest.mark.parametrize(
    ("lists", "known_by"),
    [
        ([[1, 2], [1]], [1, 2]),  # one was left out
        ([[1, 2], [1, 3]], [1, 2, 1, 3]),  # one was replaced
        ([[1, 2], [1, 3], [1, 2], [1, 3], [2]], [1, 2, 1, 3]),  # and back, and again
        ([None, [1], None, []], [1]),
        ([[0], [2**64 - 1]], [0, 2**64 - 1]),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_identifiers_are_never_given_up(ledger, lists, known_by, late):
    """The API keeps what is left out or replaced; also where an older word is written down after a newer one."""
    for place, known_then in enumerate(lists):
        when = NOW - place * (LATER - NOW) if late else NOW
        ledger.remember("r-1", JOB, left([(ASHA, OLD, "accepted", known_then, when)]))
    assert identifiers(ledger) == {ASHA: known_by}


def test_who_is_remembered_without_identifiers_gets_those_of_an_unchanged_row(ledger):
    rows = [(ASHA, OLD, "accepted", None, NOW), (BEN, OLD, "accepted", [], NOW), (CHAI, OLD, "accepted", None, NOW)]
    ledger.remember("r-1", JOB, left(rows))
    assert (ledger.lacks_identifiers(JOB), ledger.lacks_identifiers(OTHER_JOB)) == (True, False)
    met = table(
        [(ASHA, [1, 2]), (BEN, [3]), (DINA, [4])], pa.schema([ACCEPTED.field("key"), ACCEPTED.field("identifiers")])
    )
    ledger.know_by(JOB, met)
    assert (identifiers(ledger)[ASHA], identifiers(ledger)[BEN], ledger.lacks_identifiers(JOB)) == ([1, 2], [], True)
    ledger.remember("r-2", JOB, left([(CHAI, NEW, "accepted", [5], LATER)]))
    assert not ledger.lacks_identifiers(JOB)


def test_a_run_knows_the_identifiers_of_whom_it_sent_itself_and_compares_nothing_with_them(ledger):
    ledger.remember("r-1", JOB, left([(ASHA, OLD, "accepted", [1], NOW), (BEN, OLD, "accepted", [3], NOW)]))
    ledger.remember("r-2", JOB, left([(ASHA, NEW, "accepted", [2], LATER)]))
    told = {row["key"]: row["fate"] for row in lines(ledger.accepted(JOB, by_others_than="r-2"))}
    assert told == {ASHA: "in_doubt", BEN: "accepted"}
    assert identifiers(ledger, run="r-2") == {ASHA: [1, 2], BEN: [3]}


@pytest.mark.parametrize("runs", [("r-1", "r-2"), ("r-2", "r-1")])
def test_what_was_sent_last_counts_whenever_it_is_written_down(ledger, runs):
    """A run of yesterday may be settled, and written down again, after tonight's."""
    sent = {"r-1": (OLD, NOW), "r-2": (NEW, LATER)}
    for run in runs:
        digest, when = sent[run]
        ledger.remember(run, JOB, left([(ASHA, digest, "accepted", [], when)]))
    assert digests(ledger) == {ASHA: NEW}


def test_a_refusal_does_not_change_what_was_accepted(ledger):
    ledger.remember("r-1", JOB, left([(ASHA, OLD, "accepted", [], NOW)]))
    ledger.remember("r-2", JOB, left(refused=[(ASHA, NEW, LATER), (BEN, NEW, LATER)]))
    assert (digests(ledger), sorted(refused(ledger))) == ({ASHA: OLD}, [ASHA, BEN])


def test_a_refusal_is_history_once_something_was_accepted(ledger):
    ledger.remember("r-1", JOB, left(refused=[(ASHA, NEW, NOW)]))
    ledger.remember("r-2", JOB, left([(ASHA, OLD, "accepted", [], LATER)]))
    assert refused(ledger) == []


def test_a_refusal_holds_for_the_destination_that_refused(ledger):
    ledger.remember("r-1", JOB, left(refused=[(ASHA, NEW, NOW)]))
    assert (refused(ledger, "there"), refused(ledger, "upsert there")) == ([ASHA], [])


def children(ledger):
    told = lines(ledger.children(JOB, by_others_than="asks"))
    return {row["key"]: (row["digest"], row["fate"], row["identifiers"]) for row in told}


def test_a_refused_child_keeps_the_identifiers_that_the_api_has(ledger):
    ledger.remember("r-1", JOB, left(children=[(ASHA, OLD, "accepted", [1], NOW), (BEN, OLD, "refused", None, NOW)]))
    ledger.remember("r-2", JOB, left(children=[(ASHA, NEW, "refused", None, LATER)]))
    assert children(ledger) == {ASHA: (NEW, "refused", [1]), BEN: (OLD, "refused", [])}
    assert (ledger.holders(1), known(ledger)) == ([(JOB, ASHA)], {})


def test_of_children_in_doubt_the_identifiers_stay(ledger):
    both = [(ASHA, OLD, "in_doubt", [1], NOW), (BEN, OLD, "accepted_with_loss", [2], NOW)]
    ledger.remember("r-1", JOB, left(children=both))
    ledger.forget_doubtful("r-1")
    assert children(ledger) == {ASHA: (OLD, "accepted", [1]), BEN: (OLD, "accepted_with_loss", [2])}
    ledger.remember("r-1", JOB, left(children=[(ASHA, OLD, "refused", None, NOW)]))
    assert children(ledger)[ASHA] == (OLD, "refused", [1])


def test_a_credit_in_doubt_may_become_one_and_a_credit_stays(ledger):
    doubtful, sure = (ASHA, "1016", MARCH, 50, "in_doubt"), (ASHA, "1016", MARCH, 50, "accepted")
    told = []
    for run, one in (("r-1", doubtful), ("r-1", sure), ("r-2", doubtful)):
        ledger.remember(run, JOB, left(credited=[one]))
        told.append(credited(ledger)[ASHA, "1016", MARCH])
    ledger.forget_doubtful("r-2")
    assert told == [(50, "in_doubt"), (50, "accepted"), (50, "accepted")]
    assert credited(ledger) == {(ASHA, "1016", MARCH): (50, "accepted")}


def test_credits_are_told_apart_by_customer_programme_and_statement(ledger):
    keys = [(ASHA, "1016", MARCH), (ASHA, "1017", MARCH), (ASHA, "1016", b""), (BEN, "1016", MARCH)]
    ledger.remember("r-1", JOB, left(credited=[(*key, points, "accepted") for points, key in enumerate(keys)]))
    assert credited(ledger) == {key: (points, "accepted") for points, key in enumerate(keys)}


def test_who_is_forgotten_leaves_a_tombstone_and_nothing_else(ledger):
    credit = ("1016", MARCH, 50, "accepted")
    both = [(ASHA, OLD, "accepted", [1, 2], NOW), (BEN, OLD, "accepted", [3], NOW)]
    ledger.remember("r-1", JOB, left(both, [(ASHA, NEW, LATER)], [(ASHA, *credit), (BEN, *credit)], both))
    assert ledger.holders(2) == [(JOB, ASHA)]
    assert ledger.forget(JOB, ASHA, LATER) == {"accepted": 1, "refused": 1, "credits": 1, "children": 1}
    assert set(ledger.forget(JOB, ASHA, LATER).values()) == {0}
    assert list(children(ledger)) == [BEN]
    assert (known(ledger), list(credited(ledger)), refused(ledger)) == ({BEN: "accepted"}, [(BEN, "1016", MARCH)], [])
    assert (lines(ledger.forgotten(JOB)), ledger.holders(2)) == ([{"key": ASHA}], [])
    assert ledger.memories() == [JOB]


def test_an_identifier_is_no_stretch_of_two_others(ledger):
    one, two = int.from_bytes(b"\1" * 4 + b"\2" * 4, "little"), int.from_bytes(b"\3" * 4 + b"\4" * 4, "little")
    across = int.from_bytes(b"\2" * 4 + b"\3" * 4, "little")
    ledger.remember("r-1", JOB, left([(ASHA, OLD, "accepted", [one, two], NOW)]))
    assert [ledger.holders(each) for each in (one, two, across)] == [[(JOB, ASHA)], [(JOB, ASHA)], []]


def newer(ledger, than):
    return {row["key"] for row in lines(ledger.newer(JOB, than))}


def test_whom_later_runs_loaded_is_known_to_one_that_goes_on(ledger):
    """What was refused changed nothing, and another job's customers are others."""
    ledger.remember("r-1", JOB, customers((ASHA, "accepted")))
    ledger.remember("r-2", JOB, customers((BEN, "accepted_with_loss"), (CHAI, "in_doubt"), (DINA, "refused")))
    ledger.remember("r-2", OTHER_JOB, customers((ASHA, "accepted")))
    assert [newer(ledger, run) for run in ("r-1", "r-2", "asks")] == [{BEN, CHAI}, set(), set()]


def test_rows_of_a_retry_are_as_old_as_those_of_the_run_that_rejected_them(ledger, tmp_path):
    for run, first in (("again", "r-1"), ("once-more", "again"), ("other", "asks")):
        ledger.start_run(run, job="nightly", mode="sync", folder=tmp_path, started_at_utc=NOW, retry_of=first)
        ledger.loads_with(run, JOB, "no mapping", "there")
    ledger.remember("again", JOB, customers((ASHA, "accepted")))
    ledger.remember("once-more", JOB, customers((BEN, "accepted")))
    ledger.remember("other", JOB, customers((CHAI, "accepted")))
    assert [newer(ledger, run) for run in ("r-1", "r-2", "asks")] == [{CHAI}, {CHAI}, set()]


def test_the_mapping_of_the_run_before_is_known(ledger):
    assert ledger.mapping_before("r-2", OTHER_JOB) is None
    ledger.loads_with("r-1", OTHER_JOB, "abc", "there")
    ledger.loads_with("r-2", OTHER_JOB, "def", "there")
    assert [ledger.mapping_before(run, OTHER_JOB) for run in ("r-2", "asks")] == ["abc", "def"]
    assert ledger.mapping_before("r-2", "no such job") is None


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
