"""E1, PUT /v2/bulk: what is stored, what is refused, what is lost and told, what is lost and not told."""

from datetime import UTC, datetime, timedelta

import pytest

FAR = (datetime.now(UTC) + timedelta(days=365)).isoformat(timespec="seconds")


def test_an_update_echoes_the_customer_without_an_id(plain, one):
    sent = one("C-1", mobile="919800000001", profile={"firstName": "Asha"}, extendedFields={"city": "Pune"})
    (told,) = plain.send(sent).json()
    assert set(told) == {
        "profiles", "loyaltyInfo", "segments", "referralCode", "extendedFields", "errors", "warnings",
    }  # fmt: skip
    assert told["profiles"][0]["firstName"] == "Asha"
    assert told["profiles"][0]["identifiers"] == [
        {"type": "externalId", "value": "C-1"},
        {"type": "mobile", "value": "919800000001"},
    ]
    assert (told["extendedFields"], told["errors"], told["warnings"]) == ({"city": "Pune"}, [], [])


def test_an_update_creates_nobody_by_default(plain, one, codes):
    reply = plain.send(one("C-1"), one("nobody"))
    assert reply.status_code == 201
    assert [codes(told) for told in reply.json()] == [[], [8009]]
    assert plain.books.customer("externalId", "nobody") is None


def test_an_update_creates_when_told_to(serve_with, one):
    served = serve_with(creates=True)
    assert served.send(one("new")).status_code == 200
    assert served.books.customers() == 1


def test_both_spellings_of_the_path_are_one_endpoint(plain, one):
    assert plain.send(one("C-2"), path="/v2/customers/bulk?source=INSTORE").json()[0]["errors"] == []


@pytest.mark.parametrize(("partial", "failed"), [(200, 200), (201, 500)])
def test_a_failures_status_is_a_setting(serve_with, one, partial, failed):
    served = serve_with(partial_failure_status=partial, all_failed_status=failed)
    served.sandbox.preload(["C-1"])
    assert served.send(one("C-1"), one("nobody")).status_code == partial
    assert served.send(one("nobody")).status_code == failed


@pytest.mark.parametrize(
    ("sent", "refused"),
    [
        ({"loyaltyInfo": {}}, 403),  # mandatory field missing
        ({"loyaltyInfo": {"loyaltyType": "non-loyalty"}}, 400),
        ({"loyaltyInfo": {"loyaltyType": "non_loyalty"}}, 8018),
        ({"profiles": []}, 8002),
        ({"profiles": [{"source": "INSTORE", "identifiers": []}]}, 8002),
        ({"profiles": [{"source": "WEBSITE", "identifiers": [{"type": "email", "value": "a@b.in"}]}]}, 8003),
        ({"profiles": [{"identifiers": [{"type": "mobil", "value": "919800000001"}]}]}, 8093),
        ({"profiles": [{"identifiers": [{"type": "mobile", "value": "12345"}]}]}, 1001),
        ({"profiles": [{"identifiers": [{"type": "email", "value": "nobody"}]}]}, 1002),
        ({"statusLabel": "Gone"}, 8086),
        ({"createDate": "2099-01-01T00:00:00+05:30"}, 8017),
        ({"createDate": "1970-01-01T00:00:00+05:30"}, 1034),
        ({"profile": {"commChannels": [{"type": "pigeon", "value": "1"}]}}, 8010),
    ],
)
def test_a_wrong_customer_is_refused_alone(plain, one, codes, sent, refused):
    before = plain.books.writes_of("externalId", "C-3")
    wrong = one("C-3", **sent)
    good, bad = plain.send(one("C-4"), wrong).json()
    assert (codes(good), codes(bad)) == ([], [refused])
    assert plain.books.writes_of("externalId", "C-3") == before


@pytest.mark.parametrize(
    ("enrolment", "refused"),
    [
        ({"programId": 9}, 1213),
        ({"programId": 1016, "tierNumber": 0}, 400),
        ({"programId": 1016, "loyaltyPoints": -5}, 400),
        ({"programId": 1016, "tierExpiryDate": "2001-01-01T00:00:00+05:30"}, 1215),
        ({"programId": 1016, "pointsExpiryDate": "01/02/2030"}, 1216),
        ({"programId": 1016, "pointsExpiryDate": "2030-01-01T00:00:00"}, 1216),  # no zone
        ({"programId": 1016, "tierExpiryDate": "2199-01-01T00:00:00Z"}, 1217),
        ({"programId": 1016, "tierExpiryDate": FAR, "pointsExpiryDate": "2020-01-01T00:00:00Z"}, 1215),
    ],
)
def test_a_wrong_enrolment_credits_nothing(plain, one, codes, enrolment, refused):
    sent = one("C-5", loyaltyProgramEnrollments=[{"loyaltyPoints": 10} | enrolment])
    assert codes(plain.send(sent).json()[0]) == [refused]
    assert plain.books.points_of("externalId", "C-5") == []


@pytest.mark.parametrize(
    ("sent", "warned"),
    [
        ({"mobile": "123"}, 8056),
        ({"email": "asha@"}, 8055),
        ({"associatedWith": "till.nowhere"}, 8077),
        ({"extendedFields": {"shoe_size": "7"}}, 91016),
        ({"extendedFields": {"dob": "22-10-2000"}}, 91015),
        ({"extendedFields": {"kid_count": "two"}}, 91015),
        ({"profile": {"commChannels": [{"type": "mobile", "value": "12"}]}}, 8058),
        ({"profile": {"commChannels": [{"type": "email", "value": "asha"}]}}, 8057),
    ],
)
def test_a_lost_value_is_warned_of_and_not_stored(plain, one, codes, sent, warned):
    (told,) = plain.send(one("C-6", **sent)).json()
    assert (codes(told), codes(told, "warnings")) == ([], [warned])
    stored = plain.books.customer("externalId", "C-6")
    assert (stored.keys, stored.extended, stored.till) == (["externalId:C-6"], {}, "")
    assert stored.profiles[0].channels == []


def test_what_is_lost_silently_is_not_warned_of(plain, one):
    profile = {"firstName": "  " + "x" * 120, "fields": {"store_code": "blr01", "shoe_size": "7"}}
    (told,) = plain.send(one("C-7", profile=profile, extendedFields={"city": "", "state": "NULL"})).json()
    assert told["warnings"] == []
    assert told["profiles"][0]["firstName"] == "x" * 100
    assert (told["profiles"][0]["fields"], told["extendedFields"]) == ({"store_code": "blr01"}, {})


@pytest.mark.parametrize("mobile", ["9800000011", "919800000011", 919800000011])
def test_a_mobile_is_stored_with_its_country_code(plain, one, mobile):
    plain.send(one("C-8", mobile=mobile))
    assert plain.books.customer("mobile", "919800000011").keys[0] == "externalId:C-8"


def test_an_update_leaves_what_it_does_not_name(plain, one):
    plain.send(one("C-10", profile={"firstName": "Asha"}, extendedFields={"city": "Pune"}))
    plain.send(one("C-10", profile={"lastName": "Rao"}, extendedFields={"CITY": "Goa", "zip": "403001"}))
    stored = plain.books.customer("externalId", "C-10")
    assert (stored.profiles[0].first_name, stored.profiles[0].last_name) == ("Asha", "Rao")
    assert stored.extended == {"city": "Goa", "zip": "403001"}


def test_a_deleted_customer_is_not_touched(plain, one, codes):
    plain.send(one("C-11", statusLabel="Deleted"))
    assert codes(plain.send(one("C-11", profile={"firstName": "Asha"})).json()[0]) == [8026]


@pytest.mark.parametrize(
    ("query", "refused"),
    [("", 8001), ("source=SHOP", 8003), ("source=WECHAT", 8045), ("source=WECHAT&accountId=x", 8127)],
)
def test_a_wrong_source_refuses_every_element(plain, one, codes, query, refused):
    without = [one("C-1", profile={"source": None}), one("C-2", profile={"source": None})]
    assert [codes(told) for told in plain.send(*without, path=f"/v2/bulk?{query}").json()] == [[refused]] * 2


def test_a_card_label_is_refused_or_told_late(plain, one, codes):
    card = {"type": "cardnumber", "value": "5550001", "statusLabel": "MELTED"}
    identifiers = [{"type": "externalId", "value": "C-12"}, card]
    sent = one("C-12", profile={"identifiers": identifiers, "firstName": "Asha"})
    assert codes(plain.send(sent).json()[0]) == [3017]
    assert plain.books.writes_of("externalId", "C-12") == 0
    told = plain.post(sent, path="/v2/integrations/customer/upsert/bulk?source=INSTORE").json()
    assert (codes(told["response"][0]), told["failureCount"]) == ([3017], 1)
    assert plain.books.writes_of("externalId", "C-12") == 1
