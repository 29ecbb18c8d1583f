"""The contrast holds: the plain script merges people and says nothing of it; bulkload accounts for every row."""

import pytest

from benchmarks.merges import FILES, by_bulkload, by_script, tried

ROWS = 40


@pytest.mark.parametrize(("name", "merged"), list(zip(FILES, [9, 8], strict=True)))
def test_the_plain_script_merges_people_without_a_word(name, merged):
    outcome = tried(by_script, FILES[name](ROWS))
    assert (outcome.customers, outcome.merged, outcome.accepted, outcome.told) == (ROWS, merged, ROWS, {})


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_bulkload_tells_of_every_row_that_it_does_not_load(name):
    outcome = tried(by_bulkload, FILES[name](ROWS))
    assert outcome.accepted < ROWS
    assert outcome.told
