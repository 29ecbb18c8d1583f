"""PostgreSQL's horizon: the moment before which no transaction is still open, so nothing older will appear."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from connectors.arrowtext import text_of
from schemas.errors import SourceError
from schemas.watermarks import Kind

# A transaction's now() is a moment older than its entry in pg_stat_activity; a second is much more than that moment.
_ASK = """
with known as (
  select least(
    clock_timestamp(),
    (select min(xact_start) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid())
  ) - interval '1 second' as moment
), zone as (select current_setting('TimeZone') as name)
select pg_is_in_recovery() as replica,
  pg_has_role('pg_read_all_stats', 'usage') as sees_all,
  (select count(*) from pg_stat_activity where state = 'disabled' and datname = current_database()) as untracked,
  (select count(*) from pg_prepared_xacts where database = current_database()) as prepared,
  (select count(distinct (each at time zone zone.name) - (each at time zone 'UTC'))
     from generate_series(now() - interval '1 year', now() + interval '1 year', interval '7 days') as each) as offsets,
  zone.name as zone, moment as timestamptz, moment at time zone zone.name as timestamp
from known, zone
"""
_INSTEAD = "give since.overlap a time"


@dataclass(frozen=True, slots=True)
class Horizon:
    """The moment with its offset, and as `now()` reads in a column without one in this session's time zone."""

    timestamptz: str
    timestamp: str
    zone: str
    turns_its_clock: bool

    def text(self, kind: Kind | None, label: str) -> str:
        """In the form of a value of this kind.

        Raises:
            SourceError: no time, or one whose hours come twice a year.
        """
        if kind == Kind.TIMESTAMPTZ:
            return self.timestamptz
        if kind != Kind.TIMESTAMP:
            raise SourceError(
                f"{label}: overlap: transactions needs a time in since.column, this is {kind}; {_INSTEAD}"
            )
        if self.turns_its_clock:
            raise SourceError(
                f"{label}: overlap: transactions: since.column has no time zone, and in this user's ({self.zone}) an "
                f"hour comes twice when the clock is turned back; take a timestamptz, or {_INSTEAD}"
            )
        return self.timestamp


def read_horizon(cursor: Any, label: str) -> Horizon:
    """Ask for it, before the snapshot is taken.

    Raises:
        SourceError: nobody can tell here: a replica, rights are missing, or a transaction hides its beginning.
    """
    cursor.execute(_ASK)
    row: pa.Table = cursor.fetch_arrow_table()
    told = {name: text_of(row.column(name).combine_chunks())[0].as_py() for name in row.column_names}
    _check(told, label)
    return Horizon(told["timestamptz"], told["timestamp"], told["zone"], told["offsets"] != "1")


def _check(told: dict[str, str], label: str) -> None:
    trouble = None
    if told["replica"] == "true":
        trouble = f"a replica does not know who writes; ask the primary, or {_INSTEAD}"
    elif told["sees_all"] == "false":
        trouble = f"this user does not see when others' transactions began; grant pg_read_all_stats, or {_INSTEAD}"
    elif told["untracked"] != "0":
        trouble = f"{told['untracked']} sessions have track_activities off and hide theirs; {_INSTEAD}"
    elif told["prepared"] != "0":
        trouble = (
            f"{told['prepared']} prepared transactions are open, and nobody knows when they began; "
            f"commit them or roll them back, or {_INSTEAD}"
        )
    if trouble:
        raise SourceError(f"{label}: overlap: transactions: {trouble}")
