"""`bulkload init`: a job file for a source that nobody has described, tested on its rows before it is written."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa
import typer

from connectors.spool import Spool
from connectors.throwaway import throwaway
from flows.hands import Silent, pool
from flows.looking import TABLE, Asked, Looked, look_at
from flows.prepare import prepare_run, recipe_of
from flows.pulling import limited
from flows.settings import now
from flows.source import Source
from flows.told import Told
from schemas.errors import SourceError, WrongInput
from schemas.guessing import Guessed, Tested
from schemas.rows import RawRows
from transforms.askers import askers
from transforms.columns import resolve
from transforms.guessed_job import blocks_of
from transforms.guessed_test import lines_of, tested_of
from transforms.guessing import guess
from transforms.job_file import read_job
from transforms.job_text import text_of

LOOKED_ROWS = 5_000
# The test sends nothing and asks nobody: any credentials do.
STAND_INS = {"CAPILLARY_KEY": "init", "CAPILLARY_SECRET": "init"}
STDOUT = Path("-")


def init(source: str, asked: Asked, output: Path | None, told: Told) -> None:
    """Look at a source, guess, test and write.

    Raises:
        WrongInput: the source cannot be read, or the job file is there already.
    """
    folder = Path() if output is None or output == STDOUT else output.parent
    target = _new(output) if output is not None else None
    with look_at(source, asked, folder) as looked:
        target = target or _new(Path(f"{looked.name}.yaml"))
        held = _first_rows(looked)
        guessed = guess(looked.columns, _table(held, looked.columns))
        guessed = replace(guessed, remarks=(*looked.notes, *guessed.remarks))
        tested = _test(_text(looked, guessed, ()), looked, held)
    text = _text(looked, guessed, list(lines_of(tested)))
    if target != STDOUT:
        _write(target, text)
    elif not told.as_json:
        typer.echo(text, nl=False)
        return
    needs = [*STAND_INS, *looked.environment]
    told.result(_as_json(target, text, guessed, tested), lambda: _lines(target, guessed, tested, needs))


def _new(target: Path) -> Path:
    """The file, if it is none yet: somebody's work may be in one that is there."""
    if target != STDOUT and target.exists():
        raise WrongInput(f"{target} exists, and is not overwritten; name another file with -o, or move it away")
    if not target.parent.is_dir():
        raise WrongInput(f"{target}: there is no folder {target.parent}; make it, or name another file with -o")
    return target


def _first_rows(looked: Looked) -> list[RawRows]:
    held = list(limited(looked.reading.batches(), LOOKED_ROWS))
    if not sum(batch.rows.num_rows for batch in held):
        raise SourceError(f"source.{TABLE}: there are no rows to look at; take a file that has some")
    return held


def _table(held: Sequence[RawRows], columns: Sequence[str]) -> pa.Table:
    return pa.Table.from_batches([batch.rows for batch in held]).select(list(columns))


def _text(looked: Looked, guessed: Guessed, tested: Sequence[str]) -> str:
    return text_of(blocks_of(looked.name, looked.lines, guessed, tested))


def _test(text: str, looked: Looked, held: Sequence[RawRows]) -> Tested:
    """Prepare the rows as a run would, in a folder that is gone afterwards."""
    job = read_job(text, STAND_INS | dict(looked.environment), "init")
    reading = replace(looked.reading, batches=lambda: iter(held))
    source = Source({TABLE: reading}, resolve(askers(job), {TABLE: looked.columns}, {}))
    with throwaway() as folder, pool("threads") as workers:
        spool = Spool(folder / "init")
        spool.create()
        recipe = recipe_of(job, f"{now(job):%Y-%m-%d}", b"init")
        prepared, _ = prepare_run(job, source, spool, recipe, workers, Silent(), None)
        parts = [spool.read("prepared", part, ["fate", "codes"]) for part in prepared.parts]
        unreadable = sum(part.unreadable for part in prepared.parts)
    return tested_of(pa.concat_tables(parts), unreadable)


def _write(target: Path, text: str) -> None:
    trouble = None
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        trouble = error.strerror
    if trouble is not None:
        raise WrongInput(f"{target} cannot be written: {trouble}; name another file with -o")


def _lines(target: Path, guessed: Guessed, tested: Tested, needs: Sequence[str]) -> Iterator[str]:
    mapped = [guess for guess in guessed.guesses.values() if guess.is_mapped]
    yield f"{target}: {len(mapped)} of {len(guessed.columns)} columns are mapped; the rest stands there as comments"
    yield from lines_of(tested)
    if guessed.country.perhaps:
        yield f"Decide locale.country: {guessed.country.reason}"
    if not guessed.dates.is_sure:
        yield f"Decide locale.dates: {guessed.dates.reason}"
    if not any(guess.target.startswith("identifiers.") for guess in mapped):
        yield "No column looks like an identifier: choose one under map.identifiers and key"
    yield from guessed.remarks
    yield f"Next: read {target}, set {', '.join(needs)} in the environment, then"
    yield f"  bulkload preview {target}    # what would be sent, row by row"
    yield f"  bulkload check {target}      # whether the API knows you, and what the organisation lacks"
    yield f"  bulkload plan {target}       # all rows; sends nothing"


def _as_json(target: Path, text: str, guessed: Guessed, tested: Tested) -> dict[str, object]:
    return {
        "job_file": str(target),
        **({"text": text} if target == STDOUT else {}),
        "rows": asdict(tested),
        "guesses": [asdict(guess) | {"mapped": guess.is_mapped} for guess in guessed.guesses.values()],
        "locale": {word: asdict(getattr(guessed, word)) for word in ("country", "timezone", "dates")},
        "remarks": list(guessed.remarks),
    }
