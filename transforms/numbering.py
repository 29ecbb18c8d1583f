"""How a country writes its mobiles, taken from the metadata of `phonenumbers`, in a form that works on columns."""

from dataclasses import dataclass
from functools import cache

import phonenumbers
from phonenumbers import PhoneMetadata


@dataclass(frozen=True, slots=True)
class Plan:
    """One country's numbering plan. The patterns are regular expressions without anchors that RE2 and `re` share.

    `zero_is_trunk`: a national number is written with one 0 before it. `zeros_go_abroad`: "00" and nothing
    else starts an international number; where it may be something else, only `phonenumbers` can tell.
    """

    code: str
    mobile: str
    anything: str
    mobile_lengths: frozenset[int]
    zero_is_trunk: bool
    zeros_go_abroad: bool


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a number: what stands before the national number, and what rewriting it changes."""

    before: str
    plus: bool
    adds_code: bool = False
    drops_zero: bool = False


@cache
def plan_of(country: str | None) -> Plan | None:
    """The plan of a country (ISO alpha-2), or None where there is none to be had."""
    metadata = PhoneMetadata.metadata_for_region(country, None) if country else None
    mobile, anything = (metadata.mobile, metadata.general_desc) if metadata else (None, None)
    if not (metadata and mobile and anything and mobile.national_number_pattern and anything.national_number_pattern):
        return None
    return Plan(
        code=str(metadata.country_code),
        mobile=_ascii(mobile.national_number_pattern),
        anything=_ascii(anything.national_number_pattern),
        # The metadata leaves the mobile's lengths out where they are the same as all numbers'.
        mobile_lengths=frozenset(mobile.possible_length or anything.possible_length),
        zero_is_trunk=_is_plain_zero(metadata.national_prefix_for_parsing or ""),
        zeros_go_abroad=metadata.international_prefix == "00",
    )


@cache
def plan_of_code(code: int) -> Plan | None:
    """The plan of the leading country of a country code: the US of 1, Russia of 7."""
    return plan_of(phonenumbers.region_code_for_country_code(code))


def country_of(country: str | None) -> str | None:
    """The country in capitals if `phonenumbers` knows it, else None."""
    known = (country or "").upper()
    return known if known in phonenumbers.SUPPORTED_REGIONS else None


def forms_at_home(plan: Plan) -> list[Form]:
    """How people inside the country write one of its numbers, without a plus."""
    code, zero = plan.code, plan.zero_is_trunk
    forms = [Form("", plus=False, adds_code=True), Form(code, plus=False)]
    forms += [Form("0", plus=False, adds_code=True, drops_zero=True)] if zero else []
    forms += [Form("00" + code, plus=False, drops_zero=True)] if plan.zeros_go_abroad else []
    return forms


def forms_abroad(plan: Plan) -> list[Form]:
    """How everyone writes it after a plus; "+44 (0)7911…" is seen where 0 is the trunk prefix."""
    forms = [Form(plan.code, plus=True)]
    return [*forms, Form(plan.code + "0", plus=True, drops_zero=True)] if plan.zero_is_trunk else forms


def _is_plain_zero(prefix: str) -> bool:
    """Whether one 0 is all that goes off; in Colombia and Brazil a carrier's digits may go with it."""
    return prefix == "0" or prefix.startswith("0|") or prefix.endswith(")|0")


def _ascii(pattern: str) -> str:
    """The pattern on one line with `\\d` as ASCII digits, which RE2 and `re` understand alike."""
    return "".join(pattern.split()).replace("\\d", "[0-9]")
