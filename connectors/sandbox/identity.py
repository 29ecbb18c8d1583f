"""Whose account an element is about, and what becomes of accounts that share an identifier (contract §9.1)."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from connectors.sandbox.families import move_family
from connectors.sandbox.records import Record, StoredProfile
from connectors.sandbox.settings import Settings
from connectors.sandbox.store import Unit
from connectors.sandbox.validation import Checked


class Operation(Enum):
    """The three bulk writes of contract §1."""

    UPDATE = "E1"
    REGISTER = "E2"
    UPSERT = "E3"


@dataclass(frozen=True, slots=True)
class Policy:
    """What one request may do to identities."""

    operation: Operation
    creates: bool
    updates: bool
    changes_identifiers: bool
    merges: bool
    missing: int = 8009  # the code for a customer who is not there and may not be created

    @classmethod
    def of(cls, operation: Operation, settings: Settings, *, skip_change: bool = True) -> "Policy":
        """The settings' answers for one operation."""
        return cls(
            operation=operation,
            creates=operation is not Operation.UPDATE or settings.creates,
            updates=operation is not Operation.REGISTER or settings.register_existing == "update",
            changes_identifiers=operation is Operation.UPSERT and not skip_change,
            merges=settings.shared_identifier == "merge",
        )


def owners_of(unit: Unit, checked: Checked) -> list[int]:
    """Every customer that these identifiers lead to, in the order sent."""
    return list(dict.fromkeys(unit.owner[key] for key in checked.keys if key in unit.owner))


def resolve(unit: Unit, checked: Checked, owners: list[int], policy: Policy) -> Record | None:
    """The one customer these identifiers mean: found, made of several, or created; None after an error.

    Several owners become one for good: the customer found by the first identifier is the victim, the oldest of
    the others survives (contract §9.1: "existing = survivor, incoming = victim").
    """
    if not owners:
        if not policy.creates:
            checked.notes.error(policy.missing)
            return None
        return unit.create()
    found = unit.record(owners[0])
    known_here = any(unit.record(o).profile(checked.source, checked.account) for o in owners)
    if known_here and not policy.updates:
        checked.notes.error(8006)
        return None
    if not known_here:
        if not policy.creates:
            checked.notes.error(8065)
            return None
        checked.notes.warn(8050)
    return found if len(owners) == 1 else _merge_all(unit, checked, owners, policy)


def _merge_all(unit: Unit, checked: Checked, owners: list[int], policy: Policy) -> Record | None:
    if not policy.merges:
        checked.notes.error(8007)
        return None
    survivor = unit.record(min(owners[1:]))
    for owner in owners:
        if owner != survivor.id:
            _merge(unit, unit.record(owner), survivor)
    checked.notes.warn(8051, str(survivor.id))
    return survivor


def _merge(unit: Unit, victim: Record, survivor: Record) -> None:
    """Everything that finds the victim finds the survivor; what the survivor has stays as it is."""
    for profile in victim.profiles:
        held = survivor.profile(profile.source, profile.account)
        if held is None:
            survivor.profiles.append(profile)
        else:
            held.identifiers = profile.identifiers | held.identifiers
    for key in victim.keys:
        unit.lead(key, survivor)
    survivor.extended = victim.extended | survivor.extended
    survivor.programmes = victim.programmes | survivor.programmes
    move_family(unit, victim, survivor)
    victim.merged_into, victim.keys, victim.profiles = survivor.id, [], []
    unit.merge(victim, survivor)


Attaching = Literal["keep", "fill", "replace"]


def attach(unit: Unit, record: Record, profile: StoredProfile, checked: Checked, mode: Attaching) -> None:
    """Give the customer the identifiers of kinds they lack (not when `keep`), and any further card.

    An identifier of a kind that they have with another value takes its place when `replace`; else it is not
    stored, and 91006 says so.
    """
    for (kind, value), key in zip(checked.identifiers, checked.keys, strict=True):
        held = profile.identifiers.get(kind)
        if held == value or (held is not None and key in record.keys):
            continue
        if kind != "cardnumber":
            if mode == "keep" or (held is not None and mode == "fill"):
                checked.notes.warn(91006, kind)
                continue
            if held is not None:
                unit.free(f"{kind}:{held}", record)
        profile.identifiers[kind] = value
        unit.lead(key, record)
