"""What an organisation has configured, for a preflight (contract §1.1, last row)."""

from starlette.requests import Request

from connectors.sandbox.breakage import Answer, failure
from connectors.sandbox.state import Sandbox


def programmes(sandbox: Sandbox, _: Request) -> Answer:
    """Loyalty programmes and their tiers."""
    rows = [
        {
            "id": program_id,
            "programId": program_id,
            "name": programme.name,
            "default": index == 0,
            "tiers": [{"serialNumber": n, "name": tier} for n, tier in enumerate(programme.tiers, 1)],
        }
        for index, (program_id, programme) in enumerate(sandbox.settings.org.programmes.items())
    ]
    return Answer(200, {"data": rows, "errors": [], "warnings": []})


def extended_fields(sandbox: Sandbox, _: Request) -> Answer:
    """Extended fields of customers with their types."""
    rows = [
        {"name": name, "entityType": "CUSTOMER", "dataType": type_name, "isMandatory": False, "isUpdatable": True}
        for name, type_name in sandbox.settings.org.extended_fields.items()
    ]
    return Answer(200, {"data": rows, "errors": [], "warnings": []})


def custom_fields(sandbox: Sandbox, _: Request) -> Answer:
    """Custom fields of registrations; nothing checks their values."""
    rows = [
        {
            "name": name,
            "scope": "loyalty_registration",
            "type": "text",
            "dataType": "STRING",
            "regex": "",
            "isCompulsory": False,
            "isDisabled": False,
            "isUpdatable": True,
        }
        for name in sorted(sandbox.settings.org.custom_fields)
    ]
    return Answer(200, {"data": rows, "errors": [], "warnings": []})


def sources(sandbox: Sandbox, _: Request) -> Answer:
    """Sources and, of multi-account ones, their accounts."""
    rows = [
        {"source": source, "accounts": [{"id": account, "name": account} for account in accounts]}
        for source, accounts in sandbox.settings.org.sources.items()
    ]
    return Answer(200, {"data": rows, "errors": [], "warnings": []})


def till(sandbox: Sandbox, request: Request) -> Answer:
    """One till by its code; 1004 when the org has none such."""
    code = request.query_params.get("code", "")
    if code not in sandbox.settings.org.tills:
        return failure(sandbox.settings.lookup_failed_status, 1004)
    return Answer(200, {"data": [{"code": code, "active": True}], "errors": [], "warnings": []})
