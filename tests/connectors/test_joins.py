"""Joined tables: what stands beside each leading row, and what nobody asked for."""

import pyarrow as pa
import pytest

from connectors.joins import join, write_joining
from connectors.spool import Part, Spool

EDGES = " \t\r\x00\u00a0\u200b\ufeff\u3000"


@pytest.fixture
def joined(tmp_path):
    """Joins `theirs` (key, points) to leading keys cut into parts of two rows; gives (points, several) and the rest."""

    def run(leading: list[str | None], theirs: list[tuple[str | None, str]]):
        spool = Spool(tmp_path / f"run{len(list(tmp_path.iterdir()))}")
        spool.create()
        parts = [Part(n // 2, n, len(leading[n : n + 2])) for n in range(0, len(leading), 2)]
        for part in parts:
            keys = leading[part.first_row : part.end_row]
            rows = list(range(part.first_row, part.end_row))
            spool.write("rows", part, pa.table({"0": pa.array(keys, pa.string()), "row": pa.array(rows, pa.int64())}))
        columns = list(zip(*theirs, strict=True)) or [(), ()]
        held = {str(place): pa.array(column, pa.string()) for place, column in enumerate(columns)}
        write_joining(spool, "loyalty", 0, pa.table({**held, "row": pa.array(range(len(theirs)), pa.int64())}))
        unmatched = join(spool, parts, "loyalty", 2, (0, 0), EDGES)
        beside = [row for part in parts for row in spool.read("joined/loyalty", part).to_pylist()]
        return [(row["1"], row["several"]) for row in beside], unmatched

    return run


def test_each_leading_row_gets_its_match_in_order(joined):
    assert joined(["A", "B", "C"], [("C", "3"), ("A", "1")]) == ([("1", False), (None, False), ("3", False)], 0)


def test_of_several_matches_the_first_is_taken_and_told(joined):
    assert joined(["A", "B"], [("A", "1"), ("B", "2"), ("A", "9")]) == ([("1", True), ("2", False)], 0)


def test_one_row_may_stand_beside_several_leading_ones(joined):
    assert joined(["A", "A", "A"], [("A", "1")]) == ([("1", False)] * 3, 0)


def test_blanks_around_keys_do_not_count(joined):
    assert joined([" A ", "B"], [("A", "1"), (" B", "2")]) == ([("1", False), ("2", False)], 0)


@pytest.mark.parametrize("edge", EDGES)
def test_no_edge_of_a_key_counts_on_either_side(joined, edge):
    assert joined([f"{edge}A", "B"], [("A", "1"), (f" B{edge}", "2")]) == ([("1", False), ("2", False)], 0)
    assert joined(["A"], [(edge * 2, "1"), (f"A{edge}", "2"), ("A", "3")]) == ([("2", True)], 1)


def test_what_stands_within_a_key_counts(joined):
    assert joined(["A\u00a0B", "Ä"], [("AB", "1"), ("Ä", "2")]) == ([(None, False), ("2", False)], 1)


def test_empty_keys_match_nothing_and_are_unmatched(joined):
    assert joined(["", None], [("", "1"), (None, "2"), ("  ", "3")]) == ([(None, False), (None, False)], 3)


def test_rows_that_nobody_asked_for_are_counted(joined):
    assert joined(["A"], [("A", "1"), ("X", "2"), ("Y", "3"), ("Y", "4")]) == ([("1", False)], 3)


def test_keys_are_compared_as_text(joined):
    assert joined(["007", "7"], [("7", "seven")]) == ([(None, False), ("seven", False)], 0)


def test_a_table_without_rows_leaves_all_alone(joined):
    assert joined(["A", "B"], []) == ([(None, False), (None, False)], 0)
