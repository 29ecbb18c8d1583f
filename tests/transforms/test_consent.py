"""Nobody is subscribed or verified who did not say so, in words that the job maps."""

import json
import unicodedata

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import JobError
from transforms.blanks import NO_CLOSED_VALUE
from transforms.customers import series_of
from transforms.job_file import read_job
from transforms.mapping import locale_of, template_of
from transforms.prepared import Recipe, prepare
from transforms.words import NO, YES

JOB = """
name: consent
source: {{customers: {{files: customers.csv}}}}
map:
  identifiers: {{externalId: member_no}}
  {line}
destination: {{host: h, auth: {{oauth: {{key: "${{K}}", secret: "${{K}}"}}}}}}
"""
CHANNEL = "commChannels: {{mobile: {{column: phone, {flag}: {written}}}}}"
CHOICE = "subscriptionInfo: {{subscriptions: [{{channel: {{value: SMS}}, type: {written}}}]}}"
FLAGS = ["subscribed", "verified"]


def refused(line):
    """What is said of a job with this line; empty when it is taken."""
    try:
        read_job(JOB.format(line=line), {"K": "k"})
    except JobError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize(
    "written",
    [
        "true", '{value: "yes"}', "{value: true}", "{value: 1}", '{value: " Y "}', '{value: "on"}',
        "{column: sms, default: true}", '{column: sms, default: "yes"}',
        '{column: sms, values: {"": "yes", "N": "no"}}',
        '{column: sms, values: {" - ": "1"}}',
        '{column: sms, values: {"Unknown": "yes"}}',
        '{column: sms, values: {"N/A": "true"}, other: keep}',
    ],
)  # fmt: skip
def test_a_job_file_says_yes_in_nobodys_place(flag, written):
    said = refused(CHANNEL.format(flag=flag, written=written))
    assert f"commChannels.mobile.{flag}" in said
    assert "consent comes from the source: give a column" in said


@pytest.mark.parametrize("flag", [*FLAGS, "primary"])
@pytest.mark.parametrize(
    "written",
    [
        "sms", "false", '{value: "no"}', "{column: sms, default: false}",
        '{column: sms, values: {"JA": "yes", "": "no"}}', '{column: sms, values: {"A": "yes"}, other: drop}',
    ],
)  # fmt: skip
def test_a_no_for_all_and_a_yes_of_the_source_are_taken(flag, written):
    assert refused(CHANNEL.format(flag=flag, written=written)) == ""


def test_which_address_is_the_first_may_be_the_same_for_all():
    assert refused(CHANNEL.format(flag="primary", written="true")) == ""


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{value: OPTIN}", "it would say yes for every customer"),
        ("{column: sms, default: OPTIN}", "its default would say yes for who says nothing"),
        ('{column: sms, values: {"": OPTIN}}', "its values would read a blank"),
        ('{column: sms, values: {"none": OPTIN}}', "its values would read a blank"),
        ("{value: OPTOUT}", ""),
        ("{column: sms, default: OPTOUT}", ""),
        ('{column: sms, values: {"Y": OPTIN, "": OPTOUT}}', ""),
    ],
)
def test_an_opt_in_comes_from_the_source_too(written, said):
    told = refused(CHOICE.format(written=written))
    assert said in told
    assert bool(said) == bool(told)


# what is sent of a column


def sent(line, texts):
    """Per text in the column `sms`: the payload, and the row's codes."""
    job = read_job(JOB.format(line=line), {"K": "k"})
    template = template_of(job)
    rows = range(len(texts))
    columns = {"member_no": [f"C-{n}" for n in rows], "phone": [f"+9198450{n:05}" for n in rows], "sms": texts}
    raw = pd.DataFrame({name: series_of(pa.array(of, pa.string())) for name, of in columns.items()})
    recipe = Recipe(template, locale_of(job), "2026-01-31", "drop", None, 1_000_000, b"salt")
    table, _ = prepare(raw, pa.repeat(False, len(raw)), recipe)
    payloads = [json.loads(payload) for payload in table.column("payload").to_pylist()]
    return list(zip(payloads, table.column("codes").to_pylist(), strict=True))


def channel(payload):
    return payload["profiles"][0]["commChannels"][0]


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize(
    ("text", "told", "code"),
    [
        ("", None, None), (None, None, None), ("   ", None, None), ("N/A", None, None), ("unknown", None, None),
        ("?", None, None),
        ("no", False, None), ("N", False, None), ("0", False, None),
        ("Yes", True, None), ("1", True, None),
        ("maybe", None, "not_a_boolean"), ("yes please", None, "not_a_boolean"), ("2", None, "not_a_boolean"),
    ],
)  # fmt: skip
def test_a_flag_is_sent_as_it_was_said_or_left_out(flag, text, told, code):
    ((payload, codes),) = sent(CHANNEL.format(flag=flag, written="sms"), [text])
    assert channel(payload).get(flag) is told
    assert (flag in channel(payload)) == (told is not None)
    assert codes == (f"{flag}.{code}" if code else None)


@pytest.mark.parametrize(
    ("text", "told", "code"),
    [
        ("OPTIN", "OPTIN", None), ("OPTOUT", "OPTOUT", None), ("", None, None), ("NULL", None, None),
        ("optin", None, "type.not_allowed"), ("yes", None, "type.not_allowed"), ("unknown", None, "type.not_allowed"),
    ],
)  # fmt: skip
def test_a_subscription_without_its_choice_is_left_out(text, told, code):
    ((payload, codes),) = sent(CHOICE.format(written="sms"), [text])
    subscriptions = payload.get("subscriptionInfo", {}).get("subscriptions", [])
    assert [one["type"] for one in subscriptions] == ([told] if told else [])
    assert codes == code


spelled = st.sampled_from(sorted(YES | NO | NO_CLOSED_VALUE | {"ja", "nein", "maybe"}))
texts = st.one_of(
    st.text(max_size=6),
    spelled,
    st.tuples(st.text("  \t\"'=.-\u200b", max_size=2), spelled, st.text("  \t\"'.-!\u200b", max_size=2)).map("".join),
    spelled.map(str.upper),
)


def bare(text):
    """Letters and digits only, so that nothing around a word can hide what it says."""
    return "".join(char for char in unicodedata.normalize("NFKC", text or "").casefold() if char.isalnum())


@given(st.lists(st.none() | texts, min_size=1, max_size=20), st.sampled_from(FLAGS))
def test_true_is_sent_only_of_a_word_for_yes(column, flag):
    known = {bare(word) for word in YES}
    told = [channel(payload).get(flag) for payload, _ in sent(CHANNEL.format(flag=flag, written="sms"), column)]
    assert [text for text, value in zip(column, told, strict=True) if value and bare(text) not in known] == []


@given(st.lists(st.none() | texts, min_size=1, max_size=20), st.sampled_from(["drop", "reject"]))
def test_mapped_words_are_the_only_ones_that_say_yes(column, other):
    line = CHANNEL.format(
        flag="subscribed", written=f"{{column: sms, values: {{JA: 'yes', nein: 'no'}}, other: {other}}}"
    )
    told = [channel(payload).get("subscribed") for payload, _ in sent(line, column)]
    assert [text for text, value in zip(column, told, strict=True) if value and bare(text) != "ja"] == []
