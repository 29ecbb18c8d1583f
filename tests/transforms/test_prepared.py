"""A part goes from raw text to payloads, first fates, reasons, points and sizes."""

import pandas as pd
import pyarrow as pa
import pytest

from transforms.customers import series_of
from transforms.filters import read_filter
from transforms.identity import key_hashes
from transforms.job_file import read_job
from transforms.mapping import locale_of, template_of
from transforms.prepared import Recipe, prepare

JOB = """
name: prepared
mode: migrate
source: {customers: {files: customers.csv}}
locale: {country: IN}
key: member
rules: {duplicates: {keep: latest, by: changed}}
map:
  identifiers: {mobile: phone, email: mail}
  firstName: first
  loyaltyProgramEnrollments:
    - {programId: {value: 1016}, loyaltyPoints: points}
    - {programId: programme, loyaltyPoints: more_points}
destination: {host: h, enrollments: true, auth: {oauth: {key: "${K}", secret: "${K}"}}}
"""
GOOD = {
    "member": "C-1", "phone": "9845012345", "mail": "a@b.com", "first": "Asha", "points": "10", "programme": "1017",
    "more_points": "5", "changed": "2024-01-31T10:00:00+05:30", "status": "ACTIVE",
}  # fmt: skip
SALT = b"salt"


def recipe(max_bytes=1000, rule=None, text=JOB):
    job = read_job(text, {"K": "k"})
    return Recipe(template_of(job), locale_of(job), "2024-06-01", "drop", rule and read_filter(rule), max_bytes, SALT)


def prepared(*rows, several=(), **more):
    table = [GOOD | row for row in rows]
    raw = pd.DataFrame({name: series_of(pa.array([row[name] for row in table], pa.string())) for name in GOOD})
    flags = pa.array([place in several for place in range(len(table))], pa.bool_())
    return prepare(raw, flags, recipe(**more))[0].to_pylist()


def fates(rows):
    return [(row["fate"], row["codes"]) for row in rows]


def test_a_good_row_is_ready_to_be_sent():
    (row,) = prepared({})
    assert (row["fate"], row["codes"], row["points"], row["size"]) == (None, None, True, len(row["payload"]))
    assert row["key"] == key_hashes(pa.array(["C-1"]), SALT)[0].as_py()
    assert row["order"].isoformat() == "2024-01-31T04:30:00+00:00"


def test_each_row_meets_its_first_fate_with_all_its_reasons():
    rows = prepared(
        {},
        {"member": ""},
        {"member": "", "points": "x"},
        {"status": "CLOSED", "points": "x"},
        {"phone": "12345", "mail": "x"},
        {"mail": "x"},
        {},
        several={6},
        rule="status == 'ACTIVE'",
    )
    assert fates(rows) == [
        (None, None),
        ("invalid", "key.missing"),
        ("invalid", "loyaltyPoints.not_a_number;key.missing"),
        ("filtered", None),  # its values are nobody's business
        ("invalid", "email.not_an_address;mobile.too_short;identifiers.missing"),
        (None, "email.not_an_address"),
        ("invalid", "join.several_rows"),
    ]
    assert [row["payload"] is not None for row in rows] == [row["fate"] is None for row in rows]


def test_an_unreadable_value_leaves_the_filter_undecided():
    rows = prepared({"points": "x"}, {"points": ""}, rule="points > 5")
    assert fates(rows) == [("invalid", "loyaltyPoints.not_a_number;filter.undecided"), ("filtered", None)]


def test_a_key_that_is_an_identifier_is_told_once():
    rows = prepared({"phone": ""}, text=JOB.replace("key: member", "key: phone"))
    assert fates(rows) == [("invalid", "mobile.missing")]


def test_a_row_of_nothing_is_invalid_among_others():
    blank = dict.fromkeys(GOOD, "")
    rows = prepared({}, blank, {}, text=JOB.replace("key: member\n", ""))
    assert fates(rows) == [(None, None), ("invalid", "mobile.missing;identifiers.missing"), (None, None)]


def test_a_part_without_rows_has_no_rows():
    assert prepared() == []


@pytest.mark.parametrize(("spare", "fate"), [(0, None), (-1, "invalid")])
def test_a_payload_must_fit_into_a_request_alone(spare, fate):
    size = prepared({})[0]["size"]
    (row,) = prepared({}, max_bytes=size + 2 + spare)  # its brackets are counted
    assert (row["fate"], row["payload"] is None, row["size"]) == (fate, fate is not None, size)
    assert row["codes"] == ("payload.too_large" if fate else None)


@pytest.mark.parametrize(
    ("row", "credits", "credits_any"),
    [
        ({}, (10, "1016", 5, "1017"), True),
        ({"points": "", "more_points": ""}, (0, "1016", 0, "1017"), False),
        ({"points": "0", "more_points": "0"}, (0, "1016", 0, "1017"), False),
        ({"points": "1,000", "programme": "", "more_points": ""}, (1000, "1016", 0, ""), True),
        ({"programme": "gold"}, (10, "1016", 0, ""), True),  # invalid; nobody knows whose the five are
        ({"points": "x"}, (0, "1016", 5, "1017"), True),  # invalid; what can be read is counted
        ({"points": "-3"}, (-3, "1016", 5, "1017"), True),
    ],
)
def test_points_are_counted_wherever_they_can_be_read(row, credits, credits_any):
    (found,) = prepared(row)
    names = ("points_0", "programme_0", "points_1", "programme_1")
    assert (tuple(found[name] for name in names), found["points"]) == (credits, credits_any)


@pytest.mark.parametrize("blank", ["", "0"])
def test_whoever_gets_points_is_the_customer_of_before(blank):
    """With a constant programme an enrolment may be there for its points alone."""
    first, then = prepared({"points": blank, "more_points": ""})[0], prepared({"points": "10", "more_points": "5"})[0]
    assert first["digest"] == then["digest"]
    assert (first["whole_digest"] is None) == (blank == "")
    assert prepared({"first": "Ben"})[0]["digest"] != first["digest"]


def test_points_need_their_statement_where_the_job_names_one():
    text = JOB.replace("key: member\n", "key: member\npoints_id: status\n")
    rows = prepared({"status": "S1"}, {"status": " "}, {"status": "", "points": "", "more_points": ""}, text=text)
    assert fates(rows) == [(None, None), ("invalid", "points_id.missing"), (None, None)]
    assert rows[0]["statement"] == key_hashes(pa.array(["S1"]), SALT)[0].as_py()
    assert rows[0]["whole_digest"] != prepared({"status": "S2"}, text=text)[0]["whole_digest"]
    assert [row["statement"] for row in prepared({"status": "S1"})] == [None]


def test_points_without_their_programme_are_not_lost_in_silence():
    assert fates(prepared({"programme": ""})) == [("invalid", "programId.missing")]


def test_more_rows_than_are_encoded_at_once_keep_their_places():
    rows = prepared(*({"member": f"C-{n}", "first": f"N{n}" if n % 3 else ""} for n in range(10_050)))
    assert [f'"N{n}"'.encode() in row["payload"] for n, row in enumerate(rows)] == [n % 3 > 0 for n in range(10_050)]
