"""What was sent of a customer, held against the customer as the API tells them.

Not compared, because no read shows it: createDate, associatedWith, referralCode, subscriptionInfo, a card's
series and status, tiers and expiry dates, families and companies, and points, which are credited and not set.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec

from schemas.lookups import Channel, Customer, Profile, Seen
from transforms.reply_rows import canonical

NAME_MAX = 100  # the API drops the rest without a word (contract: request payload tree)
_CUSTOMER = msgspec.json.Decoder(Customer)
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d.*))?", re.ASCII)
_FLAGS = ("primary", "verified", "subscribed")
_META_FLAGS = ("residence", "office")


class Match(Enum):
    SAME = "same"
    MISSING = "missing"  # not there, or not as sent: the API may always drop or rewrite it
    OTHER = "other"  # something else is there, and what was sent would have taken its place


Compared = Iterator[tuple[str, Match]]


def read_sent(payload: bytes) -> Customer:
    """A row's payload, back from the body that it left in."""
    return _CUSTOMER.decode(payload)


def differences(payload: bytes, seen: Seen) -> tuple[str, ...]:
    """The targets, sorted, that were sent and are not there as sent; never a value.

    Points are not among them: they are booked late, and only the ledger knows them. A customer who was not found
    has everything missing.
    """
    found = compare(read_sent(payload), seen.customer or Customer(), seen.programmes)
    return tuple(sorted({target for target, match in found if match is not Match.SAME}))


def compare(sent: Customer, there: Customer, programmes: frozenset[str] | None) -> Compared:
    """Every member that was sent and can be compared, with how it matches what is there."""
    for profile in sent.profiles or ():
        yield from _profile(profile, profile_of(profile, there) or Profile())
    told = there.loyalty_info.loyalty_type if there.loyalty_info else None
    if sent.loyalty_info is not None and sent.loyalty_info.loyalty_type is not None:
        yield "loyaltyType", _match(sent.loyalty_info.loyalty_type, told)
    if sent.status_label is not None:
        yield "statusLabel", _match(sent.status_label, there.status_label)
    yield from _words("extendedFields", sent.extended_fields, there.extended_fields)
    for place, enrollment in enumerate(sent.loyalty_program_enrollments or ()):
        is_in = str(enrollment.program_id) in (programmes or ())
        yield f"loyaltyProgramEnrollments.{place}.programId", Match.SAME if is_in else Match.MISSING


def profile_of(sent: Profile, there: Customer) -> Profile | None:
    """The customer as the source that was sent to knows them."""
    wanted = _text(sent.source), _text(sent.account_id)
    for profile in there.profiles or ():
        told = _text(profile.source), _text(profile.account_id)
        # An account is told for sources with several; where none was sent, any is the source's own.
        if told[0] == wanted[0] and wanted[1] in ("", told[1]):
            return profile
    return None


def _profile(sent: Profile, there: Profile) -> Compared:
    for target, ours, theirs in (
        ("firstName", sent.first_name, there.first_name),
        ("lastName", sent.last_name, there.last_name),
    ):
        if ours is not None:
            yield target, _match_name(ours, theirs)
    known = {canonical(one.type, one.value) for one in there.known_by}
    for one in sent.identifiers or ():
        # An identifier is often not changed, or left out; its absence proves nothing.
        is_there = canonical(one.type, one.value) in known
        yield f"identifiers.{one.type}", Match.SAME if is_there else Match.MISSING
    for channel in sent.comm_channels or ():
        yield from _channel(channel, [one for one in there.comm_channels or () if one.type == channel.type])
    yield from _words("fields", sent.fields, there.fields)


def _match_name(sent: Any, there: Any) -> Match:
    """Every customer can have a name, so that an empty one is another."""
    match = _match(str(sent).strip()[:NAME_MAX], there)
    return Match.OTHER if match is Match.MISSING and _text(sent) and not _text(there) else match


def _channel(sent: Channel, there: list[Channel]) -> Compared:
    target = f"commChannels.{sent.type}"
    address = canonical(sent.type, sent.value)
    found = next((one for one in there if canonical(one.type, one.value) == address), None)
    if found is None:
        yield target, Match.MISSING  # beside any other: a bad address is dropped, and the old one stays
        return
    yield target, Match.SAME
    for name in _FLAGS:
        yield from _flag(f"{target}.{name}", getattr(sent, name), getattr(found, name))
    for name in _META_FLAGS:
        yield from _flag(f"{target}.meta.{name}", (sent.meta or {}).get(name), (found.meta or {}).get(name))


def _flag(target: str, sent: Any, there: Any) -> Compared:
    """Not every read shows every flag: one that is not shown is not compared."""
    if sent is not None and there is not None:
        yield target, Match.SAME if _text(sent) == _text(there) else Match.MISSING


def _words(target: str, sent: Mapping[str, Any] | None, there: Mapping[str, Any] | None) -> Compared:
    """The organisation's own words, whose names ignore case."""
    known = {name.casefold(): value for name, value in (there or {}).items()}
    for name, value in (sent or {}).items():
        yield f"{target}.{name}", _match(value, known.get(name.casefold()))


def _match(sent: Any, there: Any) -> Match:
    ours, theirs = _text(sent), _text(there)
    if ours == theirs or _same_number(ours, theirs) or _same_day(ours, theirs):
        return Match.SAME
    # "22-10-2000" may be kept as "2000-10-22", "Rao (Dr)" as "Rao": rewritten each time, and so no other value.
    mine, held = set(re.findall(r"\w+", ours)), set(re.findall(r"\w+", theirs))
    return Match.MISSING if mine <= held or held <= mine else Match.OTHER


def _text(value: Any) -> str:
    """One spelling of a value: blank is absent, case says nothing, a list is its items."""
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return "" if value is None else unicodedata.normalize("NFC", str(value)).strip().casefold()


def _same_number(ours: str, theirs: str) -> bool:
    both_are = _NUMBER.fullmatch(ours) and _NUMBER.fullmatch(theirs)
    return bool(both_are) and Decimal(ours) == Decimal(theirs)


def _same_day(ours: str, theirs: str) -> bool:
    """One day, where one of the two has no time; one moment, where both have a zone; else one time of day."""
    mine, held = _DAY.fullmatch(ours.upper()), _DAY.fullmatch(theirs.upper())
    if mine is None or held is None:
        return False
    if mine[2] is None or held[2] is None:
        return mine[1] == held[1]
    try:
        first, second = datetime.fromisoformat(mine[0]), datetime.fromisoformat(held[0])
    except ValueError:
        return False
    if first.tzinfo is None or second.tzinfo is None:
        first, second = first.replace(tzinfo=None), second.replace(tzinfo=None)
    return first == second
