"""A rejected file as the two tables that it came from."""

import pyarrow as pa

from schemas.rows import RawRows
from transforms.rejected import leading_columns, leading_rows, nested_columns, nested_rows

COLUMNS = ("no", "name", "family.no", "family.phone", "_fate", "_file", "_line")
OWN, KID, KIN, ORPHAN, BLANK = (
    ("A", "Asha", "", "", "refused", "c.csv", "2"),
    ("B", "Ravi", "B", "98", "refused", "f.csv", "2"),
    ("B", "Ravi", "B", "99", "refused", "f.csv", "3"),
    ("", "", "X", "97", "invalid", "f.csv", "4"),
    ("", " ", None, " ", "", "", ""),
)


def batches(*groups):
    """Each group of lines as one batch of a file."""
    line = 2
    for group in groups:
        columns = [pa.array(values, pa.string()) for values in zip(*group, strict=True)]
        lines = pa.array(range(line, line + len(group)), pa.int64())
        yield RawRows(0, pa.RecordBatch.from_arrays(columns, names=list(COLUMNS)), lines)
        line += len(group)


def leading(*groups):
    return [
        (line, *row.values())
        for batch in leading_rows(lambda: batches(*groups), "family", "no")
        for line, row in zip(batch.lines.to_pylist(), batch.rows.to_pylist(), strict=True)
    ]


def nested(*groups):
    return [tuple(row.values()) for batch in nested_rows(batches(*groups), "family") for row in batch.rows.to_pylist()]


def test_columns_go_back_to_their_tables():
    assert leading_columns(COLUMNS, "family") == ["no", "name", "_fate", "_file", "_line"]
    assert nested_columns(COLUMNS, "family") == ["no", "phone", "_fate", "_file", "_line"]


def test_childrens_lines_are_rows_of_the_nested_table():
    assert nested([OWN, KID, ORPHAN, BLANK]) == [
        ("B", "98", "refused", "f.csv", "2"), ("X", "97", "invalid", "f.csv", "4"),
    ]  # fmt: skip


def test_a_parent_without_a_line_is_told_once_and_names_none():
    assert leading([OWN, KID], [KIN, ORPHAN]) == [
        (2, "A", "Asha", "refused", "c.csv", "2"),
        (3, "B", "Ravi", "refused", "", ""),
    ]


def test_a_parents_own_line_counts_wherever_it_stands():
    child = ("A ", "as it was", "A", "98", "refused", "f.csv", "2")
    assert [row[:3] for row in leading([child, KID], [OWN])] == [(3, "B", "Ravi"), (4, "A", "Asha")]


def test_a_line_without_anything_is_a_leading_row_like_any():
    assert leading([BLANK]) == [(2, "", " ", "", "", "")]
