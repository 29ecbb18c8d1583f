"""What a run leaves to be remembered: of what it sent itself, and of nothing else."""

import pyarrow as pa

from tests.transforms.test_outcomes import DROPPED, UNREADABLE, answered, prepared, table
from transforms.memory import remembered, remembered_children
from transforms.outcomes import close

MARCH, WHOLE = b"m" * 16, b"w" * 16
FATES = ("accepted", "accepted_with_loss", "refused", "in_doubt")


def left(*rows, answers=(), dropped=(), statement=None, of=None):
    """Rows of (points of 1016, points of 1017), from row 100, whose keys are their numbers.

    `of`: they are children, (known by a key, refused with the parent).
    """
    part = prepared(*((None, None, one, other) for one, other in rows))
    own = {
        "key": [bytes([at]) * 16 for at in range(len(rows))],
        "whole_digest": [WHOLE if any(points) else None for points in rows],
        "statement": [statement] * len(rows),
    }
    for name, values in own.items():
        at = part.schema.get_field_index(name)
        part = part.set_column(at, name, pa.array(values, pa.binary(16)))
    closed = close(part, table(UNREADABLE), table(DROPPED, *dropped), answered(*answers), 100)
    if of is None:
        return remembered(closed, "update")
    keyed, with_parent = (pa.array(column, pa.bool_()) for column in zip(*of, strict=True))
    return remembered_children(closed, keyed, with_parent, "update")


def told(rows, *names):
    return [tuple(line[name] for name in names) for line in rows.to_pylist()]


def numbered(rows, *names):
    return [(key[0], *rest) for key, *rest in told(rows, "key", *names)]


def test_answers_are_remembered_by_what_they_say():
    made = left((5, 0), (5, 0), (5, 0), (5, 0), (5, 0), answers=[(100 + n, fate, "") for n, fate in enumerate(FATES)])
    applied = [(0, "accepted"), (1, "accepted_with_loss"), (3, "in_doubt")]
    assert numbered(made.accepted, "fate", "digest", "identifiers") == [(*one, b"d" * 16, [7, 8]) for one in applied]
    assert numbered(made.refused, "digest") == [(2, WHOLE)]
    assert sorted(numbered(made.credited, "fate", "points")) == [
        (0, "accepted", 5),
        (1, "accepted", 5),
        (3, "in_doubt", 5),
    ]


def test_what_this_run_did_not_send_is_not_its_to_remember():
    earlier = [(100, "in_doubt", "in_doubt.earlier_run"), (101, "refused", "refused.earlier_run")]
    made = left((5, 0), (5, 0), (5, 0), dropped=earlier)
    assert (made.accepted.num_rows, made.refused.num_rows, made.credited.num_rows) == (0, 0, 0)


def test_a_refusal_without_points_is_known_by_the_payload():
    assert numbered(left((0, 0), answers=[(100, "refused", "8009")]).refused, "digest") == [(0, b"d" * 16)]


def test_whom_the_api_puts_off_it_has_not_refused():
    """521: it was busy with the customer, however often it was asked."""
    answers = [(100, "refused", "521"), (101, "refused", "8009;8050")]
    assert numbered(left((0, 0), (0, 0), answers=answers).refused) == [(1,)]


def test_credits_are_kept_per_programme_with_their_statement():
    answers = [(100, "accepted", ""), (101, "accepted", "")]
    made = left((5, 7), (0, 0), answers=answers, statement=MARCH)
    assert sorted(numbered(made.credited, "programme", "statement", "points")) == [
        (0, "1016", MARCH, 5), (0, "1017", MARCH, 7),
    ]  # fmt: skip
    assert told(left((5, 0), answers=answers[:1]).credited, "statement") == [(b"",)]


def test_children_are_remembered_apart_with_the_identifiers_of_whom_a_key_tells():
    answers = [(100 + n, fate, "") for n, fate in enumerate((*FATES, "accepted", "refused"))]
    of = [(True, False)] * 4 + [(False, False), (True, True)]
    made = left(*[(0, 0)] * 6, answers=answers, of=of)
    assert sorted(numbered(made.children, "fate", "identifiers")) == [
        (0, "accepted", [7, 8]),
        (1, "accepted_with_loss", [7, 8]),
        (2, "refused", None),
        (3, "in_doubt", [7, 8]),
        (4, "accepted", []),
    ]
    assert (made.accepted.num_rows, made.refused.num_rows, made.credited.num_rows) == (0, 0, 0)
