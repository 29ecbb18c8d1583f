"""What is stored comes back as it was."""

import datetime as dt

import numpy as np

from connectors.ledger_tables import microseconds, moment, packed, unpacked


def test_row_numbers_and_moments_survive_storing():
    assert unpacked(packed((0, 1, 2**40))) == (0, 1, 2**40)
    assert packed([np.int64(1)]) == b"\x01" + bytes(7)
    late = dt.datetime(2026, 3, 1, 6, 0, 0, 123_457, tzinfo=dt.timezone(dt.timedelta(hours=5.5)))
    assert moment(microseconds(late)) == late
