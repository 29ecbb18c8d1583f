"""A run that version 2 planned is a dead end for nobody once this version is installed."""

import hashlib
import json
import os
import sqlite3
from contextlib import closing

import pyarrow.parquet as pq
import pytest

from flows.settings import load_job

NEW_COLUMNS = {"identifiers", "digest", "whole_digest", "statement"}
NEW_KEYS = {"spelling", "joins", "memory", "children"}
# The defaults of version 2, as it wrote them.
RULES = (
    '{"rules":{"filter":null,"duplicates":{"keep":"last","by":null},"shared_identifier":null,"placeholders":null,'
    '"bad_optional":"drop","nulls":"omit"}}'
)


def sections(desk) -> dict[str, str]:
    """Digests of the job file's sections, as version 2 made them."""
    job = load_job(desk.folder / "job.yaml", os.environ)
    names = ("name", "mode", "source", "locale", "key", "points_id", "map")
    written = {section: job.model_dump_json(include={section}) for section in names} | {"rules": RULES}
    written["destination"] = job.destination.model_dump_json(exclude={"auth", "in_doubt"})
    written["limits.bytes_per_request"] = "1000000"
    return {section: hashlib.sha256(text.encode()).hexdigest() for section, text in written.items()}


def made_older(desk, run: str) -> str:
    """Give a run's folder the form in which version 2 left it, and the ledger what it knew."""
    folder = desk.home / run
    for path in (folder / "prepared").glob("*.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.drop_columns(sorted(NEW_COLUMNS & set(table.column_names))), path)
    steps = [pq.read_table(path) for path in (folder / "dropped").glob("*.parquet")]
    pq.write_table(max(steps, key=len), folder / "dropped.parquet")
    for name in ("dropped/*.parquet", "clusters*", "accepted.parquet", "withheld.parquet"):
        for path in folder.glob(name):
            path.unlink()
    (folder / "dropped").rmdir()
    manifest = json.loads((folder / "prepared.json").read_bytes())
    kept = {key: value for key, value in manifest.items() if key not in NEW_KEYS}
    (folder / "prepared.json").write_text(json.dumps(kept | {"sections": sections(desk)}), encoding="utf-8")
    with closing(sqlite3.connect(desk.home / "ledger.sqlite")) as ledger:
        ledger.execute("update accepted set identifiers = null")
        ledger.commit()
    return run


def source(desk) -> None:
    """Twelve customers, the last of them twice: one row is no part of any batch."""
    desk.source(12)
    with (desk.folder / "customers.csv").open("a", encoding="utf-8") as file:
        file.write("C-12,9845000012,Asha,12\n")


@pytest.fixture
def doubtful(desk_with):
    """A desk with an older run, of which five rows are in doubt and were applied."""
    desk = desk_with("lost:1")
    source(desk)
    return desk, made_older(desk, desk.run().told["run"])


@pytest.mark.parametrize("words", [[], ["--as", "accepted"]], ids=["by a look", "by a person"])
def test_its_doubts_are_settled(doubtful, words):
    desk, run = doubtful
    settled = desk("settle", run, *words)
    assert (settled.exit_code, settled.sent) == (0, {"accepted": 12, "duplicate": 1})
    assert desk.agrees(settled)
    assert desk.run().sent == {"unchanged": 12, "duplicate": 1}
    assert desk.books.written_twice() == []


def test_rows_that_were_not_sent_go_with_the_next_run(desk_with):
    desk = desk_with("reset-before:1")
    source(desk)
    run = made_older(desk, desk.run().told["run"])
    assert desk("settle", run, "--as", "not-sent").sent == {"accepted": 7, "not_sent": 5, "duplicate": 1}
    refused = desk("resume", run)
    assert (refused.exit_code, refused.told["problems"]) == (
        2, [f"run {run}: an older bulkload planned it; `bulkload run` starts anew"],
    )  # fmt: skip
    anew = desk.run()
    assert anew.sent == {"unchanged": 7, "accepted": 5, "duplicate": 1}
    assert desk.books.credits()[1016].points == sum(range(1, 13))


def test_another_mapping_does_not_settle_it(doubtful):
    desk, run = doubtful
    desk.job(map={"lastName": "first_name"}, rules={"bad_optional": "reject"})
    settled = desk("settle", run)
    assert (settled.exit_code, "job.yaml (map, rules) changed" in settled.stderr) == (2, True)


# As a process that is killed leaves it: five rows answered by nobody, and nothing remembered of the others.
KILLED = """
update runs set state = 'delivering', finished_at_us = null, exit_code = null, summary_json = null;
delete from row_results where fate = 'in_doubt';
update batches set state = 'sending', answered_at_us = null, code = '' where state = 'in_doubt';
delete from accepted;
delete from credits;
"""


def test_a_killed_one_is_closed_and_blocks_nobody(doubtful):
    desk, run = doubtful
    with closing(sqlite3.connect(desk.home / "ledger.sqlite")) as ledger:
        ledger.executescript(KILLED)
    assert f"first: bulkload resume {run}" in desk.run().stderr
    refused = desk("resume")
    assert (refused.exit_code, "an older bulkload planned it" in refused.stderr) == (2, True)
    assert desk.run().sent == {"unchanged": 7, "in_doubt": 5, "duplicate": 1}
    assert desk("settle", run).sent == {"accepted": 12, "duplicate": 1}
    assert desk.run().sent == {"unchanged": 12, "duplicate": 1}
    assert desk.books.written_twice() == []
