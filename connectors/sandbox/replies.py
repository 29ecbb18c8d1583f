"""What the API answers per element: shapes S1, S2 and S3 of contract §4.1, field for field as its samples."""

from typing import Any
from zlib import crc32

from connectors.sandbox.apply import Outcome
from connectors.sandbox.codes import Note
from connectors.sandbox.identity import Operation
from connectors.sandbox.records import Record, StoredProfile

Json = dict[str, Any]


def shape(outcome: Outcome, operation: Operation) -> Json:
    """One element of the reply."""
    if operation is Operation.UPDATE:
        return _flat(outcome)
    if operation is Operation.REGISTER:
        return _entity(outcome)
    return _result(outcome)


def body(elements: list[Json], failures: int, operation: Operation) -> list[Json] | Json:
    """The whole reply: a bare array (S1, S2) or the envelope (S3)."""
    if operation is Operation.UPSERT:
        return {"response": elements, "totalCount": len(elements), "failureCount": failures}
    return elements


def identifiers_of(profile: StoredProfile) -> list[Json]:
    """Identifiers as the API lists them: not in the order sent (contract §4.1)."""
    return [{"type": kind, "value": value} for kind, value in sorted(profile.identifiers.items())]


def _identifier(key: str) -> Json:
    kind, _, value = key.partition(":")
    return {"type": kind, "value": value}


def profile_echo(record: Record, profile: StoredProfile) -> Json:
    """A profile as E1 sends it back; `attribution.modifiedDate` tells when it was last written."""
    return {
        "firstName": profile.first_name,
        "lastName": profile.last_name,
        "attribution": {
            "createDate": profile.created_at,
            "createdBy": {},
            "modifiedBy": {},
            "modifiedDate": profile.modified_at,
        },
        "fields": profile.fields,
        "identifiers": identifiers_of(profile),
        "commChannels": profile.channels,
        "source": profile.source,
        "accountId": profile.account,
        "conflictingProfileList": [],
        "autoUpdateTime": profile.modified_at,
        "identifiersAll": [_identifier(key) for key in record.keys],
    }


def _all_errors(outcome: Outcome) -> list[Note]:
    return [*outcome.checked.notes.errors, *outcome.checked.notes.late_errors]


def _sent_back(outcome: Outcome) -> list[Json]:
    """What a refused element gets back of its profile: the identifiers as sent, and the source."""
    profiles = outcome.checked.sent.profiles
    if not profiles:
        return []
    sent = [{"type": i.type, "value": i.value} for i in profiles[0].identifiers or ()]
    return [{"identifiers": sent, "source": outcome.checked.source}]


def _customer(outcome: Outcome) -> Json:
    """The part that S1, S2 and S3 share."""
    record, profile = outcome.record, outcome.profile
    if record is None or profile is None:
        return {"profiles": _sent_back(outcome)}
    told: Json = {
        "profiles": [profile_echo(record, profile)],
        "loyaltyInfo": {"loyaltyType": record.loyalty_type},
        "segments": {},
        "referralCode": record.referral_code,
        "extendedFields": record.extended,
    }
    if outcome.checked.family is not None and record.family is not None:
        told["associationDetails"] = _association(outcome, record)
    return told


def _association(outcome: Outcome, record: Record) -> Json:
    assert record.family is not None
    assert outcome.checked.family is not None
    told: Json = {
        "hierarchyCode": record.family.hierarchy,
        "hierarchyId": _number(record.family.hierarchy),
        "roleCode": record.family.role,
        "childRoleCode": outcome.checked.family.child_role_code,
        "skipLevelAllowed": False,
        "new": outcome.newly_mapped,
        "childCustomer": bool(record.family.parent),
    }
    if record.family.company:
        company = record.family.company
        told["fleetCompany"] = {"externalId": company, "companyId": _number(company)}
    return told


def _number(code: str) -> int:
    """The API's own id of a hierarchy or company: any number, and always the same."""
    return crc32(code.encode()) % 1000


def _flat(outcome: Outcome) -> Json:
    told = _with_relatives(outcome)
    told["errors"] = _all_errors(outcome)
    told["warnings"] = outcome.checked.notes.warnings
    return told


def _with_relatives(outcome: Outcome) -> Json:
    """The customer, and within the association whoever was in it when it was sent."""
    told = _customer(outcome)
    if "associationDetails" in told:
        family = told["associationDetails"]
        if outcome.children:
            family["childCustomers"] = [_flat(child) for child in outcome.children]
        if outcome.parent is not None:
            family["parentCustomer"] = _flat(outcome.parent)
    return told


def _entity(outcome: Outcome) -> Json:
    entity = _customer(outcome)
    if outcome.record is not None:
        entity["id"] = outcome.record.id
        entity["profiles"][0]["userId"] = outcome.record.id
    entity["warnings"] = outcome.checked.notes.warnings
    failed = sum(child.failed for child in outcome.children)
    told: Json = {
        "entity": entity,
        "childEntities": [_child_entity(child) for child in outcome.children],
        "childCount": len(outcome.children),
        "childFailureCount": failed,
        "childSuccessCount": len(outcome.children) - failed,
    }
    if outcome.failed:
        told["errors"] = _all_errors(outcome)
    return told


def _child_entity(outcome: Outcome) -> Json:
    """A child that failed is nothing but its errors (contract §4.4)."""
    if outcome.record is None:
        return {"errors": _all_errors(outcome)}
    return {"id": outcome.record.id, **_customer(outcome), "warnings": outcome.checked.notes.warnings}


def _result(outcome: Outcome) -> Json:
    result = _with_relatives(outcome)
    entity_id = outcome.record.id if outcome.record is not None else None
    if entity_id is not None:
        result = {"id": entity_id, **result}
    return {
        "entityId": entity_id,
        "result": result,
        "errors": _all_errors(outcome),
        "warnings": outcome.checked.notes.warnings,
    }
