"""The audience at a terminal: one live line per stage, plain lines where nobody watches."""

import sys
import time
from collections.abc import Iterator

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from flows.hands import Stage
from schemas.outcomes import Fate
from schemas.runs import Plan, RunReport
from transforms.report import summary
from transforms.report_charts import duration

TITLES: dict[Stage, str] = {
    "prepare": "Reading and preparing",
    "settle": "Looking at the whole file",
    "deliver": "Sending",
    "report": "Adding up",
}
# Without a terminal a line says how far it is, now and then: logs are read the next morning.
PLAIN_EVERY_S = 15.0


class Terminal:
    """Progress on stderr, so that stdout stays for results."""

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        self._quiet = quiet
        self._live = self.console.is_terminal and not quiet
        self._progress = self._lines()
        self._task: TaskID | None = None
        self._title = ""
        self._total: int | None = None
        self._told_s = time.monotonic()

    def __enter__(self) -> "Terminal":
        self._progress.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._end_stage()
        self._progress.stop()

    def stage(self, stage: Stage, total: int | None = None) -> None:
        """Begin a line; the line before it is complete."""
        self._end_stage()
        self._title, self._total = TITLES[stage], total
        self._task = self._progress.add_task(self._title, total=total, note="")
        if not self._live:
            self.say(self._title + (f": {total:,} rows" if total else ""))

    def advance(self, done: int, note: str = "") -> None:
        """Move the line; or say so every now and then."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, note=note)
        if not self._live and time.monotonic() - self._told_s > PLAIN_EVERY_S:
            self._told_s = time.monotonic()
            of = f" of {self._total:,}" if self._total else ""
            self.say(f"  {done:,}{of} {note}".rstrip())

    def say(self, line: str) -> None:
        """A line above the live one, whole: a log is searched for its paths and hosts."""
        self.console.print(line, markup=False, soft_wrap=True)

    def warn(self, line: str) -> None:
        """On stderr, however quiet."""
        if self._quiet:
            typer.echo(line, err=True)
        else:
            self.say(line)

    def planned(self, plan: Plan) -> None:
        """One line: what will be sent. Another, where the mapping is why."""
        rows = plan.totals.rows.get(Fate.NOT_SENT, 0)
        points = plan.totals.points_of(Fate.NOT_SENT)
        credits_ = f", {points:,} points" if points else ""
        self.say(
            f"Plan: {rows:,} of {plan.totals.read:,} rows{credits_} in {plan.requests:,} requests to {plan.destination}"
        )
        if plan.changed.told:
            self.say(plan.changed.told)

    def approve(self, plan: Plan) -> bool:
        """Ask for the number of points, which nobody types by accident; whatever else is typed is a no."""
        self._end_stage()
        self._progress.stop()
        if self._quiet or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        points = plan.totals.points_of(Fate.NOT_SENT)
        for line in self._asked(plan):
            self.say(line)
        try:
            typed = self.console.input(f"Type {points} to credit them, anything else to send nothing: ", markup=False)
        except (EOFError, KeyboardInterrupt):
            self.say("")
            return False
        # New lines: the old ones would be drawn again, over what was asked.
        self._progress = self._lines()
        self._progress.start()
        return typed.strip().replace(",", "") == str(points)

    def _asked(self, plan: Plan) -> Iterator[str]:
        rows, points = plan.totals.rows.get(Fate.NOT_SENT, 0), plan.totals.points_of(Fate.NOT_SENT)
        yield f"About to credit {points:,} points. Credited points cannot be taken back."
        yield f"  rows         {rows:,}"
        for programme, per_fate in plan.totals.points.items():
            yield f"  programme    {programme}: {per_fate.get(Fate.NOT_SENT, 0):,} points"
        yield f"  requests     {plan.requests:,}, {duration(plan.seconds_at_allowed_rate)} at the allowed rate"
        yield f"  destination  {plan.destination}"

    def reported(self, report: RunReport, markdown: str) -> None:
        """The summary, at most 15 lines."""
        self._end_stage()
        self._progress.stop()
        for line in summary(report):
            self.say(line)

    def _lines(self) -> Progress:
        return Progress(
            SpinnerColumn(), TextColumn("{task.description:<26}"), BarColumn(bar_width=24), MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"), TimeElapsedColumn(), console=self.console, disable=not self._live,
        )  # fmt: skip

    def _end_stage(self) -> None:
        if self._task is not None:
            total = self._progress.tasks[-1].completed or self._total or 1
            self._progress.update(self._task, total=total, completed=total)
            self._progress.stop_task(self._task)
        self._task = None
