"""Who is held because the API would merge them with somebody else, decided on tables one can see."""

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import conflicts as subject
from transforms.conflicts import clusters, conflicts

PREPARED = pa.schema(
    [("row", pa.int64()), ("key", pa.binary()), ("identifiers", pa.list_(pa.uint64())), ("fate", pa.string())]
)
MENTIONS = pa.schema(list(PREPARED)[:3])
DROPPED = pa.schema([("row", pa.int64()), ("fate", pa.string())])
ACCEPTED = pa.schema([("key", pa.binary()), ("digest", pa.binary()), ("identifiers", pa.list_(pa.uint64()))])

DATABASE = duckdb.connect()


def table(rows, schema):
    columns = zip(*rows, strict=True) if rows else [[]] * len(schema)
    return pa.table([pa.array(c, kind) for c, kind in zip(columns, schema.types, strict=True)], schema=schema)


def asked(people, rule, dropped=(), accepted=(), **more):
    """People are (key, identifiers, fate); remembered are (key, identifiers). What is held, and the clusters."""
    rows = [(row, *one) for row, one in enumerate(people)]
    for name, some, schema in [
        ("prepared", rows, PREPARED),
        ("dropped", dropped, DROPPED),
        ("accepted", [(key, b"digest", ids) for key, ids in accepted], ACCEPTED),
    ]:
        DATABASE.from_arrow(table(some, schema)).create_view(name, replace=True)
    held = {row: code for row, _, code, _ in conflicts(DATABASE, rule, **more).fetchall()}
    together: dict[int, tuple[int, list[int]]] = {}
    for row, cluster, shared, _ in clusters(DATABASE).fetchall():
        together.setdefault(row, (cluster, []))[1].append(shared)
    return held, together


def held(*people, rule="hold", **more):
    return asked(people, rule, **more)[0]


SHARED, OF_ANOTHER = "identity.shared", "identity.of_another"
A, B, C = ((name, [number], None) for name, number in ((b"a", 7), (b"b", 7), (b"c", 8)))


def test_two_customers_with_one_identifier_are_held():
    assert held(A, B, C) == {0: SHARED, 1: SHARED}
    assert held(A, B, C, rule="hold all") == {0: SHARED, 1: SHARED}


def test_one_customer_with_two_rows_shares_with_nobody():
    assert held(A, A) == {}


@pytest.mark.parametrize(
    ("fate", "dropped", "sent"),
    [
        ("invalid", [], {0: SHARED}),  # what is wrong in a row does not give its mobile to somebody else
        (None, [(1, "unchanged")], {0: SHARED}),
        (None, [(1, "in_doubt")], {0: SHARED}),
        ("filtered", [], {}),
        (None, [(1, "duplicate")], {}),
    ],
)
def test_rows_that_are_not_sent_are_evidence_if_they_stand(fate, dropped, sent):
    assert held(A, (b"b", [7], fate), dropped=dropped) == sent


def test_a_row_without_a_key_is_nobodys_evidence():
    assert held(A, (None, [7], "invalid")) == {}


def test_keep_first_keeps_the_first_row_of_a_cluster():
    chain = [(b"a", [1], None), (b"b", [1, 2], None), (b"c", [2], None), (b"d", [4], None), (b"e", [4], None)]
    assert asked(chain, "keep_first") == (
        {1: SHARED, 2: SHARED, 4: SHARED},
        {0: (0, [1]), 1: (0, [1, 2]), 2: (0, [2]), 3: (3, [4]), 4: (3, [4])},
    )


def test_keep_first_prefers_whom_the_ledger_remembers():
    assert held(A, B, rule="keep_first", accepted=[(b"b", [9])]) == {0: SHARED}


@pytest.mark.parametrize(("first", "dropped"), [((b"a", [7], "invalid"), []), (A, [(0, "unchanged")])])
def test_nobody_is_kept_in_the_place_of_one_who_is_not_sent(first, dropped):
    assert held(first, B, rule="keep_first", dropped=dropped) == {1: SHARED}


def test_a_row_that_brings_two_people_with_one_identifier_is_kept_by_no_rule():
    mentioned = table([(0, b"kim", [7]), (0, b"lee", [7])], MENTIONS)
    DATABASE.from_arrow(mentioned).create_view("mentions", replace=True)
    people = [(b"a", [1], None), (b"b", [7], None), (b"c", [1], None)]
    assert held(*people, rule="keep_first") == {2: SHARED}
    assert asked(people, "keep_first", with_mentions=True)[0] == {0: SHARED, 1: SHARED, 2: SHARED}


def test_an_identifier_of_another_remembered_customer_holds_a_row_under_any_rule():
    remembered = [(b"a", [7]), (b"z", [8])]
    for rule in ("hold", "keep_first"):
        assert held((b"a", [7, 8], None), C, (b"z", [8, 5], None), rule=rule, accepted=remembered)[0].endswith(
            OF_ANOTHER
        )
    assert held(A, C, accepted=[(b"a", [7])]) == {}
    assert held(A, B, rule="keep_first", accepted=[(b"z", [7])]) == {0: OF_ANOTHER, 1: f"{SHARED};{OF_ANOTHER}"}


def plain(people, rule, dropped, accepted):
    """The rules said again, one row at a time."""
    gone = dict(dropped)
    standing = [
        (row, key, ids, fate is None and row not in gone)
        for row, (key, ids, fate) in enumerate(people)
        if key is not None and fate in (None, "invalid") and gone.get(row) != "duplicate"
    ]
    having = {}
    for row, key, ids, sent in standing:
        for one in ids:
            having.setdefault(one, []).append((row, key, sent))
    shared = {
        one: [row for row, _, _ in of]
        for one, of in having.items()
        if len({key for _, key, _ in of}) > 1 and any(sent for _, _, sent in of)
    }
    together = {row: {row} for rows in shared.values() for row in rows}
    for rows in shared.values():
        joined = set().union(*(together[row] for row in rows))
        for row in joined:
            together[row] = joined
    numbered = {row: (min(rows), sorted(one for one in shared if row in shared[one])) for row, rows in together.items()}
    known = {key for key, _ in accepted}
    kept = {min(rows, key=lambda row: (people[row][0] not in known, row)) for rows in together.values()}
    codes = {}
    for row, key, ids, sent in standing:
        strangers = {one for owner, theirs in accepted for one in theirs if owner != key}
        told = [SHARED] * (row in together and not (rule == "keep_first" and row in kept))
        told += [OF_ANOTHER] * bool(strangers & set(ids))
        if sent and told:
            codes[row] = ";".join(told)
    return codes, numbered


keys = st.sampled_from([b"a", b"b", b"c", b"d", b"e", None])
ids = st.lists(st.integers(0, 9), max_size=3, unique=True)
fates = st.sampled_from([None, None, None, "invalid", "filtered"])
files = st.lists(st.tuples(keys, ids, fates), max_size=12)
remembered = st.lists(st.tuples(keys.filter(bool), ids), max_size=4, unique_by=lambda one: one[0])


@pytest.mark.parametrize("rule", ["hold", "keep_first"])
@pytest.mark.parametrize("few", [0, 10**9])  # always looked for from the small side, and never
@settings(deadline=None, max_examples=40)
@given(files, st.data(), remembered)
def test_any_file_is_decided_by_the_plain_rule(few, rule, people, data, accepted):
    sound = [row for row, (_, _, fate) in enumerate(people) if fate is None]
    fates = st.sampled_from(["duplicate", "unchanged", "in_doubt"])
    dropped = sorted(data.draw(st.dictionaries(st.sampled_from(sound), fates) if sound else st.just({})).items())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject, "FEW", few)
        assert asked(people, rule, dropped, accepted) == plain(people, rule, dropped, accepted)


@settings(deadline=None, max_examples=40)
@given(files, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nobodys_fate_under_hold(people, random):
    places = list(range(len(people)))
    random.shuffle(places)
    shuffled = asked([people[place] for place in places], "hold")[0]
    assert {places[row]: code for row, code in shuffled.items()} == asked(people, "hold")[0]
