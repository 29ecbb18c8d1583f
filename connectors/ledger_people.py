"""What the ledger knows of one customer: told to who asks for it, and taken out of what runs left."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from connectors.ledger_memory_tables import accepted, children, credits, forgotten, refused
from connectors.ledger_runs import Runs
from connectors.ledger_tables import leases, moment, row_results, runs
from schemas.outcomes import Fate
from schemas.trace import Credited, Remembered, Word

_Whose = tuple[str, bytes]  # what a job remembers customers under, and a key


def _asked(table: sa.Table, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    theirs = table.c.key_hash.in_(sa.bindparam("keys", expanding=True))
    return sa.select(table.c.job, table.c.key_hash, *columns).where(theirs)


def _of_run(table: sa.Table, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    return _asked(table, *columns, runs.c.run).join(runs, runs.c.run_no == table.c.run_no)


_ACCEPTED = _of_run(accepted, accepted.c.payload_digest, accepted.c.fate, accepted.c.accepted_at_us.label("sent_at_us"))
_REFUSED = _of_run(
    refused,
    refused.c.payload_digest,
    sa.literal(Fate.REFUSED.value).label("fate"),
    refused.c.refused_at_us.label("sent_at_us"),
)
# Of some only the identifiers are known.
_CHILDREN = _of_run(children, children.c.payload_digest, children.c.fate, children.c.sent_at_us).where(
    children.c.sent_at_us > 0
)
_CREDITED = _of_run(credits, credits.c.programme, credits.c.statement_hash, credits.c.points, credits.c.fate).order_by(
    credits.c.programme, credits.c.run_no
)
_FORGOTTEN = _asked(forgotten, forgotten.c.forgotten_at_us)


def _word(row: Any) -> Word:
    return Word(row.fate, row.run, row.payload_digest, moment(row.sent_at_us))


class People(Runs):
    """One customer at a time."""

    def remembered_of(self, keys: Collection[bytes]) -> list[Remembered]:
        """What later runs of each job compare customers with, of those who have one of these keys."""
        wanted = sorted(keys)
        with self._reading() as connection:
            # Of whom only the identifiers are known nothing is known to be accepted, and yet they are remembered.
            taken = {
                (row.job, row.key_hash): None if row.fate == Fate.REFUSED else _word(row)
                for row in connection.execute(_ACCEPTED, {"keys": wanted})
            }
            refused_, as_child = (
                {(row.job, row.key_hash): _word(row) for row in connection.execute(asked, {"keys": wanted})}
                for asked in (_REFUSED, _CHILDREN)
            )
            credited: dict[_Whose, list[Credited]] = defaultdict(list)
            for job, key, *told in connection.execute(_CREDITED, {"keys": wanted}):
                credited[job, key].append(Credited(*told))
            gone = {(job, key): moment(at_us) for job, key, at_us in connection.execute(_FORGOTTEN, {"keys": wanted})}
        # Who has a row of their own is told by it.
        for one, word in as_child.items():
            (refused_ if word.fate == Fate.REFUSED else taken).setdefault(one, word)
        whose = sorted({*taken, *refused_, *credited, *gone})
        return [
            Remembered(job, key, taken.get(one), refused_.get(one), tuple(credited.get(one, ())), gone.get(one))
            for one in whose
            for job, key in (one,)
        ]

    def erase_entities(self, run: str, rows: Collection[int]) -> int:
        """Forget whom the API knows some rows of a run by; how many were known."""
        r = row_results.c
        theirs = r.row.in_(sa.select(sa.func.json_each(json.dumps(sorted(rows))).table_valued("value").c.value))
        known = (r.run_no == self._number(run)) & theirs & r.entity_id.is_not(None)
        with self._writing() as connection:
            return connection.execute(sa.update(row_results).where(known).values(entity_id=None)).rowcount

    def tell_anew(self, run: str, summary: Mapping[str, Any]) -> None:
        """Replace what a run was told to end with."""
        self._update_run(run, {"summary_json": json.dumps(summary)})

    def lease_names(self) -> list[str]:
        """Every place that was ever sent to."""
        with self._reading() as connection:
            return list(connection.scalars(sa.select(leases.c.name).order_by(leases.c.name)))

    def job_names(self) -> list[str]:
        """Every job that ever ran."""
        with self._reading() as connection:
            return list(connection.scalars(sa.select(runs.c.job).distinct().order_by(runs.c.job)))
