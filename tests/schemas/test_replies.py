"""Bodies of any shape are decoded, and none of them raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.replies import Problem, count, read_answer, stated


@pytest.mark.parametrize(
    ("body", "flaw"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"<html><body>502 Bad Gateway</body></html>", "html"),
        (b"  <!DOCTYPE html>", "html"),
        (b"error code: 521", "not_json"),
        (b'[{"id": 1}', "broken_json"),
        (b'[{"id": 1}] trailing', "broken_json"),
        (b'{"message": "\xff"}', "broken_json"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "broken_json"),
        (b'"ok"', "unknown_shape"),
        (b"null", "unknown_shape"),
        (b'{"data": {"accessToken": "x"}}', "unknown_shape"),
    ],
)
def test_what_cannot_be_read_says_why(body, flaw):
    assert read_answer(body).flaw == flaw


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (b'[{"id": 1}, {"id": "2"}]', ["1", "2"]),
        (b'\xef\xbb\xbf[{"id": 1}]', ["1"]),
        (b'{"response": [{"entityId": 1}], "totalCount": 1}', ["1"]),
        (b'{"response": null, "data": [{"entity": {"id": 1}}]}', ["1"]),
        (b'{"entity": {"customers": [{"id": 1}], "count": 1}}', ["1"]),
    ],
)
def test_every_envelope_is_unwrapped(body, ids):
    elements = read_answer(body).elements
    assert [element.customer_id for element in elements] == ids


@pytest.mark.parametrize(
    ("element", "customer_id"),
    [
        ('{"id": 1, "entity": {"id": 2}, "entityId": 3}', "1"),
        ('{"entity": {"id": 2}, "entityId": 3}', "2"),
        ('{"entityId": 3, "createdId": 6}', "3"),
        ('{"entityId": {"id": 3}}', "3"),
        ('{"entity": 4}', "4"),
        ('{"result": {"id": 5}}', "5"),
        ('{"profiles": [{"userId": 6}], "createdId": 7}', "6"),
        ('{"createdId": 7}', "7"),
        ('{"id": -1, "createdId": 0}', None),
        ("{}", None),
    ],
)
def test_the_customer_id_is_found_wherever_it_stands(element, customer_id):
    assert read_answer(f"[{element}]".encode()).elements[0].customer_id == customer_id


def test_nulls_and_unknown_fields_are_skipped():
    body = b'[{"profiles": [{"identifiers": null, "new": 1}, null], "errors": null, "childEntities": null, "x": {}}]'
    (element,) = read_answer(body).elements
    assert (list(element.identifiers), element.all_errors, element.children) == ([], [], [])


def test_an_element_of_no_known_shape_spoils_only_itself():
    elements = read_answer(b'[{"id": 1}, {"profiles": "none"}, 7, {"id": 4}]').elements
    assert [element and element.customer_id for element in elements] == ["1", None, None, "4"]


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (8009, "8009"),
        ("8009", "8009"),
        (" 8009 ", "8009"),
        (8009.0, "8009"),
        ("SERVER_ERROR", "SERVER_ERROR"),
        (None, "no_code"),
        (True, "no_code"),
        (-1, "no_code"),
        (10**400, "no_code"),
        (float("inf"), "no_code"),
        ("asha@example.com", "no_code"),  # whatever is no code could be somebody's
        ({"a": 1}, "no_code"),
    ],
)
def test_a_code_is_told_as_text_and_nothing_else_is(code, number):
    assert Problem(code=code).number == number


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b'{"errors": [{"message": "a"}, "b", null]}', ["a", "b", ""]),
        (b'{"errors": {"message": "a"}}', ["a"]),
        (b'{"errors": "a"}', ["a"]),
        (b'{"errors": []}', []),
        (b'{"errors": ""}', []),
    ],
)
def test_errors_are_read_however_they_are_written(body, texts):
    assert [problem.text for problem in stated(read_answer(body).whole.errors)] == texts


@pytest.mark.parametrize(
    ("value", "number"), [(3, 3), ("3", 3), (None, None), ("x", -1), (-2, -1), (1.5, -1), ([], -1), ("9" * 5000, -1)]
)
def test_a_count_is_a_number_or_no_number(value, number):
    assert count(value) == number


@given(st.binary())
def test_no_body_raises(body):
    answer = read_answer(body)
    assert answer.flaw or answer.elements is not None or answer.whole is not None
