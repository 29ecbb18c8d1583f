"""Who vanished: known customers without a row; whoever was not accepted, or is to be forgotten, is not known."""

import duckdb
import pyarrow as pa
import pytest

from schemas.memory import ACCEPTED, FORGOTTEN, HASH
from transforms.vanished import count_known, vanished


def h(number: int) -> bytes:
    return number.to_bytes(16, "big")


ASHA, BEN, CHAI, DEV = h(1), h(2), h(3), h(4)


def asked(accepted, there, forgotten=()):
    """Keys that vanished, and how many are known."""
    lines = [{"key": key, "digest": h(9), "fate": fate, "identifiers": []} for key, fate in accepted.items()]
    with duckdb.connect() as database:
        database.from_arrow(pa.Table.from_pylist(lines, ACCEPTED)).create("accepted")
        database.from_arrow(pa.table([pa.array(list(forgotten), HASH)], schema=FORGOTTEN)).create("forgotten")
        database.from_arrow(pa.table({"key": pa.array(there, HASH)})).create("there")
        return sorted(key for (key,) in vanished(database).fetchall()), count_known(database)


@pytest.mark.parametrize(
    ("accepted", "there", "gone", "known"),
    [
        ({ASHA: "accepted", BEN: "accepted_with_loss"}, [ASHA], [BEN], 2),
        ({ASHA: "accepted"}, [ASHA, ASHA, BEN, None], [], 1),
        ({ASHA: "accepted"}, [None], [ASHA], 1),
        ({ASHA: "in_doubt", BEN: "refused"}, [], [], 0),  # nobody knows that the API has them as customers of this job
        ({}, [ASHA], [], 0),
    ],
)
def test_who_vanished(accepted, there, gone, known):
    assert asked(accepted, there) == (gone, known)


def test_whoever_is_to_be_forgotten_has_not_vanished():
    assert asked(dict.fromkeys((ASHA, BEN, CHAI), "accepted"), [ASHA], forgotten=[BEN, DEV]) == ([CHAI], 2)
