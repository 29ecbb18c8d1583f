"""What stands for a mobile or an address that nobody knows is no value, and is told as such."""

import pandas as pd
import pyarrow as pa
import pytest

from schemas.customers import PROBLEMS
from schemas.profiles import Column, Leaf, Object, Rule, Template
from schemas.values import Kind, Locale
from transforms.customers import array_of, normalize, series_of
from transforms.identity import hashes_of
from transforms.placeholders import NONE_SHARED, WidelyShared

PHONE = Column("phone", Kind.MOBILE, placeholders=("919845000000", "none of your business"))
MAIL = Column("mail", Kind.EMAIL)
LEAVES = tuple(
    Leaf(target, target.split(".")[1], column, Rule(column.kind))
    for target, column in [("identifiers.mobile", PHONE), ("identifiers.email", MAIL), ("commChannels.mobile", PHONE)]
)
TEMPLATE = Template(Object(tuple((leaf.target, leaf) for leaf in LEAVES)), LEAVES[:2], (), Column("id", Kind.TEXT))


def cleaned(phones=(), mails=(), widely_shared=NONE_SHARED, country="IN"):
    rows = max(len(phones), len(mails))
    table = {"phone": [*phones] or [""] * rows, "mail": [*mails] or [""] * rows, "id": ["C"] * rows}
    raw = pd.DataFrame({name: series_of(pa.array(values, pa.string())) for name, values in table.items()})
    return normalize(raw, TEMPLATE, Locale(country), widely_shared)


def problems(normalized):
    return array_of(normalized.customers[PROBLEMS]).to_pylist()


def of_mobile(why):
    return why and f"identifiers.mobile|{why};commChannels.mobile|{why}"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("9999999999",         "placeholder"),  # a number that India gives out
        ("+91 88888 88888",    "placeholder"),
        ("9876543210",         "placeholder"),
        ("9.999999999E+9",     "placeholder"),
        ("9999999998",         None),
        ("9876500000",         None),
        ("0000000000",         "placeholder"),  # no number of any country
        ("1234567890",         "placeholder"),
        ("0123456789",         "placeholder"),
        ("0987654321.0",       "placeholder"),
        ("9999999",            "placeholder"),
        ("00 91 1111111111",   "placeholder"),
        ("+91-0000000000",     "placeholder"),
        ("\u0969\u0969\u0969\u0969\u0969\u0969\u0969\u0969\u0969\u0969", "placeholder"),
        ("11111",              "too_short"),
        ("1234567891",         "not_a_mobile"),
        ("ask 9999999999",     "not_a_number"),
        ("9845000000",         "placeholder"),  # the job's own
        ("None of your business", "not_a_number"),
        (" none of your business ", "placeholder"),
        ("",                   None),
    ],
)  # fmt: skip
def test_a_dull_number_is_nobodys_mobile(raw, why):
    normalized = cleaned([raw])
    assert problems(normalized) == [of_mobile(why)]
    if why is not None:
        assert array_of(normalized.customers["commChannels.mobile"]).to_pylist() == [None]


def test_a_national_number_may_begin_with_zero_or_with_the_countrys_code():
    assert problems(cleaned(["01 23 45 67 89", "01 23 45 67 88"], country="CI")) == [of_mobile("placeholder"), None]
    assert problems(cleaned(["9191919191", "919191919191"])) == [None, None]


@pytest.mark.parametrize("local", [
    "na", "N.A", "none", "null", "noemail", "no-email", "no_email", "no.email", "nomail", "no-mail", "no_mail",
    "no.mail", "NotAvailable", "not.available", "test", "Dummy",
])  # fmt: skip
def test_some_local_parts_are_nobodys(local):
    assert problems(cleaned(mails=[f"{local}@example.com", f"{local}@x"])) == ["identifiers.email|placeholder"] * 2


def test_most_local_parts_are_somebodys():
    mails = ["nadia@x.com", "test1@x.com", "a.test@x.com", "no-one@x.com", "x@test.com"]
    assert problems(cleaned(mails=mails)) == [None] * 5
    assert problems(cleaned(mails=["test@x.com, asha@x.com"])) == ["identifiers.email|several_addresses"]


def test_nothing_was_changed_in_what_is_no_value():
    normalized = cleaned(["9999999999", "98450 12345"], ["TEST@x.com", "asha@x.com"])
    assert normalized.changes == {("mobile", "country_code_added"): 1, ("mobile", "punctuation_removed"): 1}


def test_what_too_many_share_is_nobodys():
    shared = WidelyShared(frozenset(hashes_of("mobile", pa.array(["919845012345"]), b"salt").tolist()), b"salt")
    normalized = cleaned(["9845012345", "", "9845012346"], ["a@x.com"] * 3, shared)
    assert problems(normalized) == [of_mobile("widely_shared"), None, None]
    assert normalized.changes == {("mobile", "country_code_added"): 1}


def test_the_key_is_never_too_widely_shared():
    shared = WidelyShared(frozenset(hashes_of("email", pa.array(["a@x.com"]), b"salt").tolist()), b"salt")
    raw = pd.DataFrame({"phone": series_of(pa.array([""])), "mail": series_of(pa.array(["a@x.com"]))})
    keyed = Template(TEMPLATE.tree, TEMPLATE.identifiers, (), MAIL)
    assert problems(normalize(raw, keyed, Locale("IN"), shared)) == [None]
