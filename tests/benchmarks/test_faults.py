"""A handful of the scoreboard's lines: `make faults` runs them all, with many more rows."""

import json
from dataclasses import replace

import pytest

from benchmarks import faults
from benchmarks.fault_lines import LINES
from benchmarks.fault_score import Score

ROWS, SEED = 60, 1
BY_NAME = {line.name: line for line in LINES}
OFTEN = {"lost": ("lost:0.2",), "reset-before": ("reset-before:0.2",), "reset-after": ("reset-after:0.2",)}


def of(name: str, who: str = "bulkload", times: int = 1) -> Score:
    line = BY_NAME[name]
    return faults.played(replace(line, faults=OFTEN.get(name, line.faults), times=times), who, SEED, ROWS)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "times"), [("lost", 1), ("reset-before", 1), ("reset-after", 1), ("kill", 2)])
def test_bulkload_neither_doubles_nor_loses_nor_lies(name, times):
    found = of(name, times=times)
    assert (found.rows_twice, found.points_twice, found.lost, found.wrong, found.ended_wrongly) == (0, 0, 0, 0, 0)
    assert found.look_ups > 0 or any(told.startswith("-9") for told in found.exits), "nothing went wrong"


@pytest.mark.slow
def test_the_plain_script_credits_twice_and_is_seen():
    found = of("lost", "plain script")
    assert found.points_twice == found.rows_twice > 0
    assert found.exits == {"0": 1}


def test_the_names_of_lines_differ():
    assert len(BY_NAME) == len(LINES)


def test_the_board_is_kept_and_says_what_was_wrong(tmp_path, monkeypatch, capsys):
    flawed = Score(points_twice=3, exits={"-9 0": 2})
    by_loader = {"bulkload": Score(exits={"0": 1}), "plain script": flawed}
    monkeypatch.setattr(faults, "RESULTS", tmp_path)
    monkeypatch.setattr(faults, "measure", lambda *_: {line.name: by_loader for line in LINES})
    with pytest.raises(SystemExit) as ended:
        faults.main([])
    assert ended.value.code == 0
    assert "-9 0 (x2)" in capsys.readouterr().out
    kept = json.loads(next(tmp_path.glob("*-faults.json")).read_text())
    assert kept["found"]["lost"]["plain script"]["points_twice"] == 3
