"""Points are cut out of a payload, and nothing else is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.credits import without_credits, without_points

PLAIN = {"profiles": [{"firstName": "Asha"}], "loyaltyInfo": {"loyaltyType": "loyalty"}}


def written(*enrolments: dict, **more: object) -> bytes:
    return json.dumps(PLAIN | more | {"loyaltyProgramEnrollments": enrolments}, separators=(",", ":")).encode()


GOLD = {"programId": 1016, "tierNumber": 2, "loyaltyPoints": 50, "tierExpiryDate": "2027", "pointsExpiryDate": "2028"}
BARE = {"programId": 1016, "tierNumber": 2, "tierExpiryDate": "2027"}
SILVER, BARE_SILVER = {"programId": 1017, "loyaltyPoints": -3}, {"programId": 1017}


@pytest.mark.parametrize(
    ("payload", "bare"),
    [
        (written(GOLD, SILVER), written(BARE, BARE_SILVER)),
        (written(BARE), written(BARE)),
        (json.dumps(PLAIN).encode(), json.dumps(PLAIN).encode()),
    ],
)
def test_points_go_with_their_expiry(payload, bare):
    assert without_points(payload) == bare


@pytest.mark.parametrize(
    ("programmes", "left"),
    [
        ({"1016"}, (BARE, SILVER)),
        ({"1017"}, (GOLD, BARE_SILVER)),
        ({"1016", "1017"}, (BARE, BARE_SILVER)),
        ({"101"}, (GOLD, SILVER)),
    ],
)
def test_points_of_some_programmes_go(programmes, left):
    assert without_credits(written(GOLD, SILVER), programmes) == written(*left)


@given(st.text())
def test_no_text_of_a_customer_is_taken_for_points(text):
    tricky = text + ',"loyaltyProgramEnrollments":[{"programId":1,"loyaltyPoints":5}]' + text
    assert json.loads(without_points(written(GOLD, referralCode=tricky))) == json.loads(
        written(BARE, referralCode=tricky)
    )
