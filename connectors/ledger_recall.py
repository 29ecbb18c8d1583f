"""What the ledger remembers of customers, read fast: ten millions of them are compared in a night.

Read past SQLAlchemy's rows, and made into columns by joining bytes: both take longer than SQLite does.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from connectors.ledger_memory_tables import accepted, credits, forgotten, mappings, refused
from connectors.ledger_runs import Runs
from schemas.memory import ACCEPTED, CREDITED, FORGOTTEN, IDENTIFIERS, REFUSED

FETCHED = 50_000
_ACCEPTED = "select key_hash, payload_digest, fate, identifiers from accepted where job = ? and run_no <> ?"
# What was accepted since may be sent again, however often it was refused before.
_REFUSED = """
    select refused.key_hash, refused.payload_digest
    from refused left join accepted on accepted.job = refused.job and accepted.key_hash = refused.key_hash
        and accepted.accepted_at_us >= refused.refused_at_us
    where refused.job = ? and refused.run_no <> ? and accepted.job is null
"""
_CREDITED = "select key_hash, programme, statement_hash, points, fate from credits where job = ? and run_no <> ?"
_FORGOTTEN = "select key_hash from forgotten where job = ?"


class Recall(Runs):
    """What later runs know. Tables come some thousands of lines at a time, in no order."""

    def accepted(self, job: str, by_others_than: str) -> Iterator[pa.Table]:
        """What other runs left to remember of a job's customers (as `ACCEPTED`)."""
        return self._streamed(_ACCEPTED, (job, self._number(by_others_than)), ACCEPTED)

    def refused(self, job: str, by_others_than: str) -> Iterator[pa.Table]:
        """What the API refused last of a job's customers and has accepted nothing after (as `REFUSED`)."""
        return self._streamed(_REFUSED, (job, self._number(by_others_than)), REFUSED)

    def credited(self, job: str, by_others_than: str) -> Iterator[pa.Table]:
        """What other runs credited to a job's customers, or may have (as `CREDITED`)."""
        return self._streamed(_CREDITED, (job, self._number(by_others_than)), CREDITED)

    def forgotten(self, job: str) -> Iterator[pa.Table]:
        """Whose rows a job sends no more (as `FORGOTTEN`)."""
        return self._streamed(_FORGOTTEN, (job,), FORGOTTEN)

    def memories(self) -> list[str]:
        """What jobs remember customers under (`Job.memory`), by name."""
        known = sa.union(*(sa.select(table.c.job) for table in (accepted, refused, credits, forgotten)))
        with self._reading() as connection:
            return sorted(connection.scalars(known))

    def holders(self, identifier: int) -> list[tuple[str, bytes]]:
        """Who has an identifier, as memory and key. Looks at everybody."""
        wanted = int(identifier).to_bytes(8, "little")
        a = accepted.c
        may_have = sa.select(a.job, a.key_hash, a.identifiers).where(sa.func.instr(a.identifiers, wanted) > 0)
        with self._reading() as connection:
            return [
                (row.job, row.key_hash)
                for row in connection.execute(may_have)
                if identifier in np.frombuffer(row.identifiers, "<u8")
            ]

    def mapping_before(self, run: str, job: str) -> str | None:
        """The digest of the mapping that another run of the job loaded with last."""
        others = (mappings.c.job == job) & (mappings.c.run_no != self._number(run))
        wanted = sa.select(mappings.c.digest).where(others).order_by(mappings.c.run_no.desc()).limit(1)
        with self._reading() as connection:
            found: str | None = connection.scalar(wanted)
        return found

    def _streamed(self, question: str, given: tuple[object, ...], schema: pa.Schema) -> Iterator[pa.Table]:
        with self._reading() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            cursor = driver.execute(question, given)
            while some := cursor.fetchmany(FETCHED):
                columns = zip(zip(*some, strict=True), schema.types, strict=True)
                yield pa.Table.from_arrays([_array(values, kind) for values, kind in columns], schema=schema)


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_fixed_size_binary(kind):
        return pa.FixedSizeBinaryArray.from_buffers(kind, len(values), [None, pa.py_buffer(b"".join(values))])
    return _identifiers(values) if kind == IDENTIFIERS else pa.array(values, kind)


def _identifiers(blobs: Sequence[bytes | None]) -> pa.Array:
    """Of a customer whom an earlier version remembered none is known."""
    known = [blob or b"" for blob in blobs]
    ends = np.fromiter(accumulate(map(len, known), initial=0), np.int32, len(known) + 1) // 8
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(np.frombuffer(b"".join(known), "<u8")))
