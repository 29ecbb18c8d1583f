"""Who loaded a customer last: asked for those who are in the source no more."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import sqlalchemy as sa

from connectors.ledger_memory_tables import accepted
from connectors.ledger_runs import Runs
from connectors.ledger_tables import moment, runs
from schemas.vanished import VANISHED

# SQLite takes some ten thousand values in one question.
ASKED_AT_ONCE = 5_000


class LoadedLast(Runs):
    """Runs by the customers whom they loaded last."""

    def loaded_last(self, job: str, keys: Sequence[bytes]) -> Iterator[tuple[Path, pa.Table]]:
        """Of some customers, by the run that loaded them last: its folder, and lines as `VANISHED` without ids."""
        found: dict[tuple[str, str], list[tuple[bytes, int]]] = {}
        for start in range(0, len(keys), ASKED_AT_ONCE):
            theirs = accepted.c.key_hash.in_(keys[start : start + ASKED_AT_ONCE])
            wanted = sa.select(accepted.c.key_hash, accepted.c.accepted_at_us, runs.c.run, runs.c.folder)
            asked = wanted.join(runs, runs.c.run_no == accepted.c.run_no).where(accepted.c.job == job, theirs)
            with self._reading() as connection:
                for key, sent_us, run, folder in connection.execute(asked):
                    found.setdefault((run, folder), []).append((key, sent_us))
        for (run, folder), customers in found.items():
            lines = [
                {"key": key, "entity_id": None, "run": run, "accepted_at_utc": moment(sent_us)}
                for key, sent_us in customers
            ]
            yield Path(folder), pa.Table.from_pylist(lines, VANISHED)
