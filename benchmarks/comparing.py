"""Settling a file of which the ledger remembers every customer, and one in a hundred has changed.

The file is not read and not normalized here: its rows are written as preparing leaves them, and into the ledger as
closing a run does, by the code that does it in earnest. What is measured is `flows.settle.settle` and nothing else,
in a process that made none of it.
"""

# ruff: noqa: PLC0415 - each process loads only what it measures: memory counts

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

PART_ROWS = 50_000
CHANGED = 100  # one row in so many
RUN_BEFORE, RUN = "last-night", "tonight"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SALT = b"benchmark"
JOB = """
name: compare
mode: sync
source: {{customers: {{files: {file}}}}}
map: {{identifiers: {{externalId: member_no, mobile: phone}}, firstName: first_name}}
destination: {{host: eu.example.com, auth: {{oauth: {{key: "${{K}}", secret: "${{K}}"}}}}}}
limits: {{rows_per_request: 100}}
"""


def _home(work: Path, rows: int) -> Path:
    return work / f"compare-{rows}"


def _opened(home: Path) -> tuple[Any, Any, Any]:
    from connectors.spool import Spool
    from flows.source import open_source
    from flows.taking import looking
    from transforms.job_file import read_job

    job = read_job(JOB.format(file="customers.csv"), {"K": "k"})
    with looking(home) as how:
        return job, open_source(job, how), Spool(home / RUN)


def _parts(rows: int) -> Iterator[Any]:
    from connectors.spool import Part

    for number, first in enumerate(range(0, rows, PART_ROWS)):
        yield Part(number, first, min(PART_ROWS, rows - first))


def make(work: Path, rows: int) -> None:
    """A home with a ledger of so many customers, and a run of as many prepared rows; once."""
    import duckdb

    from connectors.ledger import Ledger
    from connectors.spool_tables import UNREADABLE
    from schemas.memory import ACCEPTED_SENT, CREDITED, REFUSED_SENT, Remembered

    home = _home(work, rows)
    if (home / "made").exists():
        return
    home.mkdir(parents=True)
    (home / "customers.csv").write_text("member_no,phone,first_name\n", encoding="utf-8")
    job, _, spool = _opened(home)
    spool.create()
    ledger = Ledger(home / "ledger.sqlite")
    for run in (RUN_BEFORE, RUN):
        ledger.start_run(run, job=job.name, mode=job.mode, folder=home / run, started_at_utc=NOW)
    before = []
    for part in _parts(rows):
        now = _prepared(part)
        spool.write_slices("prepared", part, (now.slice(at, 10_000) for at in range(0, now.num_rows, 10_000)))
        spool.write("unreadable", part, UNREADABLE.empty_table())
        before.append(_prepared(part, was=True).select(["key", "digest", "identifiers"]))
    # A run remembers in the order of its rows, which takes SQLite far longer; sending them took hours by then.
    in_order = duckdb.from_arrow(pa.concat_tables(before)).order("key").to_arrow_reader(PART_ROWS)
    nothing = REFUSED_SENT.empty_table(), CREDITED.empty_table()
    for batch in in_order:
        columns = {name: batch.column(name) for name in batch.schema.names}
        columns["fate"] = pa.repeat("accepted", len(batch))
        columns["sent_at_utc"] = pa.repeat(pa.scalar(NOW), len(batch))
        accepted = pa.table([columns[name] for name in ACCEPTED_SENT.names], names=ACCEPTED_SENT.names)
        ledger.remember(RUN_BEFORE, job.memory, Remembered(accepted.cast(ACCEPTED_SENT), *nothing))
    ledger.close()
    (home / "made").touch()


def _prepared(part: Any, was: bool = False) -> pa.Table:
    """One part's rows, as they are or as they were: customers by number, each with two identifiers."""
    from transforms.changes import DIGEST_BYTES, digests
    from transforms.identity import HASH_BYTES, identifier_hashes, key_hashes

    count = part.rows
    numbers = pa.array(range(part.first_row, part.end_row), pa.int64())
    texts = numbers.cast(pa.string())
    changed = pc.equal(pc.subtract(numbers, pc.multiply(pc.divide(numbers, CHANGED), CHANGED)), 0)
    name = pc.if_else(pc.and_(changed, was), "Before", "Asha")
    member, mobile = pc.binary_join_element_wise("C", texts, "-"), pc.add(numbers, 919_000_000_000).cast(pa.string())
    payload = pc.binary_join_element_wise(
        '{"profiles":[{"source":"INSTORE","firstName":"', name,
        '","identifiers":[{"type":"externalId","value":"', member,
        '"},{"type":"mobile","value":"', mobile,
        '"}]}],"loyaltyInfo":{"loyaltyType":"loyalty"}}', "",
    ).cast(pa.binary())  # fmt: skip
    return pa.table(
        {
            "row": numbers,
            "file": pa.repeat(pa.scalar(0, pa.int32()), count),
            "line": pc.add(numbers, 2),
            "fate": pa.nulls(count, pa.string()),
            "codes": pa.nulls(count, pa.string()),
            "key": key_hashes(member, SALT),
            "order": pa.nulls(count, pa.timestamp("s", "UTC")),
            "identifiers": identifier_hashes({"externalId": member, "mobile": mobile}, count, SALT),
            "statement": pa.nulls(count, pa.binary(HASH_BYTES)),
            "points": pa.repeat(False, count),
            "size": pc.binary_length(payload),
            "payload": payload,
            "digest": digests(payload, SALT),
            "whole_digest": pa.nulls(count, pa.binary(DIGEST_BYTES)),
        }
    )


def settled(work: Path, rows: int) -> dict[str, int]:
    """Settle the run that was made; rows by fate."""
    from connectors.ledger import Ledger
    from flows.hands import Silent
    from flows.prepare import PreparedRun
    from flows.settle import settle

    home = _home(work, rows)
    job, source, spool = _opened(home)
    ledger = Ledger(home / "ledger.sqlite")
    prepared = PreparedRun(tuple(_parts(rows)), (), (), {})
    plan = settle(job, source, spool, prepared, ledger, RUN, Silent(), SALT, refused_again=False)
    ledger.close()
    assert (plan.changed.known, plan.changed.changed) == (rows, -(-rows // CHANGED)), plan.changed
    return {fate.value: count for fate, count in plan.totals.rows.items()}
