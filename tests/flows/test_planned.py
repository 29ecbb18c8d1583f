"""The plan's rows go in waves: families one after the other, whatever stops the run on its way."""

import json
import os
import signal
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.ledger import Ledger
from connectors.ledger_tables import Intent, Recorded, RunState
from connectors.spool import Part, Spool
from connectors.spool_tables import DROPPED, UNREADABLE
from flows.deliver import deliver
from flows.hands import Silent
from flows.planned import left_in_waves, recalled
from flows.prepare import PreparedRun
from flows.settings import Home, load_job
from flows.source import Source
from flows.underway import Load
from schemas.batches import Delivered
from schemas.errors import Stopped
from schemas.outcomes import BatchReply, Verdict
from transforms.batches import cut

pytestmark = pytest.mark.usefixtures("impatient")
PARTS = (Part(0, 0, 30), Part(1, 30, 30), Part(2, 60, 4, table="kids"))
PREPARED = PreparedRun(PARTS, (), (), {})
# Rows 0 to 9 are heads of families; 10 to 19 and 20 to 29 name them as parents, and so do 30 to 39. Others are alone.
LATER = {row: row // 10 for row in range(10, 40)}
HEAD = {"hierarchyCode": "FAMILY", "roleCode": "HEAD"}


def known_by(row):
    return [{"type": "externalId", "value": f"C-{row}"}]


def payload(row):
    customer = {"profiles": [{"source": "INSTORE", "firstName": f"New {row}", "identifiers": known_by(row)}]}
    if row >= PARTS[2].first_row:
        return customer
    parent = {"parentCustomer": {"profiles": [{"identifiers": known_by(row % 10)}]}}
    details = HEAD if row not in LATER else HEAD | {"roleCode": "MEMBER"} | parent
    return (
        customer | {"loyaltyInfo": {"loyaltyType": "loyalty"}} | ({"associationDetails": details} if row < 40 else {})
    )


def prepared(part):
    rows = range(part.first_row, part.end_row)
    return pa.table(
        {
            "row": pa.array(rows, pa.int64()),
            "fate": pa.array(["invalid" if row == 45 else None for row in rows], pa.string()),
            "points": pa.array([False] * len(rows)),
            "payload": pa.array([json.dumps(payload(row)).encode() for row in rows], pa.binary()),
        }
    )


@pytest.fixture
def load(desk):
    """A run of which everything is prepared by hand, at a desk whose sandbox knows everybody."""
    desk.sandbox.preload(f"C-{row}" for row in range(60))
    spool, home = Spool(desk.folder / "home" / "r-1"), Home(desk.home)
    spool.create()
    for part in PARTS:
        spool.write("prepared", part, prepared(part))
        spool.write("unreadable", part, UNREADABLE.empty_table())
    _write(
        spool,
        "waves.parquet",
        {"row": list(LATER), "wave": list(LATER.values()), "waits_for": [row % 10 for row in LATER]},
    )
    job = load_job(
        Path(desk.job(destination={"in_doubt": "look_up"}, limits={"in_flight": 4, "requests_per_minute": 1200})),
        os.environ,
    )
    with closing(Ledger(home.ledger)) as ledger:
        ledger.start_run("r-1", job="e2e", mode="migrate", folder=spool.folder, started_at_utc=datetime.now(UTC))
        ledger.set_run_state("r-1", RunState.DELIVERING)
        yield Load(job, Source({}, {}), home, ledger, "r-1", datetime.now(UTC), spool)


def _write(spool, name, columns, schema=None):
    pq.write_table(pa.table(columns, schema=schema), spool.folder / name)


def rows_of(load):
    return [[row for table in wave for row in table["row"].to_pylist()] for wave in left_in_waves(load, PREPARED)]


def test_rows_go_in_their_waves(load):
    assert rows_of(load) == [
        [*range(10), *(row for row in range(40, 60) if row != 45)], [*range(10, 20)], [*range(20, 30)], [*range(30, 40)]
    ]  # fmt: skip


def test_without_waves_all_go_at_once(load):
    (load.spool.folder / "waves.parquet").unlink()
    assert rows_of(load) == [[row for row in range(60) if row != 45]]


def test_whoever_was_taken_out_or_has_an_answer_is_in_no_wave(load):
    taken = {"row": [3, 12, 31], "fate": ["duplicate"] * 3, "code": ["x"] * 3, "stands_for": [0] * 3}
    _write(load.spool, "dropped/duplicates.parquet", taken, DROPPED)
    (batch,) = cut([prepared(PARTS[0]).slice(20, 9)], 100, 100_000, count(1))
    load.ledger.write("r-1", [Intent(batch, 1, datetime.now(UTC))])
    load.ledger.doubt_leftovers("r-1", datetime.now(UTC))
    first, *later = rows_of(load)
    assert 3 not in first
    assert later == [[10, 11, *range(13, 20)], [29], [30, *range(32, 40)]]


@pytest.mark.parametrize(("verdict", "goes"), [(Verdict.IN_DOUBT, False), (Verdict.REFUSED, True)])
def test_nobody_goes_whose_parents_row_is_in_doubt(load, verdict, goes):
    (batch,) = cut([prepared(PARTS[0]).slice(3, 2)], 100, 100_000, count(1))
    reply = BatchReply(verdict, "no_answer")
    load.ledger.write("r-1", [Intent(batch, 1, datetime.now(UTC))])
    load.ledger.write("r-1", [Recorded(Delivered(batch, 1, reply), datetime.now(UTC))])
    waves = left_in_waves(load, PREPARED)
    told = [[row for table in next(waves) for row in table["row"].to_pylist()] for _ in range(4)]
    children = [[row for row in range(start, start + 10) if goes or row % 10 not in (3, 4)] for start in (10, 20, 30)]
    assert told[1:] == children
    if goes:
        assert list(waves) == []
    else:
        with pytest.raises(Stopped, match=r"wait.*: 6; `bulkload settle r-1`, then `bulkload resume r-1`"):
            next(waves)


def test_what_was_in_doubt_is_told_with_its_wave(load):
    told = recalled(load, PREPARED, [61, 2, 35, 12])
    assert told.select(["row", "wave"]).to_pydict() == {"row": [2, 12, 35, 61], "wave": [0, 1, 3, 0]}
    assert [json.loads(one) for one in told["payload"].to_pylist()] == [payload(row) for row in (2, 12, 35, 61)]


def test_what_was_in_doubt_and_taken_out_since_is_told(load):
    assert "taken_out" not in recalled(load, PREPARED, [2, 35]).column_names
    taken = {"row": [35], "fate": ["duplicate"], "code": ["x"], "stands_for": [0]}
    _write(load.spool, "dropped/overtaken.parquet", taken, DROPPED)
    assert recalled(load, PREPARED, [2, 35])["taken_out"].to_pylist() == [False, True]


def delivered(load):
    numbers = count(load.ledger.next_batch(load.name))
    waves = (cut(rows, 5, 100_000, numbers) for rows in left_in_waves(load, PREPARED))
    return deliver(
        load.job, waves, numbers, load.ledger, load.name, Silent(), lambda rows: recalled(load, PREPARED, rows)
    )


def order_of(desk):
    """The rows in the order in which the sandbox wrote their customers."""
    ids = {desk.books.customer("externalId", f"C-{row}").id: row for row in range(60)}
    return [ids[customer] for (customer,) in desk.sandbox.store.rows("select customer_id from writes order by rowid")]


def alone_in_its_request(desk):
    """No request wrote two members of one family."""
    ids = {desk.books.customer("externalId", f"C-{row}").id: row for row in range(60)}
    written = [(ids[who], request) for who, request in desk.sandbox.store.rows("select * from writes")]
    families = [(row % 10, request) for row, request in written if row < 40]
    return len(set(families)) == len(families)


def in_order(written):
    """Each family's members, first to last: whoever is later in a family is later in the log."""
    places = {row: place for place, row in enumerate(written)}
    members = [[row for row in range(head, 40, 10) if row in places] for head in range(10)]
    return all(family == sorted(family, key=places.__getitem__) for family in members)


def test_parents_are_there_before_whoever_names_them(load, desk):
    """The sandbox refuses a child whose parent is not mapped yet (1625)."""
    assert delivered(load).trouble is None
    assert load.ledger.fates("r-1") == {"accepted": 59}
    assert in_order(order_of(desk)) and alone_in_its_request(desk) and desk.books.written_twice() == []
    assert len(desk.books.customer("externalId", "C-7").family.children) == 3


@pytest.mark.parametrize("requests", [1, 3, 6, 9])
@pytest.mark.parametrize("faults", [(), ("lost:2", "502:0.2", "slow=0.01")])
def test_a_run_that_stops_anywhere_goes_on_in_order(load, desk, requests, faults):
    desk.sandbox.set_faults(faults)
    with desk.meanwhile(requests, lambda: os.kill(os.getpid(), signal.SIGINT)):
        stopped = delivered(load)
    desk.sandbox.set_faults([])
    assert stopped.trouble is not None
    before = order_of(desk)
    assert delivered(load).trouble is None
    assert load.ledger.fates("r-1") == {"accepted": 59}
    written = order_of(desk)
    assert written[: len(before)] == before and len(written) == len(set(written)) == 59
    assert in_order(before) and in_order(written) and alone_in_its_request(desk)
