"""The body of E1, E2 and E3 as it comes in: contract §3's tree, typed as loosely as its samples are.

Unknown keys are ignored. A value of the wrong type makes the whole body unreadable: 400 for the batch.
"""

from typing import Any

import msgspec

Loose = str | int | None  # samples send bare numbers for identifiers
Flag = bool | str | None  # samples send true and "true"


class Identifier(msgspec.Struct, rename="camel", gc=False):
    """How a customer is found; card-only keys are absent from the others."""

    type: str | None = None
    value: Loose = None
    series_code: Loose = None
    series_id: Loose = None
    status_label: str | None = None
    card_external_id: str | None = None


class Channel(msgspec.Struct, rename="camel"):
    """An address to write to."""

    type: str | None = None
    value: Loose = None
    primary: Flag = None
    verified: Flag = None
    subscribed: Flag = None
    meta: dict[str, Any] | None = None
    attributes: dict[str, Any] | None = None


class Profile(msgspec.Struct, rename="camel"):
    """A customer as one source knows them."""

    first_name: str | None = None
    last_name: str | None = None
    source: str | None = None
    account_id: Loose = None
    identifiers: list[Identifier] | None = None
    comm_channels: list[Channel] | None = None
    fields: dict[str, Any] | None = None


class LoyaltyInfo(msgspec.Struct, rename="camel"):
    """Nested in every sample, flat in the tables."""

    loyalty_type: str | None = None


class Enrollment(msgspec.Struct, rename="camel"):
    """A programme to enrol in; `loyalty_points` is credited, not set."""

    program_id: int | None = None
    tier_number: int | None = None
    loyalty_points: int | None = None
    tier_expiry_date: str | None = None
    points_expiry_date: str | None = None


class Company(msgspec.Struct, rename="camel"):
    """A fleet's company, by its external id."""

    external_id: Loose = None


class Person(msgspec.Struct, rename="camel"):
    """A parent or child inside another customer's element."""

    profiles: list[Profile] | None = None
    extended_fields: dict[str, Any] | None = None


class Association(msgspec.Struct, rename="camel"):
    """Who belongs to whom; a parent or children, never both."""

    hierarchy_code: str | None = None
    role_code: str | None = None
    child_role_code: str | None = None
    parent_customer: Person | None = None
    child_customers: list[Person] | None = None
    fleet_company: Company | None = None


class Element(Person, rename="camel"):
    """One customer of a batch."""

    loyalty_info: LoyaltyInfo | None = None
    associated_with: str | None = None
    create_date: str | None = None
    status_label: str | None = None
    referral_code: str | None = None
    loyalty_program_enrollments: list[Enrollment] | None = None
    association_details: Association | None = None


decode_batch = msgspec.json.Decoder(list[Element]).decode
