"""Whose account it is: registering the known, merging, filling and changing identifiers, other sources."""

import pytest

UPSERT = "/v2/integrations/customer/upsert/bulk?source=INSTORE"


def test_registering_creates_and_tells_the_id(plain, one):
    (told,) = plain.post(one("R-1", profile={"firstName": "Asha"})).json()
    customer_id = plain.books.customer("externalId", "R-1").id
    assert told["entity"]["id"] == told["entity"]["profiles"][0]["userId"] == customer_id
    assert (told["childEntities"], told["childCount"]) == ([], 0)


def test_registering_somebody_known_is_refused(plain, one, codes):
    (told,) = plain.post(one("C-1", profile={"firstName": "Asha"})).json()
    assert codes(told) == [8006]
    assert told["entity"]["profiles"][0]["identifiers"] == [{"type": "externalId", "value": "C-1"}]


def test_registering_somebody_known_updates_when_told_to(serve_with, one):
    served = serve_with(register_existing="update")
    served.sandbox.preload(["C-1"])
    served.post(one("C-1", profile={"firstName": "Asha"}))
    assert served.books.customer("externalId", "C-1").profiles[0].first_name == "Asha"


def test_two_in_one_batch_with_a_new_mobile_become_one(plain, one, codes):
    """The second finds the first by the mobile they share: their accounts merge, for good."""
    first, second = plain.send(one("C-20", mobile="919800000020"), one("C-21", mobile="919800000020")).json()
    assert (codes(first, "warnings"), codes(second, "warnings")) == ([], [8051])
    survivor = plain.books.customer("externalId", "C-20")
    assert plain.books.customer("externalId", "C-21").id == survivor.id
    assert [pair[1] for pair in plain.books.merges()] == [survivor.id]


def test_a_shared_placeholder_makes_everybody_one(serve_with, one):
    served = serve_with()
    served.sandbox.preload(f"C-{number}" for number in range(50))
    served.send(*(one(f"C-{number}", mobile="919999999999") for number in range(50)))
    assert (served.books.customers(), len(served.books.merges())) == (1, 49)


def test_a_merge_keeps_the_victims_points(serve_with, one, points):
    served = serve_with()
    served.sandbox.preload(["A", {"externalId": "B", "mobile": "919800000001"}])
    served.send(one("A", **points(30)), one("B", **points(12)))
    served.send(one("A", mobile="919800000001"))
    assert served.books.points_of("externalId", "A") == [(1016, 30), (1016, 12)]
    assert served.books.credited_twice() == []


def test_a_clash_is_refused_when_merging_is_off(serve_with, one, codes):
    served = serve_with(shared_identifier="refuse")
    served.sandbox.preload(["A", {"externalId": "B", "mobile": "919800000001"}])
    assert codes(served.send(one("A", mobile="919800000001")).json()[0]) == [8007]
    assert served.books.customers() == 2


def test_an_update_fills_an_identifier_but_changes_none(plain, one, codes):
    plain.send(one("C-30", mobile="919800000030"))
    (told,) = plain.send(one("C-30", mobile="919800000031")).json()
    assert codes(told, "warnings") == [91006]
    assert plain.books.customer("mobile", "919800000031") is None


def test_filling_identifiers_can_be_off(serve_with, one, codes):
    served = serve_with(fills_empty=False)
    served.sandbox.preload(["C-1"])
    assert codes(served.send(one("C-1", mobile="919800000001")).json()[0], "warnings") == [91006]


@pytest.mark.parametrize(("query", "found"), [("&skipChangeIdentifier=false", True), ("", False)])
def test_an_upsert_changes_identifiers_when_asked(plain, one, query, found):
    who = f"U-{found}"
    old, new = f"91980000004{found:d}", f"91980000005{found:d}"
    plain.post(one(who, mobile=old), path=UPSERT)
    plain.post(one(who, mobile=new), path=UPSERT + query)
    assert (plain.books.customer("mobile", new) is not None) is found
    assert (plain.books.customer("mobile", old) is None) is found


def test_an_upsert_counts_its_failures(plain, one):
    told = plain.post(one("U-3"), one(mobile="1"), path=UPSERT).json()
    assert (told["totalCount"], told["failureCount"]) == (2, 1)
    assert told["response"][0]["entityId"] == plain.books.customer("externalId", "U-3").id
    assert told["response"][1]["entityId"] is None


def test_another_source_joins_the_same_customer(plain, one, codes):
    web = {"source": "WEBSITE"}
    path = "/v2/customers/bulk?source=WEBSITE"
    assert codes(plain.send(one("C-40", profile=web), path=path).json()[0]) == [8065]
    (told,) = plain.post(one("C-40", profile=web), path=path).json()
    assert codes(told["entity"], "warnings") == [8050]
    assert [p.source for p in plain.books.customer("externalId", "C-40").profiles] == ["INSTORE", "WEBSITE"]


def test_a_primary_identifier_must_be_good(serve_with, one, codes):
    served = serve_with(primary_identifier="mobile")
    served.sandbox.preload(["C-1"])
    assert codes(served.send(one("C-1", mobile="12")).json()[0]) == [8014]
