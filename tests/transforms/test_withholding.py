"""Credits of before are out of what is sent, and their points are told apart: none is lost."""

import json

import pyarrow as pa

from schemas.outcomes import Fate
from tests.transforms.test_outcomes import DROPPED, UNREADABLE, answered, prepared, table
from transforms.outcomes import close, most_points, tally
from transforms.withholding import DIFFER, withhold

KINDS = {"row": pa.int64(), "programme": pa.string(), "differs": pa.bool_()}


def payload(*points: tuple[int, int]) -> bytes:
    enrolments = [{"programId": programme, "loyaltyPoints": number} for programme, number in points if number]
    told = {"profiles": [], "loyaltyProgramEnrollments": enrolments}
    return json.dumps(told, separators=(",", ":")).encode()


def part(*rows):
    """Rows of (code, points of 1016, points of 1017), from row 100."""
    of_rows = prepared(*((None, code, one, other) for code, one, other in rows))
    payloads = [payload((1016, one), (1017, other)) for _, one, other in rows]
    more = {"points": pa.array([True] * len(rows)), "payload": pa.array(payloads, pa.binary())}
    more["size"] = pa.array(map(len, payloads), pa.int32())
    return pa.table({**{name: of_rows.column(name) for name in of_rows.column_names}, **more})


def points(rows, *names):
    return list(zip(*(rows.column(name).to_pylist() for name in names), strict=True))


PART = part((None, 5, 7), ("city.not_in_values", 5, 7), (None, 5, 0), (None, 9, 0))
WITHHELD = table(KINDS, (100, "1016", False), (101, "1016", True), (101, "1017", False), (102, "1016", True))


def test_what_was_credited_before_is_taken_out_of_points_payload_and_size():
    left = withhold(PART, WITHHELD)
    assert points(left, "points_0", "withheld_0") == [(0, 5), (0, 5), (0, 5), (9, 0)]
    assert points(left, "points_1", "withheld_1") == [(7, 0), (0, 7), (0, 0), (0, 0)]
    assert left.column("points").to_pylist() == [True, False, False, True]
    told = [json.loads(one)["loyaltyProgramEnrollments"] for one in left.column("payload").to_pylist()]
    assert told == [
        [{"programId": 1016}, {"programId": 1017, "loyaltyPoints": 7}],
        [{"programId": 1016}, {"programId": 1017}],
        [{"programId": 1016}],
        [{"programId": 1016, "loyaltyPoints": 9}],
    ]
    assert left.column("size").to_pylist() == [len(one) for one in left.column("payload").to_pylist()]


def test_another_amount_is_told_beside_what_was_told_before():
    assert withhold(PART, WITHHELD).column("codes").to_pylist() == [
        None, f"city.not_in_values;{DIFFER}", DIFFER, None,
    ]  # fmt: skip


def test_points_of_before_are_unchanged_and_all_points_add_up():
    sent = answered((100, "accepted", ""), (101, "refused", "8009"), (102, "accepted", ""))
    closed = close(withhold(PART, WITHHELD), table(UNREADABLE), table(DROPPED), sent, 100)
    told = tally(closed)
    assert told.points_read == {"1016": 24, "1017": 14}
    assert {programme: +per_fate for programme, per_fate in told.points.items()} == {
        "1016": {Fate.UNCHANGED: 15, Fate.NOT_SENT: 9},
        "1017": {Fate.ACCEPTED: 7, Fate.UNCHANGED: 7},
    }
    assert most_points(closed) == 9
