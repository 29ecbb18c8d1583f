"""What people write first: the job of data/jobs/messy.yaml as a script, row by row. The contrast, kept fair.

It cleans and sends what bulkload does, and leaves out what such scripts leave out: reasons per row, a plan,
a ledger, a rate limit, and any answer to a request that may have been applied.
"""

import json
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import phonenumbers
import requests

BATCH = 100
CITIES = {"BLR": "Bengaluru", "DEL": "Delhi", "MUM": "Mumbai", "MAA": "Chennai"}
GENDERS = {"m": "MALE", "male": "MALE", "mr": "MALE", "f": "FEMALE", "female": "FEMALE", "mrs": "FEMALE"}
FLAGS = {"y": True, "yes": True, "1": True, "true": True, "n": False, "no": False, "0": False, "false": False}
FORMATS = ("%d/%m/%Y", "%Y-%m-%d", "%d-%b-%Y", "%Y-%m-%d %H:%M:%S%z")


def naive_prepare(path: Path, rows: int | None = None) -> list[dict[str, Any]]:
    """The customers to be sent, as the API's objects; no HTTP."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, nrows=rows)
    customers = (customer(record) for record in frame.to_dict("records"))
    return [found for found in customers if found is not None]


def naive_load(path: Path, url: str, rows: int | None = None, token: str = "") -> dict[str, int]:
    """Prepare and send; counts of customers sent and of those with errors."""
    prepared = naive_prepare(path, rows)
    counts = {"sent": 0, "errors": 0}
    headers = {"Content-Type": "application/json", "X-CAP-API-OAUTH-TOKEN": token}
    for start in range(0, len(prepared), BATCH):
        batch = prepared[start : start + BATCH]
        body = json.dumps(batch)
        answer = requests.put(f"{url}/v2/bulk?source=INSTORE", data=body, headers=headers, timeout=60)
        if answer.status_code != 500:  # all rows failed: their errors are in the body
            answer.raise_for_status()
        counts["sent"] += len(batch)
        counts["errors"] += sum(1 for element in answer.json() if element.get("errors"))
    return counts


def naive_token(url: str, key: str, secret: str) -> str:
    """A token for `naive_load`."""
    answer = requests.post(f"{url}/v3/oauth/token/generate", json={"key": key, "secret": secret}, timeout=60)
    answer.raise_for_status()
    return str(answer.json()["data"]["accessToken"])


def orjson_ceiling(objects: Sequence[dict[str, Any]], repeats: int = 3) -> float:
    """Objects per CPU-second that orjson alone writes in batches, the dicts being ready: best of `repeats`."""
    best_s = float("inf")
    for _ in range(repeats):
        start_s = time.process_time()
        for start in range(0, len(objects), BATCH):
            orjson.dumps(objects[start : start + BATCH])
        best_s = min(best_s, time.process_time() - start_s)
    return len(objects) / max(best_s, 1e-9)


def customer(row: dict[str, str]) -> dict[str, Any] | None:
    """One row as the API wants it; None when it cannot be sent."""
    member_no, number, address = row["member_no"].strip(), mobile(row["phone"]), email(row["email"])
    try:
        enrollment = _enrollment(row)
    except ValueError:
        return None
    if not member_no or number is None:
        return None
    identifiers = [{"type": "externalId", "value": member_no}, {"type": "mobile", "value": number}]
    phone = {"type": "mobile", "value": number, "primary": True}
    phone |= _present({"verified": flag(row["phone_verified"]), "subscribed": flag(row["sms_ok"])})
    channels = [phone]
    if address:
        identifiers.append({"type": "email", "value": address})
        channels.append({"type": "email", "value": address})
    if row["card_no"]:
        card = {
            "type": "cardnumber",
            "value": row["card_no"],
            "seriesCode": row["card_series"],
            "statusLabel": "ACTIVE",
        }
        identifiers.append(card)
    profile = {
        "source": "INSTORE",
        **_present({"firstName": name(row["first_name"]), "lastName": name(row["last_name"])}),
        "identifiers": identifiers,
        "commChannels": channels,
        "fields": _present({"store_code": row["store"], "legacy_id": row["legacy_id"]}),
    }
    return {
        "profiles": [profile],
        "loyaltyInfo": {"loyaltyType": "loyalty"},
        "associatedWith": row["till"],
        "extendedFields": _extended(row),
        "loyaltyProgramEnrollments": [enrollment],
    }


def _extended(row: dict[str, str]) -> dict[str, Any]:
    city = row["city"].strip()
    return _present(
        {
            "gender": GENDERS.get(row["sex"].strip().lower()),
            "dob": _day(row["birth_date"]),
            "wedding_date": _day(row["wedding_date"]),
            "city": CITIES.get(city, city),
            "state": row["state"].strip(),
            "zip": row["zip"].strip(),
            "kid_count": row["kids"].strip(),
            "last_visit": _moment(row["last_visit"]),
        }
    )


def _enrollment(row: dict[str, str]) -> dict[str, Any]:
    """Raises ValueError for a value that is none: points without their expiry are other points."""
    dates = {"tierExpiryDate": row["tier_until"], "pointsExpiryDate": row["points_until"]}
    moments = {word: _moment(text) for word, text in dates.items()}
    if any(text.strip() and moments[word] is None for word, text in dates.items()):
        raise ValueError("expiry")
    return _present(
        {"programId": 1016, "tierNumber": integer(row["tier"]), "loyaltyPoints": integer(row["points"]), **moments}
    )


def mobile(text: str) -> str | None:
    """Digits with the country code, by `phonenumbers`."""
    try:
        number = phonenumbers.parse(text.strip().removesuffix(".0"), "IN")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]


def email(text: str) -> str | None:
    """Lower case, or None when it is no address."""
    address = text.strip().lower()
    local, at, domain = address.partition("@")
    return address if local and at and "." in domain and "@" not in domain and " " not in address else None


def name(text: str) -> str:
    """Single blanks; capitals become small."""
    tidy = " ".join(text.split())
    return tidy.title() if tidy.isupper() else tidy


def flag(text: str) -> bool | None:
    """True, false, or None for anything else."""
    return FLAGS.get(text.strip().lower())


def integer(text: str) -> int | None:
    """A whole number; None for a blank. Raises ValueError for anything else."""
    text = text.strip().replace(",", "")
    return int(float(text)) if text else None


def _parsed(text: str) -> datetime | None:
    for form in FORMATS:
        try:
            return datetime.strptime(text.strip(), form)  # noqa: DTZ007 - the shop's own time
        except ValueError:
            continue
    return None


def _day(text: str) -> str | None:
    moment = _parsed(text)
    return moment.strftime("%Y-%m-%d") if moment else None


def _moment(text: str) -> str | None:
    moment = _parsed(text)
    return moment.strftime("%Y-%m-%dT%H:%M:%S+05:30") if moment else None


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {word: value for word, value in values.items() if value not in (None, "")}
