"""Rows in doubt as they are gathered for a person: the first ones masked, their requests whole, nobody else's."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa

from schemas.runs import Doubtful, DoubtfulRequest
from transforms.doubts import SHOWN, Doubts

SENT = datetime(2026, 2, 28, 19, 4, 12, 345_000, UTC)
COLUMNS = {
    "file": pa.int32(), "line": pa.int64(), "fate": pa.string(), "codes": pa.string(), "batch": pa.int64(),
    "request_id": pa.string(), "sent_at_utc": pa.timestamp("us", "UTC"), "points": pa.bool_(),
    "points_0": pa.int64(), "points_1": pa.int64(),
}  # fmt: skip


def closed(*rows):
    """(line, fate, codes, batch, request id) a row; each of a batch was sent, and is worth 40 + 2 points."""
    lines = [
        (0, line, fate, codes, batch, request_id, batch and SENT, True, 40, 2)
        for line, fate, codes, batch, request_id in rows
    ]
    return pa.table({name: pa.array([line[at] for line in lines], COLUMNS[name]) for at, name in enumerate(COLUMNS)})


def gathered(*parts):
    doubts = Doubts(ZoneInfo("Asia/Kolkata"))
    for part in parts:
        doubts.add(part, ["monday.csv"], lambda places: [f"C-10{place:02}07" for place in places])
    return doubts


def test_a_row_is_told_masked_and_in_local_time():
    doubts = gathered(closed((2, "accepted", None, 1, "r-1"), (3, "in_doubt", "http_502", 2, "r-2")))
    assert doubts.rows == [
        Doubtful("monday.csv", 3, "C-••••07", "2026-03-01T00:34:12+05:30", 2, "r-2", ("http_502",), 42)
    ]
    assert doubts.requests() == (DoubtfulRequest(2, SENT, "r-2", rows=1, points=42),)


def test_what_cleaning_found_is_no_reason_for_doubt():
    codes = "city.not_in_values;no_answer: timed out after 0.5 s"
    (row,) = gathered(closed((2, "in_doubt", codes, 1, None))).rows
    assert (row.codes, row.request_id) == (("no_answer: timed out after 0.5 s",), "")


def test_a_row_of_an_earlier_run_has_no_request_here():
    doubts = gathered(closed((2, "in_doubt", "in_doubt.earlier_run", None, None)))
    assert [(row.sent_at, row.batch, row.codes) for row in doubts.rows] == [("", None, ("in_doubt.earlier_run",))]
    assert doubts.requests() == ()


def test_few_rows_are_shown_and_all_requests_are_counted():
    """A batch may hold rows of two parts."""
    rows = [(line, "in_doubt", "html", 1 + line // 20, "r") for line in range(50)]
    doubts = gathered(closed(*rows[:30]), closed(*rows[30:]))
    assert [row.line for row in doubts.rows] == list(range(SHOWN))
    assert [(request.batch, request.rows, request.points) for request in doubts.requests()] == [
        (1, 20, 840), (2, 20, 840), (3, 10, 420),
    ]  # fmt: skip


def test_only_rows_that_are_shown_are_asked_for():
    asked = []
    doubts = Doubts(ZoneInfo("UTC"))
    part = closed(*((line, "in_doubt", "html", 1, "r") for line in range(30)))
    for _ in range(2):
        doubts.add(part, ["a.csv"], lambda places: asked.append(len(places)) or [None] * len(places))
    assert (asked, {row.customer for row in doubts.rows}) == ([20, 0], {""})


def test_a_job_without_points_has_doubts_too():
    part = closed((2, "in_doubt", "html", 1, "r")).drop_columns(["points_0", "points_1"])
    assert [row.points for row in gathered(part).rows] == [0]
