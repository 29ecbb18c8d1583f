"""Parents, children and companies: who is mapped to whom, once and for good (contract §3, §9.2)."""

from connectors.sandbox import wire
from connectors.sandbox.codes import Notes
from connectors.sandbox.records import Family, Record
from connectors.sandbox.store import Unit


def company_of(family: wire.Association) -> str:
    """The company's external id, or nothing."""
    return str(family.fleet_company.external_id) if family.fleet_company else ""


def check_mapping(held: Family | None, family: wire.Association, role: str, notes: Notes) -> None:
    """What is mapped stays: another hierarchy 1626, role 1627 or company 1628 refuses the customer."""
    if held is None:
        return
    company = company_of(family)
    if held.hierarchy != family.hierarchy_code:
        notes.error(1626)
    elif role and held.role != role:
        notes.error(1627)
    elif company and held.company and held.company != company:
        notes.error(1628)


def map_customer(unit: Unit, record: Record, family: wire.Association, role: str) -> bool:
    """Give a customer their place; whether it is a new one (`new` in the reply's associationDetails)."""
    if record.family is not None:
        return False
    record.family = Family(family.hierarchy_code or "", role, company_of(family))
    unit.touch(record)
    return True


def tie(unit: Unit, parent: Record, child: Record) -> None:
    """Make one the parent of the other; both must be mapped. A tie that exists stays as it is."""
    if parent.family is None or child.family is None or child.family.parent:
        return
    child.family.parent = parent.id
    parent.family.children.append(child.id)
    unit.touch(parent)
    unit.touch(child)
