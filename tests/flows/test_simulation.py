"""Random schedules of faults and deaths against the real delivery: nothing twice, nothing lost, in virtual time.

A schedule that breaks a law is named by its seed, and is the same again with `BULKLOAD_SEEDS=SEED`; `make faults`
runs more.
"""

import asyncio
import json
import os
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from connectors.ledger import Ledger, LedgerStopped
from connectors.ledger_tables import RunState
from flows.deliver import Delivery, delivering
from flows.hands import Silent
from schemas.batches import Batch
from schemas.job import Job
from schemas.outcomes import Fate
from tests.flows.simulation import PROGRAMME, STARTED_UTC, Customer, Killed, LawBroken, SimulatedApi, World
from tests.virtual_time import VirtualLoop
from transforms.batches import cut
from transforms.waves import by_wave

RUN = "r-1"
TABLE = pa.schema(
    {"row": pa.int64(), "payload": pa.binary(), "points": pa.bool_(), "children": pa.list_(pa.int64()),
     "parent": pa.int64(), "wave": pa.int32()}
)  # fmt: skip
# Of a death of the process nothing is lost in memory, where a commit costs nothing; power cuts are another test's.
MEMORY = Path("/dev/shm")
PROCESSES = 40  # a run may be killed and resumed so often
FIRST, _, LAST = os.environ.get("BULKLOAD_SEEDS", "0-99").partition("-")
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


def person(row: int) -> dict[str, Any]:
    known_by = [{"type": "externalId", "value": f"C-{row}"}]
    return {"profiles": [{"source": "INSTORE", "firstName": f"New {row}", "identifiers": known_by}]}


def table_of(chance: random.Random, rows: int) -> pa.Table:
    """Rows to send, then the children that travel with some of them; two rows in three credit points.

    Some rows are a family that goes one after the other, in waves.
    """
    lines: list[dict[str, Any]] = []
    families, nests = chance.choice([(1,), (1, 1, 2, 3)]), chance.choice([0.0, 0.3])
    sizes = (chance.choice(families) for _ in range(rows))
    waves = (wave for size in sizes for wave in range(size))
    end = rows
    for row, wave in zip(range(rows), waves, strict=False):
        children = list(range(end, end + chance.randint(1, 3) * (chance.random() < nests)))
        end += len(children)
        payload = person(row) | {"loyaltyInfo": {"loyaltyType": "loyalty"}}
        points = chance.random() < 2 / 3
        if points:
            payload["loyaltyProgramEnrollments"] = [{"programId": PROGRAMME, "loyaltyPoints": row + 1}]
        if children:
            payload["associationDetails"] = {"childCustomers": [person(child) for child in children]}
        same = {"points": points, "children": children, "parent": None, "wave": wave}
        lines.append({"row": row, "payload": json.dumps(payload).encode(), **same})
    for line in lines[:rows]:
        same = {"points": False, "children": [], "parent": line["row"], "wave": 0}
        lines += ({"row": row, "payload": json.dumps(person(row)).encode(), **same} for row in line["children"])
    return pa.Table.from_pylist(lines, schema=TABLE)


def families_of(table: pa.Table) -> dict[str, tuple[str, int]]:
    """The family of each customer, named after its first, and the wave in which they may be written."""
    found: dict[str, tuple[str, int]] = {}
    family = ""
    for line in table.to_pylist():
        key = f"C-{line['row']}"
        if line["parent"] is not None:
            found[key] = found[f"C-{line['parent']}"]
        else:
            family = family if line["wave"] else key
            found[key] = family, line["wave"]
    return found


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
        everybody = range(self.table.num_rows)
        known = {f"C-{row}": Customer("Old", long_ago) for row in everybody if chance.random() > 0.05}
        self.world = World(
            known,
            chance,
            kills_left=chance.choice([0, 0, 1, 3]),
            faults=chance.choice([0.0, 0.1, 0.4, 0.8]),
            most_rows=chance.choice([2, 10, 100]),
            lag_s=chance.choice([0.0, 3.0, 20.0, 600.0]),
            families=families_of(self.table),
        )

    @property
    def _children_stay(self) -> list[bool]:
        return [False] * (self.table.num_rows - self.rows)

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
        known = set(ledger.results(RUN, 0, self.table.num_rows).column("row").to_pylist())
        left = self.table.filter(pa.array([row not in known for row in range(self.rows)] + self._children_stay))
        limits, numbers = self.job.limits, count(ledger.next_batch(RUN))

        def waves() -> Iterator[Iterator[Batch]]:
            for wave in by_wave(left):
                self.world.left_in_doubt |= {f"C-{doubt.row}" for doubt in ledger.doubts(RUN)}
                yield cut([wave], limits.rows_per_request, limits.bytes_per_request, numbers)

        @asynccontextmanager
        async def api():
            yield SimulatedApi(self.world)

        def recall(rows: Sequence[int]) -> pa.Table:
            return self.table.take(pa.array(sorted(rows)))

        return await delivering(
            self.job, waves(), numbers, ledger, RUN, Silent(), recall, api=api, clock=self.world.now
        )

    def fates(self) -> dict[int, Fate]:
        with closing(Ledger(self.folder / "ledger.sqlite")) as ledger:
            known = ledger.results(RUN, 0, self.table.num_rows)
        told = zip(*(known.column(name).to_pylist() for name in ("row", "fate")), strict=True)
        return dict.fromkeys(range(self.table.num_rows), Fate.NOT_SENT) | {row: Fate(fate) for row, fate in told}


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


FAMILY = {"C-1": ("C-1", 0), "C-2": ("C-1", 1)}


def test_the_laws_see_a_family_out_of_its_order():
    world = World({key: Customer("Old", STARTED_UTC) for key in FAMILY}, random.Random(0), families=FAMILY)
    world.apply(person(2))
    with pytest.raises(LawBroken, match="C-1 of wave 0 was written after wave 1"):
        world.apply(person(1))


def test_the_laws_see_two_of_a_family_under_way_at_once():
    world = World({}, random.Random(0), families=FAMILY)
    world.enter([person(1)])
    with pytest.raises(LawBroken, match="two members of one family"):
        world.enter([person(2)])


def test_schedules_meet_every_fate(folder):
    """Faults, deaths and doubts really occur, to children as to others, and in later waves."""
    met: Counter[tuple[str, Fate]] = Counter()
    for seed in range(30):
        (folder / str(seed)).mkdir()
        simulation = Simulation(seed, folder / str(seed))
        simulation.run()
        fates = simulation.fates()
        for line in simulation.table.to_pylist():
            who = "child" if line["parent"] is not None else "later" if line["wave"] else "first"
            met[who, fates[line["row"]]] += 1
    for who in ("first", "later", "child"):
        assert {(who, fate) for fate in (Fate.ACCEPTED, Fate.REFUSED, Fate.IN_DOUBT)} <= met.keys()
