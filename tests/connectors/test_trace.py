"""A customer's lines are found in results and prepared parts, by key or by any identifier."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.results import RESULTS
from connectors.spool import Part, Spool
from connectors.trace import FOUND, in_prepared, in_results
from schemas.trace import Wanted

ASHA, RAVI = b"a" * 16, b"r" * 16
LARGE = 2**64 - 1  # what no signed number holds
ROWS = [  # key, identifiers
    (ASHA, [LARGE, 3]),
    (None, None),
    (RAVI, [3]),
    (ASHA, []),
    (None, [LARGE]),
]


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path / "run")
    spool.create()
    keys, identifiers = zip(*ROWS, strict=True)
    lines = {"key_hash": keys, "identifiers": identifiers, "line": range(2, 7), "file": ["a.csv"] * 5}
    blank = {field.name: [None] * 5 for field in RESULTS}
    pq.write_table(pa.table(blank | {k: list(v) for k, v in lines.items()}, RESULTS), spool.folder / "results.parquet")
    prepared = pa.table({"row": [10, 11, 12, 13, 14], "key": pa.array(keys, pa.binary(16)),
                         "identifiers": pa.array(identifiers, pa.list_(pa.uint64()))})  # fmt: skip
    spool.write("prepared", Part(0, 10, 2), prepared.slice(0, 2))
    spool.write("prepared", Part(1, 12, 3), prepared.slice(2))
    return spool


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        (Wanted(frozenset([ASHA])), [0, 3]),
        (Wanted(identifiers=frozenset([LARGE])), [0, 4]),
        (Wanted(identifiers=frozenset([3, 99])), [0, 2]),
        (Wanted(frozenset([RAVI]), frozenset([LARGE])), [0, 2, 4]),
        (Wanted(frozenset([b"x" * 16]), frozenset([7])), []),
        (Wanted(), []),
    ],
)
def test_lines_are_found_by_key_or_identifier(spool, wanted, places):
    found = in_results(spool.folder, wanted)
    assert found.schema == FOUND
    assert (found["row"].to_pylist(), found["line"].to_pylist()) == (places, [place + 2 for place in places])
    assert list(in_prepared(spool, wanted)) == [place + 10 for place in places]


def test_an_older_files_lines_are_found_by_key(spool):
    path = spool.folder / "results.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["identifiers", "payload_digest", "first_run"]), path)
    found = in_results(spool.folder, Wanted(frozenset([ASHA]), frozenset([3])))
    assert found["row"].to_pylist() == [0, 3]
    assert found["digest"].to_pylist() == [None, None]


def test_a_run_without_rows_holds_nobody(tmp_path):
    spool = Spool(tmp_path / "run")
    spool.create()
    assert list(in_prepared(spool, Wanted(frozenset([ASHA])))) == []
