"""A run told to people: one HTML file, the same story as Markdown, a few lines for a terminal, one verdict.

What needs a person comes first everywhere. Nothing of a customer is shown but the examples, which come masked.
"""

import re
from html import escape
from textwrap import wrap

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from schemas.outcomes import Fate
from schemas.runs import RunReport
from transforms.report_charts import (
    COLUMNS,
    count,
    duration,
    fate_bar,
    fate_lines,
    line,
    point_lines,
    share,
    size,
    timeline,
)
from transforms.report_words import FOR_A_PERSON, change_sentence, steps, sum_of, verdict
from transforms.totals import additions

LINES = 15  # of a summary
ENOUGH_FOR_A_PACE = 20  # requests; of fewer, the first second says nothing of the rate
REASONS_SHOWN = 20

NAMES = {fate: fate.value.replace("_", " ").capitalize() for fate in Fate}


def html(report: RunReport) -> str:
    """A whole file that needs nothing beside it: no network, no script, no font."""
    return _render("report.html.j2", report)


def markdown(report: RunReport) -> str:
    """The same story in GitHub's Markdown, for a Prefect artifact."""
    return _render("report.md.j2", report)


def summary(report: RunReport) -> list[str]:
    """At most 15 lines of at most 78 characters, without colour: verdict, fates, points, requests, files, next.

    Notes stand there where they have room.
    """
    head = wrap(verdict(report), COLUMNS, max_lines=4)
    todo = steps(report)
    sent = f"{count(report.requests.sent)} sent, {count(report.requests.throttled)} throttled, {_pace(report)}"
    tail = [
        line("Requests", sent),
        line("Files", ", ".join(report.files.values()) or "none"),
        line("Next", (todo[0].command or todo[0].do) if todo else "nothing to do"),
    ]
    fates = fate_lines(report.totals, NAMES)
    room = LINES - len(head) - len(fates) - len(tail) - 1  # one is for points
    because = wrap(report.stopped_because, COLUMNS - 10, max_lines=min(3, room), placeholder="…")
    stopped = "Stopped" if report.state != "done" else "Guard"
    head += [line("" if place else stopped, words) for place, words in enumerate(because)]
    points = point_lines(report.totals, LINES - len(head) - len(fates) - len(tail))
    room = LINES - len(head) - len(fates) - len(points) - len(tail)
    notes = [
        line("" if place else "Note", words)
        for note in report.notes
        for place, words in enumerate(wrap(note, COLUMNS - 10))
    ]
    return [*head, *fates, *points, *notes[:room], *tail]


def _pace(report: RunReport) -> str:
    length_s = sum(tick.length_s for tick in report.ticks)
    allowed = f"{count(report.requests_per_minute)} a minute allowed"
    if report.requests.sent < ENOUGH_FOR_A_PACE or not length_s:
        return allowed
    return f"{count(60 * sum(tick.sent for tick in report.ticks) / length_s)} a minute ({allowed})"


def _cell(text: object) -> str:
    """Text as Markdown shows it: no markup, no HTML, one line, no end of a table's cell."""
    return re.sub(r"([\\`*_~|\[\]#])", r"\\\1", escape(" ".join(str(text).split()), quote=False))


def _block(text: str) -> str:
    """Lines as they are; a text that could end the block has been made plain before."""
    return f"```text\n{text}\n```"


def _code(text: object) -> str:
    """A code span within a table."""
    return f"`{' '.join(str(text).replace('`', chr(39)).split()).replace('|', chr(92) + '|') or '-'}`"


def _render(template: str, report: RunReport) -> str:
    first = {fate: place for place, fate in enumerate(FOR_A_PERSON)}
    reasons = sorted(report.reasons, key=lambda reason: first.get(reason.fate, len(first)))
    return (
        ENVIRONMENT.get_template(template)
        .render(
            report=report,
            verdict=verdict(report),
            loaded=sum_of(report, Fate.ACCEPTED, Fate.ACCEPTED_WITH_LOSS),
            for_a_person=sum_of(report, *FOR_A_PERSON),
            steps=steps(report),
            doubted=sum_of(report, Fate.IN_DOUBT),
            because={reason.code: reason.cause for reason in report.reasons if reason.fate is Fate.IN_DOUBT},
            names=NAMES,
            additions=additions(report.totals),
            bar=fate_bar(report.totals.rows, NAMES),
            timeline=timeline(report.ticks, report.requests_per_minute),
            pace=_pace(report),
            reasons=(reasons[:REASONS_SHOWN], reasons[REASONS_SHOWN:]),
            changes=[change_sentence(change) for change in report.changes],
        )
        .strip()
        + "\n"
    )


ENVIRONMENT = Environment(
    loader=PackageLoader("transforms", "."),
    autoescape=select_autoescape(["html.j2"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters.update(count=count, share=share, duration=duration, size=size, cell=_cell, code=_code, block=_block)
