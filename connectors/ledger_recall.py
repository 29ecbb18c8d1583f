"""What the ledger remembers of customers, read fast: ten millions of them are compared in a night."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from connectors.ledger_memory_tables import accepted, children, credits, forgotten, mappings, refused
from connectors.ledger_runs import Runs
from schemas.memory import ACCEPTED, CREDITED, FORGOTTEN, HASH, NEWER, REFUSED
from schemas.outcomes import Fate

FETCHED = 50_000
_FATES = pa.array([Fate.ACCEPTED.value, Fate.ACCEPTED_WITH_LOSS.value, Fate.IN_DOUBT.value, Fate.REFUSED.value])
# SQLite itself joins a page of customers into a few long texts: a Python object for each of their values would take
# longer than everything that is done with them afterwards. A customer is 16 bytes, 16 bytes and a digit.
# What the asking run itself sent, and what is known not to be applied, comes for its identifiers: nothing is compared
# with it. `doubtful` is the digit for that.
_PAGE = """
    select cast(group_concat(key_hash || payload_digest ||
                             case when run_no = ? then {doubtful} when fate = 'accepted' then 0
                                  when fate = 'accepted_with_loss' then 1 when fate = 'in_doubt' then 2
                                  else {refused} end, '') as blob),
           cast(group_concat(identifiers, '') as blob),
           group_concat(coalesce(length(identifiers) / 8, 0)),
           max(key_hash)
    from (select * from {table} where job = ? and key_hash > ? order by key_hash limit ?)
"""
_CUSTOMER = np.dtype([("key", "V16"), ("digest", "V16"), ("fate", "u1")])
# What was accepted since may be sent again, however often it was refused before; so may what another destination
# refused.
_REFUSED = """
    select refused.key_hash, refused.payload_digest
    from refused left join accepted on accepted.job = refused.job and accepted.key_hash = refused.key_hash
        and accepted.accepted_at_us >= refused.refused_at_us
    where refused.job = ? and refused.run_no <> ? and accepted.job is null
        and exists (select 1 from mappings where mappings.job = refused.job and mappings.run_no = refused.run_no
                    and mappings.destination = ?)
"""
_CREDITED = "select key_hash, programme, statement_hash, points, fate from credits where job = ? and run_no <> ?"
_FORGOTTEN = "select key_hash from forgotten where job = ?"
# A retry has its rows from the run that rejected them, so they are as old as that one's.
_LOADED_LATER = """
    with recursive told (loader, run_no, retry_of) as (
        select run_no, run_no, retry_of from mappings join runs using (run_no) where mappings.job = ? and run_no > ?
        union all
        select loader, runs.run_no, runs.retry_of from told join runs on runs.run = told.retry_of
    )
    select loader from told group by loader having min(run_no) > ?
"""
_NEWER = """
    select key_hash from accepted where job = ? and run_no in ({loaders})
        and fate in ('accepted', 'accepted_with_loss', 'in_doubt')
"""


class Recall(Runs):
    """What later runs know. Tables come some thousands of lines at a time, in no order."""

    def accepted(self, job: str, by_others_than: str) -> Iterator[pa.Table]:
        """What other runs left to remember of a job's customers (as `ACCEPTED`).

        Those whom the run itself sent last are told as in doubt: whose identifiers they are holds for it too.
        """
        return self._paged(_PAGE.format(table="accepted", doubtful=2, refused=2), job, by_others_than)

    def children(self, job: str, by_others_than: str) -> Iterator[pa.Table]:
        """What became of children whom other runs sent with their parents (as `CHILDREN`).

        Those whom the run itself sent last are told as accepted: from it follows only whose identifiers they are.
        """
        return self._paged(_PAGE.format(table="children", doubtful=0, refused=3), job, by_others_than)

    def _paged(self, question: str, job: str, by_others_than: str) -> Iterator[pa.Table]:
        number, last = self._number(by_others_than), b""
        with self._reading() as connection:
            while True:
                given = (number, job, last, FETCHED)
                customers, identifiers, counts, last = connection.exec_driver_sql(question, given).one()
                if last is None:
                    return
                yield _customers(customers, identifiers or b"", counts)

    def refused(self, job: str, by_others_than: str, destination: str) -> Iterator[pa.Table]:
        """What the API refused last of a job's customers and has accepted nothing after (as `REFUSED`).

        By runs that loaded the destination of this digest (`Ledger.loads_with`).
        """
        return self._streamed(_REFUSED, (job, self._number(by_others_than), destination), REFUSED)

    def credited(self, job: str, by_others_than: str) -> Iterator[pa.Table]:
        """What other runs credited to a job's customers, or may have (as `CREDITED`)."""
        return self._streamed(_CREDITED, (job, self._number(by_others_than)), CREDITED)

    def forgotten(self, job: str) -> Iterator[pa.Table]:
        """Whose rows a job sends no more (as `FORGOTTEN`)."""
        return self._streamed(_FORGOTTEN, (job,), FORGOTTEN)

    def newer(self, job: str, than: str) -> Iterator[pa.Table]:
        """Whom runs with newer rows than this one's loaded, or may have (as `NEWER`)."""
        number = self._number(than)
        with self._reading() as connection:
            later = connection.exec_driver_sql(_LOADED_LATER, (job, number, number)).scalars().all()
        if later:  # hardly ever; SQLite would look at every customer to find none
            yield from self._streamed(_NEWER.format(loaders=", ".join("?" * len(later))), (job, *later), NEWER)

    def memories(self) -> list[str]:
        """What jobs remember customers under (`Job.memory`), by name."""
        known = sa.union(*(sa.select(table.c.job) for table in (accepted, refused, credits, children, forgotten)))
        with self._reading() as connection:
            return sorted(connection.scalars(known))

    def holders(self, identifier: int) -> list[tuple[str, bytes]]:
        """Who has an identifier, as memory and key. Looks at everybody."""
        wanted = int(identifier).to_bytes(8, "little")
        may_have = sa.union(
            *(
                sa.select(a.job, a.key_hash, a.identifiers).where(sa.func.instr(a.identifiers, wanted) > 0)
                for a in (accepted.c, children.c)
            )
        )
        with self._reading() as connection:
            have = (
                (row.job, row.key_hash)
                for row in connection.execute(may_have)
                if identifier in np.frombuffer(row.identifiers, "<u8")
            )
            return list(dict.fromkeys(have))

    def mapping_before(self, run: str, job: str) -> str | None:
        """The digest of the mapping that another run of the job loaded with last."""
        others = (mappings.c.job == job) & (mappings.c.run_no != self._number(run))
        wanted = sa.select(mappings.c.digest).where(others).order_by(mappings.c.run_no.desc()).limit(1)
        with self._reading() as connection:
            found: str | None = connection.scalar(wanted)
        return found

    def _streamed(self, question: str, given: tuple[object, ...], schema: pa.Schema) -> Iterator[pa.Table]:
        with self._reading() as connection:
            found = connection.execution_options(stream_results=True).exec_driver_sql(question, given)
            for some in found.partitions(FETCHED):
                columns = zip(zip(*some, strict=True), schema.types, strict=True)
                yield pa.table([pa.array(values, kind) for values, kind in columns], schema=schema)


def _customers(customers: bytes, identifiers: bytes, counts: str) -> pa.Table:
    told = np.frombuffer(customers, _CUSTOMER)
    ends = np.concatenate([[0], np.cumsum(np.fromstring(counts, np.int32, sep=","))]).astype(np.int32)
    known = pa.ListArray.from_arrays(pa.array(ends), pa.array(np.frombuffer(identifiers, "<u8")))
    fates = _FATES.take(pa.array(told["fate"] - ord("0")))
    return pa.Table.from_arrays([_hashes(told["key"]), _hashes(told["digest"]), fates, known], schema=ACCEPTED)


def _hashes(column: "np.ndarray[tuple[int], np.dtype[np.void]]") -> pa.Array:
    return pa.FixedSizeBinaryArray.from_buffers(HASH, len(column), [None, pa.py_buffer(np.ascontiguousarray(column))])
