"""Free text and identifiers."""

import pyarrow as pa
import pytest

from transforms.texts import clean_texts, judge_text


def cleaned(raw: str) -> tuple[str | None, str | None, set[str]]:
    column = clean_texts(pa.array([raw]))
    return column.values[0].as_py(), column.problems[0].as_py(), set(column.changes)


@pytest.mark.parametrize(("raw", "clean", "changes"), [
    ("4111-1111",          "4111-1111",  ""),
    ("two  spaces",        "two  spaces", ""),                    # may mean something; names are another matter
    (" M 1 ",              "M 1",        "trimmed"),
    ("\u00a0M1\u3000",     "M1",         "trimmed"),
    ("\ufeffM1",           "M1",         "trimmed"),
    ("M\u200b1",           "M1",         "invisible_removed"),
    ("M\x001",             "M1",         "invisible_removed"),
    ("soft\u00adhyphen",   "softhyphen", "invisible_removed"),
    ("line\r\n\nbreak",    "line break", "space_replaced"),
    ("tab\tbed",           "tab bed",    "space_replaced"),
    ("no\u00a0break",      "no break",   "space_replaced"),
    ("Jose\u0301",         "José",       "unicode_composed"),
    ("अवन\u200dക",         "अवन\u200dക", ""),                     # joiners inside are letters' business
    ("അവന്\u200d",         "അവന്\u200d", ""),                     # and at the end after a virama
    ("مى\u200c",           "مى",         "trimmed"),
    ('="00123"',           "00123",      "quoting_unwrapped"),
    ("'00123",             "00123",      "quoting_unwrapped"),
    ("=\"'00123\"",        "00123",      "quoting_unwrapped"),
    ("'tis",               "'tis",       ""),
    ("12E4",               "12E4",       ""),                     # may be a code
    ("0091",               "0091",       ""),
])  # fmt: skip
def test_text_keeps_all_that_can_be_seen(raw, clean, changes):
    assert cleaned(raw) == (clean, None, set(changes.split()))


@pytest.mark.parametrize("raw", ["9.19845E+11", "9,19845e+11", "-9E+15", "#REF!", "#VALUE!", "#DIV/0!", "########"])
def test_what_a_spreadsheet_destroyed_is_a_problem(raw):
    assert cleaned(raw) == (None, "damaged_by_spreadsheet", set())


@pytest.mark.parametrize("raw", ["NULL", "null", "(null)", "\\N", "N/A", "n/a", "#N/A", "NaN", "nan", "nil", "-", "--"])
def test_blanks_that_programs_write_are_absent(raw):
    assert cleaned(raw) == cleaned(f" {raw} ") == (None, None, {"blank_spelled_out"})


@pytest.mark.parametrize("raw", ["NA", "Na", "Null", "None", "none", "Nan", "NAN", "Nil", "?", ".", "unknown"])
def test_words_that_people_mean_are_kept(raw):
    assert cleaned(raw) == (raw, None, set())


@pytest.mark.parametrize("raw", [" ", "\t\n", "\u200b", "\u00a0\ufeff", "\x00"])
def test_white_space_alone_is_absent(raw):
    assert cleaned(raw) == (None, None, {"trimmed"})


def test_a_foreign_column_needs_no_judge_when_clean(monkeypatch):
    monkeypatch.setattr("transforms.texts.judge_text", lambda _: pytest.fail("judged"))
    rows = ["मुंबई 400001", "São Paulo", "東京　都".replace("　", " "), "plain", ""]
    assert clean_texts(pa.array(rows)).values.to_pylist() == [*rows[:-1], None]


def test_a_judged_text_says_what_was_done_once():
    assert judge_text(' =" \'00123 " ').changes == ("trimmed", "quoting_unwrapped")
