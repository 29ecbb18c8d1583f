"""What the ledger tells of one customer, and what it can be made to forget of a run."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from connectors.ledger import Ledger
from connectors.ledger_tables import Intent, Recorded
from schemas.batches import Batch, Delivered
from schemas.memory import ACCEPTED_SENT, CHILDREN_SENT, CREDITED, REFUSED_SENT, Remembered
from schemas.outcomes import BatchReply, Fate, RowReply, Verdict
from schemas.trace import Credited, Word

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ASHA, RAVI, DIGEST = b"a" * 16, b"r" * 16, b"d" * 16
JOB = "nightly host INSTORE"


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for run, job in (("r1", "nightly"), ("r2", "nightly"), ("r3", "weekly")):
        ledger.start_run(run, job=job, mode="sync", folder=tmp_path / run, started_at_utc=NOW)
    yield ledger
    ledger.close()


def remembered(accepted=(), refused=(), credited=(), children=()):
    """Rows as what a run leaves to be remembered."""
    told = ((accepted, ACCEPTED_SENT), (refused, REFUSED_SENT), (credited, CREDITED), (children, CHILDREN_SENT))
    tables = [
        pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)
        for rows, schema in told
    ]
    return Remembered(*tables)


def test_all_that_is_remembered_of_a_customer_is_told_by_job(ledger):
    accepted = [(key, DIGEST, "accepted", [1], NOW) for key in (ASHA, RAVI)]
    ledger.remember("r1", JOB, remembered(accepted, (), [(ASHA, "1016", b"s", 5, "accepted")]))
    ledger.remember("r2", JOB, remembered((), [(ASHA, DIGEST, NOW)]))
    ledger.remember("r3", "weekly host", remembered((), (), [(ASHA, "", b"", None, "in_doubt")]))
    first, second = ledger.remembered_of([ASHA, b"x" * 16])
    assert (first.job, first.key_hash) == (JOB, ASHA)
    assert first.accepted == Word("accepted", "r1", DIGEST, NOW)
    assert first.refused == Word("refused", "r2", DIGEST, NOW)
    assert first.credits == (Credited("1016", b"s", 5, "accepted", "r1"),)
    assert (second.job, second.accepted, second.credits) == (
        "weekly host", None, (Credited("", b"", None, "in_doubt", "r3"),),
    )  # fmt: skip


def test_a_child_is_told_by_what_became_of_it_unless_it_has_a_row_of_its_own(ledger):
    own, other = b"o" * 16, b"c" * 16
    children = [(ASHA, own, "accepted", [1], NOW), (RAVI, own, "refused", None, NOW)]
    ledger.remember("r1", JOB, remembered(children=children))
    asha, ravi = ledger.remembered_of([ASHA, RAVI])
    assert (asha.accepted, asha.refused) == (Word("accepted", "r1", own, NOW), None)
    assert (ravi.accepted, ravi.refused) == (None, Word("refused", "r1", own, NOW))
    ledger.remember("r2", JOB, remembered([(ASHA, other, "accepted", [1], NOW)]))
    assert ledger.remembered_of([ASHA])[0].accepted == Word("accepted", "r2", other, NOW)


def test_who_is_forgotten_is_told_so(ledger):
    ledger.remember("r1", JOB, remembered([(ASHA, DIGEST, "accepted", [1], NOW)]))
    ledger.forget(JOB, ASHA, NOW)
    (told,) = ledger.remembered_of([ASHA])
    assert (told.accepted, told.credits, told.forgotten_at_utc) == (None, (), NOW)


def test_nobody_is_remembered_by_no_key(ledger):
    assert ledger.remembered_of([]) == []


def test_whom_the_api_knows_a_row_by_is_erased(ledger):
    batch = Batch(1, (0, 1, 2), b"[]")
    replies = tuple(RowReply(Fate.ACCEPTED, entity_id=entity) for entity in ("e0", "e1", None))
    answered = Delivered(batch, 1, BatchReply(Verdict.ANSWERED, rows=replies), "q")
    ledger.write("r1", [Intent(batch, 1, NOW), Recorded(answered, NOW)])
    assert ledger.erase_entities("r1", [1, 2, 7]) == 1
    assert ledger.erase_entities("r2", [0]) == 0
    assert ledger.results("r1", 0, 2).column("entity_id").to_pylist() == ["e0", None, None]


def test_deleted_text_is_not_in_the_file_any_more(ledger, tmp_path):
    ledger.tell_anew("r1", {"doubts": [{"customer": "QX-masked-11"}]})
    ledger.tell_anew("r1", {"doubts": []})
    ledger.close()
    assert b"QX-masked-11" not in (tmp_path / "ledger.sqlite").read_bytes()
    assert not (tmp_path / "ledger.sqlite-wal").exists()


def test_jobs_and_leases_are_listed_once(ledger):
    ledger.take_lease("update host", "r1", NOW, 60.0)
    ledger.release_lease()
    assert (ledger.job_names(), ledger.lease_names()) == (["nightly", "weekly"], ["update host"])
