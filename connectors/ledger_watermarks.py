"""How far each query of a job was read: the last watermark counts, those before it are kept."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from connectors.ledger_runs import Runs
from connectors.ledger_source_tables import watermarks
from connectors.ledger_tables import microseconds, runs
from schemas.watermarks import Kind, Watermark

_move = insert(watermarks)
_MOVE = _move.on_conflict_do_update(
    index_elements=list(watermarks.primary_key.columns),
    set_={column.name: _move.excluded[column.name] for column in watermarks.c if not column.primary_key},
)


class Watermarks(Runs):
    """Up to where tables were read."""

    def watermark(self, job: str, source: str, before: str | None = None) -> tuple[str, Watermark] | None:
        """Where the last run left it, and which one that was; of those that began before another, if one is given."""
        theirs = (watermarks.c.job == job) & (watermarks.c.source == source)
        if before is not None:
            theirs &= watermarks.c.run_no < self._number(before)
        wanted = sa.select(watermarks, runs.c.run).join(runs, runs.c.run_no == watermarks.c.run_no).where(theirs)
        with self._reading() as connection:
            found = connection.execute(wanted.order_by(watermarks.c.run_no.desc()).limit(1)).one_or_none()
        if found is None:
            return None
        kept = Watermark(found.column, Kind(found.kind), found.value, found.query_sha256, found.columns_sha256)
        return found.run, kept

    def move_watermark(self, run: str, job: str, source: str, to: Watermark, at_utc: datetime) -> None:
        """Keep where a run left it; a run that ends anew leaves it anew, and disturbs no later one's."""
        told = {
            "job": job, "source": source, "run_no": self._number(run), "column": to.column, "kind": to.kind.value,
            "value": to.value, "query_sha256": to.query_sha256, "columns_sha256": to.columns_sha256,
            "moved_at_us": microseconds(at_utc),
        }  # fmt: skip
        with self._writing() as connection:
            connection.execute(_MOVE, told)

    def forget_watermark(self, run: str, job: str, source: str) -> None:
        """After a run that must be followed by one of all rows; where later ones left it stays."""
        theirs = (watermarks.c.job == job) & (watermarks.c.source == source)
        with self._writing() as connection:
            connection.execute(sa.delete(watermarks).where(theirs, watermarks.c.run_no <= self._number(run)))
