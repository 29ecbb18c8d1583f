"""A filter is a closed expression over source columns; what it cannot read, it does not guess."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import JobError
from schemas.values import Locale
from transforms.filters import decide, read_filter

INDIA = Locale("IN", "Asia/Kolkata", "day_first")
TABLE = {
    "status": ["ACTIVE", " ACTIVE ", "active", "", None, "NULL", "CLOSED"],
    "points": ["10", "1,200", "-5", "", None, "abc", "0"],
    "seen": ["2024-01-31", "01/02/2024", "2023-12-31", "", None, "31/31/2024", "2024-02-01"],
    "loyalty.tier": ["1", "2", "3", "", None, "x", "1"],
    "First name": ["Asha", "", "Ben", "N/A", None, "Ö", "Asha"],
}
KEPT, LEFT_OUT, UNDECIDED = "k", ".", "?"


def decided(expression, table=TABLE, locale=INDIA):
    """One letter a row: k kept, . left out, ? undecided."""
    columns = {name: pa.array(values, pa.string()) for name, values in table.items()}
    found = decide(read_filter(expression), columns, locale)
    letters = zip(found.kept.to_pylist(), found.undecided.to_pylist(), strict=True)
    return "".join(UNDECIDED if undecided else KEPT if kept else LEFT_OUT for kept, undecided in letters)


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("status == 'ACTIVE'", "kk....."),  # blanks around a text do not count, its case does
        ("status != 'ACTIVE'", "..kkkkk"),
        ("status == ''", "...kkk."),  # a spelled out blank is blank
        ("status in ['ACTIVE', 'CLOSED']", "kk....k"),
        ("status not in ('ACTIVE', '')", "..k...k"),
        ("points >= 0", "kk...?k"),  # missing: not kept; unreadable: not guessed
        ("points == 1200", ".k...?."),
        ("points != 0", "kkk..?."),
        ("points > -6", "kkk..?k"),
        ("points < 0.5", "..k..?k"),
        ("not points >= 0", "..kkk?."),
        ("not (points < 0)", "kk.kk?k"),
        ("seen >= '2024-01-31'", "kk...?k"),
        ("seen < '2024-01-01'", "..k..?."),
        ("loyalty.tier == 1", "k....?k"),
        ("column('First name') == 'Asha'", "k.....k"),
        ("column('loyalty.tier') <= 2", "kk...?k"),
        ("status == 'ACTIVE' and points >= 0", "kk....."),  # the status settles it, whatever the points are
        ("status != 'ACTIVE' and points >= 0", ".....?k"),
        ("status == 'ACTIVE' or points >= 0", "kk...?k"),
        ("status in ['NULL', 'ACTIVE', 'CLOSED'] or points >= 0", "kk...?k"),
        ("status == '' or points >= 0", "kk.kkkk"),
        ("status == 'ACTIVE' and (points < 100 or loyalty.tier == 2)", "kk....."),
    ],
)
def test_each_row_is_kept_left_out_or_undecided(expression, rows):
    assert decided(expression) == rows


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("status = 'ACTIVE'", "not an expression near column"),
        ("class == 'A'", "not an expression"),  # a word of the language: column('class')
        ("", "not an expression"),
        ("status", "'status' decides nothing"),
        ("status == ACTIVE", "'ACTIVE' must be a number or a quoted text"),
        ("'ACTIVE' == status", "must be a column: put columns left, and values right"),
        ("0 <= points <= 5", "decides nothing"),
        ("points + 1 > 2", "must be a column"),
        ("status in []", "needs a list of quoted texts"),
        ("points in [1, 2]", "needs a list of quoted texts"),
        ("status in 'ACTIVE'", "needs a list of quoted texts"),
        ("seen < 'yesterday'", "is compared with a number or a day like '2024-01-31'"),
        ("points < other", "must be a number or a day"),
        ("flag == True", "'True' must be a number or a quoted text"),
        ("flag is None", "must be a number or a quoted text"),
        ("__import__('os').system('true')", "decides nothing"),
        ("status.upper() == 'A'", "must be a column"),
        ("[x for x in status]", "decides nothing"),
        ("lambda: 1", "decides nothing"),
        ("a.b.c == 'x'", "must be a column"),
        ("column(1) == 'x'", "must be a column"),
        ("status == f'{x}'", "must be a number or a quoted text"),
        ("(a == 'x') if b else c", "decides nothing"),
        ("(yield)", "decides nothing"),
        ("a := 'x'", "not an expression"),
        ("a == '\\x00\x00'", "not an expression"),
    ],
)
def test_everything_else_is_refused_by_name(expression, said):
    with pytest.raises(JobError, match=r"^rules\.filter: ") as told:
        read_filter(expression)
    assert said in str(told.value)


def test_a_filter_names_its_columns_once_in_order():
    rule = read_filter("a == 'x' and (b > 1 or not a == 'y') and t.c in ['z'] and column('d e') != ''")
    assert rule.columns == ("a", "b", "t.c", "d e")


def test_a_number_of_any_size_may_be_compared_with():
    assert decided("points < 99999999999999999999") == "kkk..?k"
    assert decided(f"points > {10**400}") == ".....?."


cells = st.sampled_from(["1", "5", "", None, "abc", "-2"])
atoms = st.sampled_from(["a > 1", "b > 1", "a == 5", "b < 0", "a == 'abc'"])
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        inner.map(lambda e: f"not ({e})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
    ),
    max_leaves=6,
)


def plain(expression, row):
    """Each way an unreadable number could turn out: undecided where it makes a difference."""

    def value(atom, guess):
        column, op, right = atom
        raw = row[column] or ""
        if right.startswith("'"):
            return raw == right.strip("'")
        if raw == "abc":
            return guess
        return raw != "" and {">": int.__gt__, "<": int.__lt__, "==": int.__eq__}[op](int(raw), int(right))

    atoms_here = sorted({atom for atom in ("a > 1", "b > 1", "a == 5", "b < 0", "a == 'abc'") if atom in expression})

    def decide_with(guesses):
        text = expression
        for atom, guess in zip(atoms_here, guesses, strict=True):
            text = text.replace(atom, str(value(atom.split(" "), guess)))
        return eval(text)

    return decide_with([False] * len(atoms_here)), decide_with([True] * len(atoms_here))


@given(expressions.filter(lambda e: "not" not in e), st.lists(st.tuples(cells, cells), min_size=1, max_size=6))
def test_a_row_is_undecided_where_a_guess_would_matter(expression, rows):
    """Without `not`, a comparison that turns out true never leaves a row out: two guesses tell all."""
    table = {"a": [a for a, _ in rows], "b": [b for _, b in rows]}
    guesses = [plain(expression, {"a": a, "b": b}) for a, b in rows]
    letters = "".join(UNDECIDED if low != high else KEPT if low else LEFT_OUT for low, high in guesses)
    assert decided(expression, table) == letters


@given(expressions, st.lists(st.tuples(cells, cells), min_size=1, max_size=6))
def test_not_swaps_kept_and_left_out(expression, rows):
    table = {"a": [a for a, _ in rows], "b": [b for _, b in rows]}
    swapped = decided(expression, table).translate(str.maketrans(KEPT + LEFT_OUT, LEFT_OUT + KEPT))
    assert decided(f"not ({expression})", table) == swapped


@given(st.text(max_size=30))
def test_any_text_is_an_expression_or_refused(text):
    try:
        read_filter(text)
    except JobError as told:
        assert str(told).startswith("rules.filter: ")
