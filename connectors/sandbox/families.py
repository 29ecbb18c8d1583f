"""Parents, children and companies: who is mapped to whom, once and for good (contract §3, §9.2)."""

from collections.abc import Collection

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


def check_parent(parent: Record, family: wire.Association, notes: Notes, *, maps: bool) -> None:
    """Who names a parent must find them in the same hierarchy (1625) and company (1622).

    `maps`: a parent who is in none yet is put there, as registering does; an update does not (contract §3, §5).
    """
    held = parent.family
    company = company_of(family)
    if (held is None and not maps) or (held is not None and held.hierarchy != family.hierarchy_code):
        notes.error(1625)
    elif held is not None and company and held.company and held.company != company:
        notes.error(1622)


def check_room(parent: Record, child: Collection[int], most: int, notes: Notes) -> None:
    """A parent with as many children as are allowed gets no further one: 1618. `child` are the ids it may have."""
    held = parent.family.children if parent.family is not None else []
    if len(held) >= most and not set(child).intersection(held):
        notes.error(1618)


def map_customer(unit: Unit, record: Record, family: wire.Association, role: str) -> bool:
    """Give a customer their place; whether it is a new one (`new` in the reply's associationDetails)."""
    if record.family is not None:
        return False
    record.family = Family(family.hierarchy_code or "", role, company_of(family))
    unit.touch(record)
    return True


def tie(unit: Unit, parent: Record, child: Record) -> None:
    """Make one the parent of the other; both must be mapped. A tie that exists stays as it is."""
    if parent.family is None or child.family is None or child.family.parent or parent.id == child.id:
        return
    child.family.parent = parent.id
    parent.family.children.append(child.id)
    unit.touch(parent)
    unit.touch(child)


def move_family(unit: Unit, victim: Record, survivor: Record) -> None:
    """Who merged takes parent and children along; the survivor's own place stays as it is."""
    held, victim.family = victim.family, None
    if held is None:
        return
    if survivor.family is None:
        survivor.family = Family(held.hierarchy, held.role, held.company)
    survivor.family.parent = survivor.family.parent or held.parent
    kids = [child for child in held.children if child not in (survivor.id, *survivor.family.children)]
    survivor.family.children += kids
    for relative in [held.parent, *kids] if held.parent else kids:
        _lead_to(unit.record(relative), victim, survivor)
        unit.touch(unit.record(relative))


def _lead_to(relative: Record, victim: Record, survivor: Record) -> None:
    family = relative.family
    if family is None:
        return
    family.parent = survivor.id if family.parent == victim.id else family.parent
    others = [child for child in family.children if child not in (victim.id, survivor.id)]
    family.children = [*others, survivor.id] if victim.id in family.children else family.children
