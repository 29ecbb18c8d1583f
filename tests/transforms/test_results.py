"""Closed rows as a person gets them: results without names, rejected rows as they were, reasons in sentences."""

from pathlib import Path

import pyarrow as pa
import pytest

from schemas.outcomes import Fate
from schemas.runs import Example
from transforms.firsts import linked
from transforms.results import Reasons, meaning, rejected_of, results_of, told_apart

FILES = ["monday.csv", "tuesday.csv"]
COLUMNS = ["Member No", "phone"]
CLOSED = pa.table(
    {
        "row": [0, 1, 2, 3],
        "file": pa.array([0, 0, 1, 1], pa.int32()),
        "line": [2, 3, 2, 9],
        "key": pa.array([b"k0", b"k1", None, None], pa.binary()),
        "fate": ["refused", "accepted", "invalid", "unreadable"],
        "batch": pa.array([1, 1, None, None], pa.int64()),
        "codes": ["email.not_an_address;8009", None, "mobile.too_short;mobile.too_short", "line.too_few_columns"],
    }
)
FIRSTS = pa.table({"row": [2], "first_run": ["m"], "first_file": ["may.csv"], "first_line": [77], "first_fate": ["x"]})
LINKED = linked(CLOSED, FIRSTS.slice(0, 0))
RAW = pa.table({"0": ["C-1001", "C-1002", " 007 "], "1": ["98450 12345", "x", None]})


def test_results_name_files_and_hide_keys():
    results = results_of(CLOSED, FILES)
    assert results.column_names == ["row", "file", "line", "key_hash", "fate", "batch", "codes"]
    assert results.column("file").to_pylist() == ["monday.csv", "monday.csv", "tuesday.csv", "tuesday.csv"]


def test_rejected_rows_keep_their_own_text_and_say_why():
    refused, invalid = rejected_of(LINKED, RAW, COLUMNS, FILES, "update").to_pylist()
    assert list(refused) == ["Member No", "phone", "_fate", "_code", "_reason", "_file", "_line"]
    assert refused == {
        "Member No": "C-1001",
        "phone": "98450 12345",
        "_fate": "refused",
        "_code": "email.not_an_address;8009",
        "_reason": f"email is no e-mail address. {meaning('8009', 'update').cause}",
        "_file": "monday.csv",
        "_line": "2",
    }
    assert (invalid["Member No"], invalid["phone"], invalid["_reason"]) == (
        " 007 ",
        None,
        "mobile is too short to be one.",
    )


def test_a_row_rejected_again_keeps_the_place_where_it_stood_first():
    refused, invalid = rejected_of(linked(CLOSED, FIRSTS), RAW, COLUMNS, FILES, "update").to_pylist()
    assert (invalid["_file"], invalid["_line"], invalid["_fate"]) == ("may.csv", "77", "invalid")
    assert (refused["_file"], refused["_line"]) == ("monday.csv", "2")


def test_a_row_that_an_earlier_doubt_held_back_can_be_sent_again():
    fates = pa.array(["in_doubt", "in_doubt", "in_doubt", "unreadable"])
    told = rejected_of(LINKED.set_column(4, "fate", fates), RAW, COLUMNS, FILES, "update")
    assert told.column("_file").to_pylist() == ["tuesday.csv"]  # the others were sent by this run


def test_an_unreadable_line_is_no_rejected_row():
    """Without columns it would be a customer without a key when the file is loaded again."""
    assert rejected_of(LINKED.slice(3, 1), RAW.slice(0, 0), COLUMNS, FILES, "update").num_rows == 0


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/in/a.csv"], ["a.csv"]),
        (["/in/1/a.csv", "/in/2/b.csv"], ["a.csv", "b.csv"]),
        (["/in/1/x.csv", "/in/2/x.csv", "/in/3/y.csv"], ["1/x.csv", "2/x.csv", "y.csv"]),
        (["/in/x.csv", "/in/late/x.csv"], ["x.csv", "late/x.csv"]),
        (["../in/1/eu/x.csv", "../in/2/eu/x.csv"], ["1/eu/x.csv", "2/eu/x.csv"]),
        (["x.csv", "old/x.csv"], ["x.csv", "old/x.csv"]),
        ([], []),
    ],
)
def test_files_of_one_name_are_told_apart_by_their_folders(paths, names):
    assert told_apart([Path(path) for path in paths]) == names


def test_nothing_rejected_is_an_empty_table_with_all_columns():
    nothing = rejected_of(LINKED.slice(1, 1), RAW, COLUMNS, FILES, "update")
    assert (nothing.num_rows, nothing.column_names[:3]) == (0, ["Member No", "phone", "_fate"])


def test_reasons_count_rows_and_show_masked_examples():
    reasons = Reasons("update")
    customers = {0: "C-10010001", 2: "919845012345", 3: None}
    for _ in range(2):
        reasons.add(CLOSED, FILES, lambda places: [customers[at] for at in places])
    told = {(reason.fate, reason.code): reason for reason in reasons.told()}
    assert {key: reason.rows for key, reason in told.items()} == {
        (Fate.UNREADABLE, "line.too_few_columns"): 2,
        (Fate.INVALID, "mobile.too_short"): 2,
        (Fate.REFUSED, "email.not_an_address"): 2,
        (Fate.REFUSED, "8009"): 2,
    }
    assert told[Fate.INVALID, "mobile.too_short"].examples == (Example("tuesday.csv", 2, "91••••45"),) * 2
    assert told[Fate.UNREADABLE, "line.too_few_columns"].examples[0].customer == ""


def test_fates_come_in_their_order_and_most_rows_first():
    reasons = Reasons("update")
    reasons.add(CLOSED, FILES, lambda places: [None] * len(places))
    reasons.add(CLOSED.slice(2, 1), FILES, lambda places: [None] * len(places))
    assert [reason.fate.value for reason in reasons.told()] == ["unreadable", "invalid", "refused", "refused"]


def test_at_most_three_examples_are_kept():
    reasons = Reasons("update")
    for _ in range(3):
        reasons.add(pa.concat_tables([CLOSED, CLOSED]), FILES, lambda places: ["x"] * len(places))
    assert {len(reason.examples) for reason in reasons.told()} == {3}


def test_a_number_is_the_apis_code_and_a_word_is_ours():
    assert meaning("mobile.too_short", "update").cause == "mobile is too short to be one."
    assert meaning("8009", "update") != meaning("8009x", "update")
    assert meaning("no_code", "update").cause.endswith(".")
