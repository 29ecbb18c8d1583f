"""Reads of one customer, for reconciliation (contract §1.1): by identifier, by id, points and their ledger.

The ledger is written as the vendor's page "Get Points Ledger" prints it: points as text, and times twice, once
without their zone.
"""

import time
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from connectors.sandbox.breakage import Answer
from connectors.sandbox.codes import Note, note
from connectors.sandbox.records import Record
from connectors.sandbox.replies import profile_echo
from connectors.sandbox.state import Sandbox

LEDGER_MAX = 10
BALANCES = """select program_id, sum(points) from credits
              where customer_id = ? and credited_at <= ? group by program_id"""
OF_CUSTOMER = """from credits
                 where customer_id = ? and credited_at <= ? and program_id = coalesce(?, program_id)"""


def find(sandbox: Sandbox, request: Request) -> tuple[Record | None, list[Note]]:
    """The customer that a request asks for, and its warnings; None with the error instead.

    By path or query id, where a merged victim answers with its survivor and 8069; else by identifier: 8015 for
    nobody, 8065 for somebody who has no profile in this source.
    """
    query = request.query_params
    name, value = query.get("identifierName", ""), query.get("identifierValue", "")
    by_id = request.path_params.get("id") or query.get("customerId") or query.get("userId")
    if by_id or name == "id":
        return _by_id(sandbox, str(by_id or value))
    key = sandbox.validator.contacts.key(name, value)
    found = list(sandbox.store.records(sandbox.store.owners([key]).values()))
    if not found:
        return None, [note(8015)]
    record = sandbox.store.records(found)[found[0]]
    source = query.get("source")
    if source and all(profile.source != source for profile in record.profiles):
        return None, [note(8065)]
    return record, []


def _by_id(sandbox: Sandbox, text: str) -> tuple[Record | None, list[Note]]:
    warnings: list[Note] = []
    wanted = int(text) if text.isdecimal() else 0
    record = sandbox.store.records([wanted]).get(wanted)
    while record is not None and record.merged_into:
        warnings = [note(8069, str(record.merged_into))]
        record = sandbox.store.records([record.merged_into])[record.merged_into]
    return (record, warnings) if record is not None else (None, [note(8015)])


def _missing(sandbox: Sandbox, errors: list[Note]) -> Answer:
    return Answer(sandbox.settings.lookup_failed_status, {"errors": errors})


def lookup(sandbox: Sandbox, request: Request) -> Answer:
    """The customer's id."""
    record, notes = find(sandbox, request)
    return _missing(sandbox, notes) if record is None else Answer(200, {"entity": record.id, "warnings": notes})


def details(sandbox: Sandbox, request: Request) -> Answer:
    """The whole customer; `embed=points` adds their points."""
    record, notes = find(sandbox, request)
    if record is None:
        return _missing(sandbox, notes)
    first = record.profiles[0]
    told: dict[str, Any] = {
        "id": record.id,
        "profiles": [{**profile_echo(record, profile), "userId": record.id} for profile in record.profiles],
        "loyaltyInfo": {
            "loyaltyType": record.loyalty_type,
            "attributionV2": {
                "createDate": first.created_at,
                "createdBy": {},
                "createdTill": {"code": record.till},
                "modifiedBy": {},
                "modifiedDate": max(profile.modified_at for profile in record.profiles),
            },
            "lifetimePurchases": 0,
        },
        "segments": {},
        "extendedFields": record.extended,
        "statusLabel": record.status_label,
        "cardDetails": [{"cardNumber": key[11:]} for key in record.keys if key.startswith("cardnumber:")],
        "warnings": notes,
    }
    if "points" in request.query_params.get("embed", "").split(","):
        told["points"] = _programmes(sandbox, record)
    return Answer(200, told)


def loyalty_details(sandbox: Sandbox, request: Request) -> Answer:
    """One row per programme the customer is enrolled in; a row says nothing of how often points came."""
    record, notes = find(sandbox, request)
    if record is None:
        return _missing(sandbox, notes)
    return Answer(200, {"data": _programmes(sandbox, record), "warnings": notes, "errors": []})


def _programmes(sandbox: Sandbox, record: Record) -> list[dict[str, Any]]:
    balances = dict(sandbox.store.rows(BALANCES, [record.id, _visible_until(sandbox)]))
    rows = []
    for program_id, enrolled in sorted(record.programmes.items()):
        tiers = sandbox.settings.org.programmes[program_id].tiers
        points = balances.get(program_id, 0)
        rows.append(
            {
                "programId": program_id,
                "redeemed": 0,
                "expired": 0,
                "returned": 0,
                "loyaltyPoints": points,
                "lifetimePoints": points,
                "totalAvailablePoints": points,
                "currentSlab": tiers[min(enrolled.tier_number, len(tiers)) - 1],
                "slabSNo": enrolled.tier_number,
                "slabExpiryDate": enrolled.tier_expiry,
            }
        )
    return rows


def ledger(sandbox: Sandbox, request: Request) -> Answer:
    """Credits, one entry per time points were applied; newest first, unless `order=ASC`.

    `limit` is at most 10 (contract §1.1), and `offset` counts pages, not entries.
    """
    query = request.query_params
    limit, page = query.get("limit", "10"), query.get("offset", "0")
    if not (limit.isdecimal() and page.isdecimal() and 1 <= int(limit) <= LEDGER_MAX):
        return Answer(400, {"errors": [note(8101)]})
    record, notes = find(sandbox, request)
    if record is None:
        return _missing(sandbox, notes)
    is_asked = query.get("ledgerEntryType", "CREDIT") == "CREDIT"
    program = query.get("programId")
    whose = [record.id, _visible_until(sandbox) if is_asked else 0.0, int(program) if program else None]
    order = "asc" if query.get("order", "DESC") == "ASC" else "desc"
    total = sandbox.store.number(f"select count(*) {OF_CUSTOMER}", whose)
    rows = sandbox.store.rows(
        f"select id, program_id, points, credited_at {OF_CUSTOMER} order by id {order} limit ? offset ?",
        [*whose, int(limit), int(page) * int(limit)],
    )
    return Answer(
        200,
        {
            "customerDetails": {"userId": record.id, "entityType": "CUSTOMER"},
            "ledgerDetails": {
                "pageNumber": int(page),
                "pageSize": int(limit),
                "totalEntries": total,
                "pageCount": -(-total // int(limit)),
            },
            "ledgerEntries": [_entry(*row) for row in rows],
            "warnings": notes,
        },
    )


def _entry(entry_id: int, program_id: int, points: int, credited_at_s: float) -> dict[str, Any]:
    at = datetime.fromtimestamp(credited_at_s, UTC)
    return {
        "eventLogId": entry_id,
        "eventName": "CustomerUpdate",
        "ledgerCreatedDate": f"{at:%Y-%m-%d %H:%M:%S}.0",
        "ledgerCreatedDateISO": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "entryDetails": [
            {"ledgerEntryType": "CREDIT", "points": f"{points}.000", "pointsCategory": "Main", "programId": program_id}
        ],
        "netPointsOnEvent": f"{points}.000",
    }


def _visible_until(sandbox: Sandbox) -> float:
    """Points are worked on in the background: reads may trail the write (contract §2, WAIT_FOR_DOWNSTREAM)."""
    return time.time() - sandbox.settings.points_delay_s if sandbox.settings.points_delay_s else time.time() + 1
