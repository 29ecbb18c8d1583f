"""What to ask Capillary's support of requests in doubt: facts that tell a request from others, nothing of customers."""

from collections.abc import Iterator
from datetime import datetime

from schemas.runs import DoubtfulRequest, RunReport
from transforms.report_charts import count

LISTED = 50  # requests; more are told when support asks for them


def letter(report: RunReport) -> str:
    """Ready to copy and send; empty when no request of this run is in doubt."""
    return "\n".join(_lines(report)) if report.doubtful_requests else ""


def _lines(report: RunReport) -> Iterator[str]:
    requests = report.doubtful_requests
    rows, points = sum(request.rows for request in requests), sum(request.points for request in requests)
    asked = "Were these requests applied, and were points credited?" if points else "Were these requests applied?"
    yield f"{asked} We have no answer that says so."
    yield ""
    yield f"Host: {_plain(report.destination)}"
    yield f"Operation: bulk {_plain(report.operation)}"
    yield f"Sent: {' to '.join(dict.fromkeys(_utc(r.sent_at_utc, 'seconds') for r in (requests[0], requests[-1])))} UTC"
    with_points = f", with {count(points)} points" if points else ""
    yield f"In doubt: {_of(rows, 'customer')} in {_of(len(requests), 'request')}{with_points}"
    yield ""
    yield from (_line(request) for request in requests[:LISTED])
    if len(requests) > LISTED:
        yield f"- and {count(len(requests) - LISTED)} more; we can send their times and ids"


def _line(request: DoubtfulRequest) -> str:
    known_by = f"request id {_plain(request.request_id)}" if request.request_id else "no request id was received"
    return f"- {_utc(request.sent_at_utc, 'milliseconds')} UTC, {_of(request.rows, 'customer')}, {known_by}"


def _utc(moment: datetime, timespec: str) -> str:
    return moment.replace(tzinfo=None).isoformat(" ", timespec)


def _of(number: int, one: str) -> str:
    return f"{count(number)} {one if number == 1 else one + 's'}"


def _plain(text: str) -> str:
    """What others wrote, on one line and unable to end a code block."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split()).replace("`", "'")
