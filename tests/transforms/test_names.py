"""Names of people."""

import pyarrow as pa
import pytest

from transforms.names import clean_names, judge_name


def cleaned(raw: str) -> tuple[str | None, set[str]]:
    column = clean_names(pa.array([raw]))
    assert column.problems[0].as_py() is None
    return column.values[0].as_py(), set(column.changes)


@pytest.mark.parametrize(("raw", "clean"), [
    ("JON",                "Jon"),
    ("JON SMITH",          "Jon Smith"),
    ("JEAN-LUC",           "Jean-Luc"),
    ("J.R.R. TOLKIEN",     "J.R.R. Tolkien"),
    ("M K GANDHI",         "M K Gandhi"),
    ("JP MORGAN",          "JP Morgan"),         # two consonants are initials
    ("MD RAHIM",           "Md Rahim"),          # but for Mohammed, Ng, Dr and their like
    ("NG",                 "Ng"),
    ("O'BRIEN",            "O'Brien"),
    ("D’SOUZA",            "D’Souza"),
    ("DELL'ORTO",          "Dell'Orto"),
    ("NU'MAN",             "Nu'man"),
    ("MCDONALD",           "McDonald"),
    ("MACDONALD",          "Macdonald"),         # as MACHADO and MACK: nobody can tell
    ("VAN DER BERG",       "Van der Berg"),      # without a first name the Dutch write it so
    ("JAN VAN DER BERG",   "Jan van der Berg"),
    ("VAN GOGH",           "Van Gogh"),
    ("NGUYEN VAN AN",      "Nguyen Van An"),
    ("MARIA DE LA CRUZ",   "Maria de la Cruz"),
    ("AHMAD BIN ALI",      "Ahmad bin Ali"),
    ("AMIT DAS GUPTA",     "Amit Das Gupta"),
    ("LOUIS XIV",          "Louis Xiv"),
    ("HENRY VIII",         "Henry VIII"),
    ("JOSÉ ÁNGEL",         "José Ángel"),
    ("MÜLLER-LÜDENSCHEIDT", "Müller-Lüdenscheidt"),
    ("İBRAHİM",            "İbrahim"),
    ("MR. SMITH",          "Mr. Smith"),
])  # fmt: skip
def test_latin_capitals_get_small_letters(raw, clean):
    assert cleaned(raw) == (clean, {"capitals_lowered"})
    assert judge_name(raw).value == clean


@pytest.mark.parametrize("raw", [
    "Jon", "jon", "deVries", "McDonald", "J", "J.R.", "JP", "II", "ИВАН", "ΝΙΚΟΣ", "王伟", "WANG 王", "नरेंद्र",
    "NA YOON-hee", "Null", "None", "Nan",
])  # fmt: skip
def test_other_names_are_their_owners(raw):
    assert cleaned(raw) == (raw, set())


@pytest.mark.parametrize(("raw", "clean", "changes"), [
    ("  Anna   Maria ", "Anna Maria", "trimmed spaces_collapsed"),
    ("山田\u3000太郎",   "山田 太郎",   "space_replaced"),
    ("Anna\n\nMaria",   "Anna Maria", "space_replaced"),
    (" ANNA",           "Anna",       "trimmed capitals_lowered"),
    ("JOSE\u0301",      "José",       "unicode_composed capitals_lowered"),
    ("NULL",            None,         "blank_spelled_out"),
    ("N/A",             None,         "blank_spelled_out"),
    (" - ",             None,         "blank_spelled_out"),
])  # fmt: skip
def test_white_space_and_blanks_are_tidied(raw, clean, changes):
    assert cleaned(raw) == (clean, set(changes.split()))


def test_the_korean_surname_na_survives_capitals():
    assert cleaned("NA") == ("Na", {"capitals_lowered"})


def test_a_spreadsheets_error_is_no_name():
    assert clean_names(pa.array(["#NAME?"])).problems.to_pylist() == ["damaged_by_spreadsheet"]
