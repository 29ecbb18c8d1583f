"""Parents, children and companies: contract §3's associationDetails, §4.3's child with a bad mobile."""

import threading

import pytest

from connectors.sandbox.settings import Org


@pytest.fixture
def family():
    """associationDetails of a parent with these children."""

    def build(*children, hierarchy="FAMILY", role="HEAD", child_role="MEMBER", **rest):
        return {
            "associationDetails": {
                "hierarchyCode": hierarchy,
                "roleCode": role,
                "childRoleCode": child_role,
                "childCustomers": list(children),
                **rest,
            }
        }

    return build


@pytest.fixture
def child():
    return lambda **ids: {
        "profiles": [{"source": "INSTORE", "identifiers": [{"type": k, "value": v} for k, v in ids.items()]}]
    }


def test_registering_a_parent_registers_the_children(plain, one, family, child):
    kids = [child(mobile="919800000101"), child(externalId="kid-2")]
    (told,) = plain.post(one("P-1", **family(*kids))).json()
    parent = plain.books.customer("externalId", "P-1")
    assert (told["childCount"], told["childSuccessCount"], told["childFailureCount"]) == (2, 2, 0)
    assert [kid["id"] for kid in told["childEntities"]] == parent.family.children
    assert told["entity"]["associationDetails"]["new"] is True
    assert plain.books.customer("externalId", "kid-2").family.role == "MEMBER"


def test_a_child_with_a_bad_mobile_is_created_without_it(plain, one, family, child, codes):
    (told,) = plain.post(one("P-2", **family(child(mobile="12345")))).json()
    (kid,) = told["childEntities"]
    assert codes(kid, "warnings") == [8056, 8058, 19223]
    assert (told["childSuccessCount"], told["childFailureCount"]) == (1, 0)
    assert plain.sandbox.store.records([kid["id"]])[kid["id"]].keys == []


def test_a_child_of_another_hierarchy_fails_alone(plain, one, family, child, codes):
    plain.post(one("P-3", **family(child(externalId="kid-3"))))
    drivers = family(child(externalId="kid-3"), child(externalId="kid-4"), hierarchy="FLEET", role="OWNER",
                     child_role="DRIVER", fleetCompany={"externalId": "CO-9"})  # fmt: skip
    reply = plain.post(one("P-4", **drivers))
    (told,) = reply.json()
    assert reply.status_code == 201
    assert [codes(kid) for kid in told["childEntities"]] == [[1626], []]
    assert (told["childSuccessCount"], told["childFailureCount"]) == (1, 1)
    assert told["entity"]["associationDetails"]["fleetCompany"]["externalId"] == "CO-9"


def test_a_child_names_its_parent_and_registers_them(plain, one):
    parent = {"profiles": [{"identifiers": [{"type": "externalId", "value": "P-5"}]}]}
    details = {"hierarchyCode": "FAMILY", "roleCode": "MEMBER", "parentCustomer": parent}
    plain.post(one("kid-5", associationDetails=details))
    kid = plain.books.customer("externalId", "kid-5")
    assert plain.books.customer("externalId", "P-5").family.children == [kid.id]


def test_an_update_creates_no_missing_child(plain, one, family, child, codes):
    (told,) = plain.send(one("C-50", **family(child(externalId="kid-6")))).json()
    (kid,) = told["associationDetails"]["childCustomers"]
    assert (codes(told), codes(kid)) == ([], [1621])


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({"hierarchy": "NONE"}, 1616),
        ({"role": "AUNT"}, 1615),
        ({"child_role": "AUNT"}, 1617),
        ({"fleetCompany": {"externalId": "CO-0"}}, 1704),
        ({"parentCustomer": {"profiles": []}}, 8027),
    ],
)
def test_a_wrong_family_refuses_its_head(plain, one, family, child, codes, changed, refused):
    (told,) = plain.send(one("C-51", **family(child(externalId="kid"), **changed))).json()
    assert codes(told) == [refused]


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({"hierarchy": "H1", "role": "OWNER", "child_role": "DRIVER"}, 1626),
        ({"role": "DRIVER"}, 1627),
        ({"fleetCompany": {"externalId": "CO-1"}}, 1628),
    ],
)
def test_a_mapped_customer_stays_where_they_are(plain, one, family, codes, changed, refused):
    first = {"hierarchy": "FLEET", "role": "OWNER", "child_role": "DRIVER", "fleetCompany": {"externalId": "CO-9"}}
    plain.send(one("C-52", **family(**first)))
    assert codes(plain.send(one("C-52", **family(**(first | changed)))).json()[0]) == [refused]


UPSERT = "/v2/integrations/customer/upsert/bulk?source=INSTORE"


def test_a_reply_has_the_contracts_fields(plain, one, family, child):
    """Contract §4.4: the second of two children is mapped elsewhere."""
    plain.post(one("P-60", **family(child(externalId="kid-61"))))
    fleet = family(child(externalId="kid-60"), child(externalId="kid-61"), hierarchy="H1", role="OWNER",
                   child_role="DRIVER", fleetCompany={"externalId": "CO-9"})  # fmt: skip
    (told,) = plain.post(one("P-61", **fleet)).json()
    assert told["entity"]["associationDetails"].keys() == {
        "hierarchyCode", "hierarchyId", "roleCode", "fleetCompany", "childRoleCode", "skipLevelAllowed", "new",
        "childCustomer",
    }  # fmt: skip
    assert told["entity"]["associationDetails"]["fleetCompany"].keys() == {"externalId", "companyId"}
    known, refused = told["childEntities"]
    assert (known["warnings"], known["profiles"][0]["identifiers"]) == ([], [{"type": "externalId", "value": "kid-60"}])
    assert refused == {"errors": [{"status": False, "code": 1626, "message": refused["errors"][0]["message"]}]}


def test_an_upsert_tells_what_became_of_children(plain, one, family, child, codes):
    kids = [child(externalId="kid-62"), child(cuid="c", mobile="1")]
    (told,) = plain.post(one("P-62", **family(*kids)), path=UPSERT).json()["response"]
    first, second = told["result"]["associationDetails"]["childCustomers"]
    assert (codes(first), codes(second, "warnings")) == ([], [8056, 8058, 19223])


def named(parent, role="MEMBER", hierarchy="FAMILY", **more):
    """associationDetails of somebody who names this parent."""
    who = {"profiles": [{"identifiers": [{"type": "externalId", "value": parent}]}]}
    return {"associationDetails": {"hierarchyCode": hierarchy, "roleCode": role, "parentCustomer": who, **more}}


@pytest.mark.parametrize(
    ("parent", "child_of", "refused"),
    [
        ("nobody", {}, [1621]),
        ("C-71", {}, [1625]),  # known, and in no hierarchy
        ("C-72", {"hierarchy": "H1", "role": "DRIVER"}, [1625]),  # in another one
        ("C-72", {"role": "DRIVER", "hierarchy": "FLEET", "fleetCompany": {"externalId": "CO-1"}}, [1622]),
        ("C-72", {"role": "DRIVER", "hierarchy": "FLEET", "fleetCompany": {"externalId": "CO-9"}}, []),
    ],
)
def test_an_update_needs_the_parent_to_be_there_first(plain, one, family, codes, parent, child_of, refused):
    owner = family(hierarchy="FLEET", role="OWNER", child_role="DRIVER", fleetCompany={"externalId": "CO-9"})
    plain.send(one("C-72", **owner))
    (told,) = plain.send(one("C-73", **named(parent, **child_of))).json()
    assert codes(told) == refused


def test_an_update_may_put_the_parent_there(serve_with, one, codes):
    served = serve_with(maps_parents=True)
    served.sandbox.preload(["P-1", "kid-1"])
    assert codes(served.send(one("kid-1", **named("P-1"))).json()[0]) == []
    parent, kid = (served.books.customer("externalId", name) for name in ("P-1", "kid-1"))
    assert (parent.family.children, kid.family.parent) == ([kid.id], parent.id)


def test_who_is_only_named_as_parent_is_not_written(plain, one, family, codes):
    plain.send(one("C-74", **family()))
    for kid in ("C-75", "C-76"):
        assert codes(plain.send(one(kid, **named("C-74"))).json()[0]) == []
    parent = plain.books.customer("externalId", "C-74")
    assert (len(parent.family.children), plain.books.writes_of("externalId", "C-74")) == (2, 1)


# How many.


@pytest.fixture
def small(serve_with):
    """An organisation whose parents have two children at most."""
    served = serve_with(org=Org(max_children=2), creates=True)
    served.sandbox.preload([*(f"C-{n}" for n in range(5))])
    return served


def test_too_many_children_refuse_their_parent(small, one, family, child, codes):
    (told,) = small.send(one("C-0", **family(*(child(externalId=f"kid-{n}") for n in range(3))))).json()
    assert (codes(told), small.books.writes()) == ([1605], 0)


def test_a_full_parent_gets_no_further_child(small, one, family, child, codes):
    both = [child(externalId="C-1"), child(externalId="C-2")]
    small.send(one("C-0", **family(*both)))
    again, more = family(*both), family(child(externalId="C-2"), child(externalId="C-3"))
    told = [
        small.send(one("C-0", **one_of)).json()[0]["associationDetails"]["childCustomers"] for one_of in (again, more)
    ]
    assert [[codes(kid) for kid in kids] for kids in told] == [[[], []], [[], [1618]]]
    assert [codes(small.send(one(kid, **named("C-0"))).json()[0]) for kid in ("C-1", "C-3")] == [[], [1618]]


# At once.


@pytest.mark.parametrize("held", ["P-1", "kid-1", "grandparent"])
def test_one_request_at_a_time_works_on_a_family(serve_with, one, family, child, codes, held):
    served = serve_with()
    served.sandbox.preload([held])
    served.sandbox.holds.take([{f"externalId:{held}"}])
    nested, flat = one("P-1", **family(child(externalId="kid-1"))), one("P-1", **named("grandparent"))
    (told,) = served.post(flat if held == "grandparent" else nested).json()
    assert (codes(told), told["childEntities"], served.books.writes()) == ([521], [], 0)


def test_a_childs_own_row_waits_for_its_parents_request(serve_with, one, family, child, codes, eventually):
    served = serve_with(latency_s=0.3)
    served.sandbox.preload(["P-1", "kid-1"])
    told = []
    sending = threading.Thread(target=lambda: told.append(served.send(one("P-1", **family(child(externalId="kid-1"))))))
    sending.start()
    assert eventually(lambda: bool(served.sandbox.holds))
    assert codes(served.send(one("kid-1")).json()[0]) == [521]
    sending.join()
    assert codes(told[0].json()[0]) == []


# Who shares an identifier becomes one (contract §9.1).


def test_children_who_share_an_identifier_become_one(serve_with, one, family, child):
    served = serve_with()
    kids = [child(externalId=f"kid-{n}", mobile="919999999999") for n in range(3)]
    (told,) = served.post(one("P-1", **family(*kids))).json()
    assert len({kid["id"] for kid in told["childEntities"]}) == 1
    assert served.books.customers() == 2


def test_known_children_who_share_an_identifier_are_merged(serve_with, one, family, child):
    served = serve_with()
    served.sandbox.preload(["P-1", "kid-1", "kid-2"])
    served.send(one("P-1", **family(*(child(externalId=f"kid-{n}", mobile="919999999999") for n in (1, 2)))))
    survivor = served.books.customer("externalId", "kid-2")
    assert [pair[1] for pair in served.books.merges()] == [survivor.id]
    assert served.books.customer("externalId", "P-1").family.children == [survivor.id]


def test_a_child_with_its_parents_identifier_is_no_child_of_itself(serve_with, one, family, child, codes):
    served = serve_with()
    same_role = family(child(externalId="kid-1", mobile="919800000001"), role="MEMBER")
    served.post(one("P-1", mobile="919800000001", **same_role))
    parent = served.books.customer("externalId", "P-1")
    assert (served.books.customers(), parent.family.children, parent.family.parent) == (1, [], 0)


def test_who_merges_takes_their_family_along(serve_with, one, family, child):
    served = serve_with()
    served.sandbox.preload(["old", "P-1", "kid-1"])
    served.send(one("P-1", **family(child(externalId="kid-1"))))
    served.send(one("old", mobile="919800000001"))
    served.send(one("P-1", mobile="919800000001"))
    survivor, kid = (served.books.customer("externalId", name) for name in ("P-1", "kid-1"))
    assert (survivor.id, survivor.family.role) == (served.books.customer("externalId", "old").id, "HEAD")
    assert (survivor.family.children, kid.family.parent) == ([kid.id], survivor.id)
    # And the child, who merges too.
    served.sandbox.preload([{"externalId": "young", "mobile": "919800000002"}])
    served.send(one("kid-1", mobile="919800000002"))
    young = served.books.customer("externalId", "young")
    assert (served.books.customer("externalId", "old").family.children, young.family.parent) == (
        [young.id],
        survivor.id,
    )
