"""What many customers have is found, whoever else shares its first bits."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.widely_shared import OftenMet, rows_that_share, widely_shared

LISTS = pa.list_(pa.uint64())


def shared_by(people, above):
    """People are (key, identifiers, fate); what is widely shared, and the rows that have it."""
    keys, ids, fates = zip(*people, strict=True) if people else ((), (), ())
    identifiers = pa.chunked_array([pa.array(ids, LISTS)])
    counts = OftenMet(sum(map(len, ids)), above)
    counts.count(identifiers)
    table = pa.table(
        {
            "row": pa.array(range(len(people)), pa.int64()),
            "key": pa.array(keys, pa.binary()),
            "identifiers": identifiers,
            "fate": pa.array(fates, pa.string()),
        }
    )
    with duckdb.connect() as database:
        database.from_arrow(table).create_view("prepared")
        found = widely_shared(database, counts.found([identifiers]), above)
        return found, [row for (row,) in rows_that_share(database).fetchall()]


A, B, C = ((key, [7, number], None) for number, key in enumerate([b"a", b"b", b"c"]))


@pytest.mark.parametrize(
    ("people", "found"),
    [
        ([A, B, C], ({7}, [0, 1, 2])),
        ([A, B], (set(), [])),  # no more than two
        ([A, A, B, B], (set(), [])),  # of two customers
        ([A, B, (b"c", [7], "filtered")], (set(), [])),
        ([A, B, (None, [7], "invalid")], (set(), [])),
        ([A, B, (b"c", [7], "invalid")], ({7}, [0, 1, 2])),
        ([], (set(), [])),
    ],
)
def test_an_identifier_of_more_than_two_customers_is_nobodys(people, found):
    assert shared_by(people, above=2) == found


keys = st.sampled_from([b"a", b"b", b"c", b"d"])
# Some that begin alike, and some that do not.
hashes = st.lists(st.sampled_from([*range(3), *(n << 60 for n in range(1, 16))]), max_size=3, unique=True)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(keys, hashes, st.none()), max_size=12))
def test_any_file_is_counted_as_plainly(people):
    having = {one: {key for key, ids, _ in people if one in ids} for _, ids, _ in people for one in ids}
    many = {one for one, of in having.items() if len(of) > 2}
    rows = [row for row, (_, ids, _) in enumerate(people) if many & set(ids)]
    assert shared_by(people, above=2) == (many, rows)


def test_only_what_is_met_often_is_looked_at_again():
    once = np.random.default_rng(1).integers(0, 2**64, 40_000, np.uint64)
    counts = OftenMet(len(once) + 21, above=20)
    some = pa.chunked_array([pa.array([one] for one in [*once, *[once[0]] * 21])], LISTS)
    counts.count(some)
    found = counts.found([some])
    assert once[0] in found
    assert len(found) < 100
