"""The ledger's runs: how each was started, where it stands, how it ended."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from connectors.lease import Leased
from connectors.ledger_tables import IllegalMove, RunState, microseconds, moment, runs
from schemas.errors import WrongInput


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the ledger knows it."""

    run: str
    job: str
    mode: str
    folder: Path
    state: RunState
    started_at_utc: datetime
    finished_at_utc: datetime | None
    exit_code: int | None
    digest: str | None
    summary: Mapping[str, Any] | None
    caller: str | None  # the Prefect flow run that started it
    retry_of: str | None  # the run whose rejected rows it sends again


class Runs(Leased):
    """The runs of a ledger; everything else in it belongs to one of them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._numbers: dict[str, int] = {}

    def start_run(
        self,
        run: str,
        *,
        job: str,
        mode: str,
        folder: Path,
        started_at_utc: datetime,
        caller: str | None = None,
        retry_of: str | None = None,
    ) -> None:
        """Begin a run in `preparing`; a second one of its name is an IllegalMove."""
        told = {"run": run, "job": job, "mode": mode, "folder": str(folder), "caller": caller, "retry_of": retry_of}
        more = {"state": RunState.PREPARING.value, "started_at_us": microseconds(started_at_utc)}
        try:
            with self._writing() as connection:
                connection.execute(sa.insert(runs), {**told, **more})
        except exc.IntegrityError:
            raise IllegalMove(f"run {run}: there is one of this name already") from None

    def set_run_state(self, run: str, state: RunState, *, digest: str | None = None) -> None:
        """Move a run on; `digest` is the plan's, kept from then on."""
        self._update_run(run, {"state": state.value} | ({} if digest is None else {"digest": digest}))

    def finish_run(
        self, run: str, state: RunState, *, exit_code: int, finished_at_utc: datetime, summary: Mapping[str, Any]
    ) -> None:
        """End a run; a resumed one is ended again."""
        told = {"summary_json": json.dumps(summary), "finished_at_us": microseconds(finished_at_utc)}
        self._update_run(run, told | {"state": state.value, "exit_code": exit_code})

    def run(self, run: str | None = None) -> RunRecord:
        """A run by name, or the one started last."""
        found = self._found(sa.true() if run is None else runs.c.run == run, limit=1)
        if not found:
            raise WrongInput(f"run {run}: is not in {self._path}" if run else f"{self._path}: has no run yet")
        return found[0]

    def last_run(self, job: str) -> RunRecord | None:
        """The run of a job that was started last."""
        return next(iter(self._found(runs.c.job == job, limit=1)), None)

    def run_of_caller(self, caller: str) -> RunRecord | None:
        """The run that a caller started, the last of several."""
        return next(iter(self._found(runs.c.caller == caller, limit=1)), None)

    def runs(self, limit: int | None = 20) -> list[RunRecord]:
        """The latest first; None for all."""
        return self._found(sa.true(), limit)

    def unfinished(self, job: str, other_than: str = "") -> str | None:
        """Another run of the job that is being sent, or was killed while it was."""
        delivering = (runs.c.state == RunState.DELIVERING) & (runs.c.run != other_than)
        wanted = sa.select(runs.c.run).where(runs.c.job == job, delivering)
        with self._reading() as connection:
            found: str | None = connection.scalar(wanted.limit(1))
        return found

    def _found(self, wanted: sa.ColumnElement[bool], limit: int | None) -> list[RunRecord]:
        query = sa.select(runs).where(wanted).order_by(runs.c.run_no.desc()).limit(limit)
        with self._reading() as connection:
            return [_record_of(row) for row in connection.execute(query)]

    def _number(self, run: str) -> int:
        if run not in self._numbers:
            with self._reading() as connection:
                number = connection.scalar(sa.select(runs.c.run_no).where(runs.c.run == run))
            if number is None:
                raise WrongInput(f"run {run}: is not in {self._path}")
            self._numbers[run] = number
        return self._numbers[run]

    def _update_run(self, run: str, values: Mapping[str, Any]) -> None:
        number = self._number(run)
        with self._writing() as connection:
            connection.execute(sa.update(runs).where(runs.c.run_no == number), values)


def _record_of(row: Any) -> RunRecord:
    same = ("run", "job", "mode", "exit_code", "digest", "caller", "retry_of")
    kept = {name: getattr(row, name) for name in same}
    finished_at_utc = None if row.finished_at_us is None else moment(row.finished_at_us)
    summary = None if row.summary_json is None else json.loads(row.summary_json)
    kept |= {"folder": Path(row.folder), "state": RunState(row.state), "started_at_utc": moment(row.started_at_us)}
    return RunRecord(**kept, finished_at_utc=finished_at_utc, summary=summary)
