"""`vanished.csv` is for its owner's eyes only; ids come from what the run that loaded a customer wrote down."""

import contextlib
import datetime as dt
import stat

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.ledger import Ledger
from connectors.results import RESULTS
from connectors.vanished import entity_ids, remove_vanished, write_vanished
from schemas.memory import ACCEPTED_SENT, CREDITED, REFUSED_SENT, Remembered
from schemas.vanished import VANISHED

NOW = dt.datetime(2026, 3, 1, 0, 30, 1, 500_000, tzinfo=dt.UTC)
ASHA, BEN = b"\x01" * 16, b"\x02" * 16
JOB = "nightly there"


def keys(*theirs: bytes) -> pa.Table:
    return pa.table([pa.array(theirs, VANISHED.field("key").type)], names=["key"])


def test_lines_name_nobody(tmp_path):
    lines = [{"key": ASHA, "entity_id": "4711", "run": "r-1", "accepted_at_utc": NOW},
             {"key": BEN, "entity_id": None, "run": "r-1", "accepted_at_utc": NOW}]  # fmt: skip
    write_vanished(tmp_path, pa.Table.from_pylist(lines, VANISHED))
    path = tmp_path / "vanished.csv"
    assert path.read_text().splitlines() == [
        '"key_hash","entity_id","last_run","accepted_at_utc"',
        f'"{"01" * 16}","4711","r-1","2026-03-01T00:30:01+00:00"',
        f'"{"02" * 16}",,"r-1","2026-03-01T00:30:01+00:00"',
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    remove_vanished(tmp_path)
    remove_vanished(tmp_path)
    assert not path.exists()


@pytest.mark.parametrize("is_there", [True, False])
def test_ids_are_those_of_the_last_results(tmp_path, is_there):
    if is_there:
        lines = [{"key_hash": ASHA, "entity_id": None}, {"key_hash": ASHA, "entity_id": "4711"}, {"key_hash": BEN}]
        pq.write_table(pa.Table.from_pylist(lines, RESULTS), tmp_path / "results.parquet")
    with duckdb.connect() as database:
        found = [entity_ids(database, tmp_path, keys(*each)).to_pylist() for each in ((ASHA, BEN), (BEN,))]
    assert found == [[{"key": ASHA, "entity_id": "4711"}] if is_there else [], []]


def test_the_ledger_knows_who_loaded_a_customer_last(tmp_path, monkeypatch):
    monkeypatch.setattr("connectors.ledger_vanished.ASKED_AT_ONCE", 1)
    customer = {"digest": ASHA, "fate": "accepted", "identifiers": []}
    with contextlib.closing(Ledger(tmp_path / "ledger.db")) as ledger:
        for run, theirs, sent in (("r-1", (ASHA, BEN), NOW), ("r-2", (BEN,), NOW + dt.timedelta(days=1))):
            ledger.start_run(run, job="nightly", mode="sync", folder=tmp_path / run, started_at_utc=NOW)
            lines = [customer | {"key": key, "sent_at_utc": sent} for key in theirs]
            accepted = pa.Table.from_pylist(lines, ACCEPTED_SENT)
            ledger.remember(run, JOB, Remembered(accepted, REFUSED_SENT.empty_table(), CREDITED.empty_table()))
        told = {folder.name: lines.to_pylist() for folder, lines in ledger.loaded_last(JOB, [ASHA, BEN])}
        assert list(ledger.loaded_last("another job", [ASHA])) == []
    assert told == {
        "r-1": [{"key": ASHA, "entity_id": None, "run": "r-1", "accepted_at_utc": NOW}],
        "r-2": [{"key": BEN, "entity_id": None, "run": "r-2", "accepted_at_utc": NOW + dt.timedelta(days=1)}],
    }
