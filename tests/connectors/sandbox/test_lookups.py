"""Reads for reconciliation and preflight: contract §1.1."""

import pytest

DETAILS = "/v2/customers/lookup/customerDetails"


def by(value, name="externalId", **rest):
    return {"identifierName": name, "identifierValue": value, "source": "INSTORE", **rest}


def test_an_identifier_leads_to_an_id(plain):
    told = plain.get("/v2/customers/lookup", **by("C-1")).json()
    assert told == {"entity": plain.books.customer("externalId", "C-1").id, "warnings": []}


def test_a_mobile_is_found_without_its_country_code(plain, one):
    plain.send(one("C-2", mobile="919800000002"))
    assert plain.get("/v2/customers/lookup", **by("9800000002", "mobile")).status_code == 200


@pytest.mark.parametrize(("query", "code"), [(by("nobody"), 8015), (by("C-1") | {"source": "WEBSITE"}, 8065)])
def test_nobody_found_is_an_error(plain, codes, query, code):
    reply = plain.get("/v2/customers/lookup", **query)
    assert (reply.status_code, codes(reply.json())) == (400, [code])


def test_details_show_what_was_written_and_when(plain, one, points):
    sent = one("C-3", profile={"firstName": "Asha", "fields": {"store_code": "blr01"}}, extendedFields={"city": "Pune"})
    (echo,) = plain.send(sent | points(25)).json()
    told = plain.get(DETAILS, **by("C-3", embed="points,mlp")).json()
    assert told["profiles"][0]["attribution"] == echo["profiles"][0]["attribution"]
    assert told["profiles"][0]["fields"] == {"store_code": "blr01"}
    assert told["extendedFields"] == {"city": "Pune"}
    assert [(row["programId"], row["loyaltyPoints"]) for row in told["points"]] == [(1016, 25)]


def test_details_by_id_are_the_same(plain):
    who = plain.books.customer("externalId", "C-1").id
    assert plain.get(f"/v2/customers/{who}").json() == plain.get(DETAILS, **by("C-1")).json()
    assert plain.get(f"/v2/customers/{who}/loyaltyDetails").json()["data"] == []


def test_a_victims_id_answers_with_the_survivor(plain, one, codes):
    plain.send(one("C-10", mobile="919800000010"), one("C-11", mobile="919800000010"))
    ((victim, survivor),) = plain.books.merges()
    told = plain.get(f"/v2/customers/{victim}").json()
    assert (told["id"], codes(told, "warnings")) == (survivor, [8069])


@pytest.mark.parametrize(
    ("path", "key", "expected"),
    [
        ("/v2/organization/programs", "programId", 1016),
        ("/v2/extendedFields", "name", "dob"),
        ("/v2/organization/customFields?scope=loyalty_registration", "name", "store_code"),
        ("/v2/meta/sources", "source", "INSTORE"),
        ("/v2/organization/till?code=till.hq", "code", "till.hq"),
    ],
)
def test_metadata_lists_what_the_org_has(plain, path, key, expected):
    assert expected in {row[key] for row in plain.client.get(path).json()["data"]}
