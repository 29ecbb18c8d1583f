"""Families and companies in a job's mapping: what `associationDetails` is made of, and what of it cannot be."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from schemas.job import Job
from schemas.mapping import Association, Company, Person, Value
from schemas.profiles import Array, Node, Object, Ready

CHILDREN = "childCustomers"  # the name of the children's JSON beside the leaves' values
BLOCK = "associationDetails"
# What makes a row belong to a family or a company; codes, and roles that all rows have, say nothing.
_BRINGS = (CHILDREN, "parentCustomer", "fleetCompany")


@dataclass(frozen=True, slots=True)
class Kin:
    """Whom a person's words are about: the customer, whose words stand alone, or one of the family.

    `words` stand before the person's own in the job file, `about` in the codes of reasons.
    """

    words: str = ""
    about: str = ""

    def rejects(self, is_key: bool) -> bool:
        """Whether a row with a bad identifier is invalid.

        A parent's always: with a wrong parent, or none, a child would be another child. A child's own never: it is
        left out, and the child goes by the others.
        """
        return self is PARENT or (is_key and self is not CHILD)


CUSTOMER = Kin()
CHILD = Kin(f"{BLOCK}.{CHILDREN}.")
PARENT = Kin(f"{BLOCK}.parentCustomer.", "parentCustomer.")


class Builds(Protocol):
    """What builds a job's tree out of its mapping."""

    def node(self, target: str, value: Value | None, anchor: bool = False) -> Node | None:
        """One value."""

    def parent(self, person: Person) -> Object:
        """The customer's parent."""


def association_of(build: Builds, association: Association | None) -> Object | None:
    """`associationDetails`; a row has it where it has children, a parent or a company."""
    if association is None:
        return None
    parent, company = association.parent_customer, association.fleet_company
    members: tuple[tuple[str, Node | None], ...] = (
        ("hierarchyCode", build.node(f"{BLOCK}.hierarchyCode", association.hierarchy_code)),
        ("roleCode", build.node(f"{BLOCK}.roleCode", association.role_code)),
        ("childRoleCode", build.node(f"{BLOCK}.childRoleCode", association.child_role_code)),
        (CHILDREN, Ready(CHILDREN) if association.child_customers else None),
        ("parentCustomer", build.parent(parent) if parent else None),
        ("fleetCompany", _company(build, company) if company else None),
    )
    # Where rows name their parents, a head names none: it is known by its own role.
    brings = (*_BRINGS, "roleCode") if parent and _is_told(association.role_code) else _BRINGS
    return Object(tuple((name, node) for name, node in members if node is not None), brings)


def _is_told(value: Value | None) -> bool:
    return value is not None and value.column is not None


def _company(build: Builds, company: Company) -> Object:
    target = f"{BLOCK}.fleetCompany"
    members: tuple[tuple[str, Node | None], ...] = (
        ("externalId", build.node(f"{target}.externalId", company.external_id, anchor=True)),
        ("name", build.node(f"{target}.name", company.name)),
        (
            "hierarchyDefinitionCode",
            build.node(f"{target}.hierarchyDefinitionCode", company.hierarchy_definition_code),
        ),
    )
    return Object(tuple((name, node) for name, node in members if node is not None))


def person_of(profile: Object, extended: Node | None) -> Object:
    """A child or a parent: a customer without loyaltyInfo, there where any of the identifiers is."""
    known = Object(profile.members, ("identifiers",))
    rest = () if extended is None else (("extendedFields", extended),)
    return Object((("profiles", Array((known,))), *rest), ("profiles",))


def misfits(job: Job) -> Iterator[str]:
    """What of families and companies the API would not take or a reader would not find, with the way out."""
    nested = [name for name, table in job.source.items() if table.nest is not None]
    wanted = job.children.table if job.children else None
    for name in nested:
        if name != wanted:
            yield (
                f"source.{name}.nest: no childCustomers uses this table; "
                f"write map.{BLOCK}.{CHILDREN}.table: {name}, or take the table out"
            )
    if wanted is not None and wanted not in nested:
        choices = f"nested tables are: {', '.join(nested)}" if nested else "give one of source's tables nest: {on: …}"
        yield f"map.{BLOCK}.{CHILDREN}.table: it names no nested table; {choices}"
    if job.map.association is not None:
        yield from (f"map.{BLOCK}{problem}" for problem in _unfit(job.map.association))


def _unfit(block: Association) -> Iterator[str]:
    for word, value in (("hierarchyCode", block.hierarchy_code), ("roleCode", block.role_code)):
        if value is None:
            yield f": the API takes no family or company without {word}; give {word}, a column or {{value: …}}"
    if block.child_customers and block.parent_customer:
        yield f".parentCustomer: a row has either children or a parent; take out {CHILDREN} or parentCustomer"
    if block.child_customers and block.child_role_code is None:
        yield f": {CHILDREN} needs childRoleCode, the role of all children; give a column or {{value: …}}"
    if block.child_role_code and not block.child_customers:
        yield f".childRoleCode: it is the role of {CHILDREN}, and there are none; take it out"
    if block.fleet_company and block.fleet_company.external_id is None:
        yield ".fleetCompany: a company is known by its externalId; give externalId, a column or {value: …}"
    if not (block.child_customers or block.parent_customer or block.fleet_company):
        yield f": it would never be sent; give {CHILDREN}, parentCustomer or fleetCompany"
