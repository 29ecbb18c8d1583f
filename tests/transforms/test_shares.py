"""Shares in words: never all where one is missing, never none where one is there."""

import pyarrow as pa
import pytest

from transforms.shares import percent, share


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (0.0, "none"),
        (0.00001, "0.1%"),
        (0.005, "0.5%"),
        (0.93, "93%"),
        (0.995, "99.5%"),
        (0.99999, "99.9%"),
        (1.0, "all"),
    ],
)
def test_a_share_is_told_in_words(part, told):
    assert percent(part) == told


def test_of_nothing_nothing_is_true():
    assert (share(pa.array([], pa.bool_())), share(pa.array([True, False, False, True]))) == (0.0, 0.5)
