"""What happened on the wire, in slices that fit a chart."""

from itertools import count

import pytest

from flows import timeline
from flows.timeline import MOST_TICKS, Timeline
from schemas.batches import Answer, NeverSent, NoAnswer


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets; in seconds."""
    now = {"s": 100.0}
    monkeypatch.setattr(timeline.time, "monotonic", lambda: now["s"])
    return now


def test_a_second_counts_what_started_in_it(clock):
    told = Timeline()
    for at_s, sending in (
        (100.0, Answer(200, b"", latency_ms=10)),
        (100.9, Answer(201, b"", latency_ms=30)),
        (101.2, Answer(429, b"", latency_ms=5)),
        (103.1, NoAnswer("cut")),
        (103.2, NeverSent("refused")),
    ):
        clock["s"] = at_s
        started = told.start()
        clock["s"] = at_s + 5
        told.end(started, sending, rows=4)
    assert [(t.start_s, t.sent, t.throttled, t.failed, t.rows, t.latency_ms) for t in told.ticks()] == [
        (0.0, 2, 0, 0, 8, 20.0),
        (1.0, 1, 1, 0, 0, 5.0),
        (2.0, 0, 0, 0, 0, None),
        (3.0, 1, 0, 2, 0, None),
    ]


def test_hours_are_melted_into_few_slices(clock):
    told = Timeline()
    for second in range(10_000):
        clock["s"] = 100.0 + second
        told.end(told.start(), Answer(200, b"", latency_ms=1), rows=2)
    ticks = told.ticks()
    assert len(ticks) <= MOST_TICKS
    assert sum(tick.sent for tick in ticks) == 10_000
    assert sum(tick.rows for tick in ticks) == 20_000
    assert {tick.length_s for tick in ticks} == {84.0}


def test_nothing_sent_has_no_slices():
    assert Timeline().ticks() == ()


def test_latencies_of_a_second_are_kept_within_bounds(clock):
    told = Timeline()
    for latency_ms in count():
        if latency_ms == 5_000:
            break
        told.end(told.start(), Answer(200, b"", latency_ms=latency_ms), rows=1)
    assert told.ticks()[0].latency_ms == pytest.approx(49.5)
