"""A lease has one holder, its token only grows, and who lost it writes nothing any more."""

import contextlib
import datetime as dt
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from connectors import lease
from connectors.lease import LeaseHeld, LeaseLost
from connectors.ledger import Ledger, LedgerStopped
from connectors.ledger_tables import IllegalMove, Intent, RunState
from schemas.batches import Batch
from schemas.errors import WrongInput
from schemas.memory import ACCEPTED_SENT, CREDITED, REFUSED_SENT, Remembered

NOW = dt.datetime(2026, 3, 1, 0, 30, tzinfo=dt.UTC)
PLACE, OTHER_PLACE = "update eu.example INSTORE", "update us.example INSTORE"
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # the lease is tested here, not the disk


def later(seconds):
    return NOW + dt.timedelta(seconds=seconds)


@pytest.fixture
def home():
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


@pytest.fixture
def two(home):
    """Two that could be anywhere, and share a ledger."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(Ledger(home / "ledger.db"))) for _ in range(2)]


def started(ledger, run="r-1"):
    ledger.start_run(run, job="nightly", mode="sync", folder=Path("/"), started_at_utc=NOW)


def test_who_is_refused_hears_of_the_holder(two, monkeypatch):
    first, second = two
    monkeypatch.setattr(lease, "HOST", "db-1")
    monkeypatch.setattr(lease.os, "getpid", lambda: 4711)
    first.take_lease(PLACE, "r-1", NOW, 60)
    words = r"run r-1 \(process 4711 on db-1, since 2026-03-01 00:30:00 UTC\) .* \(update eu.example INSTORE\)"
    with pytest.raises(LeaseHeld, match=words) as refused:
        second.take_lease(PLACE, "r-2", later(59), 60)
    assert isinstance(refused.value, WrongInput)
    assert second.take_lease(OTHER_PLACE, "r-2", later(59), 60) == 1


@pytest.mark.parametrize(
    ("holder", "alone_here", "after_s", "taken"),
    [
        ("here", False, 59, False),  # it may be alive
        ("here", True, 59, True),  # it is proven dead
        ("elsewhere", True, 59, False),  # nothing is known of it but its time
        ("elsewhere", True, 60, True),
        ("here", False, 60, True),
    ],
)
def test_a_dead_holder_is_taken_over(two, monkeypatch, holder, alone_here, after_s, taken):
    first, second = two
    monkeypatch.setattr(lease, "HOST", holder)
    first.take_lease(PLACE, "r-1", NOW, 60)
    monkeypatch.setattr(lease, "HOST", "here")
    with contextlib.nullcontext() if taken else pytest.raises(LeaseHeld):
        assert second.take_lease(PLACE, "r-2", later(after_s), 60, alone_here=alone_here) == 2


def test_a_renewed_lease_lasts_from_then_on(two):
    first, second = two
    first.take_lease(PLACE, "r-1", NOW, 60)
    first.renew_lease(later(30), 60)
    with pytest.raises(LeaseHeld):
        second.take_lease(PLACE, "r-2", later(89), 60)
    assert second.take_lease(PLACE, "r-2", later(90), 60) == 2


def test_a_token_never_comes_again(two):
    tokens = []
    for ledger in two * 2:
        tokens.append(ledger.take_lease(PLACE, "r-1", NOW, 60))
        ledger.release_lease()
    assert tokens == [1, 2, 3, 4]


def test_a_ledger_holds_one_lease(two):
    two[0].take_lease(PLACE, "r-1", NOW, 60)
    with pytest.raises(IllegalMove, match="holds a lease already"):
        two[0].take_lease(OTHER_PLACE, "r-1", NOW, 60)


ONE = Remembered(
    pa.table([[bytes(16)], [bytes(16)], ["accepted"], [[1]], [NOW]], schema=ACCEPTED_SENT),
    REFUSED_SENT.empty_table(),
    CREDITED.empty_table(),
)
WRITES = {
    "start a run": lambda ledger: started(ledger, "r-2"),
    "move a run": lambda ledger: ledger.set_run_state("r-1", RunState.PLANNED),
    "end a run": lambda ledger: ledger.finish_run("r-1", RunState.DONE, exit_code=0, finished_at_utc=NOW, summary={}),
    "send": lambda ledger: ledger.write("r-1", [Intent(Batch(2, (2,), b"[]"), 1, NOW)]),
    "doubt": lambda ledger: ledger.doubt_leftovers("r-1", NOW),
    "remember": lambda ledger: ledger.remember("r-1", "nightly", ONE),
    "forget doubts": lambda ledger: ledger.forget_doubtful("r-1"),
    "forget": lambda ledger: ledger.forget("nightly", bytes(16), NOW),
    "load": lambda ledger: ledger.loads_with("r-1", "nightly", "abc", "there"),
    "learn": lambda ledger: ledger.learn("eu.example", "update", "rows_per_request", 5, NOW),
    "renew": lambda ledger: ledger.renew_lease(later(60), 60),
}


def everything(ledger):
    with ledger._reading() as connection:
        tables = ("runs", "batches", "row_results", "accepted", "forgotten", "mappings", "learned", "leases")
        return {table: connection.exec_driver_sql(f"select * from {table}").all() for table in tables}


@pytest.mark.parametrize("write", WRITES)
def test_who_lost_its_lease_writes_nothing(two, write):
    first, second = two
    first.take_lease(PLACE, "r-1", NOW, 60)
    started(first)
    first.write("r-1", [Intent(Batch(1, (1,), b"[]"), 1, NOW)])
    second.take_lease(PLACE, "r-9", later(60), 60)
    before = everything(second)
    for _ in range(2):
        with pytest.raises(LeaseLost, match=r"run r-9 .* took over") as lost:
            WRITES[write](first)
        first.release_lease()  # giving back what is lost changes nothing
    assert isinstance(lost.value, LedgerStopped)
    assert everything(second) == before
    WRITES[write](second)  # the same is legal for the holder


def test_who_overslept_may_go_on_as_long_as_nobody_came(two):
    first, second = two
    first.take_lease(PLACE, "r-1", NOW, 60)
    started(first)
    first.renew_lease(later(300), 60)
    with pytest.raises(LeaseHeld):
        second.take_lease(PLACE, "r-2", later(301), 60)


def test_who_holds_no_lease_writes_freely(two):
    two[0].take_lease(PLACE, "r-1", NOW, 60)
    started(two[1])
    assert two[0].run().run == "r-1"


HOSTS = ("one", "one", "two")
PROCESSES = st.integers(0, 2)


class Holding(RuleBasedStateMachine):
    """Three processes, two of them on one machine, against a model: who has the lease, until when, by which token."""

    def __init__(self):
        super().__init__()
        self.home = Path(tempfile.mkdtemp(dir=MEMORY))
        self.ledgers = [Ledger(self.home / "ledger.db") for _ in range(3)]
        started(self.ledgers[0])
        self.took: dict[int, int] = {}  # the token each live process believes in
        self.holder, self.until_s, self.token, self.now_s = None, 0, 0, 0  # the holder may be dead
        self.here = lease.HOST

    def teardown(self):
        lease.HOST = self.here
        for ledger in self.ledgers:
            ledger.close()
        shutil.rmtree(self.home)

    def of(self, process):
        """The ledger as that process of its machine has it."""
        lease.HOST = HOSTS[process]
        return self.ledgers[process]

    @rule(seconds=st.sampled_from([1, 10, 59, 60]))
    def wait(self, seconds):
        self.now_s += seconds

    @rule(process=PROCESSES)
    def take(self, process):
        # As the machine's own lock would tell.
        alone = not any(HOSTS[other] == HOSTS[process] for other in self.took)
        proven_dead = alone and self.holder is not None and HOSTS[self.holder] == HOSTS[process]
        free = self.holder is None or self.now_s >= self.until_s or proven_dead
        trouble = IllegalMove if process in self.took else None if free else LeaseHeld
        with pytest.raises(trouble) if trouble else contextlib.nullcontext():
            token = self.of(process).take_lease(PLACE, "r-1", later(self.now_s), 60, alone_here=alone)
            assert token == self.token + 1
            self.token = self.took[process] = token
            self.holder, self.until_s = process, self.now_s + 60

    @rule(process=PROCESSES)
    def renew(self, process):
        if process not in self.took:
            return
        ours = self.took[process] == self.token
        with contextlib.nullcontext() if ours else pytest.raises(LeaseLost):
            self.of(process).renew_lease(later(self.now_s), 60)
            self.until_s = self.now_s + 60

    @rule(process=PROCESSES)
    def release(self, process):
        if process in self.took:
            self.of(process).release_lease()
            if self.took[process] == self.token:
                del self.took[process]
                self.holder = None

    @rule(process=PROCESSES)
    def die(self, process):
        self.ledgers[process].close()
        self.ledgers[process] = Ledger(self.home / "ledger.db")
        self.took.pop(process, None)

    @invariant()
    def only_the_holder_of_the_last_token_writes(self):
        wrote = set()
        for process in self.took:
            # Expired but not taken over is still the only one.
            with contextlib.suppress(LeaseLost):
                self.of(process).set_run_state("r-1", RunState.PLANNED)
                wrote.add(process)
        assert wrote == {
            process for process, token in self.took.items() if token == self.token and self.holder is not None
        }
        assert len(wrote) <= 1


Holding.TestCase.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestHolding = Holding.TestCase
