"""A table and a mapping become the JSON that the API's contract asks for (section 3), byte for byte."""

import json

import pandas as pd
import pyarrow as pa

from transforms.customers import series_of
from transforms.job_file import read_job
from transforms.mapping import locale_of, template_of
from transforms.prepared import Recipe, prepare

SECRETS = {"KEY": "k", "SECRET": "s"}
REST = """
name: contract
mode: migrate
source: {customers: {files: customers.csv}}
locale: {country: IN, timezone: Asia/Kolkata, dates: day_first}
destination:
  host: eu.api.capillarytech.com
  auth: {oauth: {key: "${KEY}", secret: "${SECRET}"}}
  enrollments: true
"""
WHOLE_TREE = """
map:
  identifiers:
    externalId: member
    mobile: phone
    email: mail
    cuid: visitor
    cardnumber:
      {column: card, seriesId: series_no, seriesCode: series, statusLabel: {value: ACTIVE}, cardExternalId: card_uuid}
  firstName: first
  lastName: last
  commChannels:
    mobile:
      column: phone
      primary: true
      verified: checked
      subscribed: sms
      meta: {residence: {value: false}, office: at_work, lastViewedDate: seen}
    email: {column: mail, subscribed: {value: "no"}}
    android: {column: token, meta: {lastViewedDate: {column: seen, as: datetime}}}
  fields: {store_code: store, imported_by: {value: bulkload}}
  extendedFields:
    gender: {column: sex, as: gender}
    dob_date: {column: born, as: date}
    city: {column: city, values: {BLR: Bengaluru}, other: keep}
    kid_count: {column: kids, as: integer, default: 0}
  loyaltyType: {column: kind, values: {L: loyalty, N: non_loyalty}}
  loyaltyProgramEnrollments:
    - programId: {value: 1016}
      tierNumber: tier
      loyaltyPoints: points
      tierExpiryDate: tier_until
      pointsExpiryDate: points_until
    - {programId: second_programme, loyaltyPoints: {value: 5}}
  associatedWith: till
  createDate: joined
  referralCode: referrer
  statusLabel: state
  subscriptionInfo:
    subscriptions:
      - {channel: {value: SMS}, accountId: sms_account, priority: {value: BULK}, type: sms_choice, sourceName: shop}
"""
TABLE = {  # column: (a customer with everything, one with next to nothing)
    "member": ("C-1001", "C-1002"),
    "phone": ("98450 12345", ""),
    "mail": ("Asha@Example.com", ""),
    "visitor": ("cuid_77", ""),
    "card": ("9000000000000001", ""),
    "series_no": ("12", "12"),
    "series": ("GOLD1", "GOLD1"),
    "card_uuid": ("f81d4fae-7dec", ""),
    "first": ('Asha "Ash"', ""),
    "last": ("慧慧", ""),
    "checked": ("Y", "Y"),
    "sms": ("0", ""),
    "at_work": ("", ""),
    "seen": ("2024-02-01 09:30", "2024-02-01 09:30"),
    "token": ("fcm:1", ""),
    "store": ("0042", ""),
    "sex": ("f", ""),
    "born": ("05/10/1988", ""),
    "city": ("blr", ""),
    "kids": ("2", ""),
    "kind": ("L", "N"),
    "tier": ("2", ""),
    "points": ("1,250", ""),
    "tier_until": ("31/12/2026 23:59:59", ""),
    "points_until": ("2027-01-31", ""),
    "second_programme": ("1017", ""),
    "till": ("till.blr.1", ""),
    "joined": ("2020-03-01T10:00:00+05:30", ""),
    "referrer": ("REF9", ""),
    "state": ("Active", ""),
    "sms_account": ("42", ""),
    "sms_choice": ("OPTIN", ""),
    "shop": ("SHOP", ""),
}
EVERYTHING = """
{
  "profiles": [{
    "source": "INSTORE",
    "accountId": "acme",
    "firstName": "Asha \\"Ash\\"",
    "lastName": "慧慧",
    "identifiers": [
      {"type": "externalId", "value": "C-1001"},
      {"type": "mobile", "value": "919845012345"},
      {"type": "email", "value": "asha@example.com"},
      {"type": "cuid", "value": "cuid_77"},
      {"type": "cardnumber", "value": "9000000000000001", "seriesId": 12, "seriesCode": "GOLD1",
       "statusLabel": "ACTIVE", "cardExternalId": "f81d4fae-7dec"}
    ],
    "commChannels": [
      {"type": "mobile", "value": "919845012345", "primary": true, "verified": true, "subscribed": false,
       "meta": {"residence": false, "lastViewedDate": "2024-02-01"}},
      {"type": "email", "value": "asha@example.com", "subscribed": false},
      {"type": "android", "value": "fcm:1", "meta": {"lastViewedDate": "2024-02-01T09:30:00+05:30"}}
    ],
    "fields": {"store_code": "0042", "imported_by": "bulkload"}
  }],
  "loyaltyInfo": {"loyaltyType": "loyalty"},
  "associatedWith": "till.blr.1",
  "createDate": "2020-03-01T10:00:00+05:30",
  "referralCode": "REF9",
  "statusLabel": "Active",
  "extendedFields": {"gender": "FEMALE", "dob_date": "1988-10-05", "city": "Bengaluru", "kid_count": "2"},
  "subscriptionInfo": {"subscriptions": [
    {"channel": "SMS", "accountId": "42", "priority": "BULK", "type": "OPTIN", "sourceName": "SHOP"}
  ]},
  "loyaltyProgramEnrollments": [
    {"programId": 1016, "tierNumber": 2, "loyaltyPoints": 1250,
     "tierExpiryDate": "2026-12-31T23:59:59+05:30", "pointsExpiryDate": "2027-01-31T00:00:00+05:30"},
    {"programId": 1017, "loyaltyPoints": 5}
  ]
}
"""
# Without a card there is no series, without points no enrolment; a default and a translation still speak.
NEXT_TO_NOTHING = """
{
  "profiles": [{"source": "INSTORE", "accountId": "acme", "identifiers": [{"type": "externalId", "value": "C-1002"}]}],
  "loyaltyInfo": {"loyaltyType": "non_loyalty"},
  "extendedFields": {"kid_count": "0"}
}
"""


def payloads(mapping, table, account=None):
    """The JSON of each row as it would be sent, as text; None where the row is not sent."""
    job = read_job(REST + (f"  account_id: {account}\n" if account else "") + mapping, SECRETS)
    recipe = Recipe(template_of(job), locale_of(job), "2024-06-01", "drop", None, 100_000, b"salt")
    frame = pd.DataFrame({name: series_of(pa.array(values, pa.string())) for name, values in table.items()})
    prepared, _ = prepare(frame, pa.repeat(False, len(frame)), recipe)
    return [payload and payload.decode() for payload in prepared.column("payload").to_pylist()]


def compact(text):
    """The same JSON without white space, members in the order written."""
    return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))


def test_every_line_of_the_tree_is_written():
    everything, _ = payloads(WHOLE_TREE, TABLE, account="acme")
    assert json.loads(everything) == json.loads(EVERYTHING)
    assert everything == compact(EVERYTHING)


def test_absent_values_leave_no_trace():
    _, next_to_nothing = payloads(WHOLE_TREE, TABLE, account="acme")
    assert next_to_nothing == compact(NEXT_TO_NOTHING)


def test_the_minimal_valid_element_is_exact():
    assert payloads("map: {identifiers: {externalId: member}}", {"member": ["C-1"]}) == [
        '{"profiles":[{"source":"INSTORE","identifiers":[{"type":"externalId","value":"C-1"}]}],'
        '"loyaltyInfo":{"loyaltyType":"loyalty"}}'
    ]


def test_empty_blocks_of_the_mapping_are_not_sent():
    mapping = """
map:
  identifiers: {externalId: member}
  commChannels: {email: {column: mail, meta: {}}}
  fields: {}
  subscriptionInfo: {subscriptions: []}
  loyaltyProgramEnrollments: []
"""
    (payload,) = payloads(mapping, {"member": ["C-1"], "mail": ["a@b.com"]})
    assert "commChannels" in payload
    assert not {"meta", "fields", "subscriptionInfo", "loyaltyProgramEnrollments"} & set(payload.split('"'))


def test_an_identifier_is_text_however_it_is_read():
    mapping = "map: {identifiers: {externalId: {column: member, as: integer}}}"
    (payload,) = payloads(mapping, {"member": ["1,204"]})
    assert '{"type":"externalId","value":"1204"}' in payload


def test_a_customer_without_loyalty_type_is_not_sent():
    mapping = "map: {identifiers: {externalId: member}, loyaltyType: kind}"
    assert payloads(mapping, {"member": ["C-1", "C-2"], "kind": ["", "gold"]}) == [None, None]


def test_a_loyalty_type_may_have_a_default():
    mapping = "map: {identifiers: {externalId: member}, loyaltyType: {column: kind, default: loyalty}}"
    (payload,) = payloads(mapping, {"member": ["C-1"], "kind": [""]})
    assert '"loyaltyInfo":{"loyaltyType":"loyalty"}' in payload


def test_clearing_sends_empty_text_for_absent_values_only():
    mapping = """
rules: {nulls: {firstName: clear, extendedFields.dob: clear, extendedFields.kids: clear}}
map:
  identifiers: {externalId: member}
  firstName: first
  extendedFields: {dob: {column: born, as: date}, kids: {column: kids, as: integer}, city: city}
"""
    table = {"member": ["C-1", "C-2"], "first": ["", "Asha"], "born": ["", "31/31/1999"], "kids": ["", "2"]}
    absent, wrong = payloads(mapping, table | {"city": ["", ""]})
    assert absent.startswith('{"profiles":[{"source":"INSTORE","firstName":"","identifiers":')
    assert absent.endswith('"extendedFields":{"dob":"","kids":""}}')
    assert wrong.endswith('"extendedFields":{"kids":"2"}}')  # a wrong date is left out; it must not erase a right one
