"""What the commands do that load or look at data; the command line only reads their words."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from connectors.spool import Part, Spool
from flows import load
from flows import resume as resuming
from flows.demo import JOB, demo_sandbox, environment_of
from flows.doubtful import settle_run
from flows.hands import Silent, Workers, pool
from flows.prepare import prepare_run, recipe_of
from flows.retry import rejected_by
from flows.settings import Home, load_job, now
from flows.source import Source, open_source
from flows.taking import looking
from flows.terminal import Terminal
from flows.told import Told
from flows.wishes import AS_WRITTEN, Wishes
from schemas.errors import WrongInput
from schemas.outcomes import Decision
from schemas.runs import Plan


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The words of `bulkload run`."""

    limit: int | None = None
    planned: str | None = None
    prefect: bool | None = None
    yes: bool = False
    wishes: Wishes = AS_WRITTEN


def demo(home: Home, told: Told) -> int:
    """The sample against the sandbox; ends with the path of the report."""
    with demo_sandbox() as sandbox:
        os.environ.update(environment_of(sandbox))
        return run(JOB, RunOptions(), home, told)


def run(job_file: Path, options: RunOptions, home: Home, told: Told) -> int:
    """Plan, then send; returns the exit code."""
    if options.planned and (options.limit or options.wishes != AS_WRITTEN):
        raise WrongInput("--plan applies a plan as it is; leave out --limit, --full, --since and --force")
    inside = _inside_prefect(options.prefect)
    bring = _prefectly if inside else _plainly
    report = bring(job_file, options, home, told)
    told.result(report, lambda: _where(report, home))
    return int(str(report["exit_code"]))


def _where(report: Mapping[str, object], home: Home) -> Iterator[str]:
    """Where the report is; without a run there is none."""
    if report["run"]:
        yield f"report: {home.run(str(report['run'])) / 'report.html'}"


def _inside_prefect(asked: bool | None) -> bool:
    """Inside when asked for, or when an API is configured; a temporary server is not worth its 15 seconds."""
    if asked is not None:
        return asked
    if "PREFECT_API_URL" in os.environ:
        return True
    profiles = Path(os.environ.get("PREFECT_HOME", Path.home() / ".prefect")) / "profiles.toml"
    if not profiles.exists():
        return False
    from flows.prefect_hands import api_is_configured

    return api_is_configured()


def _prefectly(job_file: Path, options: RunOptions, home: Home, told: Told) -> dict[str, object]:
    """The same load as a flow run; what was wrong is raised here again, in its own words."""
    from flows.migrate import migrate
    from flows.sync import sync

    flow = sync if load_job(job_file, os.environ).mode == "sync" else migrate
    state = flow(
        job=str(job_file.resolve()),
        home=str(home.folder),
        limit=options.limit,
        plan=options.planned,
        approved=options.yes,
        **asdict(options.wishes),
        return_state=True,
    )
    report = state.result(raise_on_failure=False)
    if isinstance(report, BaseException):
        raise report
    assert isinstance(report, dict)
    if not (told.as_json or told.quiet):
        typer.echo(state.message, err=True)
    return report


def _plainly(job_file: Path, options: RunOptions, home: Home, told: Told) -> dict[str, object]:
    """A load on this machine's threads or processes, as the job says."""
    with _audience(told) as audience:
        if options.planned:
            planned = options.planned
            return resuming.run_planned(job_file, home, planned, audience, os.environ, options.yes).as_json()
        with _pool_of(job_file) as workers:
            limit, wishes, yes = options.limit, options.wishes, options.yes
            return load.run(job_file, home, workers, audience, os.environ, limit, wishes, approved=yes).as_json()


def _pool_of(job_file: Path) -> AbstractContextManager[Workers]:
    kind = load_job(job_file, os.environ).run.workers
    assert kind != "dask", "refused with the job file"
    return pool(kind)


def resume(name: str | None, yes: bool, home: Home, told: Told) -> int:
    """Go on with a run; returns the exit code."""
    with _audience(told) as audience:
        report = resuming.resume(home, name, audience, os.environ, yes).as_json()
    told.result(report, lambda: iter([f"report: {home.run(str(report['run'])) / 'report.html'}"]))
    return int(str(report["exit_code"]))


def settle(name: str | None, decision: Decision | None, home: Home, told: Told) -> int:
    """Settle what is in doubt; returns the exit code."""
    with _audience(told) as audience:
        report = settle_run(home, name, decision, audience, os.environ).as_json()
    told.result(report, lambda: iter([f"report: {home.run(str(report['run'])) / 'report.html'}"]))
    return int(str(report["exit_code"]))


def retry(name: str | None, file: Path | None, yes: bool, home: Home, told: Told) -> int:
    """Send rejected rows again; returns the exit code."""
    with _audience(told) as audience:
        job_file, again = rejected_by(home, name, file, os.environ)
        with _pool_of(job_file) as workers:
            report = load.run(job_file, home, workers, audience, os.environ, approved=yes, retry=again).as_json()
    told.result(report, lambda: iter([f"report: {home.run(str(report['run'])) / 'report.html'}"]))
    return int(str(report["exit_code"]))


def _audience(told: Told) -> Terminal:
    return Terminal(quiet=told.quiet or told.as_json)


def plan(job_file: Path, limit: int | None, wishes: Wishes, home: Home, told: Told) -> None:
    """Prepare and print the plan."""
    with _audience(told) as audience, pool("threads") as workers:
        made = load.plan(job_file, home, workers, audience, os.environ, limit, wishes)
    told.result(made.as_json(), lambda: _plan_lines(made))


def _plan_lines(made: Plan) -> Iterator[str]:
    rows = made.as_json()["rows"]
    for fate, count in rows.items():
        if count:
            yield f"{'to be sent' if fate == 'not_sent' else fate:20} {count:>12,}"
    for programme, points in made.totals.points_read.items():
        yield f"{'points ' + programme:20} {points:>12,} read"
    minutes = made.seconds_at_allowed_rate / 60
    yield f"{made.requests:,} requests, {minutes:,.1f} minutes at {made.requests_per_minute} a minute"
    yield from made.notes
    yield from filter(None, [made.changed.told])
    yield from (f"a run would stop: {broken}" for broken in made.guards)
    yield f"apply it with: bulkload run JOB --plan {made.run}"


def preview(job_file: Path, rows: int, home: Home, told: Told) -> None:
    """The first rows, cleaned and as JSON; prepared in a folder that is gone afterwards."""
    job = load_job(job_file, os.environ)
    with looking(job_file.parent) as how, pool("threads") as workers:
        source = open_source(job, how)
        spool = Spool(how.landing / "preview")
        spool.create()
        recipe = recipe_of(job, f"{now(job):%Y-%m-%d}", b"preview")
        prepared, _ = prepare_run(job, source, spool, recipe, workers, Silent(), rows)
        shown = [row for part in prepared.parts for row in _previewed(source, spool, part)]
    told.result({"rows": shown}, lambda: _preview_lines(shown))


def _previewed(source: Source, spool: Spool, part: Part) -> Iterator[dict[str, object]]:
    names = source.columns(part.table or source.lead)
    raw = spool.read("rows", part).to_pylist()
    for before, after in zip(raw, spool.read("prepared", part).to_pylist(), strict=True):
        payload = after["payload"]
        yield {
            **({"table": part.table} if part.table else {}),
            "line": after["line"],
            "before": {name: before[str(place)] for place, name in enumerate(names)},
            "fate": after["fate"] or "to be sent",
            "codes": (after["codes"] or "").split(";") if after["codes"] else [],
            "payload": json.loads(payload) if payload is not None else None,
        }


def _preview_lines(shown: list[dict[str, object]]) -> Iterator[str]:
    for row in shown:
        codes = row["codes"]
        assert isinstance(codes, list)
        table = f"{row['table']} " if "table" in row else ""
        yield f"{table}line {row['line']}: {row['fate']}{' (' + ', '.join(codes) + ')' if codes else ''}"
        before = row["before"]
        assert isinstance(before, dict)
        yield "  before  " + ", ".join(f"{name}={value!r}" for name, value in before.items() if value)
        if row["payload"] is not None:
            yield "  after   " + json.dumps(row["payload"], ensure_ascii=False)
