"""YAML is read strictly, remembers its lines, and takes placeholders from the environment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.yaml_lines import dotted, read_yaml


def value_of(text, **environment):
    lines = read_yaml(text, environment)
    assert lines.problems == []
    return lines.value


def problems_of(text, **environment):
    return read_yaml(text, environment).problems


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("NO", "NO"),  # Norway
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("FALSE", False),
        ("00:30", "00:30"),
        ("2024-01-31", "2024-01-31"),
        ("~", None),
        ("", None),
        ("42", 42),
        ("-3", -3),
        ("1.5", 1.5),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("007", "007"),  # a store's code, not seven
        ("1.10", "1.10"),  # a version, not 1.1
        ("+91", "+91"),
        ("12345678901234567890", "12345678901234567890"),
        ('"42"', "42"),
        ("[a, 1]", ["a", 1]),
    ],
)
def test_words_mean_what_they_look_like(written, value):
    read = value_of(f"key: {written}")["key"]
    assert (read, type(read)) == (value, type(value))


def test_every_value_remembers_its_line():
    lines = read_yaml("a: 1\nb:\n  c: 2\n  d:\n    - e\n    - {f: 3}\n", {})
    assert {dotted(path): line for path, line in lines.line_of.items()} == {
        "": 1, "a": 1, "b": 2, "b.c": 3, "b.d": 4, "b.d[0]": 5, "b.d[1]": 6, "b.d[1].f": 6,
    }  # fmt: skip
    assert lines.line(("b", "d", 7, "unheard of")) == 4


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3", (3, "a: stands twice")),
        ("a:\n  b: 1\n  b: 2", (3, "a.b: stands twice")),
        ("a: &x 1", (1, "not YAML: anchors and aliases are not read here")),
        ("a: 1\nb: *x", (2, "not YAML: anchors and aliases are not read here")),
        ("a: !!int 5", (1, "not YAML: tags are not read here")),
        ("a: !hunter2!x y", (1, "not YAML: tags are not read here")),
        ("? [a, b]\n: 1", (1, "job: a key must be a word")),
        ("a: {b: 1\n", (2, "not YAML: while parsing a flow mapping, expected ',' or '}', but got '<stream end>'")),
        ("a: b: c", (1, "not YAML: mapping values are not allowed here")),
        ("a: 1\nb: \x07", (2, "not YAML: a character that is not allowed in it")),
        ("a: ${lower-case!}", (1, "a: write ${NAME} or ${NAME:-default}")),
        ("a: {b: 1, c: ${X Y}}", (1, "a.c: write ${NAME} or ${NAME:-default}")),
    ],
)
def test_what_is_not_read_is_told_with_its_line(text, problem):
    assert problems_of(text) == [problem]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${HOST}", "eu"),
        ("https://${HOST}.example.com:${PORT}", "https://eu.example.com:80"),
        ("${UNSET:-here}", "here"),
        ("${EMPTY:-here}", "here"),  # as in a shell
        ("${HOST:-here}", "eu"),
        ("${UNSET:-}", None),
        ("${EMPTY}", None),
        ("a${UNSET:-}b", "ab"),
        ('"${HOST}"', "eu"),
        ("'${HOST}'", "eu"),
        ("{inner: ${HOST}}", {"inner": "eu"}),  # YAML's own braces do not mind
        ("[${HOST}, ${UNSET:-a, b: c # d}]", ["eu", "a, b: c # d"]),
        ("${PORT}", "80"),  # text; who wants a number reads one
        ("$HOST", "$HOST"),
    ],
)
def test_placeholders_take_values_from_the_environment(written, value):
    assert value_of(f"key: {written}", HOST="eu", PORT="80", EMPTY="") == {"key": value}


def test_a_value_from_the_environment_is_never_read_as_yaml():
    assert value_of("key: ${X}", X="{a: *b, c: ${Y}}") == {"key": "{a: *b, c: ${Y}}"}


def test_every_missing_name_is_told():
    lines = read_yaml("a: ${ONE}\nb:\n  - ${TWO}-${THREE}", {})
    assert lines.problems == [
        (1, "a: set ONE in the environment"),
        (3, "b[0]: set TWO in the environment"),
        (3, "b[0]: set THREE in the environment"),
    ]
    assert lines.missing == {("a",), ("b", 0)}


def test_names_in_comments_need_not_be_set():
    assert value_of("a: 1 # ${UNSET}\n# ${UNSET}") == {"a": 1}


def test_what_is_glued_to_a_key_is_not_shown():
    assert problems_of("a: {key:hunter2, key:hunter2}") == [(1, "a.key…: stands twice")]


@given(st.text())
def test_any_text_gives_a_value_or_problems(text):
    lines = read_yaml(text, {})
    assert all(line >= 1 and said for line, said in lines.problems)


@given(st.text(alphabet="ab:{}[],${}-_ \n'\"#&*!|>", max_size=40))
def test_text_near_yaml_gives_a_value_or_problems(text):
    lines = read_yaml(text, {})
    assert all(line >= 1 and said for line, said in lines.problems)
