"""What a look-up asks for, what it saw, and what is concluded from it (contract: reconcile after an ambiguous outcome).

One struct reads both a payload as it was sent and a customer as the API tells them: their trees are nearly alike.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from schemas.replies import Problems, Scalar, Sent

# What customerDetails and loyaltyDetails can be asked by (contract: read endpoints), the surest first.
ASKED_BY = ("externalId", "mobile", "cardnumber", "email", "cardExternalId", "wechat", "martjackId", "fbId")
# The server's clock is known to a second, its times are whole seconds, and its machines may differ.
MARGIN = timedelta(seconds=2)


class KnownBy(msgspec.Struct, frozen=True, gc=False):
    type: str | None = None
    value: Scalar = None


class Channel(msgspec.Struct, frozen=True):
    type: str | None = None
    value: Scalar = None
    primary: Any = None
    verified: Any = None
    subscribed: Any = None
    meta: dict[str, Any] | None = None


class Attribution(msgspec.Struct, frozen=True, rename="camel", gc=False):
    modified_date: str | None = None


class Profile(msgspec.Struct, frozen=True, rename="camel"):
    source: str | None = None
    account_id: Scalar = None
    first_name: Scalar = None
    last_name: Scalar = None
    identifiers: tuple[KnownBy, ...] | None = None
    identifiers_all: tuple[KnownBy, ...] | None = None
    comm_channels: tuple[Channel, ...] | None = None
    fields: dict[str, Any] | None = None
    user_id: Scalar = None
    attribution: Attribution | None = None
    auto_update_time: str | None = None
    auto_update_time_iso: str | None = msgspec.field(default=None, name="autoUpdateTimeISO")

    @property
    def known_by(self) -> tuple[KnownBy, ...]:
        return (self.identifiers or ()) + (self.identifiers_all or ())


class LoyaltyInfo(msgspec.Struct, frozen=True, rename="camel"):
    loyalty_type: Scalar = None
    attribution: Attribution | None = msgspec.field(default=None, name="attributionV2")


class Enrollment(msgspec.Struct, frozen=True, rename="camel", gc=False):
    program_id: Scalar = None
    loyalty_points: Scalar = None


class Customer(msgspec.Struct, frozen=True, rename="camel"):
    """A customer as sent, or as the API tells them; `id`, times, errors and warnings are the API's alone."""

    id: Scalar = None
    profiles: tuple[Profile, ...] | None = None
    loyalty_info: LoyaltyInfo | None = None
    status_label: Scalar = None
    extended_fields: dict[str, Any] | None = None
    loyalty_program_enrollments: tuple[Enrollment, ...] | None = None
    association_details: Any = None  # only as sent: no read of one customer shows it
    errors: Problems = None
    warnings: Problems = None

    @property
    def customer_id(self) -> str | None:
        named = (self.id, *(profile.user_id for profile in self.profiles or ()))
        return next((str(one) for one in named if one not in (None, "", 0, -1)), None)

    @property
    def known_by(self) -> tuple[KnownBy, ...]:
        """By any of their sources."""
        return tuple(one for profile in self.profiles or () for one in profile.known_by)


class Programme(msgspec.Struct, frozen=True, rename="camel", gc=False):
    program_id: Scalar


class Loyalty(msgspec.Struct, frozen=True):
    """The programmes that a customer is enrolled in."""

    data: tuple[Programme, ...]
    errors: Problems = None


class EntryDetail(msgspec.Struct, frozen=True, rename="camel", gc=False):
    program_id: Scalar
    points: Scalar
    ledger_entry_type: str


class Entry(msgspec.Struct, frozen=True, rename="camel"):
    """One event of the points ledger; its older date has no zone."""

    event_log_id: int | str
    entry_details: tuple[EntryDetail, ...]
    ledger_created_date: str | None = None
    ledger_created_date_iso: str | None = msgspec.field(default=None, name="ledgerCreatedDateISO")

    @property
    def at_utc(self) -> datetime | None:
        return zoned(self.ledger_created_date_iso) or zoned(self.ledger_created_date)


class Paging(msgspec.Struct, frozen=True, rename="camel", gc=False):
    page_count: int | None = None


class LedgerPage(msgspec.Struct, frozen=True, rename="camel"):
    ledger_entries: tuple[Entry, ...]
    ledger_details: Paging | None = None
    errors: Problems = None


@dataclass(frozen=True, slots=True)
class Credit:
    """Points that the ledger says were credited, by the server's clock."""

    programme: str
    points: Decimal
    at_utc: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be seen of one row's customer.

    `identifiers` in the order in which to ask by them, and `unaskable` those of the row that no read takes.
    `sent_at_utc` is when the row's request left, by our clock as it is now: a caller that has lived since then
    takes the age of the request from a monotonic clock.
    """

    identifiers: Sent = field(repr=False)  # personal data, as everything below that hides
    unaskable: Sent = field(repr=False)
    programmes: bool  # the row enrols
    points: bool  # the row credits
    sent_at_utc: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """What reading one customer showed.

    `found` is None when it could not be read, for which `why` has a word. `elsewhere`: another identifier of
    the row leads to another customer (True), or may, since nothing can be asked by it (None); looked for only
    when the row credits points. `programmes` and `credits` are None when they were not asked for, `credits` also
    when the ledger cannot be read back to the send; older ones than that may be among them.
    """

    found: bool | None
    why: str = ""
    customer: Customer | None = field(default=None, repr=False)
    elsewhere: bool | None = False
    programmes: frozenset[str] | None = None
    credits: tuple[Credit, ...] | None = field(default=None, repr=False)
    ahead_s: float | None = None  # the server's clock of ours, never more than it really is
    retry_after_s: float | None = None

    def earliest(self, sent_at_utc: datetime) -> datetime | None:
        """What was done because of the send has this time on the server's clock, or a later one."""
        return None if self.ahead_s is None else sent_at_utc + timedelta(seconds=self.ahead_s) - MARGIN


class Finding(StrEnum):
    """What became of a row in doubt, by what is there."""

    APPLIED = "applied"
    APPLIED_WITH_LOSS = "applied_with_loss"  # the points were credited; of the rest not all is there
    UNTOUCHED = "untouched"  # nothing of it was applied: it may be sent again
    UNCLEAR = "unclear"  # a person decides


@dataclass(frozen=True, slots=True)
class Judgement:
    """`code` says why in a stable word (`schemas.reasons`)."""

    finding: Finding
    code: str
    entity_id: str | None = None


def zoned(text: str | None) -> datetime | None:
    """A moment as the API writes it; None without a zone, because nobody says which one is meant (contract: dates)."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None
