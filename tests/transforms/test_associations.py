"""Families and companies in a job file: what is refused, and with which way out."""

import pytest

from schemas.errors import JobError
from schemas.profiles import Column
from schemas.values import Kind
from transforms.askers import child_askers
from transforms.job_file import read_job
from transforms.mapping import child_template_of, template_of

SMALL = """
name: small
source:
  customers: {files: customers.csv}
  family: {files: family.csv, nest: {on: parent_no}}
key: member_no
map:
  identifiers: {mobile: phone, externalId: member_no}
  firstName: first
  associationDetails:
    hierarchyCode: {value: H1}
    roleCode: {value: R}
    childRoleCode: {value: C}
    childCustomers: {table: family, identifiers: {mobile: child_phone, externalId: child_no}, firstName: child_name}
destination: {host: eu.api.capillarytech.com, auth: {oauth: {key: "${KEY}", secret: "${KEY}"}}}
"""
BLOCK = "map.associationDetails"
PARENT = "    parentCustomer: {identifiers: {externalId: mum}}\n"


def job_of(old="", new="", *more):
    text = SMALL
    for before, after in [(old, new), *zip(more[::2], more[1::2], strict=True)]:
        assert before in text
        text = text.replace(before, after, 1)
    return read_job(text, {"KEY": "k"}, "job")


def refused(*changes):
    with pytest.raises(JobError) as told:
        job_of(*changes)
    return [problem.partition(": ")[2] for problem in told.value.problems]


def test_a_family_is_read():
    assert job_of().children.table == "family"


ROLE = "    childRoleCode"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("table: family", "table: kin"), ".childCustomers.table: it names no nested table; nested tables are: family"),
        ((", nest: {on: parent_no}", ", join: {on: parent_no}"), "give one of source's tables nest: {on: …}"),
        (("    hierarchyCode: {value: H1}\n", ""), ": the API takes no family or company without hierarchyCode"),
        (("    roleCode: {value: R}\n", ""), "without roleCode; give roleCode, a column or {value: …}"),
        (("    childRoleCode: {value: C}\n", ""), ": childCustomers needs childRoleCode"),
        ((ROLE, PARENT + ROLE), ".parentCustomer: a row has either children or a parent"),
        ((ROLE, f"    fleetCompany: {{name: co}}\n{ROLE}"), ".fleetCompany: a company is known by its externalId"),
        (("externalId: child_no", "cardnumber: card"), "Customers.identifiers.cardnumber: a card needs its series"),
        (("firstName: child_name", "firstName: {value: ' '}"), "Customers.firstName: the constant cannot be sent"),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(changes, said):
    assert [problem for problem in refused(*changes) if problem.startswith(BLOCK) and said in problem]


def test_a_nested_table_that_nobody_uses_is_refused():
    block = SMALL[SMALL.index("  associationDetails") : SMALL.index("destination")]
    assert refused(block, "") == [
        "source.family.nest: no childCustomers uses this table; "
        f"write {BLOCK}.childCustomers.table: family, or take the table out"
    ]


def test_an_association_of_nobody_is_refused():
    children = SMALL[SMALL.index("    childCustomers") : SMALL.index("destination")]
    problems = refused(children, "")
    assert any("it would never be sent" in problem for problem in problems)
    assert any("childRoleCode: it is the role of childCustomers" in problem for problem in problems)


def test_all_of_it_is_told_at_once():
    codes = SMALL[SMALL.index("    hierarchyCode") : SMALL.index("    childCustomers")]
    assert len(refused(codes, "", "table: family", "table: kin")) == 5


def test_a_child_goes_by_its_own_identifiers():
    template = child_template_of(job_of())
    assert [leaf.subject for leaf in template.identifiers] == ["mobile", "externalId"]
    assert template.key_type == "externalId"
    assert not any(leaf.rejects for leaf in template.identifiers)


def test_only_the_childrens_words_ask_the_nested_table():
    assert list(child_askers(job_of())) == [
        ("child_name", f"{BLOCK}.childCustomers.firstName"),
        ("child_phone", f"{BLOCK}.childCustomers.identifiers.mobile"),
        ("child_no", f"{BLOCK}.childCustomers.identifiers.externalId"),
    ]


def test_a_parents_bad_identifier_rejects_and_nothing_of_it_is_cleared():
    children = SMALL[SMALL.index("    childRoleCode") : SMALL.index("destination")]
    parent = "    parentCustomer: {identifiers: {externalId: mum}, firstName: mum_name}\nrules: {nulls: clear}\n"
    nest = "  family: {files: family.csv, nest: {on: parent_no}}\n"
    template = template_of(job_of(children, parent, nest, ""))
    (leaf,) = template.parent
    assert (leaf.column, leaf.rejects, leaf.subject) == (Column("mum", Kind.TEXT), True, "parentCustomer.externalId")
    assert [leaf.target for leaf in template.leaves() if leaf.clear] == ["firstName"]


def test_a_childs_texts_are_cleared_by_their_own_path():
    path = f"{BLOCK.removeprefix('map.')}.childCustomers.firstName"
    job = job_of("destination:", f"rules: {{nulls: {{{path}: clear}}}}\ndestination:")
    assert [leaf.target for leaf in child_template_of(job).leaves() if leaf.clear] == [path]
    assert not any(leaf.clear for leaf in template_of(job).leaves())
