"""A sorted table in pieces, cut where its column passes a value."""

import pyarrow as pa
import pytest

from connectors.sorted_rows import SortedRows


def cut(pieces, *limits):
    """The values below each limit, one list per limit; the pieces' own cuts do not show."""
    rows = SortedRows((pa.table({"at": pa.array(piece, pa.int64())}) for piece in pieces), "at")
    return [[value for piece in rows.below(limit) for value in piece.column("at").to_pylist()] for limit in limits]


@pytest.mark.parametrize("pieces", [[[1, 2, 2, 5, None]], [[1], [2, 2], [5, None]], [[1, 2], [], [2, 5], [None]]])
def test_rows_come_once_and_up_to_the_limit(pieces):
    assert cut(pieces, 2, 2, 4, None) == [[1], [], [2, 2], [5, None]]


def test_a_table_without_pieces_has_no_rows():
    assert cut([], 7, None) == [[], []]
