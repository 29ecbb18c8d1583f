"""The main job on the sample: every row has its fate, every file is as described, and the API's books agree."""

import csv
import json
import stat
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from connectors.sandbox.server import run_sandbox
from flows.cli import app
from flows.demo import CUSTOMERS, JOB, _members, environment_of

FATES = {
    "unreadable": 3, "filtered": 24, "invalid": 30, "duplicate": 18, "conflict": 0, "unchanged": 0,
    "accepted": 1897, "accepted_with_loss": 13, "refused": 15, "in_doubt": 0, "not_sent": 0,
}  # fmt: skip


class Sample:
    """The sample job, run once as fast as the sandbox answers; tests of this module look at what it left."""

    def __init__(self, sandbox, folder: Path) -> None:
        self.books = sandbox.books
        self.sandbox = sandbox
        self.home = folder / "home"
        self.job = folder / "job.yaml"
        samples, slow = f"{CUSTOMERS.parent}/", "requests_per_minute: 600, rows_per_request: 25"
        words = JOB.read_text(encoding="utf-8").replace("../samples/", samples)
        self.words = words.replace(slow, "requests_per_minute: 60000, rows_per_request: 100")
        self.ran = self.run(self.words)
        self.told = json.loads(self.ran.stdout)
        self.folder = self.home / self.told["run"]

    def run(self, words: str):
        self.job.write_text(words, encoding="utf-8")
        ran = CliRunner().invoke(app, ["run", str(self.job), "--no-prefect", "--home", str(self.home), "--json"])
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return ran

    def rejected(self) -> list[list[str]]:
        with (self.folder / "rejected.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    with run_sandbox() as sandbox, pytest.MonkeyPatch.context() as patch:
        for name, value in environment_of(sandbox).items():
            patch.setenv(name, value)
        sandbox.preload(sorted(_members()))
        yield Sample(sandbox, tmp_path_factory.mktemp("sample"))


def source_rows() -> dict[int, list[str]]:
    """The sample's rows by the physical line they start on, without the byte order mark."""
    rows, line = {}, 1
    with CUSTOMERS.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        for row in reader:
            rows[line] = row
            line = reader.line_num + 1
    return rows


def test_the_sample_meets_every_planted_fate(sample):
    assert sample.ran.exit_code == 0
    assert sample.told["rows"] == {"read": 2000} | FATES


def test_points_are_told_per_programme_and_fate(sample):
    points = sample.told["points"]["1016"]
    assert list(sample.told["points"]) == ["1016"]
    assert points == {
        "read": 2490229, "filtered": 27350, "invalid": 9918, "duplicate": 16017,
        "accepted": 2372661, "accepted_with_loss": 29142, "refused": 35141,
    }  # fmt: skip
    assert sum(points.values()) == 2 * points["read"]


def test_run_json_has_the_keys_and_types_scripts_rely_on(sample):
    told = sample.told
    assert {name: type(told[name]) for name in told} == {
        "schema": int, "run": str, "job": str, "mode": str, "state": str, "started": str, "finished": str,
        "exit_code": int, "rows": dict, "points": dict, "requests": dict, "seconds": dict, "reasons": list,
        "unmatched": dict, "files": dict,
    }  # fmt: skip
    assert list(told["rows"]) == ["read", *FATES]
    assert set(told["requests"]) == {"sent", "answered", "retried", "throttled", "looked_up"}
    assert list(told["seconds"]) == ["prepare", "settle", "deliver", "report"]
    assert {key for reason in told["reasons"] for key in reason} == {"fate", "code", "rows", "cause", "fix"}
    assert (told["schema"], told["job"], told["mode"], told["state"]) == (1, "demo", "migrate", "done")
    assert told["started"].endswith("+05:30")


def test_run_json_on_disk_is_what_was_printed(sample):
    assert json.loads((sample.folder / "run.json").read_text(encoding="utf-8")) == sample.told


def test_every_file_run_json_names_is_there(sample):
    files = sample.told["files"]
    assert {"report", "rejected", "results"} <= set(files)
    assert all((sample.folder / name).exists() for name in files.values())


def test_results_have_one_line_per_row_read(sample):
    results = pq.read_table(sample.folder / "results.parquet")
    assert results.column_names == [
        "file", "line", "key_hash", "fate", "codes", "entity_id", "batch", "attempt", "request_id", "answered_at_utc",
        "first_run", "first_file", "first_line", "first_fate", "identifiers", "payload_digest",
            "cluster",
    ]  # fmt: skip
    rows = results.to_pylist()
    assert Counter(row["fate"] for row in rows) == {fate: count for fate, count in FATES.items() if count}
    assert sorted(row["line"] for row in rows) == sorted(source_rows())[1:]
    assert {row["file"] for row in rows} == {"customers.csv"}


def test_what_was_sent_knows_its_request(sample):
    rows = pq.read_table(sample.folder / "results.parquet").to_pylist()
    sent = [row for row in rows if row["fate"] in ("accepted", "accepted_with_loss", "refused")]
    seen = {one.request_id for one in sample.books.requests("/v2/bulk")}
    assert {row["request_id"] for row in sent} == seen
    assert all(row["batch"] and row["attempt"] == 1 and row["answered_at_utc"] for row in sent)
    assert all(row["batch"] is None for row in rows if row not in sent)


def test_the_books_agree_row_by_row(sample):
    rows = pq.read_table(sample.folder / "results.parquet").to_pylist()
    source = source_rows()
    applied = {source[row["line"]][0].strip() for row in rows if row["fate"].startswith("accepted")}
    written = {member for member in {row[0].strip() for row in source.values()} if member
               and sample.books.writes_of("externalId", member)}  # fmt: skip
    assert applied == written
    assert len(applied) == 1897 + 13


def test_the_books_agree_point_by_point(sample):
    points = sample.told["points"]["1016"]
    assert sample.books.credits()[1016].points == points["accepted"] + points["accepted_with_loss"]
    assert (sample.books.credited_twice(), sample.books.written_twice(), sample.books.merges()) == ([], [], [])


def test_rejected_rows_keep_all_columns_and_bytes(sample):
    header, *rejected = sample.rejected()
    source = source_rows()
    assert header == [*source[1], "_fate", "_code", "_reason", "_file", "_line"]
    assert Counter(row[-5] for row in rejected) == {"invalid": 30, "refused": 15}
    for row in rejected:
        assert row[:-5] == source[int(row[-1])]
        assert row[-4]
        assert row[-3]
        assert row[-2] == "customers.csv"


def test_unreadable_lines_are_kept_byte_for_byte(sample):
    lines = CUSTOMERS.read_bytes().splitlines(keepends=True)
    rows = pq.read_table(sample.folder / "results.parquet").to_pylist()
    wrong = sorted(row["line"] for row in rows if row["fate"] == "unreadable")
    assert len(wrong) == 3
    kept = (sample.folder / "unreadable-lines" / "customers.csv").read_bytes()
    assert kept == b"".join(lines[number - 1] for number in wrong)
    assert b"Jos\xe9" in kept


def test_only_the_owner_may_look_into_a_home(sample):
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [sample.home, *sample.home.rglob("*")]}
    assert {path.name: oct(mode) for path, mode in modes.items() if path.is_dir() and mode != 0o700} == {}
    assert {path.name: oct(mode) for path, mode in modes.items() if path.is_file() and mode != 0o600} == {}


def test_the_sample_reports_are_whole_and_masked(sample):
    html = (sample.folder / "report.html").read_text(encoding="utf-8")
    markdown = (sample.folder / "report.md").read_text(encoding="utf-8")
    told = [row[0].strip() for row in sample.rejected()[1:]]
    assert "2,000" in html
    assert "2,000" in markdown
    assert [member for member in told if len(member) > 5 and (member in html or member in markdown)] == []


def test_a_corrected_rejected_file_is_loaded_by_the_same_job(sample):
    """Runs last: it writes into the same sandbox."""
    header, *rejected = sample.rejected()
    damaged = next(row for row in rejected if "mobile.damaged_by_spreadsheet" in row[-4])
    damaged[header.index("phone")] = "9845099999"
    corrected = sample.home.parent / "corrected.csv"
    with corrected.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rejected])
    told = json.loads(sample.run(sample.words.replace(str(CUSTOMERS), str(corrected))).stdout)
    assert (told["rows"]["read"], told["rows"]["accepted"], told["rows"]["refused"]) == (45, 1, 15)
    assert sample.books.writes_of("externalId", damaged[0].strip()) == 1


@pytest.mark.parametrize(
    ("name", "csv"),
    [
        ("customers.csv", {"delimiter": ";", "encoding": "cp1252", "skip_rows": 1}),
        (
            "customers.csv",
            {"delimiter": ";", "columns": ["member_no", "phone", "first_name", "points"], "skip_rows": 2},
        ),
        ("customers.tsv", {}),
    ],
)
def test_rejected_rows_load_again_whatever_their_source_was_like(desk, name, csv):
    between = "\t" if name.endswith("tsv") else ";"
    lines = [["exported today"]] * ("skip_rows" in csv) + [["member_no", "phone", "first_name", "points"]]
    lines += [["C-1", "9845000001", "Zoë", "1"], ["C-2", "98450", "Renée", "2"]]
    text = "".join(between.join(line) + "\n" for line in lines)
    desk.write(name, text.encode(csv.get("encoding", "utf-8")))
    desk.sandbox.preload(["C-1", "C-2"])
    job = {"csv": csv, "files": name}
    required = {"identifiers": {"mobile": {"column": "phone", "required": True}}}
    first = desk.run(source={"customers": job}, map=required)
    assert first.sent == {"accepted": 1, "invalid": 1}
    rejected = (desk.of(first) / "rejected.csv").read_text(encoding="utf-8")
    desk.write("corrected.csv", rejected.replace("98450", "9845000002"))
    assert desk.run(source={"customers": job | {"files": "corrected.csv"}}, map=required).sent == {"accepted": 1}
    assert desk.books.customer("externalId", "C-2").profiles[0].first_name == "Renée"
