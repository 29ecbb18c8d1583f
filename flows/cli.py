"""The command line: `bulkload COMMAND`. Each command reads its words, calls one function, tells its result."""

import flows.arrow_memory  # noqa: F401  # Arrow reads the environment when it is imported

# isort: split
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from flows.settings import Home, home_of
from flows.told import Told
from flows.wishes import Wishes
from schemas.errors import BulkloadError, Stopped
from schemas.outcomes import Decision

app = typer.Typer(
    name="bulkload",
    help="Load customers and loyalty data into Capillary's bulk API, and account for every row and every point.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

JobFile = Annotated[Path, typer.Argument(metavar="JOB", help="A job file (YAML).")]
HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Where runs and the ledger live. [$BULKLOAD_HOME, else data/runs]")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, and nothing else there.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first N rows of the source.")]
Yes = Annotated[bool, typer.Option("--yes", help="Credit points above guards.approve_above_points without asking.")]
Identifier = Annotated[
    str, typer.Argument(help="A customer's key or any mapped identifier, as the source or the API has it.")
]
Full = Annotated[bool, typer.Option("--full", help="Read queries from the beginning, not from their watermark.")]
SinceValue = Annotated[
    str | None, typer.Option("--since", metavar="VALUE", help="Read queries from this value, not from their watermark.")
]
Force = Annotated[bool, typer.Option("--force", help="Load dropped files again that were loaded before.")]
UsePrefect = Annotated[
    bool | None, typer.Option("--prefect/--no-prefect", help="Run inside Prefect. [when a Prefect API is configured]")
]


@contextmanager
def speaking(as_json: bool, quiet: bool) -> Iterator[Told]:
    """Errors become messages and exit codes; a bug keeps its traceback."""
    told = Told(as_json, quiet)
    try:
        yield told
    except BulkloadError as error:
        told.trouble(error)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        stopped = Stopped("stopped before anything else was sent; `bulkload runs` says how far it came")
        told.trouble(stopped)
        raise typer.Exit(stopped.exit_code) from None


def home_for(given: Path | None) -> Home:
    """The home of this command."""
    return home_of(given, os.environ)


@app.command()
def demo(home: HomeOption = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Load 2,000 messy sample customers into the bundled sandbox, and say where the report is."""
    from flows import commands

    with speaking(as_json, quiet) as told:
        raise typer.Exit(commands.demo(home_for(home), told))


@app.command()
def init(
    source: Annotated[
        str, typer.Argument(metavar="FILE|URL", help="A file, several by a glob, a server's or a database's URL.")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", metavar="JOB", help="The job file to write; - for stdout. [<file>.yaml here]")
    ] = None,
    query: Annotated[str | None, typer.Option(metavar="SQL", help="What to ask a database.")] = None,
    table: Annotated[
        str | None, typer.Option(metavar="NAME", help="A database's table, or a workbook's sheet.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Look at a source and write a job file: what is guessed stands in it, with its reason; sends nothing."""
    from flows.init import init as look
    from flows.looking import Asked

    with speaking(as_json, quiet) as told:
        look(source, Asked(query, table), output, told)


@app.command()
def check(job: JobFile, home: HomeOption = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Check job file, source, columns and credentials; sends nothing."""
    from flows import checking

    with speaking(as_json, quiet) as told:
        checking.check(job, told)


@app.command()
def preview(
    job: JobFile,
    rows: Annotated[int, typer.Option("-n", min=1, help="How many rows.")] = 5,
    home: HomeOption = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show rows before and after, and the exact JSON that would be sent. Shows personal data."""
    from flows import commands

    with speaking(as_json, quiet) as told:
        commands.preview(job, rows, home_for(home), told)


@app.command()
def plan(
    job: JobFile,
    limit: Limit = None,
    full: Full = False,
    since: SinceValue = None,
    force: Force = False,
    home: HomeOption = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Prepare, and say what would be sent; sends nothing. `bulkload run JOB --plan RUN` applies it."""
    from flows import commands

    with speaking(as_json, quiet) as told:
        commands.plan(job, limit, Wishes(full, since, force), home_for(home), told)


@app.command()
def run(
    job: JobFile,
    yes: Yes = False,
    limit: Limit = None,
    planned: Annotated[str | None, typer.Option("--plan", metavar="RUN", help="Apply this plan exactly.")] = None,
    full: Full = False,
    since: SinceValue = None,
    force: Force = False,
    prefect: UsePrefect = None,
    home: HomeOption = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Plan, then send; ends with a report that accounts for every row."""
    from flows import commands

    with speaking(as_json, quiet) as told:
        options = commands.RunOptions(limit, planned, prefect, yes, Wishes(full, since, force))
        raise typer.Exit(commands.run(job, options, home_for(home), told))


@app.command()
def resume(
    name: Annotated[str | None, typer.Argument(metavar="RUN", help="A run; the last one by default.")] = None,
    yes: Yes = False,
    home: HomeOption = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Go on where a stopped or killed run stood; nothing that has an answer is sent again."""
    from flows import commands

    with speaking(as_json, quiet) as told:
        raise typer.Exit(commands.resume(name, yes, home_for(home), told))


@app.command()
def settle(
    name: Annotated[str | None, typer.Argument(metavar="RUN", help="A run; the last one by default.")] = None,
    decision: Annotated[
        Decision | None, typer.Option("--as", help="What became of all its rows in doubt, by a person's word.")
    ] = None,
    home: HomeOption = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Look up the rows that a run left in doubt, or record what a person knows of them; sends nothing."""
    from flows import commands

    with speaking(as_json, quiet) as told:
        raise typer.Exit(commands.settle(name, decision, home_for(home), told))


@app.command()
def retry(
    name: Annotated[
        str | None, typer.Argument(metavar="RUN", help="A run; the last one that ended by default.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Its rejected.csv, corrected; UTF-8. [as it stands in its folder]"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before crediting points.")] = False,
    home: HomeOption = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Send the rows that a run rejected again, as a run of its own outside Prefect; nothing accepted is sent again."""
    from flows import commands

    with speaking(as_json, quiet) as told:
        raise typer.Exit(commands.retry(name, file, yes, home_for(home), told))


@app.command()
def report(
    name: Annotated[str | None, typer.Argument(metavar="RUN", help="A run; the last one by default.")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    home: HomeOption = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say how a past run ended, and where its report is."""
    from flows import past

    with speaking(as_json, quiet) as told:
        past.report(name, open_it, home_for(home), told)


@app.command()
def runs(home: HomeOption = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """List past runs, the last one first."""
    from flows import past

    with speaking(as_json, quiet) as told:
        past.runs(home_for(home), told)


@app.command()
def trace(identifier: Identifier, home: HomeOption = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Say what each run did with one customer, and what is remembered of them."""
    from flows.trace import trace as tell

    with speaking(as_json, quiet) as told:
        tell(identifier, home_for(home), told)


@app.command()
def forget(
    identifier: Identifier,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before erasing.")] = False,
    home: HomeOption = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Erase one customer from ledger, runs and reports here, for good; a receipt says what was erased."""
    from flows.forget import forget as erase

    with speaking(as_json, quiet) as told:
        erase(identifier, yes, home_for(home), told)


@app.command()
def schema() -> None:
    """Print the job file's JSON Schema, for editors."""
    from schemas.job import Job

    typer.echo(
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **Job.model_json_schema()}, indent=1)
    )


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
    fault: Annotated[
        list[str] | None, typer.Option("--fault", help="NAME, NAME:RATE or NAME:N; may stand several times.")
    ] = None,
    creates: Annotated[bool, typer.Option("--creates", help="Update makes customers it does not find.")] = False,
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help="Answer 429 above this rate.")] = None,
    max_batch: Annotated[int, typer.Option(min=1, help="Answer 1060 above so many customers a request.")] = 100,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Serve the stand-in bulk API on this machine until stopped; its books are at /sandbox/books."""
    from flows.sandbox import sandbox as serve_until_a_signal

    with speaking(as_json, quiet) as told:
        serve_until_a_signal(port, fault or [], creates, requests_per_minute, max_batch, told)


def main() -> None:
    """Entry point. A scheduler's SIGTERM is a Ctrl-C: what is half prepared is cleared away, and the exit code is 4."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()
