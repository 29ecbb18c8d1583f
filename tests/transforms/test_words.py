"""Values of a closed list."""

import pyarrow as pa
import pytest

from transforms.words import clean_flags, clean_genders


@pytest.mark.parametrize(("clean", "rows"), [
    (True,  ["true", "TRUE", "T", "y", "Yes", "1", "1.0", "on", " Y "]),
    (False, ["false", "False", "f", "N", "no", "0", "0.0", "OFF"]),
])  # fmt: skip
def test_flags_are_read_in_any_case(clean, rows):
    column = clean_flags(pa.array(rows))
    assert column.values.to_pylist() == [clean] * len(rows)
    assert column.values.type == pa.bool_()
    assert column.changes["spelling_unified"] == len(rows) - 1  # the first is as a typed source writes it


@pytest.mark.parametrize(("clean", "rows"), [
    ("MALE",   ["MALE", "m", "Male", "Mr.", "man"]),
    ("FEMALE", ["FEMALE", "F", "female", "Mrs", "Ms.", "Miss"]),
    ("OTHER",  ["OTHER", "o", "X", "Transgender", "non-binary", "third gender"]),
])  # fmt: skip
def test_genders_are_one_of_three(clean, rows):
    column = clean_genders(pa.array(rows))
    assert column.values.to_pylist() == [clean] * len(rows)
    assert column.changes == {"spelling_unified": len(rows) - 1}


@pytest.mark.parametrize("raw", ["NA", "unknown", "U", "prefer not to say", "?", "-"])
def test_who_does_not_tell_is_absent(raw):
    column = clean_genders(pa.array([raw]))
    assert (column.values.null_count, column.problems.null_count, column.changes) == (1, 1, {"blank_spelled_out": 1})


@pytest.mark.parametrize(("clean_column", "raw", "problem"), [
    (clean_flags,   "maybe", "not_a_boolean"),
    (clean_flags,   "2",     "not_a_boolean"),
    (clean_genders, "alien", "not_a_gender"),
    (clean_genders, "1",     "not_a_gender"),   # somebody's code for men, somebody's for women
])  # fmt: skip
def test_other_words_are_a_problem(clean_column, raw, problem):
    assert clean_column(pa.array([raw])).problems.to_pylist() == [problem]
