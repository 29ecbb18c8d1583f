"""Whoever a row was prepared as is found by the text that stood in the row."""

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.profiles import Column
from schemas.trace import Spelling, Wanted
from schemas.values import Kind, Locale
from transforms.customers import series_of
from transforms.job_file import read_job
from transforms.mapping import locale_of, template_of
from transforms.prepared import Recipe, prepare
from transforms.trace import any_spelling, spelling_of, touches, wanted_of

JOB = """
name: trace
source: {customers: {files: customers.csv}}
locale: {country: IN, dates: day_first}
key: any
map:
  identifiers:
    mobile: any
    email: any
    externalId: {column: any, as: name}
    cuid: {column: any, as: integer}
    line: {column: any, values: {old: new}, other: keep}
destination: {host: h, auth: {oauth: {key: "${K}", secret: "${K}"}}}
"""
READ = read_job(JOB, {"K": "k"})
TEMPLATE = template_of(READ)
SPELLING = spelling_of([TEMPLATE], locale_of(READ))
SALT = b"salt"
RECIPE = Recipe(TEMPLATE, locale_of(READ), "2026-01-31", "drop", None, 1_000_000, SALT)
texts = st.one_of(
    st.text(min_size=1, max_size=8),
    st.from_regex(r"(\+91|91|0|)[6-9][0-9]{9}", fullmatch=True),
    st.emails(),
    st.sampled_from(["old", "new", " OLD ", "1,000", "C-1", "O'Brien"]),
)


def prepared(text):
    """Key and identifiers of a row that holds this text."""
    raw = pd.DataFrame({"any": series_of(pa.array([text], pa.string()))})
    table, _ = prepare(raw, pa.array([False]), RECIPE)
    return table.column("key")[0].as_py(), set(table.column("identifiers")[0].as_py())


@settings(deadline=None)
@given(texts)
def test_a_row_is_found_by_its_own_text(text):
    key, identifiers = prepared(text)
    wanted = wanted_of(text, [SPELLING], SALT)
    assert identifiers <= wanted.identifiers
    assert key is None or key in wanted.keys


@settings(deadline=None)
@given(texts.filter(lambda text: text.strip().casefold() != "old"))
def test_a_row_is_found_also_when_nobody_kept_how_it_was_read(text):
    key, identifiers = prepared(text)
    wanted = wanted_of(text, any_spelling([Locale("IN", dates="day_first")]), SALT)
    assert identifiers <= wanted.identifiers
    assert key is None or key in wanted.keys


@pytest.mark.parametrize("given_as", ["9845012345", "919845012345", "+919845012345"])
@pytest.mark.parametrize("country", ["IN", None])
def test_a_mobile_as_the_api_has_it_needs_no_country(given_as, country):
    phone = Column("phone", Kind.MOBILE)
    spelling = Spelling(Locale(country), phone, (("mobile", phone),))
    whole = wanted_of("+91 98450 12345", [spelling], SALT)
    assert (wanted_of(given_as, [spelling], SALT) == whole) == (country == "IN" or given_as != "9845012345")


def test_another_salt_finds_nobody():
    one, other = (wanted_of("C-1", [SPELLING], salt) for salt in (b"one", b"other"))
    assert one.keys.isdisjoint(other.keys)
    assert one.identifiers.isdisjoint(other.identifiers)


def test_a_blank_is_nobody():
    assert wanted_of("  ", [SPELLING], SALT) == Wanted()


def test_a_touch_explains_ours_and_the_apis_codes():
    row = dict.fromkeys(
        ["batch", "attempt", "request_id", "entity_id", "digest", "answered_at_utc", "key"]
    ) | {"file": "a.csv", "line": 2, "fate": "refused", "codes": "email.not_an_address;8015"}  # fmt: skip
    (touch,) = touches(pa.Table.from_pylist([row]), {"run": "r", "job": "j", "started_at_utc": None}, "update")
    (ours, ours_means), (theirs, theirs_means) = touch.codes
    assert (ours, theirs) == ("email.not_an_address", "8015")
    assert ours_means.startswith("email ")
    assert theirs_means.endswith(".")
