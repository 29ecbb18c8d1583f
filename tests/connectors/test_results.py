"""What a run leaves: results for machines, rejected rows and unreadable lines for people to correct."""

import csv
import stat

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.results import RESULTS, Results, UnreadableLines, plain_names, write_text

OURS = ["_fate", "_code", "_reason", "_file", "_line"]


def rejected(*rows: tuple[str | None, ...]) -> pa.Table:
    names = ["member no", "note", *OURS]
    return pa.table([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], names=names)


def read_csv(folder) -> list[list[str]]:
    with (folder / "rejected.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize(
    "text",
    ["007", "a,b", 'say "hi"', "two\nlines", "two\r\nlines", "", " blank ", "陈", "=1+1", "é\u2028\u00a0", "\\n", "'"],
)
def test_rejected_rows_keep_every_character(tmp_path, text):
    with Results(tmp_path, ["member no", "note"]) as results:
        results.reject(rejected(("C-1", text, "invalid", "mobile.missing", "…", "a.csv", "2")))
    assert read_csv(tmp_path)[1] == ["C-1", text, "invalid", "mobile.missing", "…", "a.csv", "2"]


def test_a_run_without_rejected_rows_leaves_a_header(tmp_path):
    with Results(tmp_path, ["member no", "note"]):
        pass
    assert read_csv(tmp_path) == [["member no", "note", *OURS]]


def test_unreadable_lines_are_kept_byte_for_byte(tmp_path):
    with Results(tmp_path, ["a"]) as results:
        results.unreadable("a.csv", b"\xff\xfe,x\r\n")
        results.unreadable("b.csv", b"other\n")
        results.unreadable("a.csv", b"last")
    assert (tmp_path / "unreadable-lines" / "a.csv").read_bytes() == b"\xff\xfe,x\r\nlast"
    assert (tmp_path / "unreadable-lines" / "b.csv").read_bytes() == b"other\n"


def test_a_run_closed_again_starts_its_files_anew(tmp_path):
    for _ in range(2):
        with Results(tmp_path, ["member no", "note"]) as results:
            results.reject(rejected(("C-1", "x", "invalid", "c", "r", "a.csv", "2")))
            results.unreadable("a.csv", b"line\n")
    assert len(read_csv(tmp_path)) == 2
    assert (tmp_path / "unreadable-lines" / "a.csv").read_bytes() == b"line\n"


def test_lines_kept_before_the_end_stay(tmp_path):
    UnreadableLines(tmp_path).write("loyalty-points.csv", b"early\n")
    with Results(tmp_path, ["a"]) as results:
        results.unreadable("a.csv", b"late\n")
    kept = {path.name: path.read_bytes() for path in (tmp_path / "unreadable-lines").iterdir()}
    assert kept == {"loyalty-points.csv": b"early\n", "a.csv": b"late\n"}


@pytest.mark.parametrize(
    ("names", "plain"),
    [
        (["a.csv", "b.csv"], ["a.csv", "b.csv"]),
        (["east/x.csv", "west/x.csv"], ["east__x.csv", "west__x.csv"]),
        (["a.csv.gz", "b.jsonl.ZST", "c.zip"], ["a.csv", "b.jsonl", "c"]),
        (["x.csv", "x.csv.gz", "x.csv.zst"], ["x.csv", "2-x.csv", "3-x.csv"]),  # never two files in one
        (["a/x.csv", "a__x.csv"], ["a__x.csv", "2-a__x.csv"]),
    ],
)
def test_plain_text_has_a_plain_name_of_its_own(names, plain):
    assert plain_names(names) == plain


def test_a_plain_name_fits_a_file_system():
    long = plain_names(["ü" * 127 + "/x.csv", "ü" * 126 + "/x.csv"])
    assert len(set(long)) == 2
    assert all(len(name.encode()) <= 255 and name.endswith("__x.csv") for name in long)


def test_results_hold_exactly_the_promised_columns(tmp_path):
    row = {name: pa.nulls(1, kind) for name, kind in zip(RESULTS.names, RESULTS.types, strict=True)}
    with Results(tmp_path, ["a"]) as results:
        results.write(pa.table({"more": pa.array([1]), **row}))
    assert pq.read_schema(tmp_path / "results.parquet").names == RESULTS.names


def test_all_files_are_their_owners_alone(tmp_path):
    with Results(tmp_path, ["a"]) as results:
        results.unreadable("a.csv", b"x")
    write_text(tmp_path / "report.md", "é")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {
        "results.parquet": 0o600, "rejected.csv": 0o600, "unreadable-lines": 0o700, "a.csv": 0o600, "report.md": 0o600,
    }  # fmt: skip
