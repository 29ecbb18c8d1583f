"""Families and companies as the API's contract asks for them (section 3), byte for byte."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from transforms.children import Brood
from transforms.customers import series_of
from transforms.job_file import read_job
from transforms.mapping import child_template_of, locale_of, template_of
from transforms.nested import prepare_children
from transforms.prepared import Recipe, prepare_slices

SECRETS = {"KEY": "k", "SECRET": "s"}
REST = """
name: contract
mode: migrate
source:
  customers: {files: customers.csv}
  NESTED
locale: {country: IN}
key: member
destination:
  host: eu.api.capillarytech.com
  auth: {oauth: {key: "${KEY}", secret: "${SECRET}"}}
  account_id: acme
  enrollments: true
map:
  identifiers: {externalId: member}
  loyaltyProgramEnrollments: [{programId: {value: 1016}, loyaltyPoints: {value: 5}}]
"""
NEST = "family: {files: family.csv, nest: {on: parent}}"
PARENT = """
  associationDetails:
    hierarchyCode: {value: H1}
    roleCode: role
    childRoleCode: {value: DRIVER}
    childCustomers:
      table: family
      identifiers: {mobile: phone, externalId: no}
      firstName: first
      lastName: last
      commChannels: {mobile: {column: phone, subscribed: sms}, email: {column: mail, primary: true}}
      fields: {imported_by: {value: bulkload}, store: store}
      extendedFields: {city: city}
    fleetCompany: {externalId: company, name: company_name, hierarchyDefinitionCode: {value: HD}}
"""
CHILD = """
  associationDetails:
    hierarchyCode: {value: H1}
    roleCode: {value: DRIVER}
    parentCustomer:
      identifiers: {mobile: mum_phone, externalId: mum}
      firstName: mum_name
      fields: {imported_by: {value: bulkload}}
      extendedFields: {city: mum_city}
    fleetCompany: {externalId: company}
"""
HEAD = '{"profiles":[{"source":"INSTORE","accountId":"acme","identifiers":[{"type":"externalId","value":"C-1"}]}],'
INFO = '"loyaltyInfo":{"loyaltyType":"loyalty"}'
TAIL = ',"loyaltyProgramEnrollments":[{"programId":1016,"loyaltyPoints":5}]}'
WHOLE = """
{
  "hierarchyCode": "H1", "roleCode": "OWNER", "childRoleCode": "DRIVER",
  "childCustomers": [
    {
      "profiles": [{
        "source": "INSTORE", "accountId": "acme", "firstName": "Kim", "lastName": "Rao",
        "identifiers": [{"type": "mobile", "value": "919845100001"}, {"type": "externalId", "value": "K-1"}],
        "commChannels": [
          {"type": "mobile", "value": "919845100001", "subscribed": false},
          {"type": "email", "value": "kim@example.com", "primary": true}
        ],
        "fields": {"imported_by": "bulkload", "store": "0042"}
      }],
      "extendedFields": {"city": "Pune"}
    },
    {"profiles": [{"source": "INSTORE", "accountId": "acme", "identifiers": [{"type": "externalId", "value": "K-2"}]}]}
  ],
  "fleetCompany": {"externalId": "CO-9", "name": "Fleet \\"9\\"", "hierarchyDefinitionCode": "HD"}
}
"""


def frame(table):
    return pd.DataFrame({name: series_of(pa.array(values, pa.string())) for name, values in table.items()})


def payloads(mapping, table, children=None, parents=()):
    """The JSON of each row as text (None: not sent), and their codes; child n is of row `parents[n]`."""
    job = read_job(REST.replace("NESTED", NEST if children else "") + mapping, SECRETS)
    recipe = Recipe(template_of(job), locale_of(job), "2024-06-01", "drop", None, 100_000, b"salt")
    raw, brood = frame(table), None
    if children:
        brood = brood_of(job, recipe, children, parents, len(raw))
    slices, _ = prepare_slices(raw, pa.repeat(False, len(raw)), recipe, brood)
    prepared = pa.concat_tables(slices)
    texts = [payload and payload.decode() for payload in prepared.column("payload").to_pylist()]
    return texts, prepared.column("codes").to_pylist()


def brood_of(job, recipe, children, parents, rows):
    of = pa.array(parents, pa.int64())
    kin = Recipe(child_template_of(job), recipe.locale, recipe.today, "drop", None, 100_000, b"salt")
    slices, _ = prepare_children(frame(children), of, pa.array([parents.count(p) for p in parents], pa.int64()), kin)
    kids = pa.concat_tables(slices).append_column("row", pa.array(range(rows, rows + len(parents))))
    kids = kids.filter(kids.column("fate").is_null())
    return Brood(0, np.bincount(parents, minlength=rows), np.ones(rows, np.int64), lambda end_row: iter([kids]))


def association(payload):
    assert payload.startswith(HEAD + INFO)
    assert payload.endswith(TAIL)  # points are cut off a payload's end
    return payload.removeprefix(HEAD + INFO).removesuffix(TAIL)


def compact(text):
    return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))


COMPANY = {"member": ["C-1"], "role": ["OWNER"], "company": ["CO-9"], "company_name": ['Fleet "9"']}
KIDS = {
    "phone": ["98451 00001", ""], "no": ["K-1", "K-2"], "first": ["Kim", ""], "last": ["Rao", ""], "sms": ["no", "no"],
    "mail": ["kim@example.com", ""], "store": ["0042", ""], "city": ["Pune", ""],
}  # fmt: skip


def test_a_parent_is_written_with_children_and_company():
    (payload,), _ = payloads(PARENT, COMPANY, KIDS, [0, 0])
    assert json.loads(association(payload).removeprefix(',"associationDetails":')) == json.loads(WHOLE)


def test_a_child_is_written_with_its_parent():
    table = {"member": ["C-1"], "mum_phone": ["9845000001"], "mum": ["C-9"], "mum_name": ["Asha"], "mum_city": ["Pune"]}
    (payload,), _ = payloads(CHILD, table | {"company": [""]})
    assert association(payload) == (
        ',"associationDetails":{"hierarchyCode":"H1","roleCode":"DRIVER","parentCustomer":{"profiles":[{"source":'
        '"INSTORE","accountId":"acme","firstName":"Asha","identifiers":[{"type":"mobile","value":"919845000001"},'
        '{"type":"externalId","value":"C-9"}],"fields":{"imported_by":"bulkload"}}],"extendedFields":{"city":"Pune"}}}'
    )


def test_a_company_alone_brings_the_association():
    table = {"member": ["C-1"], "mum_phone": [""], "mum": [""], "mum_name": ["Asha"], "mum_city": ["Pune"]}
    (payload,), _ = payloads(CHILD, table | {"company": ["CO-9"]})
    assert association(payload) == (
        ',"associationDetails":{"hierarchyCode":"H1","roleCode":"DRIVER","fleetCompany":{"externalId":"CO-9"}}'
    )


def test_a_head_names_no_parent_and_is_known_by_its_own_role():
    mapping = CHILD.replace("roleCode: {value: DRIVER}", "roleCode: role")
    nobody = {name: [""] for name in ("mum_phone", "mum", "mum_name", "mum_city", "company")}
    (head,), _ = payloads(mapping, nobody | {"member": ["C-1"], "role": ["OWNER"]})
    (single,), _ = payloads(mapping, nobody | {"member": ["C-1"], "role": [""]})
    assert association(head) == ',"associationDetails":{"hierarchyCode":"H1","roleCode":"OWNER"}'
    assert association(single) == ""


def test_constants_alone_bring_nothing_along():
    table = {"member": ["C-1"], "mum_phone": [""], "mum": [""], "mum_name": ["Asha"], "mum_city": [""]}
    (payload,), _ = payloads(CHILD, table | {"company": [""]})
    assert association(payload) == ""
    lonely = {**COMPANY, "company": [""]}
    (payload, _), _ = payloads(PARENT, {name: values * 2 for name, values in lonely.items()}, KIDS, [1, 1])
    assert association(payload) == ""


def test_a_company_of_all_customers_may_be_constant():
    codes = "hierarchyCode: {value: H1}, roleCode: {value: R}"
    mapping = f"  associationDetails: {{{codes}, fleetCompany: {{externalId: {{value: CO}}}}}}"
    (payload,), _ = payloads(mapping, {"member": ["C-1"]})
    assert association(payload).endswith('"fleetCompany":{"externalId":"CO"}}')


@pytest.mark.parametrize("table", [{"mum_phone": ["98450"], "mum": [""]}, {"mum_phone": ["98450"], "mum": ["C-9"]}])
def test_a_row_with_a_wrong_parent_is_not_sent(table):
    rest = {"member": ["C-1"], "mum_name": [""], "mum_city": [""], "company": [""]}
    assert payloads(CHILD, rest | table) == ([None], ["parentCustomer.mobile.too_short"])


def test_a_family_without_its_role_is_not_sent():
    table = {name: values * 2 for name, values in COMPANY.items()} | {"role": ["", ""], "company": ["", ""]}
    (payload, lonely), codes = payloads(PARENT, table, KIDS, [0, 0])
    assert (payload, codes) == (None, ["roleCode.missing", None])
    assert association(lonely) == ""
