"""Which steps are legal, as a table; and whatever steps are tried, no row gets two results."""

import contextlib
import datetime as dt
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from connectors import ledger_batches
from connectors.ledger import Ledger
from connectors.ledger_tables import IllegalMove, Intent, Recorded, Settled, Withdrawn, microseconds
from schemas.batches import Batch, Delivered, Doubt
from schemas.outcomes import BatchReply, Fate, RowReply, Verdict

NOW = dt.datetime(2026, 3, 1, 0, 30, tzinfo=dt.UTC)
FOUND = NOW + dt.timedelta(minutes=10)
OK, NO, LATER = RowReply(Fate.ACCEPTED), RowReply(Fate.REFUSED, ("8009",)), RowReply(Fate.REFUSED, ("521",), retry=True)


MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # the moves are tested here, not the disk


@pytest.fixture
def ledger():
    with tempfile.TemporaryDirectory(dir=MEMORY) as home, contextlib.closing(Ledger(Path(home) / "l.db")) as opened:
        opened.start_run("r", job="j", mode="sync", folder=Path(home), started_at_utc=NOW)
        yield opened


def batch(number=1, rows=(1, 2), body=b"[]"):
    return Batch(number, rows, body)


def sent(attempt=1, **changes):
    return Intent(batch(**changes), attempt, NOW)


def answered(verdict, *rows, attempt=1, code="", **changes):
    return Recorded(Delivered(batch(**changes), attempt, BatchReply(verdict, code, rows), "req-1"), NOW)


def results(ledger, *names):
    table = ledger.results("r", 0, 1_000)
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


ANSWERED, REFUSED, IN_DOUBT = answered(Verdict.ANSWERED, OK, NO), answered(Verdict.REFUSED), answered(Verdict.IN_DOUBT)
WITHDRAWN = Withdrawn(1, 1, "connection refused")
STEPS = {
    "send": sent(),
    "send again": sent(attempt=2),
    "withdraw": WITHDRAWN,
    "answer": ANSWERED,
    "refuse": REFUSED,
    "doubt": IN_DOUBT,
}
# From a state (the steps that lead there), which steps are legal; all others are refused.
LEGAL = {
    "new": ([], {"send", "send again"}),
    "planned": ([sent(), WITHDRAWN], {"send", "send again"}),
    "planned, after 2": ([sent(attempt=2), Withdrawn(1, 2, "429")], {"send again"}),
    "sending": ([sent()], {"withdraw", "answer", "refuse", "doubt"}),
    "sending, attempt 2": ([sent(attempt=2)], set()),  # a late answer to attempt 1 answers nothing
    "answered": ([sent(), ANSWERED], set()),
    "refused": ([sent(), REFUSED], set()),
    "in_doubt": ([sent(), IN_DOUBT], set()),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", LEGAL)
def test_a_batch_moves_only_as_it_may(ledger, state, step):
    steps, legal = LEGAL[state]
    for before in steps:
        ledger.write("r", [before])
    expected = contextlib.nullcontext() if step in legal else pytest.raises(IllegalMove, match="batch 1: ")
    with expected:
        ledger.write("r", [STEPS[step]])


@pytest.mark.parametrize("verdict", [Verdict.THROTTLED, Verdict.LATER, Verdict.UNAUTHENTICATED, Verdict.MISCONFIGURED])
def test_verdicts_that_applied_nothing_plan_the_batch_again(ledger, verdict):
    ledger.write("r", [sent(), answered(verdict, code="429"), sent(), ANSWERED])
    assert results(ledger, "row", "fate") == [(1, "accepted"), (2, "refused")]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (answered(Verdict.ANSWERED, OK, NO), [(1, "accepted", ""), (2, "refused", "8009")]),
        (answered(Verdict.ANSWERED, RowReply(Fate.ACCEPTED_WITH_LOSS, ("8056", "8058")), LATER),
         [(1, "accepted_with_loss", "8056;8058")]),  # row 2 is to be sent again
        (answered(Verdict.IN_DOUBT, code="html"), [(1, "in_doubt", "html"), (2, "in_doubt", "html")]),
        (answered(Verdict.REFUSED, code="400"), []),  # to be halved
        (answered(Verdict.TOO_LARGE, code="1060"), []),
    ],
)  # fmt: skip
def test_an_answer_leaves_these_results(ledger, answer, told):
    ledger.write("r", [sent(), answer])
    assert results(ledger, "row", "fate", "codes") == told


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.TOO_LARGE])
def test_a_single_row_refused_as_a_whole_is_refused(ledger, verdict):
    ledger.write("r", [sent(rows=(7,)), answered(verdict, code="400", rows=(7,))])
    assert results(ledger, "row", "fate", "codes") == [(7, "refused", "400")]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([sent(), ANSWERED, sent(number=2, rows=(2, 3))], r"row 2 has its result \(refused, batch 1\) already"),
        ([sent(), sent(number=2, rows=(2, 3)), ANSWERED, answered(Verdict.ANSWERED, OK, OK, number=2, rows=(2, 3))],
         "batch 2: row 2 has its result"),
        ([sent(rows=(4, 4)), answered(Verdict.ANSWERED, OK, OK, rows=(4, 4))], "UNIQUE"),
        ([sent(), answered(Verdict.ANSWERED, OK)], "2 rows and 1 replies"),
        ([sent(), answered(Verdict.ANSWERED, OK, RowReply(Fate.NOT_SENT))], "CHECK"),
        ([sent(), WITHDRAWN, sent(rows=(1, 3))], "other rows or another body"),
        ([sent(), WITHDRAWN, sent(body=b"[{}]")], "other rows or another body"),
    ],
)  # fmt: skip
def test_what_would_make_the_ledger_lie_is_refused(ledger, steps, words):
    with pytest.raises(IllegalMove, match=words):
        for step in steps:
            ledger.write("r", [step])


def test_one_illegal_step_undoes_its_whole_transaction(ledger):
    with pytest.raises(IllegalMove):
        ledger.write("r", [sent(), ANSWERED, ANSWERED])
    assert results(ledger, "row") == []


KIDS = ((8, 9), ())  # row 1 has two children, row 2 none
WITH_KIDS = RowReply(Fate.ACCEPTED, children=(RowReply(Fate.ACCEPTED_WITH_LOSS, ("8056",), "id-8"), NO))


def family(number=1, rows=(1, 2), children=KIDS):
    return Batch(number, rows, b"[]", children=children)


def answered_family(verdict, *rows, code="", **changes):
    return Recorded(Delivered(family(**changes), 1, BatchReply(verdict, code, rows)), NOW)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (answered_family(Verdict.ANSWERED, WITH_KIDS, OK),
         [(1, "accepted", ""), (2, "accepted", ""), (8, "accepted_with_loss", "8056"), (9, "refused", "8009")]),
        (answered_family(Verdict.ANSWERED, replace(LATER, children=(NO, NO)), OK), [(2, "accepted", "")]),
        (answered_family(Verdict.IN_DOUBT, code="html"), [(row, "in_doubt", "html") for row in (1, 2, 8, 9)]),
        (answered_family(Verdict.REFUSED, code="400"), []),  # to be halved
    ],
)  # fmt: skip
def test_children_have_results_beside_their_parents(ledger, answer, told):
    ledger.write("r", [Intent(family(), 1, NOW), answer])
    assert results(ledger, "row", "fate", "codes") == told
    assert {number for (number,) in results(ledger, "batch")} <= {1}


def test_a_family_alone_that_is_refused_as_a_whole_is_refused_with_its_children(ledger):
    alone = {"rows": (1,), "children": ((8, 9),)}
    ledger.write("r", [Intent(family(**alone), 1, NOW), answered_family(Verdict.REFUSED, code="400", **alone)])
    assert results(ledger, "row", "fate", "codes") == [(row, "refused", "400") for row in (1, 8, 9)]


def test_a_dead_process_leaves_children_in_doubt_too(ledger):
    ledger.write("r", [Intent(family(), 1, NOW)])
    assert ledger.doubt_leftovers("r", FOUND) == [1]
    assert results(ledger, "row", "fate") == [(row, "in_doubt") for row in (1, 2, 8, 9)]
    assert [doubt.row for doubt in ledger.doubts("r")] == [1, 2, 8, 9]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([answered_family(Verdict.ANSWERED, OK, OK)], "row 1 has 2 children and 0 replies"),
        ([answered_family(Verdict.ANSWERED, WITH_KIDS, replace(OK, children=(NO,)))], "row 2 has 0 children and"),
        ([answered_family(Verdict.ANSWERED, WITH_KIDS, OK), Intent(family(2, (3,), ((9,),)), 1, NOW)],
         r"row 9 has its result \(refused, batch 1\) already"),
        ([Withdrawn(1, 1, "429"), Intent(family(children=((8,), ())), 1, NOW)], "other rows or another body"),
    ],
)  # fmt: skip
def test_what_would_make_the_ledger_lie_of_children_is_refused(ledger, steps, words):
    with pytest.raises(IllegalMove, match=words):
        for step in [Intent(family(), 1, NOW), *steps]:
            ledger.write("r", [step])


def settled(outcomes, batch=1, by="look_up"):
    return Settled(batch, outcomes, by, FOUND)


def test_rows_in_doubt_get_the_fate_that_was_found_out(ledger):
    ledger.write("r", [sent(rows=(1, 2, 3, 4)), answered(Verdict.IN_DOUBT, code="html", rows=(1, 2, 3, 4))])
    ledger.write("r", [settled({1: RowReply(Fate.ACCEPTED, ("8068",), "id-1"), 2: NO, 3: None})])
    assert results(ledger, "row", "fate", "codes", "entity_id", "attempt", "answered_at_utc") == [
        (1, "accepted", "8068", "id-1", 1, FOUND),
        (2, "refused", "8009", None, 1, FOUND),
        (4, "in_doubt", "html", None, 1, NOW),
    ]
    ledger.write("r", [settled({4: OK}, by="person")])
    with ledger._reading() as connection:
        trace = connection.exec_driver_sql("select row, batch, outcome, by, settled_at_us from settlements").all()
    at_us = microseconds(FOUND)
    assert trace == [
        (1, 1, "accepted", "look_up", at_us), (2, 1, "refused", "look_up", at_us),
        (3, 1, "not_sent", "look_up", at_us), (4, 1, "accepted", "person", at_us),
    ]  # fmt: skip


def test_a_row_found_not_applied_goes_in_a_new_batch_only(ledger):
    ledger.write("r", [sent(), IN_DOUBT, settled({1: None, 2: None})])
    with pytest.raises(IllegalMove, match="batch 1: is in_doubt"):
        ledger.write("r", [sent(attempt=2)])
    ledger.write("r", [sent(number=2), answered(Verdict.ANSWERED, OK, NO, number=2)])
    assert results(ledger, "row", "batch", "fate") == [(1, 2, "accepted"), (2, 2, "refused")]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (settled({1: OK, 2: RowReply(Fate.NOT_SENT)}), "row 2 cannot be settled as not_sent"),
        (settled({1: OK, 3: OK}), "row 3 is not in doubt under it"),  # answered by another batch
        (settled({1: OK, 9: None}), "row 9 is not in doubt under it"),  # never sent
        (settled({1: OK}, batch=2), "batch 2: row 1 is not in doubt under it"),
        (settled({1: OK}, batch=9), "batch 9: row 1 is not in doubt under it"),
    ],
)
def test_only_what_is_in_doubt_can_be_settled(ledger, step, words):
    ledger.write(
        "r", [sent(), IN_DOUBT, sent(number=2, rows=(3,)), answered(Verdict.ANSWERED, OK, number=2, rows=(3,))]
    )
    with pytest.raises(IllegalMove, match=words):
        ledger.write("r", [step])
    assert results(ledger, "row", "fate") == [(1, "in_doubt"), (2, "in_doubt"), (3, "accepted")]


def test_a_row_that_stays_in_doubt_tells_why(ledger):
    ledger.write("r", [sent(), IN_DOUBT, settled({1: RowReply(Fate.IN_DOUBT, ("504", "look_up.unreadable"))})])
    assert results(ledger, "row", "fate", "codes") == [
        (1, "in_doubt", "504;look_up.unreadable"),
        (2, "in_doubt", results(ledger, "codes")[1][0]),
    ]
    ledger.write("r", [settled({1: OK, 2: None})])
    assert results(ledger, "row", "fate") == [(1, "accepted")]


def test_a_doubt_is_settled_once(ledger):
    ledger.write("r", [sent(), IN_DOUBT, settled({1: OK, 2: None})])
    for again in ({1: NO}, {1: None}, {2: OK}):
        with pytest.raises(IllegalMove, match="is not in doubt"):
            ledger.write("r", [settled(again)])


def test_doubts_are_told_row_by_row(ledger):
    seen = answered(Verdict.ANSWERED, OK, RowReply(Fate.IN_DOUBT, ("row_count", "504")), number=2, rows=(9, 5))
    ledger.write("r", [sent(rows=(7,)), answered(Verdict.IN_DOUBT, rows=(7,)), sent(number=2, rows=(9, 5)), seen])
    ledger.write("r", [sent(number=3, rows=(8,)), answered(Verdict.IN_DOUBT, number=3, rows=(8,))])
    ledger.write("r", [settled({8: None}, batch=3)])
    assert ledger.doubts("r") == [
        Doubt(5, 2, 1, NOW, NOW, "req-1", ("row_count", "504")),
        Doubt(7, 1, 1, NOW, NOW, "req-1", ()),
    ]


@pytest.mark.parametrize("at_once", [2, 1_000])
def test_some_rows_are_asked_for_their_doubts(ledger, monkeypatch, at_once):
    monkeypatch.setattr(ledger_batches, "AT_ONCE", at_once)
    ledger.write("r", [sent(rows=(7, 8)), answered(Verdict.IN_DOUBT, rows=(7, 8))])
    ledger.write("r", [sent(number=2, rows=(9,)), answered(Verdict.ANSWERED, OK, number=2, rows=(9,))])
    assert ledger.in_doubt("r", [9, 3, 7, 70, 8]) == {7, 8}
    assert ledger.in_doubt("r", []) == set()


ROWS = range(6)
SOME_ROWS = st.lists(st.sampled_from(ROWS), min_size=1, max_size=3, unique=True).map(tuple)
REPLIES = {"accepted": OK, "refused": NO, "in_doubt": RowReply(Fate.IN_DOUBT), "later": LATER}
FOUND_OUT = ("accepted", "refused", "not_sent")


class Delivery(RuleBasedStateMachine):
    """Any steps in any order, against a model of one dictionary of batches and one of results."""

    def __init__(self):
        super().__init__()
        self.home = Path(tempfile.mkdtemp(dir=MEMORY))
        self.ledger = Ledger(self.home / "ledger.db")
        self.ledger.start_run("r", job="j", mode="sync", folder=self.home, started_at_utc=NOW)
        self.batches, self.told = {}, {}

    def teardown(self):
        self.ledger.close()
        shutil.rmtree(self.home)

    def tried(self, step, legal):
        with contextlib.nullcontext() if legal else pytest.raises(IllegalMove):
            self.ledger.write("r", [step])
        return legal

    @rule(number=st.integers(1, 4), rows=SOME_ROWS)
    def send(self, number, rows):
        state, planned = self.batches.get(number, ("new", rows))
        legal = state in ("new", "planned") and planned == rows and not set(rows) & set(self.told)
        if self.tried(Intent(Batch(number, rows, b"[]"), 1, NOW), legal):
            self.batches[number] = ("sending", rows)

    @rule(number=st.integers(1, 4))
    def withdraw(self, number):
        state, rows = self.batches.get(number, ("new", ()))
        if self.tried(Withdrawn(number, 1, "429"), state == "sending"):
            self.batches[number] = ("planned", rows)

    @rule(number=st.integers(1, 4), words=st.lists(st.sampled_from(sorted(REPLIES)), min_size=3, max_size=3))
    def answer(self, number, words):
        state, rows = self.batches.get(number, ("new", (0,)))
        replies = tuple(REPLIES[word] for word in words[: len(rows)])
        told = {row: (reply.fate.value, number) for row, reply in zip(rows, replies, strict=True) if not reply.retry}
        reply = BatchReply(Verdict.ANSWERED, "", replies)
        legal = state == "sending" and not set(told) & set(self.told)
        if self.tried(Recorded(Delivered(Batch(number, rows, b"[]"), 1, reply), NOW), legal):
            self.batches[number] = ("answered", rows)
            self.told |= told

    @rule(number=st.integers(1, 4), found=st.dictionaries(st.sampled_from(ROWS), st.sampled_from(FOUND_OUT)))
    def settle(self, number, found):
        legal = all(self.told.get(row) == ("in_doubt", number) for row in found)
        if self.tried(
            Settled(number, {row: REPLIES.get(word) for row, word in found.items()}, "look_up", FOUND), legal
        ):
            for row, word in found.items():
                self.told.pop(row)
                self.told |= {row: (word, number)} if word != "not_sent" else {}

    @invariant()
    def every_row_has_one_result_at_most_and_none_is_lost(self):
        told = results(self.ledger, "row", "fate", "batch")
        assert {row: (fate, batch) for row, fate, batch in told} == self.told
        assert len(told) == len(self.told)


Delivery.TestCase.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestDelivery = Delivery.TestCase
