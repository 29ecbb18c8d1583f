"""What counts as stored as it was sent; targets are named, values never."""

import json

import pytest

from schemas.lookups import Customer, Seen
from transforms.comparison import differences, read_sent

KNOWN_BY = [{"type": "externalId", "value": "C-1"}, {"type": "mobile", "value": "919800000011"}]


def customer(*, profile=None, **rest):
    """Sent or stored: a customer of INSTORE with two identifiers."""
    return {"profiles": [{"source": "INSTORE", "identifiers": KNOWN_BY, **(profile or {})}], **rest}


def seen(there, programmes=None):
    return Seen(True, customer=read_sent(json.dumps(there).encode()), programmes=programmes)


def differ(sent, there, programmes=None):
    return differences(json.dumps(sent).encode(), seen(there, programmes))


def test_what_is_there_as_sent_differs_in_nothing():
    whole = customer(
        profile={
            "firstName": "Asha",
            "lastName": "Rao",
            "commChannels": [{"type": "mobile", "value": "919800000011", "primary": True, "meta": {"office": True}}],
            "fields": {"store_code": "blr01"},
        },
        loyaltyInfo={"loyaltyType": "loyalty"},
        statusLabel="Active",
        extendedFields={"city": "Pune"},
        loyaltyProgramEnrollments=[{"programId": 1016, "loyaltyPoints": 5}],
    )
    assert differ(whole, whole, frozenset({"1016"})) == ()


def test_everything_sent_is_missing_in_a_customer_without_it():
    sent = customer(
        profile={
            "firstName": "Asha",
            "lastName": "Rao",
            "commChannels": [{"type": "email", "value": "a@example.com"}],
            "fields": {"store_code": "blr01"},
        },
        loyaltyInfo={"loyaltyType": "loyalty"},
        statusLabel="Active",
        extendedFields={"city": "Pune"},
        loyaltyProgramEnrollments=[{"programId": 1016}, {"programId": 2077}],
    )
    assert differ(sent, {"profiles": [{"source": "INSTORE"}]}, frozenset({"1016"})) == (
        "commChannels.email",
        "extendedFields.city",
        "fields.store_code",
        "firstName",
        "identifiers.externalId",
        "identifiers.mobile",
        "lastName",
        "loyaltyProgramEnrollments.1.programId",
        "loyaltyType",
        "statusLabel",
    )


def test_a_customer_who_was_not_found_has_everything_missing():
    sent = json.dumps(customer(profile={"firstName": "Asha"})).encode()
    assert differences(sent, Seen(False)) == ("firstName", "identifiers.externalId", "identifiers.mobile")


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("Pune", "PUNE"),
        ("Pune", " Pune "),
        ("5", 5),
        ("5.0", 5),
        (True, "true"),
        ("a,b", ["a", "b"]),
        ("", None),  # cleared
        ("1992-05-15", "1992-05-15T00:00:00Z"),
        ("1992-05-15", "1992-05-15 10:00:00"),
        ("1992-05-15T10:00:00", "1992-05-15"),
        ("1992-05-15T10:00:00+05:30", "1992-05-15T04:30:00Z"),
        ("1992-05-15T10:00:00+05:30", "1992-05-15 10:00:00.0"),
        ("Jose\u0301", "José"),
    ],
)
def test_a_value_is_the_same_in_another_spelling(sent, stored):
    assert differ(customer(extendedFields={"x": sent}), customer(extendedFields={"X": stored})) == ()
    assert differ(customer(profile={"fields": {"x": sent}}), customer(profile={"fields": {"x": stored}})) == ()


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("Pune", "Delhi"),
        ("Pune", None),
        ("", "Pune"),
        ("5", "6"),
        ("1992-05-15", "1992-05-16T00:00:00Z"),
        ("1992-05-15T10:00:00+05:30", "1992-05-15T10:00:00Z"),
        ("1992-05-15", "15"),
        (True, False),
    ],
)
def test_another_value_is_not_the_same(sent, stored):
    assert differ(customer(extendedFields={"x": sent}), customer(extendedFields={"x": stored})) == ("extendedFields.x",)


@pytest.mark.parametrize(
    ("sent", "stored", "differs"),
    [
        (" Asha ", "Asha", False),
        ("A" * 120, "A" * 100, False),  # the API keeps 100 characters
        ("A" * 100, "A" * 99, True),
        ("Asha", "", True),
        ("Asha", "Aisha", True),
    ],
)
def test_names_are_compared_as_the_api_keeps_them(sent, stored, differs):
    told = differ(customer(profile={"firstName": sent}), customer(profile={"firstName": stored}))
    assert told == (("firstName",) if differs else ())


@pytest.mark.parametrize(
    ("kind", "sent", "stored", "differs"),
    [
        ("mobile", "919800000011", "+91 98000 00011", False),
        ("mobile", "919800000011", 919800000011, False),
        ("mobile", "919800000011", "919800000012", True),
        ("email", "A@Example.com", "a@example.com", False),
        ("cardnumber", "CARD-1", "CARD-1", False),
        ("externalId", "C-1", "c-1", True),
    ],
)
def test_identifiers_and_addresses_are_compared_by_their_kind(kind, sent, stored, differs):
    def known_by(value):
        return {"source": "INSTORE", "identifiers": [{"type": kind, "value": value}]}

    told = differ({"profiles": [known_by(sent)]}, {"profiles": [known_by(stored)]})
    assert told == ((f"identifiers.{kind}",) if differs else ())

    def channel(value):
        return customer(profile={"commChannels": [{"type": kind, "value": value}]})

    assert differ(channel(sent), channel(stored)) == ((f"commChannels.{kind}",) if differs else ())


def test_an_identifier_among_all_identifiers_is_there():
    there = {"profiles": [{"source": "INSTORE", "identifiersAll": KNOWN_BY}]}
    assert differ(customer(), there) == ()


def test_flags_are_compared_where_they_are_shown():
    def channel(**flags):
        return customer(profile={"commChannels": [{"type": "mobile", "value": "919800000011", **flags}]})

    there = channel(primary=False, verified="true", meta={"office": False})
    assert differ(channel(primary=True, verified=True, subscribed=True, meta={"office": True}), there) == (
        "commChannels.mobile.meta.office",
        "commChannels.mobile.primary",
    )


def test_only_the_profile_of_the_same_source_counts():
    there = customer(profile={"firstName": "Asha", "source": "WEBSITE"})
    assert "firstName" in differ(customer(profile={"firstName": "Asha"}), there)
    both = {"profiles": [*there["profiles"], *customer(profile={"firstName": "Asha"})["profiles"]]}
    assert differ(customer(profile={"firstName": "Asha"}), both) == ()


def test_only_the_profile_of_the_same_account_counts():
    sent = customer(profile={"source": "WECHAT", "accountId": "wx-1"})
    assert differ(sent, customer(profile={"source": "WECHAT", "accountId": "wx-2"})) != ()
    assert differ(sent, customer(profile={"source": "wechat", "accountId": "wx-1"})) == ()


def test_members_that_no_read_shows_are_not_compared():
    sent = customer(
        createDate="2020-01-01T00:00:00+05:30",
        associatedWith="till.1",
        referralCode="R",
        subscriptionInfo={"subscriptions": [{"channel": "SMS", "type": "OPTIN"}]},
    )
    assert differ(sent, customer()) == ()


def test_no_value_is_told():
    told = " ".join(differ(customer(profile={"firstName": "Asha"}), {"profiles": []}))
    assert "Asha" not in told
    assert "919800000011" not in repr(Seen(True, customer=Customer(profiles=read_sent(b'{"profiles":[]}').profiles)))
