"""The scoreboard of faults: the real command against the sandbox, and what it says against what really happened.

    python -m benchmarks.faults [--only NAME]... [--seed 1] [--seeds 1] [--rows 400] [--in-doubt hold]

One line per fault, for bulkload and below it for a plain script with retries. For every row the sandbox's books are
compared with the run's results; the first four columns must be zero. Everything is drawn from the seed, but two
processes and a server are never twice at the same point: a bad line names its seed and keeps its folder.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.bench import RESULTS, WORK, machine
from benchmarks.fault_lines import LINES, Line
from benchmarks.fault_loaders import DEFAULT_IN_DOUBT, IN_DOUBT, MOST_COMMANDS, Bulkload, Desk, Loader, Retrying
from benchmarks.fault_sandbox import LOOK_UPS, WRITES, sandbox
from benchmarks.fault_score import Score, score

ROWS = 400
LOADERS: dict[str, Callable[[Desk], Loader]] = {"bulkload": Bulkload, "plain script": Retrying}
HEAD = ("rows twice", "points twice", "lost", "wrong", "in doubt", "wasted", "look-ups", "ended wrongly")


def played(line: Line, who: str, seed: int, rows: int, in_doubt: str = DEFAULT_IN_DOUBT) -> Score:
    """One loader through one fault, as often as the line says."""
    total = Score()
    for number in range(line.times):
        draw = random.Random(f"{seed}/{line.name}/{number}")
        total.add(_once(line, who, draw, seed, rows, in_doubt))
    return total


def _once(line: Line, who: str, draw: random.Random, seed: int, rows: int, in_doubt: str) -> Score:
    points = {f"C-{number}": 10 + number for number in range(1, rows + 1)}
    known = [key for key in points if draw.random() >= line.unknown]
    WORK.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=WORK, prefix=f"faults-{line.name}-"))
    with sandbox(dict(line.settings), line.faults, seed) as books:
        desk = Desk(folder, books, points, line.limits, in_doubt)
        desk.furnish()
        books.preload(known)
        loader = LOADERS[who](desk)
        exits = _worked(line, loader, draw)
        time.sleep(line.late_s)
        judged = score(loader.account(exits), {key: books.of(key) for key in points}, points)
        judged.wasted = max(0, books.requests(WRITES) - desk.requests_needed)
        judged.look_ups = books.requests(*LOOK_UPS)
    if judged.flawless or who != "bulkload":
        shutil.rmtree(folder)
    else:
        print(f"    {line.name}, seed {seed}: not as it must be; kept in {folder}", file=sys.stderr, flush=True)
    return judged


def _worked(line: Line, loader: Loader, draw: random.Random) -> list[int]:
    """Give the commands that a scheduler, or a person in the morning, would give; their exit codes."""
    exits: list[int] = []
    process: Any = loader.begin(line.before)
    for number in range(MOST_COMMANDS):
        strike = line.strikes[number] if number < len(line.strikes) else None
        exits += strike(loader, process, draw) if strike else ()
        exits.append(loader.desk.end(process))
        if (process := loader.go_on(exits)) is None:
            break
    return exits


def board(found: dict[str, dict[str, Score]], says: dict[str, str]) -> Iterator[str]:
    """The scoreboard for people."""
    yield f"{'':<44}{'':<14}" + "".join(f"{word.split()[0]:>9}" for word in HEAD) + "  exits"
    yield f"{'':<44}{'':<14}" + "".join(f"{' '.join(word.split()[1:]):>9}" for word in HEAD)
    for name, by_loader in found.items():
        for place, (who, one) in enumerate(by_loader.items()):
            figures = "".join(f"{_figure(word, who, one):>9}" for word in HEAD)
            exits = ", ".join(f"{told}{f' (x{times})' if times > 1 else ''}" for told, times in one.exits.items())
            yield f"{says[name] if place == 0 else '':<44}{who:<14}{figures}  {exits}"


def _figure(word: str, who: str, one: Score) -> str:
    """What was promised by bulkload's exit codes, the script never promised."""
    if word == "ended wrongly" and who != "bulkload":
        return "-"
    return f"{getattr(one, word.replace(' ', '_').replace('-', '_')):,}"


def measure(lines: Sequence[Line], seeds: Sequence[int], rows: int, in_doubt: str) -> dict[str, dict[str, Score]]:
    """All lines, each loader after the other."""
    found: dict[str, dict[str, Score]] = {}
    for line in lines:
        print(f"  {line.name}: {line.says} …", file=sys.stderr, flush=True)
        found[line.name] = {who: Score() for who in LOADERS}
        for who, total in found[line.name].items():
            for seed in seeds:
                total.add(played(line, who, seed, rows, in_doubt))
    return found


def keep(found: dict[str, dict[str, Score]], given: argparse.Namespace) -> Path:
    """Beside the other benchmarks' results."""
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-faults.json"
    told = {line: {who: asdict(one) for who, one in by_loader.items()} for line, by_loader in found.items()}
    settings = {"seed": given.seed, "seeds": given.seeds, "rows": given.rows, "in_doubt": given.in_doubt}
    whole = {"machine": machine(), "settings": settings, "found": told}
    kept.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return kept


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[line.name for line in LINES], metavar="NAME")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="so many seeds, from the first")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--in-doubt", choices=list(IN_DOUBT), default=DEFAULT_IN_DOUBT, help="destination.in_doubt")
    given = parser.parse_args(arguments)
    lines = [line for line in LINES if not given.only or line.name in given.only]
    found = measure(lines, range(given.seed, given.seed + given.seeds), given.rows, given.in_doubt)
    print("\n".join(board(found, {line.name: line.says for line in lines})))
    print("exits: of each command in order; negative: died of that signal; in brackets how often")
    if not given.only:
        print(f"kept in {keep(found, given).name}")
    sys.exit(0 if all(by_loader["bulkload"].flawless for by_loader in found.values()) else 1)


if __name__ == "__main__":
    main()
