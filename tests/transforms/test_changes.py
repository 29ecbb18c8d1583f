"""What is not sent: the same as was accepted last, credited before, refused before, in doubt, or to be forgotten."""

import duckdb
import pyarrow as pa
import pytest

from schemas.memory import ACCEPTED, CHILDREN, CREDITED, FORGOTTEN, NEWER, REFUSED
from transforms.changes import (
    count_changed,
    credit_digests,
    credited_before,
    digests,
    left_out,
    overtaken,
    touched,
    withheld,
)

HASH = pa.binary(16)
PREPARED = pa.schema(
    [("row", pa.int64()), ("key", HASH), ("digest", HASH), ("whole_digest", HASH), ("statement", HASH),
     ("points_0", pa.int64()), ("programme_0", pa.string()), ("points_1", pa.int64()), ("programme_1", pa.string()),
     ("identifiers", pa.list_(pa.uint64())), ("fate", pa.string())]
)  # fmt: skip
DROPPED = pa.schema([("row", pa.int64()), ("fate", pa.string()), ("code", pa.string()), ("stands_for", pa.int64())])


MENTIONS = pa.schema([("row", pa.int64()), ("key", HASH), ("identifiers", pa.list_(pa.uint64()))])


def h(number: int) -> bytes:
    return number.to_bytes(16, "big")


ASHA, BEN, CHAI = h(1), h(2), h(3)
SAME, OTHER, WHOLE = h(10), h(11), h(12)
MARCH, APRIL = h(103), h(104)


def row(number=0, key=ASHA, digest=SAME, whole=None, statement=None, points=0, more=0, identifiers=(), fate=None):
    """`points` are of programme 1016, `more` of 1017."""
    named = [points, "1016" if points else "", more, "1017" if more else ""]
    return dict(
        zip(PREPARED.names, [number, key, digest, whole, statement, *named, list(identifiers), fate], strict=True)
    )


def accepted(key=ASHA, digest=SAME, fate="accepted", identifiers=()):
    return {"key": key, "digest": digest, "fate": fate, "identifiers": list(identifiers)}


def credited(key=ASHA, programme="1016", statement=b"", points=5, fate="accepted"):
    return {"key": key, "programme": programme, "statement": statement, "points": points, "fate": fate}


def asked(question, rows, memory=(), dropped=(), children=(), mentions=(), newer=()):
    """`memory`: lines of `accepted` and `credited`, and keys with digests that were refused, or alone if forgotten."""
    tables = {
        "rows": (PREPARED, rows),
        "dropped": (DROPPED, dropped),
        "accepted": (ACCEPTED, [line for line in memory if "identifiers" in line]),
        "known_children": (CHILDREN, children),
        "mentions": (MENTIONS, mentions),
        "newer": (NEWER, [{"key": key} for key in newer]),
        "credited": (CREDITED, [line for line in memory if "programme" in line]),
        "refused": (REFUSED, [line for line in memory if line.keys() == {"key", "digest"}]),
        "forgotten": (FORGOTTEN, [line for line in memory if line.keys() == {"key"}]),
    }
    with duckdb.connect() as database:
        for name, (schema, lines) in tables.items():
            database.from_arrow(pa.Table.from_pylist(list(lines), schema)).create(name)
        credited_before(database.table("rows")).create("known")
        found = question(database.table("rows"))
        return found if isinstance(found, tuple) else found.fetchall()


def told(rows, memory=(), dropped=(), refused_again=False):
    """(fate, code) by row."""
    found = asked(lambda prepared: left_out(prepared, refused_again), rows, memory, dropped)
    return {number: (fate, code) for number, fate, code, _ in found}


UNCHANGED, DIFFER = ("unchanged", None), ("invalid", "points.differ_from_credited")
DOUBT = ("in_doubt", "in_doubt.earlier_run")


@pytest.mark.parametrize(
    ("prepared", "memory", "fate"),
    [
        (row(), [accepted()], UNCHANGED),
        (row(), [accepted(fate="accepted_with_loss")], UNCHANGED),
        (row(), [accepted(fate="in_doubt")], None),  # the API may have it, or what was before
        (row(), [accepted(key=BEN)], None),
        (row(digest=OTHER), [accepted()], None),
        # Credits are no part of "changed"; a new one is sent with whatever row it is in.
        (row(points=5), [accepted(), credited()], UNCHANGED),
        (row(points=5), [accepted()], None),
        (row(points=5), [accepted(), credited(programme="1017")], None),
        (row(points=5), [accepted(), credited(key=BEN)], None),
        (row(points=5, more=7), [accepted(), credited()], None),
        (row(points=5, more=7), [accepted(), credited(), credited(programme="1017", points=7)], UNCHANGED),
        (row(digest=OTHER, points=5), [accepted(), credited()], None),
        (row(points=5, statement=MARCH), [accepted(), credited(statement=MARCH)], UNCHANGED),
        (row(points=5, statement=APRIL), [accepted(), credited(statement=MARCH)], None),
        (row(points=5, statement=APRIL), [accepted(), credited()], None),
        # A statement that was restated is seen, and not credited.
        (row(points=6), [accepted(), credited()], DIFFER),
        (row(points=6, more=7), [accepted(), credited()], None),
        (row(points=6), [credited()], None),
        # Under version 2 somebody was credited, in all programmes, nobody knows how much.
        (row(points=5, more=7), [accepted(), credited(programme="", points=None)], UNCHANGED),
        (row(points=5, whole=WHOLE), [accepted(digest=WHOLE), credited(programme="", points=None)], UNCHANGED),
        (row(points=5, statement=MARCH), [accepted(), credited(programme="", points=None)], None),
        # Nobody knows whether this very credit was made; of another there is no doubt.
        (row(points=5), [accepted(), credited(fate="in_doubt")], DOUBT),
        (row(digest=OTHER, points=6, more=7), [credited(fate="in_doubt")], DOUBT),
        (row(points=5), [credited(programme="", points=None, fate="in_doubt")], DOUBT),
        (row(points=5, statement=APRIL), [credited(statement=MARCH, fate="in_doubt")], None),
        (row(), [credited(fate="in_doubt")], None),
        (row(), [accepted(), {"key": ASHA}], ("invalid", "customer.forgotten")),
        (row(points=5), [credited(fate="in_doubt"), {"key": BEN}], DOUBT),
    ],
)
def test_what_is_remembered_decides_what_is_sent(prepared, memory, fate):
    assert told([prepared], memory) == ({0: fate} if fate else {})


@pytest.mark.parametrize(
    ("prepared", "memory", "is_refused"),
    [
        (row(), [{"key": ASHA, "digest": SAME}], True),
        (row(), [{"key": BEN, "digest": SAME}], False),
        (row(digest=OTHER), [{"key": ASHA, "digest": SAME}], False),
        (row(points=5, whole=WHOLE), [{"key": ASHA, "digest": WHOLE}], True),
        (row(points=5, whole=WHOLE), [{"key": ASHA, "digest": SAME}], False),  # other points were refused
        (row(digest=OTHER), [accepted(), {"key": ASHA, "digest": OTHER}], True),
    ],
)
def test_what_was_refused_last_is_sent_again_only_when_asked(prepared, memory, is_refused):
    assert told([prepared], memory) == ({0: ("refused", "refused.earlier_run")} if is_refused else {})
    assert told([prepared], memory, refused_again=True) == {}


def test_the_parent_of_a_refused_child_is_sent_again_only_when_asked():
    rows, memory = [row(0), row(1, BEN)], [accepted(), accepted(BEN)]

    def with_children(refused_again):
        def question(prepared):
            kids = "(values (7, 0, 'refused'), (8, 1, 'in_doubt')) as kids(row, lead_row, fate)"
            prepared.query("_", f"create table sent_before as from {kids}")
            return left_out(prepared, refused_again, with_children=True)

        return sorted(line[0] for line in asked(question, rows, memory))

    assert (with_children(False), with_children(True)) == ([0, 1], [1])


def test_back_to_what_was_accepted_is_unchanged_whatever_was_refused_since():
    assert told([row()], [accepted(), {"key": ASHA, "digest": SAME}]) == {0: UNCHANGED}


def test_a_row_with_a_fate_keeps_it():
    rows = [row(0, fate="invalid"), row(1), row(2)]
    assert told(rows, [accepted()], [{"row": 1, "fate": "duplicate", "code": "", "stands_for": 2}]) == {2: UNCHANGED}


@pytest.mark.parametrize(
    ("prepared", "memory", "fate"),
    [
        (row(), [], ("duplicate", "duplicates.newer_run")),
        (row(key=BEN), [], None),  # no later run loaded them
        (row(fate="filtered"), [], None),
        (row(digest=OTHER), [accepted()], ("duplicate", "duplicates.newer_run")),
        (row(), [accepted()], None),  # as the API has them, or may have
        (row(whole=WHOLE), [accepted(digest=WHOLE, fate="in_doubt")], None),
        # Points that nobody credited are not lost.
        (row(points=5), [], ("invalid", "points.newer_run")),
        (row(points=5, statement=APRIL), [credited(statement=MARCH)], ("invalid", "points.newer_run")),
        (row(points=5, more=7), [credited()], ("invalid", "points.newer_run")),
        (
            row(points=5, more=7),
            [credited(), credited(programme="1017", points=7)],
            ("duplicate", "duplicates.newer_run"),
        ),
        (row(points=5, statement=MARCH), [credited(statement=MARCH)], ("duplicate", "duplicates.newer_run")),
        (row(points=6), [credited()], DIFFER),
        (row(points=5), [credited(fate="in_doubt")], None),  # which is told, and later settled
    ],
)
def test_a_later_runs_row_stands_for_an_older_one_but_not_for_its_points(prepared, memory, fate):
    found = asked(overtaken, [prepared], memory, newer=[ASHA])
    assert found == ([(0, *fate, None)] if fate else [])


def test_rows_to_be_sent_go_without_credits_of_before():
    rows = [
        row(0, digest=OTHER, points=5, more=7),
        row(1, key=BEN, points=5, more=7),
        row(2, key=CHAI, points=5),
    ]
    memory = [credited(), credited(programme="1017", points=8), credited(BEN), credited(CHAI)]
    dropped = [{"row": 2, "fate": "unchanged", "code": None, "stands_for": None}]
    assert asked(withheld, rows, memory, dropped) == [(0, "1016", False), (0, "1017", True), (1, "1016", False)]


def test_two_enrolments_of_one_programme_are_one_credit():
    twice = row(points=5) | {"points_1": 7, "programme_1": "1016"}
    assert told([twice], [accepted(), credited(points=12)]) == {0: UNCHANGED}
    assert told([twice], [accepted(), credited(points=5)]) == {0: DIFFER}


def test_known_customers_are_counted_and_those_that_changed():
    """New and doubtful customers, and rows that stand behind another, are none of them."""
    memory = [accepted(), accepted(BEN), accepted(CHAI, fate="in_doubt"), accepted(h(4)), accepted(h(5))]
    memory += [credited(h(4)), credited(h(5), fate="in_doubt"), {"key": BEN, "digest": OTHER}]
    rows = [row(0), row(1, BEN, OTHER), row(2, CHAI), row(3, h(9)), row(4, h(4), points=6), row(5, h(5), points=5)]
    rows += [row(6), row(7, fate="invalid")]
    dropped = [{"row": 6, "fate": "duplicate", "code": "", "stands_for": 0}]
    left = [{"row": n, "fate": f, "code": c, "stands_for": None} for n, (f, c) in told(rows, memory, dropped).items()]
    assert [line["fate"] for line in left] == ["unchanged", "refused", "invalid", "in_doubt"]
    assert asked(count_changed, rows, memory, [*dropped, *left]) == (4, 1)


def test_only_customers_that_the_run_is_about_are_kept_beside_it():
    """Of whom a row is to be sent, and who has one of its identifiers."""
    rows = [row(0, ASHA, identifiers=[1, 2]), row(1, BEN, identifiers=[3])]
    memory = [accepted(ASHA, identifiers=[9]), accepted(BEN, identifiers=[3]), accepted(CHAI, identifiers=[8, 2])]
    memory += [accepted(h(4), identifiers=[3]), accepted(h(5))]
    dropped = [{"row": 1, "fate": "unchanged", "code": None, "stands_for": None}]
    assert sorted(line[0] for line in asked(touched, rows, memory, dropped)) == [ASHA, CHAI]


def test_who_shares_with_a_child_or_parent_of_a_row_to_be_sent_is_kept_too():
    rows = [row(0, ASHA, identifiers=[1]), row(1, BEN, identifiers=[2])]
    mentions = [{"row": n, "key": h(9), "identifiers": [n + 5]} for n in (0, 1)]
    memory = [accepted(BEN, identifiers=[2]), accepted(CHAI, identifiers=[5]), accepted(h(4), identifiers=[6])]
    dropped = [{"row": 1, "fate": "unchanged", "code": None, "stands_for": None}]
    found = asked(lambda all_: touched(all_, with_mentions=True), rows, memory, dropped, (), mentions)
    assert [line[0] for line in found] == [CHAI]


def test_children_whom_an_earlier_run_sent_are_others_too():
    children = [accepted(BEN, identifiers=[1]), accepted(CHAI, identifiers=[2]), accepted(ASHA, fate="refused")]
    assert [line[0] for line in asked(touched, [row(identifiers=[1])], children=children)] == [BEN]


def test_equal_payloads_have_equal_digests():
    payloads = pa.array([b"{}", b"{}", b'{"a":1}', None], pa.binary())
    made = digests(payloads, b"salt").to_pylist()
    assert made[0] != digests(payloads, b"other").to_pylist()[0]
    assert made[0] == made[1] != made[2]
    assert made[3] is None


def credits_of(points: str) -> bytes:
    return b'{"profiles":[],"loyaltyProgramEnrollments":[{"programId":1016' + points.encode() + b"}]}"


def test_points_are_no_part_of_a_customers_digest_and_all_of_what_is_sent():
    payloads = [credits_of(""), credits_of(',"loyaltyPoints":5'), credits_of(',"loyaltyPoints":6'), None]
    statements = pa.array([None, MARCH, MARCH, None], HASH)
    digest, whole = credit_digests(pa.array(payloads, pa.binary()), statements, {}, b"salt")
    assert len(set(digest.to_pylist()[:3])) == 1
    assert digest[0] == digests(pa.array(payloads[:1], pa.binary()), b"salt")[0]  # as ledgers of today have it
    assert [each is None for each in whole.to_pylist()] == [True, False, False, True]
    of_april = credit_digests(pa.array(payloads, pa.binary()), pa.array([APRIL] * 4, HASH), {}, b"salt")[1]
    assert len({*whole.to_pylist(), *of_april.to_pylist()}) == 5
