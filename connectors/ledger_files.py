"""Which dropped files a job has loaded: by what is in them, wherever they lay and whatever they were called."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from connectors.ledger_runs import Runs
from connectors.ledger_source_tables import loaded_files
from connectors.ledger_tables import microseconds, runs
from schemas.taken import TakenFile


class Files(Runs):
    """Files that were loaded. `job` is what a job remembers under (`Job.memory`), `source` a table of it."""

    def loaded_by(self, job: str, source: str, sha256: str) -> str | None:
        """The run that loaded a file of this content; None: no run did."""
        f = loaded_files.c
        wanted = sa.select(runs.c.run).join(loaded_files, f.run_no == runs.c.run_no)
        with self._reading() as connection:
            found: str | None = connection.scalar(
                wanted.where(f.job == job, f.source == source, f.sha256 == sha256.lower())
            )
        return found

    def loaded(self, run: str, job: str, files: Mapping[str, Iterable[TakenFile]], at_utc: datetime) -> None:
        """Keep that a run loaded files, by table. One that was loaded again, by force, is the later run's."""
        number, at_us = self._number(run), microseconds(at_utc)
        lines = [
            {
                "job": job,
                "source": source,
                "sha256": file.sha256,
                "uri": file.uri,
                "run_no": number,
                "loaded_at_us": at_us,
            }
            for source, of_it in files.items()
            for file in of_it
        ]
        line = insert(loaded_files)
        later = {name: line.excluded[name] for name in ("uri", "run_no", "loaded_at_us")}
        if lines:
            with self._writing() as connection:
                connection.execute(
                    line.on_conflict_do_update(index_elements=list(loaded_files.primary_key.columns), set_=later), lines
                )
