"""Parents, children and companies: contract §3's associationDetails, §4.3's child with a bad mobile."""

import pytest


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
    assert told["entity"]["associationDetails"]["fleetCompany"] == {"externalId": "CO-9"}


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
