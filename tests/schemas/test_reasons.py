"""Every code that a row may carry is explained to a person, in whole sentences."""

import ast
import re
from pathlib import Path

import pytest

from schemas.family_reasons import FAMILIES
from schemas.guessed_names import TARGETS
from schemas.reasons import ANSWERS, LINES, LOOKS, WHOLE, WHY, explain_ours, is_of_a_value

ROOT = Path(__file__).parent.parent.parent
KERNELS = ["dates", "emails", "moments", "names", "numbers", "phones", "spelled_dates", "texts", "values", "words"]
CODE = re.compile(r"[a-z]+(_[a-z0-9]+)+|ambiguous")


def problems_of(module):
    """Codes that a kernel's source gives: arguments of `wrong` and `Unreadable`, tables and answers of `_problem`."""
    tree = ast.parse((ROOT / "transforms" / f"{module}.py").read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("wrong", "Unreadable"):
            found |= {constant.value for constant in ast.walk(node) if isinstance(constant, ast.Constant)}
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("_PROBLEMS", "_ERRORS", "problem"):
            found |= {constant.value for constant in ast.walk(node.value) if isinstance(constant, ast.Constant)}
        elif isinstance(node, ast.FunctionDef) and node.name in ("_problem", "_plain"):
            found |= {
                c.value
                for r in ast.walk(node)
                if isinstance(r, ast.Return)
                for c in ast.walk(r)
                if isinstance(c, ast.Constant)
            }
    return {code for code in found if isinstance(code, str) and CODE.fullmatch(code)}


def checks_of_the_schema():
    tree = ast.parse((ROOT / "schemas" / "customers.py").read_text(encoding="utf-8"))
    appended = [
        node for node in ast.walk(tree) if isinstance(node, ast.Tuple) and isinstance(node.elts[0], ast.Constant)
    ]
    return {node.elts[0].value for node in appended if isinstance(node.elts[1], ast.Lambda)} | {"missing"}


GIVEN = sorted(set().union(*map(problems_of, KERNELS)) | checks_of_the_schema())


def test_the_kernels_codes_are_found():
    assert {"not_a_date", "several_numbers", "wrong_for_country", "not_an_address", "nonexistent_time"} <= set(GIVEN)
    assert {"too_long", "in_the_past", "character_not_allowed", "missing", "not_whole", "ambiguous"} <= set(GIVEN)


@pytest.mark.parametrize("why", GIVEN)
def test_every_problem_has_its_own_words(why):
    assert why in WHY


def test_codes_that_modules_write_whole_have_their_own_words():
    sources = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "transforms").glob("*.py"))
    written = set(re.findall(r'"((?:identifiers|key|join|filter|payload|duplicates|points_id)\.[a-z_]+)"', sources))
    written |= set(re.findall(r"'((?:duplicates|points|in_doubt|refused|customer|identity)\.[a-z_]+)'", sources))
    # Guesses name targets; some of them look like codes.
    assert written - set(TARGETS) == set(WHOLE)


def test_codes_of_families_have_their_own_words():
    sources = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "transforms").glob("*.py"))
    written = set(re.findall(r"[\"'](family\.[a-z_]+)[\"']", sources))
    words = set(re.findall(r'"([a-zA-Z]+Code)"', (ROOT / "transforms" / "children.py").read_text(encoding="utf-8")))
    assert len(words) == 3
    assert (written | {f"{word}.missing" for word in words}) - set(ANSWERS) == set(FAMILIES)


def test_codes_of_looking_up_have_their_own_words():
    source = (ROOT / "transforms" / "lookup.py").read_text(encoding="utf-8")
    assert set(re.findall(r'"(look(?:_up\.[a-z_]+|ed_up))"', source)) == set(LOOKS)


MEANINGS = [
    (code, explain_ours(code))
    for code in (*WHOLE, *FAMILIES, *LINES, *ANSWERS, *LOOKS, *(f"mobile.{why}" for why in WHY))
]


@pytest.mark.parametrize(("code", "meaning"), [*MEANINGS, ("http_418", explain_ours("http_418"))])
def test_cause_and_fix_are_whole_sentences(code, meaning):
    for text in (meaning.cause, meaning.fix):
        assert re.fullmatch(r"(mobile|[A-Z]).*\.", text), code
        assert "{" not in text
        assert "  " not in text


def test_a_cause_names_its_subject():
    assert explain_ours("tierNumber.too_small").cause == "tierNumber is smaller than allowed."


def test_a_code_without_words_is_told_by_its_name():
    assert explain_ours("city.never_heard_of").cause == "city: never heard of."


def test_an_http_status_is_told_as_such():
    assert explain_ours("http_502").cause == "The API answered HTTP 502 and did not say why."


def test_what_is_known_of_a_missing_answer_is_told():
    told = explain_ours("no_answer: timed out after 0.5 s")
    assert told.cause == "The request left, and no whole answer came back: timed out after 0.5 s."
    assert told.fix == ANSWERS["no_answer"].fix


@pytest.mark.parametrize("code", [*ANSWERS, "http_502", "19223", "in_doubt.earlier_run", "no_answer: cut off"])
def test_a_doubt_is_told_from_what_cleaning_found(code):
    assert not is_of_a_value(code)
    assert is_of_a_value("city.not_in_values")
