"""The encoder writes what a plain one would, row by row, for any tree and any text."""

import json

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.profiles import Array, Column, Constant, Leaf, Object, Rule, Template
from schemas.values import Kind
from transforms.profiles import by_distinct, encode, escape

AWKWARD = [
    '"',
    "\\",
    '\\"',
    "\x00",
    "\x1f",
    "\x7f",
    "\u2028",
    "\u2029",
    "a\nb\tc\r",
    "e\u0301",
    "👩‍👩‍👧",
    "慧慧",
    "\ufeff",
    ",",
    "null",
]
texts = st.one_of(st.text(max_size=8), st.sampled_from(AWKWARD))
KINDS = {  # what a column may hold, and how JSON may write it
    "text": (pa.string(), texts, "text"),
    "count": (pa.int64(), st.integers(-(2**63), 2**63 - 1), "number"),
    "count as text": (pa.int64(), st.integers(-5, 5), "text"),
    "amount": (pa.string(), st.decimals(-999, 999, places=2).map(str), "number"),
    "flag": (pa.bool_(), st.booleans(), "boolean"),
    "flag as text": (pa.bool_(), st.booleans(), "text"),
}


@st.composite
def customers(draw):
    """A tree, a column for each of its leaves, and the number of rows."""
    rows = draw(st.integers(0, 5))
    columns = {}

    def leaf():
        kind = draw(st.sampled_from(list(KINDS)))
        arrow, values, form = KINDS[kind]
        target = f"t{len(columns)}"
        columns[target] = pa.array(draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), arrow)
        return leaf_of(target, form, draw(st.booleans()))

    def node(depth):
        what = draw(st.sampled_from(["leaf", "leaf", "constant", "object", "array"][: 5 if depth else 3]))
        if what == "leaf":
            return leaf()
        if what == "constant":
            return Constant(draw(st.one_of(texts, st.booleans(), st.integers(), st.floats(-9, 9))))
        return tree(depth - 1) if what == "object" else Array(tuple(node(depth - 1) for _ in range(few())))

    def few():
        return draw(st.integers(1, 3))

    def tree(depth):
        return Object(tuple((name, node(depth)) for name in draw(st.sets(texts, min_size=1, max_size=4))))

    return tree(3), columns, rows


def leaf_of(target, form="text", anchor=False):
    return Leaf(target, target, Column(target, Kind.TEXT), Rule(form=form), anchor=anchor)


def template_over(tree):
    return Template(tree, (), (), Column("key", Kind.TEXT))


def encoded(tree, columns, rows):
    return encode(template_over(tree), columns, rows).to_pylist()


ABSENT = object()


def plain(node, row):
    """The encoder's rules said again with dicts and lists: one customer, one value at a time."""
    match node:
        case Constant(value):
            return value
        case Leaf():
            return plain_leaf(node, row[node.target])
        case Array(elements):
            return [value for child in elements if (value := plain(child, row)) is not ABSENT] or ABSENT
        case Object(members):
            return plain_members(members, row) if is_there(members, row) else ABSENT


def plain_leaf(leaf, value):
    if value is None:
        return ABSENT
    if leaf.rule.form == "number":
        return json.loads(str(value), parse_float=Amount)
    if leaf.rule.form == "boolean":
        return value
    return json.dumps(value) if isinstance(value, bool) else str(value)


class Amount(float):
    """A decimal that JSON writes as it was read."""

    def __new__(cls, text):
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __repr__(self):
        return self.text


def plain_members(members, row):
    return {name: value for name, child in members if (value := plain(child, row)) is not ABSENT}


def is_there(members, row):
    children = [child for _, child in members]
    anchors = [child for child in children if isinstance(child, Leaf) and child.anchor]
    if anchors:
        return all(plain(anchor, row) is not ABSENT for anchor in anchors)
    moving = [child for child in children if not is_fixed(child)]
    return not moving or any(plain(child, row) is not ABSENT for child in moving)


def is_fixed(node):
    match node:
        case Constant():
            return True
        case Object(members):
            return all(is_fixed(child) for _, child in members)
        case Array(elements):
            return all(is_fixed(child) for child in elements)
    return False


def written(value):
    if isinstance(value, dict):
        return "{" + ",".join(f"{written(name)}:{written(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return repr(value) if isinstance(value, Amount) else json.dumps(value, ensure_ascii=False)


def rows_of(columns, rows):
    return [{name: column[at].as_py() for name, column in columns.items()} for at in range(rows)]


@settings(max_examples=400, deadline=None)
@given(customers())
def test_encoding_equals_a_plain_encoder(drawn):
    tree, columns, rows = drawn
    expected = [written(plain_members(tree.members, row)) for row in rows_of(columns, rows)]
    assert encoded(tree, columns, rows) == expected


@settings(max_examples=100, deadline=None)
@given(customers())
def test_payloads_are_json_without_null_or_empty_object(drawn):
    tree, columns, rows = drawn
    payloads = encoded(tree, columns, rows)
    assert len(payloads) == rows
    for payload in payloads:
        inner = list(json.loads(payload).values())
        while inner:
            value = inner.pop()
            assert value is not None
            assert value not in ({}, [])
            inner += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


@settings(max_examples=100, deadline=None)
@given(customers(), st.integers(1, 3))
def test_slices_of_columns_encode_as_their_rows(drawn, before):
    tree, columns, rows = drawn
    sliced = {
        name: pa.concat_arrays([pa.nulls(before, column.type), column, column]).slice(before, rows)
        for name, column in columns.items()
    }
    assert encoded(tree, sliced, rows) == encoded(tree, columns, rows)


@settings(max_examples=400, deadline=None)
@given(customers())
def test_texts_taken_apart_encode_as_the_same_texts(drawn):
    tree, columns, rows = drawn
    texts = {t for t, column in columns.items() if column.type == pa.string() and column.null_count < rows}
    apart = {t: column.dictionary_encode() if t in texts else column for t, column in columns.items()}
    assert encoded(tree, apart, rows) == encoded(tree, columns, rows)


@pytest.mark.parametrize("text", ["Asha", 'a"b', None])
def test_only_texts_that_repeat_are_taken_apart(text):
    columns = by_distinct({"same": pa.array([text] * 3_000), "own": pa.array(map(str, range(3_000)))})
    tree = Object((("same", leaf_of("same")), ("own", leaf_of("own"))))
    same = {} if text is None else {"same": text}
    assert encoded(tree, columns, 3_000)[-1] == json.dumps(same | {"own": "2999"}, separators=(",", ":"))


@given(st.lists(st.none() | st.text()))
@example(AWKWARD)
def test_escaped_text_reads_back_the_same(rows):
    escaped = escape(pa.array(rows, pa.string())).to_pylist()
    assert [text if text is None else json.loads(f'"{text}"') for text in escaped] == rows


def test_every_character_there_is_reads_back():
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
    rows = ["".join(characters[at : at + 1024]) for at in range(0, len(characters), 1024)]
    payloads = encoded(Object((("text", leaf_of("text")),)), {"text": pa.array(rows)}, len(rows))
    assert [json.loads(payload)["text"] for payload in payloads] == rows


CARD = Object((("type", Constant("card")), ("value", leaf_of("number", anchor=True)), ("series", leaf_of("series"))))


@pytest.mark.parametrize(
    ("number", "series", "payload"),
    [
        ("9001", "GOLD", '{"cards":[{"type":"card","value":"9001","series":"GOLD"}],"id":"1"}'),
        ("9001", None, '{"cards":[{"type":"card","value":"9001"}],"id":"1"}'),
        (None, "GOLD", '{"id":"1"}'),  # a series without its card says nothing
        (None, None, '{"id":"1"}'),
    ],
)
def test_an_object_is_there_only_with_its_anchor(number, series, payload):
    tree = Object((("cards", Array((CARD,))), ("id", leaf_of("id"))))
    columns = {"number": pa.array([number], pa.string()), "series": pa.array([series], pa.string())}
    assert encoded(tree, columns | {"id": pa.array(["1"])}, 1) == [payload]


def test_constants_alone_bring_no_object_along():
    tree = Object(
        (("a", Object((("fixed", Constant(1)), ("free", leaf_of("x"))))), ("b", Object((("c", Constant(2)),))))
    )
    assert encoded(tree, {"x": pa.array(["y", None])}, 2) == [
        '{"a":{"fixed":1,"free":"y"},"b":{"c":2}}',
        '{"b":{"c":2}}',
    ]


def test_a_row_without_any_value_is_still_an_object():
    tree = Object((("a", leaf_of("x")), ("b", leaf_of("y"))))
    columns = {"x": pa.array([None, "1"], pa.string()), "y": pa.array([None, None], pa.string())}
    assert encoded(tree, columns, 2) == ["{}", '{"a":"1"}']


def test_equal_customers_have_equal_bytes_in_any_part():
    tree = Object((("a", leaf_of("x")), ("b", leaf_of("y"))))
    first = encoded(tree, {"x": pa.array(["1", None]), "y": pa.array(["2", "2"])}, 2)
    second = encoded(tree, {"x": pa.array(["1"]), "y": pa.array(["2"])}, 1)
    assert first[0] == second[0]
