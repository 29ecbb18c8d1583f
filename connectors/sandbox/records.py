"""A customer as the sandbox keeps them: one JSON record per row of the table `customers`."""

from datetime import timedelta, timezone
from typing import Any

import msgspec

IST = timezone(timedelta(hours=5, minutes=30))  # the cluster's zone: all stored times are written in it


class StoredProfile(msgspec.Struct, omit_defaults=True):
    """A customer as one source knows them; `identifiers` is kind -> value, one of each kind but cards."""

    source: str
    account: str = ""
    first_name: str = ""
    last_name: str = ""
    identifiers: dict[str, str] = {}
    channels: list[dict[str, Any]] = []
    fields: dict[str, str] = {}
    created_at: str = ""
    modified_at: str = ""


class Enrolled(msgspec.Struct, omit_defaults=True):
    """A programme the customer is in; what was set at enrolment does not change (contract §9.2)."""

    tier_number: int = 1
    tier_expiry: str = ""
    points_expiry: str = ""


class Family(msgspec.Struct, omit_defaults=True):
    """A customer's place in a hierarchy; once mapped, none of it changes (contract §9.2: 1626-1628)."""

    hierarchy: str
    role: str
    company: str = ""
    parent: int = 0
    children: list[int] = []


class Record(msgspec.Struct, omit_defaults=True):
    """Everything of one customer but points and counts, which have tables of their own.

    `keys` are all identifiers that lead here, also those of merged victims.
    """

    id: int
    keys: list[str] = []
    profiles: list[StoredProfile] = []
    loyalty_type: str = ""
    extended: dict[str, Any] = {}
    programmes: dict[int, Enrolled] = {}
    till: str = ""
    status_label: str = "Active"
    referral_code: str = ""
    family: Family | None = None
    merged_into: int = 0

    def profile(self, source: str, account: str) -> StoredProfile | None:
        """The profile of one source and account, if the customer has one there."""
        for profile in self.profiles:
            if profile.source == source and profile.account == account:
                return profile
        return None


encode_record = msgspec.json.Encoder().encode
decode_record = msgspec.json.Decoder(Record).decode


def whole(value: Any) -> Any:
    """A record for JSON with every field in it; storage leaves out what is empty."""
    if isinstance(value, msgspec.Struct):
        return {name: whole(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: whole(one) for name, one in value.items()}
    return [whole(one) for one in value] if isinstance(value, list) else value
