"""A mapping becomes a template, and what its targets do not accept is refused before any row is read."""

import pytest

from schemas.errors import JobError
from schemas.profiles import RULES, Column, Constant, Rule
from schemas.values import Kind
from transforms.askers import askers
from transforms.job_file import read_job
from transforms.mapping import template_of
from transforms.targets import rule_of

JOB = """
name: mapping
mode: migrate
source: {{customers: {{files: customers.csv}}}}
{more}
map:
  identifiers: {{externalId: member_no, mobile: phone}}
  {line}
destination: {{host: h, enrollments: true, auth: {{oauth: {{key: "${{K}}", secret: "${{K}}"}}}}}}
"""


def job_of(line, more=""):
    return read_job(JOB.format(line=line, more=more), {"K": "k"})


def leaf_of(line, target, more=""):
    return {leaf.target: leaf for leaf in template_of(job_of(line, more)).leaves()}[target]


def enrol(word, value, programme="{value: 1016}"):
    return f"loyaltyProgramEnrollments: [{{programId: {programme}, {word}: {value}}}]"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("loyaltyType: {value: gold}", "map.loyaltyType: the constant must be one of loyalty, non_loyalty"),
        (
            "loyaltyType: {column: kind, default: gold}",
            "map.loyaltyType: the constant must be one of loyalty, non_loyal",
        ),
        (
            "createDate: {value: soon}",
            "map.createDate: the constant cannot be sent. createDate is no date in the order",
        ),
        ("firstName: {value: ''}", "map.firstName: the constant cannot be sent. It is blank."),
        (f"firstName: {{value: {'x' * 101}}}", "map.firstName: the constant must have at most 100 characters"),
        (
            "commChannels: {mobile: {column: a, primary: maybe, verified: {value: maybe}}}",
            "map.commChannels.mobile.verified",
        ),
        (
            enrol("tierNumber", "{value: 0}"),
            "map.loyaltyProgramEnrollments[0].tierNumber: the constant must be 1 or more",
        ),
        (
            enrol("loyaltyPoints", "{value: -1}"),
            "map.loyaltyProgramEnrollments[0].loyaltyPoints: the constant must be 0",
        ),
        (enrol("loyaltyPoints", "{value: 1.5}"), "map.loyaltyProgramEnrollments[0].loyaltyPoints: the constant cannot"),
        (
            enrol("tierNumber", "t", "{value: gold}"),
            "map.loyaltyProgramEnrollments[0].programId: the constant cannot be",
        ),
        (
            "subscriptionInfo: {subscriptions: [{channel: {value: SMS}, type: {value: OPT}}]}",
            "must be one of OPTIN, OPTOUT",
        ),
    ],
)
def test_a_constant_that_its_target_refuses_is_told(line, said):
    with pytest.raises(JobError) as told:
        job_of(line)
    assert said in str(told.value)


@pytest.mark.parametrize(
    ("line", "target", "constant"),
    [
        (
            "commChannels: {mobile: {column: a, primary: {column: b, default: 'yes'}}}",
            "commChannels.mobile.primary",
            True,
        ),
        ("fields: {vip: {column: a, default: true}}", "fields.vip", "true"),
        ("fields: {zip: {column: a, default: 0042}}", "fields.zip", "0042"),
        ("fields: {version: {column: a, default: 1.10}}", "fields.version", "1.10"),
        ("fields: {kids: {column: a, as: integer, default: '1,000'}}", "fields.kids", 1000),
        ("extendedFields: {born: {column: a, as: date, default: 1990-01-31}}", "extendedFields.born", "1990-01-31"),
    ],
)
def test_a_default_is_cleaned_like_the_column(line, target, constant):
    assert leaf_of(line, target).default == constant


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("createDate: {column: a, as: text}", "as: text does not fit; allowed are datetime"),
        ("loyaltyType: {column: a, as: integer}", "as: integer does not fit; allowed are text"),
        (
            "commChannels: {mobile: {column: a, primary: {column: b, as: text}}}",
            "as: text does not fit; allowed are boolean",
        ),
        (enrol("loyaltyPoints", "{column: p, as: decimal}"), "as: decimal does not fit; allowed are integer"),
        ("firstName: {column: a, as: date}", "as: date does not fit; allowed are name, text"),
    ],
)
def test_a_kind_that_breaks_the_contract_is_refused(line, said):
    with pytest.raises(JobError) as told:
        job_of(line)
    assert said in str(told.value)


@pytest.mark.parametrize(
    ("line", "target", "kind"),
    [
        ("firstName: first", "firstName", Kind.NAME),
        ("firstName: {column: first, as: text}", "firstName", Kind.TEXT),
        ("commChannels: {email: mail}", "commChannels.email", Kind.EMAIL),
        ("commChannels: {wechat: open_id}", "commChannels.wechat", Kind.TEXT),
        ("fields: {mobile: other_phone}", "fields.mobile", Kind.TEXT),
        ("fields: {mobile: {column: other_phone, as: mobile}}", "fields.mobile", Kind.MOBILE),
        (enrol("pointsExpiryDate", "until"), "loyaltyProgramEnrollments.0.pointsExpiryDate", Kind.DATETIME),
    ],
)
def test_a_target_knows_how_its_column_is_read(line, target, kind):
    assert leaf_of(line, target).column.kind is kind


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("loyaltyProgramEnrollments.12.tierNumber", "loyaltyProgramEnrollments.*.tierNumber"),
        ("commChannels.android.meta.lastViewedDate", "commChannels.*.meta.lastViewedDate"),
        ("identifiers.mobile", "identifiers.mobile"),
        ("fields.firstName", None),
        ("extendedFields.mobile", None),
        ("identifiers.externalId", None),
    ],
)
def test_the_contracts_rule_is_found_for_a_target(target, named):
    assert rule_of(target) == (RULES[named] if named else Rule())


@pytest.mark.parametrize(
    ("nulls", "cleared"),
    [
        ("omit", set()),
        (
            "clear",
            {"firstName", "extendedFields.city", "fields.store"},
        ),  # never an identifier, a flag, a date of theirs
        ("{firstName: clear, fields.store: omit}", {"firstName"}),
    ],
)
def test_only_texts_that_can_be_cleared_are(nulls, cleared):
    line = (
        "firstName: a\n  extendedFields: {city: b}\n  fields: {store: c}\n  createDate: d\n  commChannels: {mobile: e}"
    )
    template = template_of(job_of(line, f"rules: {{nulls: {nulls}}}"))
    assert {leaf.target for leaf in template.leaves() if leaf.clear} == cleared


def test_clearing_an_unknown_target_names_the_known():
    with pytest.raises(JobError, match=r"mobile is no mapped text that can be cleared; these are: firstName$"):
        job_of("firstName: a", "rules: {nulls: {mobile: clear}}")


def test_the_key_is_the_first_identifier_unless_named():
    assert template_of(job_of("")).key == Column("member_no", Kind.TEXT)
    assert template_of(job_of("", "key: phone")).key == Column("phone", Kind.MOBILE)
    assert template_of(job_of("", "key: account")).key == Column("account", Kind.TEXT)


def test_a_bad_key_or_enrolment_rejects_its_row():
    leaves = template_of(job_of(enrol("tierNumber", "tier", "programme"), "key: phone")).leaves()
    assert {leaf.target for leaf in leaves if leaf.rejects} == {
        "identifiers.mobile",
        "loyaltyProgramEnrollments.0.programId",
        "loyaltyProgramEnrollments.0.tierNumber",
    }


def test_credits_name_programmes_and_points():
    (credit,) = template_of(job_of(enrol("loyaltyPoints", "points"))).credits
    assert credit.programme == Constant(1016)
    assert credit.points.column == Column("points", Kind.INTEGER)
    assert template_of(job_of(enrol("tierNumber", "tier"))).credits == ()


def test_a_column_of_several_targets_is_cleaned_once():
    columns = template_of(job_of("commChannels: {mobile: phone}\n  fields: {raw_phone: phone}")).columns()
    assert columns == (
        Column("member_no", Kind.TEXT),
        Column("phone", Kind.MOBILE),
        Column("phone", Kind.TEXT),
    )


def test_every_asked_column_has_its_asker():
    job = job_of("firstName: first", "rules: {duplicates: {keep: latest, by: changed}}")
    assert list(askers(job)) == [
        ("first", "map.firstName"),
        ("member_no", "map.identifiers.externalId"),
        ("phone", "map.identifiers.mobile"),
        ("member_no", "key"),
        ("changed", "rules.duplicates.by"),
    ]


def test_enrolments_are_the_last_member_of_a_payload():
    """Points are found, and taken out, at its end."""
    more = "associatedWith: till\n  createDate: since\n  referralCode: friend\n  statusLabel: status"
    tree = template_of(job_of(f"{enrol('loyaltyPoints', 'points')}\n  {more}\n  extendedFields: {{city: city}}")).tree
    assert [name for name, _ in tree.members][-2:] == ["extendedFields", "loyaltyProgramEnrollments"]


def test_a_jobs_placeholders_are_those_of_a_column_as_it_is_cleaned():
    more = "locale: {country: IN}\nrules: {placeholders: {mobile: ['98450 00000', '12'], externalId: [' C-0 ']}}"
    mobile = leaf_of("commChannels: {mobile: phone}", "commChannels.mobile", more)
    assert mobile.column.placeholders == ("919845000000", "12")
    assert leaf_of("commChannels: {mobile: phone}", "identifiers.mobile", more).column == mobile.column
    assert leaf_of("firstName: first", "identifiers.externalId", more).column.placeholders == ("C-0",)


def test_placeholders_of_what_is_not_mapped_are_refused():
    with pytest.raises(JobError) as refused:
        job_of("firstName: first", "rules: {placeholders: {mobile: [], email: [x]}}")
    assert refused.value.problems == (
        "job:5: rules.placeholders: email is no mapped identifier or channel; these are: externalId, mobile",
    )
