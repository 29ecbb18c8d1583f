"""What is written as YAML is read back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.yaml_lines import read_yaml
from transforms.yaml_words import can_be_written, printable, scalar


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("member_no", "member_no"),
        ("inbox/customers.csv", "inbox/customers.csv"),
        ("First Name", '"First Name"'),
        ("007", '"007"'),
        ("true", '"true"'),
        ("a: b", '"a: b"'),
        ('say "x"', '"say \\"x\\""'),
        ("\t", '"\\t"'),
        ("会員番号", '"会員番号"'),
    ],
)
def test_one_plain_word_stands_bare(text, written):
    assert scalar(text) == written


@given(st.text(min_size=1))
def test_any_text_is_read_back_as_it_was(text):
    if can_be_written(text):
        assert read_yaml(f"key: {scalar(text)}\nflow: {{key: {scalar(text)}}}", {}).value == {
            "key": text,
            "flow": {"key": text},
        }


@given(st.text())
def test_a_comment_stays_on_its_line(text):
    lines = read_yaml(f"key: value  # {printable(text)}", {})
    assert (lines.value, lines.problems) == ({"key": "value"}, [])


def test_a_placeholder_cannot_be_a_name():
    assert not can_be_written("${HOME}")
