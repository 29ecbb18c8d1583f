"""Nested tables: whose rows are whose, in which part, and under which number."""

import pyarrow as pa
import pytest

from connectors.joins import write_joining
from connectors.nests import NestRules, nest
from connectors.spool import Part, Spool

EDGES = " \t\u200b"


@pytest.fixture
def nested(tmp_path):
    """Nests keys below leading keys that are cut into parts of two rows."""

    def run(leading, keys, keep_orphans=True, part_rows=100, most=100):
        spool = Spool(tmp_path / f"run{len(list(tmp_path.iterdir()))}")
        spool.create()
        parts = [Part(n // 2, n, len(leading[n : n + 2])) for n in range(0, len(leading), 2)]
        for part in parts:
            rows = {"0": pa.array(leading[part.first_row : part.end_row], pa.string())}
            numbers = pa.array(range(part.first_row, part.end_row), pa.int64())
            spool.write("rows", part, pa.table({**rows, "row": numbers}))
        count = len(keys)
        table = {"0": pa.array(keys, pa.string()), "row": pa.array(range(count), pa.int64())}
        where = {"file": pa.array([0] * count, pa.int32()), "line": pa.array(range(2, count + 2), pa.int64())}
        write_joining(spool, "family", 0, pa.table(table | where))
        rules = NestRules("family", 1, (0, 0), EDGES, part_rows, most, keep_orphans)
        return Found(spool, nest(spool, parts, rules, first_number=0))

    return run


class Found:
    """What was nested, by leading part."""

    def __init__(self, spool, found):
        self.spool, self.nest = spool, found

    def rows(self, parts, kind="rows"):
        """(row, line, parent) of each row, part by part."""
        return [
            [(row["row"], row["line"], row["parent"]) for row in self.spool.read(kind, part).to_pylist()]
            for part in parts
        ]

    @property
    def children(self):
        return {number: self.rows(parts) for number, parts in self.nest.children.items() if parts}

    @property
    def again(self):
        return {number: self.rows(parts, "again") for number, parts in self.nest.again.items() if parts}


def test_children_come_by_leading_row_then_by_line(nested):
    found = nested(["A", "B", "C"], ["C", "A", "C", "A"])
    assert found.children == {0: [[(3, 3, 0), (4, 5, 0)]], 1: [[(5, 2, 2), (6, 4, 2)]]}
    assert [part.first_row for parts in found.nest.children.values() for part in parts] == [3, 5]
    assert (found.again, found.nest.orphans, found.nest.end_row) == ({}, (), 7)


@pytest.mark.parametrize("edge", EDGES)
def test_no_edge_of_a_key_counts(nested, edge):
    assert nested([f"A{edge}"], [f"{edge}A"]).children == {0: [[(1, 2, 0)]]}


def test_rows_without_a_leading_one_come_last(nested):
    found = nested(["A", ""], ["X", "", None, "A"])
    assert found.children == {0: [[(2, 5, 0)]]}
    assert found.rows(found.nest.orphans) == [[(3, 2, None), (4, 3, None), (5, 4, None)]]


def test_orphans_that_are_not_kept_are_counted_by_file(nested):
    found = nested(["A"], ["X", "A", "Y"], keep_orphans=False)
    assert (found.nest.orphans, found.nest.left_out, found.nest.end_row) == ((), {0: 2}, 2)


def test_children_of_several_leading_rows_belong_to_the_first_and_stand_in_all(nested):
    found = nested(["A", "B", "A", "A"], ["A", "B", "A"])
    assert found.children == {0: [[(4, 2, 0), (5, 4, 0), (6, 3, 1)]]}
    assert found.again == {1: [[(4, 2, 2), (5, 4, 2), (4, 2, 3), (5, 4, 3)]]}


def test_parts_end_between_families(nested):
    found = nested(["A", "B", "C"], ["A"] * 3 + ["B"] * 2, part_rows=2)
    assert [len(rows) for rows in found.children[0]] == [5]  # one piece holds them; longer ones are cut
    many = nested(["A", "B"], ["A"] * 15_000 + ["B"] * 15_000, part_rows=2, most=20_000)
    assert [len(rows) for rows in many.children[0]] == [15_000, 15_000]


def test_a_family_that_is_not_sent_is_torn_and_told_by_one_row_again(nested):
    found = nested(["A", "A"], ["A"] * 25_000, part_rows=2, most=20)
    assert [len(rows) for rows in found.children[0]] == [10_000, 10_000, 5_000]
    assert found.again == {0: [[(2, 2, 1)]]}


def test_without_leading_rows_all_are_orphans(nested):
    assert nested([], ["A", "B"]).nest.end_row == 2
