"""Who merges people: the same two files, sent by a plain script and by bulkload, to a sandbox that merges as the API.

    python -m benchmarks.merges [--rows 2000]

The script is `naive.py`. Customers who share an identifier become one at the API, for good (contract §9.1).
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from benchmarks.bench import RESULTS, ROOT, machine
from benchmarks.fault_loaders import COLUMNS, JOB
from benchmarks.naive import naive_load, naive_token
from connectors.sandbox.server import RunningSandbox, run_sandbox
from connectors.sandbox.settings import Settings

PLACEHOLDER = "9999999999"
Row = dict[str, str]


@dataclass(slots=True)
class Outcome:
    """What one loader made of one file: by the sandbox's books, and by its own account."""

    customers: int  # before
    merged: int  # customers who are another one now
    accepted: int
    told: dict[str, int] = field(default_factory=dict)  # other rows, by fate and reason


def customers(rows: int) -> list[Row]:
    """So many people, each with a mobile and an e-mail of their own."""
    return [
        {"member_no": f"C-{n}", "phone": f"98450{n:05}", "email": f"asha.{n}@example.com", "first_name": "Asha",
         "till": "till.blr.01", "tier": "1"}
        for n in range(rows)
    ]  # fmt: skip


def sharing_a_placeholder(rows: int) -> list[Row]:
    """Of a quarter of them nobody knew the mobile, and somebody had to type one."""
    people = customers(rows)
    return [row | {"phone": PLACEHOLDER} if n % 4 == 0 else row for n, row in enumerate(people)]


def crossing(rows: int) -> list[Row]:
    """Of each ten, three are a chain: one has the mobile of the next and the e-mail of the one after."""
    people = customers(rows)
    for n in range(0, rows - 2, 10):
        people[n]["phone"] = people[n + 1]["phone"]
        people[n]["email"] = people[n + 2]["email"]
    return people


FILES: Mapping[str, Callable[[int], list[Row]]] = {
    f"a quarter shares {PLACEHOLDER}": sharing_a_placeholder,
    "crossing identifiers": crossing,
}


def by_script(source: Path, sandbox: RunningSandbox, folder: Path) -> Outcome:
    """As `naive.py` sends it; what it tells is a sum."""
    before = sandbox.books.customers()
    counts = naive_load(source, sandbox.url, token=naive_token(sandbox.url, "demo", "demo-secret"))
    told = {"errors": counts["errors"]} if counts["errors"] else {}
    return Outcome(before, len(sandbox.books.merges()), counts["sent"] - counts["errors"], told)


def by_bulkload(source: Path, sandbox: RunningSandbox, folder: Path) -> Outcome:
    """`bulkload run` with the job of `data/jobs/messy.yaml`."""
    job, before = yaml.safe_load(JOB.read_text(encoding="utf-8")), sandbox.books.customers()
    job["source"]["customers"]["files"] = str(source)
    job["limits"]["look_up_after_s"] = [0.2, 0.5]  # a sandbox beside us has done what it will do by then
    written = folder / "job.yaml"
    written.write_text(yaml.safe_dump(job, sort_keys=False), encoding="utf-8")
    words = ["run", str(written), "--yes", "--no-prefect", "--json", "--home", str(folder / "home")]
    command = [sys.executable, "-c", "from flows.cli import main; main()", *words]
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"SANDBOX_URL": sandbox.url}, stdout=subprocess.PIPE, check=False
    )
    report = json.loads(ended.stdout)
    told = {f"{reason['fate']} {reason['code']}": reason["rows"] for reason in report["reasons"]}
    rows = report["rows"]
    return Outcome(before, len(sandbox.books.merges()), rows["accepted"] + rows["accepted_with_loss"], told)


LOADERS = {"plain script": by_script, "bulkload": by_bulkload}


def measure(rows: int) -> dict[str, dict[str, Outcome]]:
    """Each file, sent by each loader to a sandbox of its own that knows everybody by their number."""
    return {name: {loader: tried(send, made(rows)) for loader, send in LOADERS.items()} for name, made in FILES.items()}


def tried(send: Callable[[Path, RunningSandbox, Path], Outcome], people: Sequence[Row]) -> Outcome:
    """One loader, one file."""
    with tempfile.TemporaryDirectory(prefix="bulkload-merges-") as made, run_sandbox(Settings()) as sandbox:
        source = Path(made) / "customers.csv"
        with source.open("w", encoding="utf-8", newline="") as file:
            lines = csv.DictWriter(file, COLUMNS, restval="")
            lines.writeheader()
            lines.writerows(people)
        sandbox.preload(row["member_no"] for row in people)
        return send(source, sandbox, Path(made))


def table(found: Mapping[str, Mapping[str, Outcome]]) -> Iterator[str]:
    """The outcomes for people."""
    yield f"{'':<32}{'':<14}{'customers':>10}{'merged':>8}{'accepted':>10}  told of the others"
    for name, outcomes in found.items():
        for loader, outcome in outcomes.items():
            told = ", ".join(f"{what}: {rows:,}" for what, rows in outcome.told.items()) or "nothing"
            counts = f"{outcome.customers:>10,}{outcome.merged:>8,}{outcome.accepted:>10,}"
            yield f"{name:<32}{loader:<14}{counts}  {told}"


def as_json(found: Mapping[str, Mapping[str, Outcome]]) -> dict[str, Any]:
    """The outcomes for machines."""
    return {name: {loader: asdict(outcome) for loader, outcome in by.items()} for name, by in found.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000)
    found = measure(parser.parse_args(arguments).rows)
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-merges.json"
    kept.write_text(json.dumps({"machine": machine(), "found": as_json(found)}, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(found)))
    print(f"kept in {kept.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
