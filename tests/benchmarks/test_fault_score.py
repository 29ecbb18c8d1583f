"""The scoreboard's columns see what they are there to see."""

import os
import signal
import subprocess
import sys

import pytest

from benchmarks.fault_sandbox import Booked
from benchmarks.fault_score import Account, Score, score

ONCE, TWICE, NEVER = Booked(1, (7,)), Booked(2, (7, 7)), Booked(0, ())
POINTS = {"C-1": 7}


def judged(fate: str | None, truth: Booked, *exits: int, remembered: str | None = None) -> Score:
    memory = {} if remembered is None else {"C-1": remembered}
    return score(Account({} if fate is None else {"C-1": fate}, exits or (0,), memory), {"C-1": truth}, POINTS)


@pytest.mark.parametrize(
    ("fate", "truth", "lost", "wrong"),
    [
        ("accepted", ONCE, 0, 0),
        ("unchanged", ONCE, 0, 0),
        ("accepted", NEVER, 1, 1),
        ("accepted", Booked(1, ()), 1, 1),  # written, and its points are not
        ("accepted", Booked(1, (8,)), 0, 1),
        ("not_sent", NEVER, 0, 0),
        ("not_sent", ONCE, 0, 1),
        ("refused", NEVER, 0, 0),
        ("refused", ONCE, 0, 1),
        ("in_doubt", ONCE, 0, 0),
        ("in_doubt", NEVER, 0, 0),
        (None, ONCE, 1, 0),
        (None, NEVER, 1, 0),
    ],
)
def test_a_fate_is_held_against_the_books(fate, truth, lost, wrong):
    found = judged(fate, truth)
    assert (found.lost, found.wrong) == (lost, wrong)


def test_what_is_remembered_as_accepted_and_is_not_is_lost():
    assert judged("not_sent", NEVER, remembered="accepted").lost == 1
    assert judged("not_sent", NEVER, remembered="in_doubt").lost == 0


@pytest.mark.parametrize("fate", ["accepted", "in_doubt", "not_sent"])
def test_twice_is_twice_whatever_is_said_of_it(fate):
    found = judged(fate, TWICE)
    assert (found.rows_twice, found.points_twice, found.flawless) == (1, 1, False)


@pytest.mark.parametrize(
    ("fate", "exits", "wrongly"),
    [
        ("accepted", (0,), 0),
        ("accepted", (-9, 0), 0),
        ("accepted", (5,), 1),
        ("accepted", (4,), 1),
        ("in_doubt", (-9, 5), 0),
        ("in_doubt", (0,), 1),
    ],
)
def test_it_must_come_to_0_or_with_doubt_to_5(fate, exits, wrongly):
    assert judged(fate, ONCE, *exits).ended_wrongly == wrongly


def test_several_times_of_a_line_are_added_up():
    total = judged("accepted", TWICE, -9, 0)
    total.add(judged("accepted", TWICE, -9, 0))
    total.add(judged("in_doubt", ONCE, -9, 5))
    assert (total.rows_twice, total.in_doubt, total.exits) == (2, 1, {"-9 0": 2, "-9 5": 1})


@pytest.mark.parametrize(("name", "hours"), [("SIGUSR1", 1), ("SIGUSR2", -1)])
def test_the_clock_jumps_in_our_modules(name, hours):
    code = f"""
from benchmarks.clock_jump import listen; listen()
import os, time, datetime
from flows import settings
before = time.time(), datetime.datetime.now()
os.kill(os.getpid(), {signal.Signals[name].value})
print(round(time.time() - before[0]), round((settings.datetime.now() - before[1]).total_seconds()))
"""
    told = subprocess.run([sys.executable, "-c", code], env=os.environ, check=True, capture_output=True, text=True)
    assert [round(float(seconds) / 3600) for seconds in told.stdout.split()] == [hours, hours]
