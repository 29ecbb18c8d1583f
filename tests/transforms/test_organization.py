"""Words of the mapping that the organisation does not list are told before anything is sent."""

import json

import pytest

from schemas.mapping import Mapping
from transforms.organization import unknown

MAPPING = Mapping.model_validate(
    {
        "identifiers": {"externalId": "member"},
        "fields": {"store_code": "a"},
        "extendedFields": {"City": "b", "gender": "c"},
        "loyaltyProgramEnrollments": [{"programId": {"value": 1016}}, {"programId": "programme"}],
    }
)
LISTS = {
    "extendedFields": {"entity": {"customer": [{"name": "city", "type": "STRING"}, {"name": "GENDER"}]}},
    "fields": [{"name": "store_code"}, {"name": "anniversary"}],
    "programmes": {"data": [{"id": 1016, "name": "Gold club"}]},
}


def told(mapping=MAPPING, **changed):
    lists = {page: json.dumps(body).encode() for page, body in LISTS.items()} | changed
    return list(unknown(mapping, lists))


def test_known_words_are_not_warned_of():
    assert told() == []


@pytest.mark.parametrize(
    ("page", "body", "warning"),
    [
        (
            "extendedFields",
            b'[{"name": "gender"}]',
            "extendedFields: the organisation lists no 'City'; the API would drop",
        ),
        (
            "fields",
            b'[{"name": "store"}]',
            "fields: the organisation lists no 'store_code'; the API would drop it without",
        ),
        (
            "programmes",
            b'[{"id": 1017}]',
            "programmes: the organisation lists no '1016'; the API would refuse it (1213)",
        ),
    ],
)
def test_an_unlisted_word_is_told_with_its_effect(page, body, warning):
    (said,) = told(**{page: body})
    assert said.startswith(warning)


@pytest.mark.parametrize("body", [None, b"", b"<html>", b"[]", b"{}", b'"\xff"', b"[[[1", b'{"message": "no"}'])
def test_a_page_that_cannot_be_read_is_told(body):
    assert told(fields=body) == [
        "fields: the organisation's list could not be read; it is not known whether store_code exist"
    ]


def test_pages_nobody_needs_are_not_missed():
    bare = Mapping.model_validate({"identifiers": {"externalId": "member"}})
    assert told(bare, extendedFields=None, fields=None, programmes=None) == []


def test_words_of_relatives_are_looked_up_too():
    kid = {"table": "family", "identifiers": {"mobile": "phone"}, "extendedFields": {"school": "d"}}
    mum = {"identifiers": {"mobile": "phone"}, "fields": {"flat": "e"}}
    block = {"associationDetails": {"childCustomers": kid, "parentCustomer": mum}}
    warned = told(Mapping.model_validate({"identifiers": {"externalId": "member"}, **block}))
    assert [warning.partition(";")[0] for warning in warned] == [
        "extendedFields: the organisation lists no 'school'",
        "fields: the organisation lists no 'flat'",
    ]
