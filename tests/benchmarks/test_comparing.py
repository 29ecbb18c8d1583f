"""The bench of comparing settles what it says it does."""

from benchmarks.comparing import make, settled


def test_one_row_in_a_hundred_has_changed(tmp_path):
    make(tmp_path, 1000)
    assert settled(tmp_path, 1000) == {"unchanged": 990, "not_sent": 10}
