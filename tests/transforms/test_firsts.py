"""What a retried row was first: known by the line that its rejected file names."""

import duckdb
import pyarrow as pa

from transforms.firsts import COLUMNS, first_fates, linked

RESULTS = {
    "file": pa.string(), "line": pa.int64(), "fate": pa.string(),
    "first_run": pa.string(), "first_file": pa.string(), "first_line": pa.int64(), "first_fate": pa.string(),
}  # fmt: skip
MONDAY = [
    ("a.csv", 2, "accepted", None, None, None, None),
    ("a.csv", 3, "invalid", None, None, None, None),
    ("b.csv", 3, "refused", None, None, None, None),
]


def table(rows, kinds) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    return pa.table([pa.array(values, kind) for values, kind in zip(columns, kinds.values(), strict=True)], list(kinds))


def found(said: list[tuple], results: list[tuple], columns: tuple[str, ...] = tuple(RESULTS)) -> list[tuple]:
    """`said`: row, _file, _line. `results`: as `RESULTS`."""
    rows = table(said, {"row": pa.int64(), "_file": pa.string(), "_line": pa.string()})
    with duckdb.connect() as database:
        database.from_arrow(rows).create_view("rows")
        database.from_arrow(table(results, RESULTS).select(columns)).create_view("results")
        return first_fates(database, "monday").fetchall()


def test_a_row_is_known_by_its_file_and_line():
    said = [(0, "b.csv", "3"), (1, "a.csv", "3"), (2, "a.csv", "2")]
    assert found(said, MONDAY) == [
        (0, "monday", "b.csv", 3, "refused"),
        (1, "monday", "a.csv", 3, "invalid"),
        (2, "monday", "a.csv", 2, "accepted"),
    ]


def test_a_row_that_was_retried_before_stays_what_it_was_first():
    tuesday = [("rejected.csv", 2, "refused", "sunday", "a.csv", 3, "invalid")]
    assert found([(0, "a.csv", "3")], tuesday) == [(0, "sunday", "a.csv", 3, "invalid")]


def test_a_row_that_stood_twice_in_a_retry_is_found_once():
    tuesday = [("rejected.csv", line, fate, "sunday", "a.csv", 3, "invalid")
               for line, fate in ((2, "refused"), (3, "duplicate"))]  # fmt: skip
    assert found([(0, "a.csv", "3"), (1, "a.csv", "3")], tuesday) == [
        (0, "sunday", "a.csv", 3, "invalid"), (1, "sunday", "a.csv", 3, "invalid"),
    ]  # fmt: skip


def test_a_row_added_by_hand_names_no_line():
    assert found([(0, "", ""), (1, None, None), (2, " ", ""), (3, "a.csv", "3")], MONDAY) == [
        (3, "monday", "a.csv", 3, "invalid")
    ]


def test_a_row_of_another_run_has_no_first_run():
    said = [(0, "a.csv", "4"), (1, "c.csv", "3"), (2, "a.csv", "three"), (3, "", "3"), (4, "a.csv", "")]
    assert [(row, run, fate) for row, run, _, _, fate in found(said, MONDAY)] == [(row, None, None) for row in range(5)]


def test_a_spreadsheets_decimals_name_the_same_line():
    assert found([(0, "a.csv", "3.0"), (1, "a.csv", " 3 ")], MONDAY) == [
        (0, "monday", "a.csv", 3, "invalid"), (1, "monday", "a.csv", 3, "invalid"),
    ]  # fmt: skip


def test_results_of_a_version_without_retries_are_read():
    assert found([(0, "a.csv", "3")], MONDAY, ("file", "line", "fate")) == [(0, "monday", "a.csv", 3, "invalid")]


FIRSTS = pa.table({"row": [11], "first_run": ["monday"], "first_file": ["a.csv"], "first_line": [3],
                   "first_fate": ["invalid"]})  # fmt: skip


def test_only_rows_that_were_met_before_are_linked():
    closed = linked(pa.table({"row": [10, 11, 12], "fate": ["accepted", "refused", "unreadable"]}), FIRSTS)
    assert closed.column_names == ["row", "fate", *COLUMNS]
    assert closed["first_run"].to_pylist() == [None, "monday", None]
    assert (closed["first_line"].to_pylist(), closed["fate"].to_pylist()[1]) == ([None, 3, None], "refused")


def test_without_a_retry_every_row_is_met_first():
    closed = linked(pa.table({"row": [10, 11]}), FIRSTS.schema.empty_table())
    assert closed.select(COLUMNS).to_pylist() == [dict.fromkeys(COLUMNS)] * 2
