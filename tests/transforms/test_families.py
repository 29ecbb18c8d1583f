"""Family rules over whole files, on tables that fit on the screen."""

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.memory import FORGOTTEN
from transforms.families import held_for_families, waves
from transforms.kinship import mentions, read_kinship

DATABASE = duckdb.connect(config={"threads": 1})
IDENTIFIERS = pa.list_(pa.uint64())
LEADING = pa.schema([("row", pa.int64()), ("fate", pa.string()), ("key", pa.binary()), ("identifiers", IDENTIFIERS)])
FLAT = [("parent_key", pa.binary()), ("relatives", IDENTIFIERS)]
CHILDREN = pa.schema([*LEADING, ("keyed", pa.bool_()), ("parent", pa.int64())])
DROPPED = pa.schema([("row", pa.int64()), ("fate", pa.string()), ("code", pa.string()), ("stands_for", pa.int64())])


def key(name):
    """A customer's key; an identifier is made of its name too."""
    return None if name is None else name.encode().rjust(16, b"-")


def number(name):
    return int.from_bytes(name.encode()[-8:])


class Families:
    """A file's families: leading rows by name, then children by (their own name, their parent's)."""

    def __init__(self, rows, children=(), dropped=(), most=30_000, bearing=None):
        """`rows`: (name, parent's name or None, fate); a row's number is its place. `dropped` as the spool has it.

        `bearing`: the places in `children` of those who are in a row's payload, by the row's place.
        """
        self.most = most
        self.database = DATABASE
        numbers = {name: place for place, (name, *_) in reversed(list(enumerate(rows)))}
        kids = [
            {"row": len(rows) + place, "fate": fate, "key": key(name), "identifiers": [number(name)], "keyed": True,
             "parent": numbers[parent]}
            for place, (name, parent, fate) in enumerate(children)
        ]  # fmt: skip
        leading = [
            {
                "row": place, "fate": fate, "key": key(name), "identifiers": [number(name)],
                "parent_key": key(parent), "relatives": [number(parent)] if parent else [],
            }
            for place, (name, parent, fate) in enumerate(rows)
        ]  # fmt: skip
        for place, line in enumerate(leading):
            line["children"] = [len(rows) + kid for kid in (bearing or {}).get(place, ())]
        borne = [] if bearing is None else [("children", pa.list_(pa.int64()))]
        self.view("prepared", leading, pa.schema([*LEADING, *FLAT, *borne]))
        self.view("nested", kids, CHILDREN)
        self.view("dropped", [dict(zip(DROPPED.names, line, strict=True)) for line in dropped], DROPPED)
        self.view("forgotten", [], FORGOTTEN)

    def view(self, name, lines, schema):
        self.database.register(name + "_", pa.Table.from_pylist(lines, schema))
        self.database.execute(f"create or replace view {name} as from {name}_")

    def held(self):
        """(row, fate, code) of each row that is held, in order."""
        read_kinship(self.database)
        return [line[:3] for line in held_for_families(self.database, self.most).fetchall()]

    def codes(self):
        return {row: code.removeprefix("family.") for row, _, code in self.held()}

    def waves(self):
        """(row, wave) of each row that goes after others."""
        self.held()
        return [line[:2] for line in waves(self.database).fetchall()]

    def waiting(self):
        """Whom each of these rows waits for."""
        self.held()
        return {row: waits_for for row, _, waits_for in waves(self.database).fetchall()}

    def mentions(self):
        read_kinship(self.database)
        return [(row, who.lstrip(b"-").decode()) for row, who, _ in mentions(self.database).fetchall()]


def flat(*rows, **more):
    """Rows that name a parent or none: ("kid", "mum"); a third word is the fate they have."""
    return Families([(*row, *[None] * (3 - len(row))) for row in rows], **more)


# held


def test_a_child_who_is_forgotten_is_not_sent_in_its_parents_payload():
    family = Families([("mum", None, None), ("dad", None, None)], [("kid", "mum", None), ("kim", "dad", None)])
    family.view("forgotten", [{"key": key("kid")}], FORGOTTEN)
    assert family.held() == [(0, "invalid", "family.child_forgotten"), (2, "invalid", "customer.forgotten")]


def test_a_plain_family_is_sent():
    assert Families([("mum", None, None)], [("kid", "mum", None)]).held() == []
    assert flat(("mum",), ("kid", "mum")).held() == []


def test_a_child_of_two_nested_parents_holds_both_and_their_other_children():
    families = Families(
        [("mum", None, None), ("dad", None, None), ("aunt", None, None)],
        [("kid", "mum", None), ("kid", "dad", None), ("sister", "mum", None), ("cousin", "aunt", None)],
    )
    assert families.held() == [
        (0, "conflict", "family.two_parents"),
        (1, "conflict", "family.two_parents"),
        (3, "conflict", "family.two_parents"),
        (4, "conflict", "family.two_parents"),
        (5, "conflict", "family.parent"),
    ]


def test_a_child_nested_under_one_parent_and_naming_another_has_two():
    families = Families([("mum", None, None), ("dad", None, None), ("kid", "dad", None)], [("kid", "mum", None)])
    assert families.codes() == {0: "two_parents", 2: "two_parents", 3: "two_parents"}


def test_rows_of_one_customer_that_name_two_parents_are_held_whichever_stands():
    rows = [("kid", "mum", None), ("kid", "dad", None)]
    dropped = [(0, "duplicate", "duplicates.another_row", 1)]
    assert Families(rows, dropped=dropped).held() == [(1, "conflict", "family.two_parents")]


def test_a_parent_named_twice_is_one_parent():
    rows = [("kid", "mum", None), ("kid", "mum", None)]
    assert Families(rows, dropped=[(0, "duplicate", "duplicates.another_row", 1)]).held() == []


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_a_cycle_of_any_length_is_held(length):
    rows = [(f"c{n}", f"c{(n + 1) % length}") for n in range(length)]
    assert flat(*rows).held() == [(row, "conflict", "family.cycle") for row in range(length)]


def test_a_cycle_of_nested_parents_is_held():
    families = Families([("mum", None, None), ("kid", None, None)], [("kid", "mum", None), ("mum", "kid", None)])
    assert families.codes() == dict.fromkeys(range(4), "cycle")


def test_whoever_descends_from_a_cycle_is_not_loaded():
    assert flat(("a", "b"), ("b", "a"), ("kid", "a"), ("grandkid", "kid")).codes() == {
        0: "cycle", 1: "cycle", 2: "parent_not_loaded", 3: "parent_not_loaded",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fate", "codes"), [("invalid", {1: "parent_not_loaded"}), ("filtered", {1: "parent_not_loaded"})]
)
def test_a_row_waits_for_a_parent_in_the_file(fate, codes):
    assert flat(("mum", None, fate), ("kid", "mum")).codes() == codes


@pytest.mark.parametrize(("fate", "code"), [("conflict", "identity.shared"), ("in_doubt", "in_doubt.earlier_run")])
def test_a_parent_taken_out_of_the_plan_is_not_loaded(fate, code):
    families = flat(("mum",), ("kid", "mum"), ("grandkid", "kid"), dropped=[(0, fate, code, None)])
    assert families.codes() == {1: "parent_not_loaded", 2: "parent_not_loaded"}


def test_an_unchanged_parent_is_there_already():
    assert flat(("mum",), ("kid", "mum"), dropped=[(0, "unchanged", "unchanged", None)]).held() == []
    middle = flat(("gran", None, "invalid"), ("mum", "gran"), ("kid", "mum"), dropped=[(1, "unchanged", "", None)])
    assert middle.held() == []


def test_a_parent_outside_the_file_is_nobodys_business():
    assert flat(("kid", "mum"), ("sister", "mum")).held() == []


def test_too_many_rows_of_one_parent_are_all_held():
    rows = [("mum",), ("a", "mum"), ("b", "mum"), ("c", "mum"), ("d", "dad"), ("e", "dad")]
    assert flat(*rows, most=2).codes() == dict.fromkeys((1, 2, 3), "too_many_children")


def test_a_child_in_nobodys_payload_shares_its_parents_identifier():
    families = Families([("mum", None, None)], [("mum", "mum", None), ("kid", "mum", None)])
    assert families.held() == [(1, "invalid", "family.own_parent")]


@pytest.mark.parametrize("fate", ["invalid", "filtered"])
def test_children_share_what_became_of_their_parent(fate):
    families = Families([("mum", None, fate)], [("kid", "mum", None), ("bad", "mum", "invalid")])
    assert families.held() == [(1, fate, "family.parent")]


def test_children_follow_the_row_that_stands_for_their_parents():
    rows = [("mum", None, None), ("mum", None, None)]
    twice = [(0, "duplicate", "duplicates.another_row", 1)]
    assert Families(rows, [("kid", "mum", None)], twice).held() == []
    families = Families(rows, [("kid", "mum", None)], [*twice, (1, "unchanged", "unchanged", None)])
    assert families.held() == [(2, "unchanged", "family.parent")]


@pytest.mark.parametrize("fate", ["filtered", "invalid"])
def test_a_child_belongs_to_whichever_row_of_its_parent_is_sent(fate):
    rows = [("mum", None, fate), ("mum", None, None), ("kim", None, None)]
    both = {0: [0], 1: [0]}
    families = Families(rows, [("kid", "mum", None)], bearing=both)
    assert (families.held(), families.mentions()) == ([], [(1, "kid")])
    credit = [(0, "invalid", "points.another_statement", None)]
    families = Families([("mum", None, None), *rows[1:]], [("kim", "mum", None)], credit, bearing=both)
    assert (families.held(), families.waves()) == ([], [(1, 1), (2, 2)])


@pytest.mark.parametrize(("first", "second"), [("filtered", "unchanged"), ("unchanged", "invalid")])
def test_a_child_whose_parent_is_not_sent_is_there_already_if_one_of_its_rows_is(first, second):
    fates = [(row, "unchanged", "unchanged", None) for row, one in enumerate((first, second)) if one == "unchanged"]
    rows = [("mum", None, None if one == "unchanged" else one) for one in (first, second)]
    families = Families(rows, [("kid", "mum", None)], fates, bearing={0: [0], 1: [0]})
    assert families.held() == [(2, "unchanged", "family.parent")]


def test_a_child_of_two_customers_with_one_nest_key_has_two_parents():
    rows, both = [("mum", None, None), ("dad", None, None)], {0: [0, 1], 1: [0, 1]}
    for others in ([], [("kim", "dad", None)]):
        kids = [("kid", "mum", None), ("pet", "mum", None), *others]
        household = Families(rows, kids, bearing=both | ({1: [0, 1, 2]} if others else {}))
        two = [(row, "conflict", "family.two_parents") for row in range(4)]
        assert household.held() == two + [(4, "conflict", "family.parent")] * len(others)


@pytest.mark.parametrize(("fate", "held"), [("filtered", []), ("invalid", [1, 2])])
@pytest.mark.parametrize("turned", [False, True])
def test_who_else_has_the_nest_key_is_a_parent_as_anybody_else(fate, held, turned):
    rows = [("mum", None, fate), ("dad", None, None)]
    if turned:
        rows, held = rows[::-1], [{1: 0, 2: 2}[row] for row in held]
    household = Families(rows, [("kid", rows[0][0], None)], bearing={0: [0], 1: [0]})
    assert household.held() == [(row, "conflict", "family.two_parents") for row in held]


def test_a_child_who_is_one_of_two_parents_of_a_household_is_the_others():
    rows = [("mum", None, None), ("dad", None, None)]
    household = Families(rows, [("mum", "mum", None)], bearing={1: [0]})
    assert (household.held(), household.mentions(), household.waves()) == ([], [(1, "mum")], [(1, 1), (0, 2)])


# mentions


def test_children_and_parents_are_mentioned_by_the_rows_that_send_them():
    families = Families([("mum", None, None), ("aunt", "gran", None)], [("kid", "mum", None)])
    assert families.mentions() == [(0, "kid"), (1, "gran")]


def test_a_mention_by_an_identifier_is_the_customer_who_has_it():
    families = Families([("mum", None, None), ("kid", None, None)], [("kid", "mum", None), ("pal", "mum", None)])
    families.database.execute("create or replace view nested as select * replace (false as keyed) from nested_")
    assert families.mentions() == [(0, "kid"), (0, f"identifier {number('pal')}")]


def test_one_person_by_one_identifier_is_one_wherever_it_is_mentioned():
    families = Families([("mum", None, None), ("dad", None, None)], [("kid", "mum", None), ("kid", "dad", None)])
    families.database.execute("create or replace view nested as select * replace (false as keyed) from nested_")
    assert set(families.codes().values()) == {"two_parents"}


def test_whoever_does_not_travel_is_not_mentioned():
    rows = [("mum", None, None), ("mum", None, None), ("out", "gran", "filtered")]
    families = Families(rows, [("mum", "mum", None), ("kid", "mum", "duplicate")], [(0, "duplicate", "", 1)])
    assert families.mentions() == []


# waves


def test_parents_go_before_children_one_at_a_time():
    families = flat(("kid", "mum"), ("mum", "gran"), ("twin", "mum"), ("gran",), ("loner",))
    assert families.waves() == [(3, 1), (1, 2), (0, 3), (2, 4)]


def test_children_of_a_parent_outside_the_file_go_one_by_one():
    assert flat(("a", "mum"), ("b", "mum"), ("c", "dad")).waves() == [(0, 1), (1, 2)]


def test_a_nested_child_with_a_row_of_its_own_goes_after_its_parents_row():
    families = Families([("kid", None, None), ("mum", None, None)], [("kid", "mum", None), ("pet", "mum", None)])
    assert families.waves() == [(1, 1), (0, 2)]


def test_each_row_waits_for_the_row_of_its_parent():
    families = flat(("kid", "mum"), ("mum", "gran"), ("twin", "mum"), ("gran",), ("pal", "dad"), ("pet", "dad"))
    assert families.waiting() == {3: None, 1: 3, 0: 1, 2: 1, 4: None, 5: None}


def test_a_row_waits_for_its_parent_in_whosever_payload_it_goes():
    families = Families([("gran", None, None), ("kid", "mum", None)], [("mum", "gran", None)])
    assert families.waiting() == {0: None, 1: 2}
    families = Families([("mum", None, None), ("kid", None, None)], [("kid", "mum", None)])
    assert families.waiting() == {0: None, 1: 0}


def test_nobody_waits_for_a_parent_who_is_there_already():
    families = flat(("mum",), ("kid", "mum"), ("twin", "mum"), dropped=[(0, "unchanged", "unchanged", None)])
    assert families.waiting() == {1: None, 2: None}


def test_only_rows_that_are_sent_have_waves():
    unchanged = [(0, "unchanged", "unchanged", None)]
    assert flat(("mum",), ("kid", "mum"), dropped=unchanged).waves() == []
    assert flat(("mum",), ("kid", "mum"), ("twin", "mum"), dropped=unchanged).waves() == [(1, 1), (2, 2)]


# at random


@st.composite
def random_families(draw):
    names = [f"p{n}" for n in range(draw(st.integers(1, 9)))]
    some = st.sampled_from([*names, "outside"])
    fates = st.sampled_from([None, None, None, "invalid"])
    rows = [(name, draw(st.none() | some), draw(fates)) for name in names]
    children = draw(st.lists(st.tuples(some, st.sampled_from(names), fates), max_size=4, unique_by=lambda kid: kid[:2]))
    return rows, children


def plainly(rows, children):
    """The rules again, person by person: who is torn, who is in a circle, who is not loaded."""
    links = [(name, parent) for name, parent, _ in rows if parent]
    links += [(name, parent) for name, parent, _ in children if name != parent]
    parents = {child: {parent for other, parent in links if other == child} for child, _ in links}
    torn = {child for child, of in parents.items() if len(of) > 1}
    up = {child: next(iter(of)) for child, of in parents.items() if child not in torn}

    def line(person):
        seen = []
        while person in up and up[person] not in seen:
            person = up[person]
            seen.append(person)
        return seen

    return torn, {person for person in up if person in line(person)}, line


@settings(deadline=None, max_examples=15)
@given(random_families())
def test_torn_and_circular_families_are_found_whatever_they_look_like(given):
    rows, children = given
    torn, circular, _ = plainly(rows, children)
    held = {row: code for row, _, code in Families(rows, children).held()}
    for place, (name, _, fate) in enumerate(rows):
        is_torn = (name in torn and any(parent for who, parent, _ in rows if who == name)) or any(
            parent == name and kid in torn and kid != parent for kid, parent, _ in children
        )
        expected = "family.two_parents" if is_torn else "family.cycle" if name in circular else None
        if fate is not None:
            assert place not in held
        elif expected:
            assert held[place] == expected
        else:
            assert held.get(place, "family.parent_not_loaded") == "family.parent_not_loaded"


@settings(deadline=None, max_examples=15)
@given(random_families())
def test_every_child_has_the_fate_of_its_payload_or_its_own(given):
    rows, children = given
    families = Families(rows, children)
    found = families.held()
    held = {row: (fate, code) for row, fate, code in found}
    assert len(held) == len(found)
    for place, (name, parent, fate) in enumerate(children, start=len(rows)):
        at = next(row for row, (who, *_) in enumerate(rows) if who == parent)
        of_parent = rows[at][2] or (held[at][0] if at in held else None)
        assert fate is None or place not in held
        if fate is None and name != parent and of_parent:
            assert place in held
        if place not in held and fate is None:
            assert of_parent is None


@settings(deadline=None, max_examples=15)
@given(random_families())
def test_whoever_is_sent_goes_after_the_parent_and_alone_of_the_family(given):
    rows, children = given
    families = Families(rows, children)
    held = {row for row, *_ in families.held()}
    sent = {name: row for row, (name, _, fate) in enumerate(rows) if fate is None and row not in held}
    at, waits_for = dict(families.waves()), families.waiting()
    assert set(at) <= set(sent.values())
    _, _, line = plainly(rows, children)
    for name, row in sent.items():
        for elder in line(name):
            if elder in sent:
                assert at[sent[elder]] < at[row]
        parent = next(iter(line(name)), None)
        assert parent not in sent or waits_for[row] == sent[parent]
        kin = [other for other in sent if other != name and {*line(other), other} & {*line(name), name}]
        assert len({at[sent[other]] for other in kin} | {at.get(row, 0)}) == len(kin) + 1
