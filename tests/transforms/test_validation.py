"""Every reason of every row is told with a stable code, and each rule's consequence is the job's choice."""

import pandas as pd
import pyarrow as pa
import pytest

from schemas.values import Locale
from transforms.customers import normalize, series_of
from transforms.job_file import read_job
from transforms.mapping import template_of
from transforms.validation import validate

TODAY = "2024-06-01"
JOB = """
name: validation
mode: migrate
source: {customers: {files: customers.csv}}
map:
  identifiers:
    externalId: member
    mobile: phone
    email: mail
    cardnumber: {column: card, seriesCode: series}
  firstName: first
  extendedFields: {gender: {column: sex, as: gender}, city: {column: city, values: {BLR: Bengaluru}}}
  commChannels: {mobile: phone}
  createDate: joined
  statusLabel: {column: state, required: true}
  subscriptionInfo: {subscriptions: [{channel: {value: SMS}, priority: priority, type: choice}]}
  loyaltyProgramEnrollments:
    - programId: programme
      tierNumber: tier
      loyaltyPoints: points
      tierExpiryDate: tier_until
      pointsExpiryDate: until
destination: {host: h, enrollments: true, auth: {oauth: {key: "${K}", secret: "${K}"}}}
"""
GOOD = {
    "member": "C-1", "phone": "98450 12345", "mail": "a@b.com", "card": "90001", "series": "GOLD", "first": "Asha",
    "sex": "f", "city": "BLR", "joined": "2020-01-31", "state": "ACTIVE", "priority": "BULK", "choice": "OPTIN",
    "programme": "1016", "tier": "1", "points": "10", "tier_until": "2025-01-31", "until": "2024-06-01",
}  # fmt: skip
TEMPLATE = template_of(read_job(JOB, {"K": "k"}))


def checked(*rows, bad_optional="drop", template=TEMPLATE, today=TODAY):
    table = [GOOD | row for row in rows]
    raw = pd.DataFrame({name: series_of(pa.array([row[name] for row in table], pa.string())) for name in GOOD})
    customers = normalize(raw, template, Locale("IN", "Asia/Kolkata", "iso")).customers
    return validate(customers, template, today, bad_optional)


def test_a_good_row_has_no_code():
    found = checked({})
    assert (found.codes.to_pylist(), found.invalid.to_pylist(), found.changes) == ([None], [False], {})


OPTIONAL = [  # column, value, code
    ("phone", "12345", "mobile.too_short"),
    ("phone", "9.19845E+11", "mobile.damaged_by_spreadsheet"),
    ("mail", "a.b.com", "email.not_an_address"),
    ("mail", f"a@{'b' * 300}.com", "email.too_long"),
    ("card", "9000", "cardnumber.too_short"),
    ("card", "9" * 151, "cardnumber.too_long"),
    ("series", "GOLD-1", "seriesCode.character_not_allowed"),
    ("series", "G" * 51, "seriesCode.too_long"),
    ("first", "x" * 101, "firstName.too_long"),
    ("sex", "x!", "gender.not_a_gender"),
    ("city", "DEL", "city.not_in_values"),
    ("joined", "31/31/2020", "createDate.not_a_date"),
    ("joined", "2024-06-02", "createDate.in_the_future"),
    ("priority", "LATER", "priority.not_allowed"),
    ("choice", "optin?", "type.not_allowed"),
]
ENROLMENT = [
    ("programme", "gold", "programId.not_a_number"),
    ("programme", "0", "programId.too_small"),
    ("programme", "", "programId.missing"),  # points without their programme would be lost
    ("tier", "0", "tierNumber.too_small"),
    ("tier", "1.5", "tierNumber.not_whole"),
    ("points", "-1", "loyaltyPoints.too_small"),
    ("points", "ten", "loyaltyPoints.not_a_number"),
    ("tier_until", "2024-05-31", "tierExpiryDate.in_the_past"),
    ("tier_until", "2124-06-02", "tierExpiryDate.out_of_range"),
    ("until", "2024-05-31", "pointsExpiryDate.in_the_past"),
    ("until", "soon", "pointsExpiryDate.not_a_date"),
]


@pytest.mark.parametrize(("column", "value", "code"), OPTIONAL)
@pytest.mark.parametrize(("bad_optional", "invalid"), [("drop", False), ("reject", True)])
def test_a_bad_optional_value_is_dropped_or_rejects(column, value, code, bad_optional, invalid):
    found = checked({column: value}, bad_optional=bad_optional)
    assert (found.codes.to_pylist(), found.invalid.to_pylist()) == ([code], [invalid])


@pytest.mark.parametrize(("column", "value", "code"), ENROLMENT)
@pytest.mark.parametrize("bad_optional", ["drop", "reject"])
def test_a_bad_value_in_an_enrolment_always_rejects(column, value, code, bad_optional):
    found = checked({column: value}, bad_optional=bad_optional)
    assert (found.codes.to_pylist(), found.invalid.to_pylist()) == ([code], [True])


@pytest.mark.parametrize("bad_optional", ["drop", "reject"])
def test_a_blank_is_no_wrong_choice(bad_optional):
    found = checked({"priority": "", "choice": "N/A"}, bad_optional=bad_optional)
    assert (found.codes.to_pylist(), found.invalid.to_pylist()) == ([None], [False])


@pytest.mark.parametrize("value", ["", "N/A", "null"])
def test_a_required_value_must_be_there(value):
    found = checked({"state": value})
    assert (found.codes.to_pylist(), found.invalid.to_pylist()) == (["statusLabel.missing"], [True])


@pytest.mark.parametrize("value", ["", "  "])
def test_the_key_must_be_there(value):
    found = checked({"member": value})
    assert (found.codes.to_pylist(), found.invalid.to_pylist()) == (["externalId.missing"], [True])


def test_an_enrolment_without_anything_is_no_mistake():
    nothing = dict.fromkeys(["programme", "tier", "points", "tier_until", "until"], "")
    assert checked(nothing, nothing | {"points": "0"}).invalid.to_pylist() == [False, False]


def test_all_reasons_of_a_row_are_told_once_in_the_trees_order():
    found = checked({"phone": "12345", "mail": "x", "tier": "0", "points": "-5", "state": ""}, {})
    codes, none = found.codes.to_pylist()
    assert sorted(codes.split(";")) == [
        "email.not_an_address",
        "loyaltyPoints.too_small",
        "mobile.too_short",
        "statusLabel.missing",
        "tierNumber.too_small",
    ]
    assert none is None


def test_dropping_the_last_identifier_rejects_the_row():
    text = JOB.replace("    externalId: member\n", "").replace("name: v", "key: member\nname: v")
    template = template_of(read_job(text, {"K": "k"}))
    found = checked({"phone": "12345", "mail": "x", "card": "1"}, {"phone": "12345", "mail": "x"}, template=template)
    assert found.invalid.to_pylist() == [True, False]
    assert found.codes.to_pylist()[0].endswith(";identifiers.missing")


def test_dropped_values_are_gone_and_counted_by_row():
    found = checked({"phone": "12345", "first": "x" * 101}, {"phone": "12346"}, {})
    assert found.values["identifiers.mobile"].to_pylist() == [None, None, "919845012345"]
    assert found.values["commChannels.mobile"].to_pylist() == [None, None, "919845012345"]
    assert found.values["firstName"].to_pylist() == [None, "Asha", "Asha"]
    # The phone goes to two targets; it is one value of one row all the same.
    assert dict(found.changes) == {("mobile", "dropped_too_short"): 2, ("firstName", "dropped_too_long"): 1}


def test_no_code_holds_a_value():
    bad = {column: f"{value}hunter2" for column, value in GOOD.items() if column not in ("member", "state")}
    codes = checked(bad | {"first": "hunter2" * 20, "card": "hunter2" * 30, "mail": "hunter2"}).codes.to_pylist()[0]
    assert "hunter2" not in codes


def test_days_are_compared_with_today_inclusively():
    assert checked({"joined": TODAY, "until": TODAY}).codes.to_pylist() == [None]


def test_an_expiry_lies_at_most_a_hundred_years_ahead():
    assert checked({"tier_until": "2126-11-24"}).codes.to_pylist() == ["tierExpiryDate.out_of_range"]


def test_a_table_without_rows_is_valid():
    assert checked().invalid.to_pylist() == []


def test_rows_keep_their_place_whatever_their_index():
    table = GOOD | {"tier": "1"}, GOOD | {"tier": "0"}
    raw = pd.DataFrame({name: series_of(pa.array([row[name] for row in table], pa.string())) for name in GOOD})
    raw.index = [7, 7]
    customers = normalize(raw, TEMPLATE, Locale("IN")).customers
    assert validate(customers, TEMPLATE, TODAY, "drop").invalid.to_pylist() == [False, True]
