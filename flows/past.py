"""Past runs: how they ended, and where their reports are. Light: reads the ledger and nothing else."""

import webbrowser
from collections.abc import Iterator

from connectors.ledger import Ledger, RunRecord
from flows.settings import Home
from flows.told import Told
from schemas.errors import WrongInput


def report(name: str | None, open_it: bool, home: Home, told: Told) -> None:
    """Say how a run ended.

    Raises:
        WrongInput: there is no such run, or it has no report yet.
    """
    record = _ledger(home).run(name)
    file = record.folder / "report.html"
    if record.summary is None or not file.exists():
        raise WrongInput(f"run {record.run}: it is {record.state} and has no report; `bulkload runs` lists all")
    told.result(dict(record.summary), lambda: _told(record))
    if open_it:
        webbrowser.open(file.as_uri())


def _told(record: RunRecord) -> Iterator[str]:
    summary = record.summary or {}
    for fate, rows in summary.get("rows", {}).items():
        if rows or fate == "read":
            yield f"{fate:20} {rows:>12,}"
    yield f"exit code {record.exit_code}; {record.folder / 'report.html'}"


def runs(home: Home, told: Told) -> None:
    """List runs, the last one first."""
    records = _ledger(home).runs() if home.ledger.exists() else []
    told.result({"runs": [_entry(record) for record in records]}, lambda: _lines(records))


def _entry(record: RunRecord) -> dict[str, object]:
    return {
        "run": record.run,
        "job": record.job,
        "mode": record.mode,
        "state": record.state.value,
        "exit_code": record.exit_code,
        "started_at_utc": record.started_at_utc.isoformat(timespec="seconds"),
        "rows": (record.summary or {}).get("rows"),
    }


def _lines(records: list[RunRecord]) -> Iterator[str]:
    if not records:
        yield "no run yet; `bulkload demo` makes one"
    for record in records:
        rows = (record.summary or {}).get("rows", {})
        applied = rows.get("accepted", 0) + rows.get("accepted_with_loss", 0)
        loaded = f"{applied:,} of {rows['read']:,} rows loaded" if rows else ""
        yield f"{record.run:44} {record.state.value:10} {loaded}".rstrip()


def _ledger(home: Home) -> Ledger:
    if not home.ledger.exists():
        raise WrongInput(f"{home.folder}: no run yet; `bulkload demo` makes one, or name another --home")
    return Ledger(home.ledger)
