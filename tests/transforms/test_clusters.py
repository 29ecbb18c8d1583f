"""What hangs together is what a plain union-find says hangs together."""

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.clusters import write_components

DATABASE = duckdb.connect()


def found(links):
    """The smallest row of each row's cluster, of (row, hash)."""
    rows, hashes = zip(*links, strict=True) if links else ((), ())
    table = pa.table({"row": pa.array(rows, pa.int64()), "hash": pa.array(hashes, pa.uint64())})
    DATABASE.from_arrow(table).create_view("shares", replace=True)
    write_components(DATABASE)
    return dict(DATABASE.sql("select row, root from components").fetchall())


def plain(links):
    """Union-find, one link at a time."""
    root = {}

    def find(row):
        while root.setdefault(row, row) != row:
            row = root[row]
        return row

    first_with = {}
    for row, hash_ in links:
        one, other = find(row), find(first_with.setdefault(hash_, row))
        root[max(one, other)] = min(one, other)
    together = {row: find(row) for row in root}
    return {row: at for row, at in together.items() if list(together.values()).count(at) > 1}


@pytest.mark.parametrize(
    ("links", "clusters"),
    [
        ([], {}),
        ([(1, 7), (2, 8)], {}),
        ([(3, 7), (1, 7), (2, 7)], {1: 1, 2: 1, 3: 1}),
        ([(1, 7), (2, 7), (2, 8), (3, 8), (9, 5), (8, 5)], {1: 1, 2: 1, 3: 1, 8: 8, 9: 8}),
        ([(1, 7), (1, 8), (2, 7), (2, 8)], {1: 1, 2: 1}),
    ],
)
def test_rows_hang_together_by_what_they_share(links, clusters):
    assert found(links) == plain(links) == clusters


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=60))
def test_clusters_are_the_components_of_a_plain_union_find(links):
    assert found(links) == plain(links)


def test_a_long_chain_is_one_cluster():
    for order in (range(3000), [row * 1237 % 3000 for row in range(3000)]):
        links = [(row, place + step) for place, row in enumerate(order) for step in (0, 1)]
        assert found(links) == dict.fromkeys(range(3000), 0)
