"""Random schedules of faults and deaths against the real delivery: nothing twice, nothing lost, in virtual time.

A schedule that breaks a law is named by its seed, and is the same again with `BULKLOAD_SEEDS=SEED`; `make faults`
runs more.
"""

import asyncio
import os
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest

from connectors.ledger import Ledger, LedgerStopped
from connectors.ledger_tables import RunState
from flows.deliver import Delivery, delivering
from flows.hands import Silent
from schemas.job import Job
from schemas.outcomes import Fate
from tests.flows.simulation import STARTED_UTC, Customer, Killed, LawBroken, SimulatedApi, World
from tests.virtual_time import VirtualLoop
from transforms.batches import cut

RUN = "r-1"
# Of a death of the process nothing is lost in memory, where a commit costs nothing; power cuts are another test's.
MEMORY = Path("/dev/shm")
PROCESSES = 40  # a run may be killed and resumed so often
FIRST, _, LAST = os.environ.get("BULKLOAD_SEEDS", "0-199").partition("-")
SEEDS = range(int(FIRST), int(LAST or FIRST) + 1)


def job_of(chance: random.Random) -> Job:
    return Job.model_validate(
        {
            "name": "simulated",
            "mode": "migrate",
            "source": {"customers": {"files": "customers.csv"}},
            "map": {
                "identifiers": {"externalId": "no"},
                "firstName": "name",
                "loyaltyProgramEnrollments": [{"programId": {"value": 1016}, "loyaltyPoints": "points"}],
            },
            "destination": {
                "host": "eu.example.com",
                "auth": {"oauth": {"key": "k", "secret": "s"}},
                "in_doubt": "look_up",
                "enrollments": True,
            },
            "limits": {
                "requests_per_minute": chance.choice([30, 600, 6000]),
                "rows_per_request": chance.choice([1, 3, 10, 25]),
                "in_flight": chance.choice([1, 2, 4]),
                "attempts": 3,
            },
        }
    )


def table_of(chance: random.Random, rows: int) -> pa.Table:
    """Rows to send; two in three credit points, one in twenty is of nobody that the API knows."""
    payloads, points = [], []
    for row in range(rows):
        credits_ = chance.random() < 2 / 3
        enrolment = f',"loyaltyProgramEnrollments":[{{"programId":1016,"loyaltyPoints":{row + 1}}}]' if credits_ else ""
        payloads.append(
            f'{{"profiles":[{{"source":"INSTORE","firstName":"New {row}","identifiers":'
            f'[{{"type":"externalId","value":"C-{row}"}}]}}],"loyaltyInfo":{{"loyaltyType":"loyalty"}}{enrolment}}}'
        )
        points.append(credits_)
    return pa.table(
        {
            "row": pa.array(range(rows), pa.int64()),
            "payload": pa.array([payload.encode() for payload in payloads], pa.binary()),
            "points": pa.array(points, pa.bool_()),
        }
    )


class MortalLedger(Ledger):
    """Dies with its process: at a step, before or after it was written, and everything later is not written."""

    def __init__(self, path: Path, world: World) -> None:
        super().__init__(path)
        self.world, self.dead = world, False

    def write(self, run, ops):
        if not self.dead and self.world.kills_left and self.world.chance.random() < 0.03:
            self.world.kills_left -= 1
            self.dead = True
            if self.world.chance.random() < 0.5:
                super().write(run, ops)
        if self.dead:
            raise LedgerStopped("killed")
        super().write(run, ops)


@dataclass
class Simulation:
    """One schedule."""

    seed: int
    folder: Path
    rows: int = 60

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)
        self.job, self.table = job_of(chance), table_of(chance, self.rows)
        long_ago = STARTED_UTC.replace(year=2020)
        known = {f"C-{row}": Customer("Old", long_ago) for row in range(self.rows) if chance.random() > 0.05}
        self.world = World(
            known,
            chance,
            kills_left=chance.choice([0, 0, 1, 3]),
            faults=chance.choice([0.0, 0.1, 0.4, 0.8]),
            most_rows=chance.choice([2, 10, 100]),
            lag_s=chance.choice([0.0, 3.0, 20.0, 600.0]),
        )

    def run(self) -> Delivery:
        """Processes, one after the other, until one comes to its end or all are used up."""
        with closing(Ledger(self.folder / "ledger.sqlite")) as ledger:
            ledger.start_run(RUN, job="simulated", mode="migrate", folder=self.folder, started_at_utc=STARTED_UTC)
            ledger.set_run_state(RUN, RunState.DELIVERING)
        deliveries = (self.process() for _ in range(PROCESSES))
        return next(one for one in deliveries if one is not None and one.trouble is None)

    def process(self) -> Delivery | None:
        """One process; None when it was killed."""
        with closing(MortalLedger(self.folder / "ledger.sqlite", self.world)) as ledger:
            ledger.doubt_leftovers(RUN, self.world.now())
            with asyncio.Runner(loop_factory=VirtualLoop) as runner:
                loop = runner.get_loop()
                began_s = loop.time()
                self.world.loop_time = lambda: loop.time() - began_s
                delivery = None
                try:
                    with suppress(Killed):
                        delivery = runner.run(self.deliver(ledger))
                except BaseExceptionGroup as died:
                    if died.split(Killed)[1] is not None:
                        raise
                finally:
                    self.world.spent_s += loop.time() - began_s + self.world.chance.uniform(0, 100)
                    self.world.loop_time = lambda: 0.0
                    self.world.unwell_until_s = -1.0
                    self.world.catch_up()
                return delivery

    async def deliver(self, ledger: Ledger) -> Delivery:
        known = set(ledger.results(RUN, 0, self.rows).column("row").to_pylist())
        left = self.table.filter(pa.array([row not in known for row in range(self.rows)]))
        limits, numbers = self.job.limits, count(ledger.next_batch(RUN))
        batches = cut([left], limits.rows_per_request, limits.bytes_per_request, numbers)

        @asynccontextmanager
        async def api():
            yield SimulatedApi(self.world)

        def recall(rows: Sequence[int]) -> pa.Table:
            return self.table.take(pa.array(sorted(rows)))

        return await delivering(
            self.job, batches, numbers, ledger, RUN, Silent(), recall, api=api, clock=self.world.now
        )

    def fates(self) -> dict[int, Fate]:
        with closing(Ledger(self.folder / "ledger.sqlite")) as ledger:
            known = ledger.results(RUN, 0, self.rows)
        told = zip(*(known.column(name).to_pylist() for name in ("row", "fate")), strict=True)
        return dict.fromkeys(range(self.rows), Fate.NOT_SENT) | {row: Fate(fate) for row, fate in told}


@pytest.fixture
def folder(tmp_path):
    """Where a schedule's ledger lies."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else tmp_path) as made:
        yield Path(made)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_schedule_writes_twice_or_loses_a_row(seed, folder):
    simulation = Simulation(seed, folder)
    delivery = simulation.run()  # LawBroken at the moment when anybody is written to twice
    applied, fates = simulation.world.applied, simulation.fates()
    for row, fate in fates.items():
        times = applied[f"C-{row}"]
        if fate.applied:
            assert times == 1, f"row {row} is {fate} and was not applied"
        elif fate is not Fate.IN_DOUBT:
            assert times == 0, f"row {row} is {fate} and was applied"
    assert delivery.trouble is not None or Fate.NOT_SENT not in fates.values()


def test_a_schedule_is_the_same_each_time(folder):
    told = []
    for name in ("a", "b"):
        (folder / name).mkdir()
        simulation = Simulation(7, folder / name)
        simulation.run()
        told.append((simulation.world.requests, simulation.world.spent_s, simulation.fates()))
    assert told[0] == told[1]


def test_the_laws_see_a_second_write(folder):
    """The simulation itself: whoever resends what is in doubt is caught."""
    simulation = Simulation(3, folder)
    customer = next(iter(simulation.world.known))
    element = {"profiles": [{"firstName": "New", "identifiers": [{"value": customer}]}]}
    simulation.world.apply(element)
    with pytest.raises(LawBroken):
        simulation.world.apply(element)


def test_schedules_meet_every_fate(folder):
    """Faults, deaths and doubts really occur."""
    met: Counter[Fate] = Counter()
    for seed in range(30):
        (folder / str(seed)).mkdir()
        simulation = Simulation(seed, folder / str(seed))
        simulation.run()
        met.update(simulation.fates().values())
    assert {Fate.ACCEPTED, Fate.REFUSED, Fate.IN_DOUBT} <= met.keys()
