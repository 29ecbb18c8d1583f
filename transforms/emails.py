"""E-mail addresses, in the characters the API keeps (contract 10.1)."""

import re

import pyarrow as pa
import pyarrow.compute as pc

from schemas.values import Cleaned
from transforms.blanks import absent, says_no_value
from transforms.characters import tidy
from transforms.kernels import Column, Verdict, byte_range, flags_of, kept, wrong

MAX_CHARACTERS = 255  # the API drops what exceeds it and says nothing
_address = r"^[a-z0-9_+-]+(\.[a-z0-9_+-]+)*@([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+([a-z]{2,}|xn--[a-z0-9-]*[a-z0-9])$"
_is_address = re.compile(_address.replace("$", r"\Z"))
_like_an_address = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_foreign_character = re.compile(r"[^a-z0-9_+.@-]")
_between = re.compile(r"[\s,;|/]+")
_wrapped = re.compile(r"[^<>]*<([^<>]*)>[\s,;]*|mailto:(.*)", re.IGNORECASE)
_capital = byte_range(0x41, 0x5A)


def clean_emails(raw: pa.Array) -> Cleaned:
    """Lower case, unwrapped; an address with a character outside the contract's is refused, not mended."""
    column = Column(raw)
    capital = column.view.has(_capital)
    lowered = pc.ascii_lower(column.text) if capital.any() else column.text
    settled = flags_of(pc.match_substring_regex(lowered, _address)) & (column.view.lengths <= MAX_CHARACTERS)
    return column.settle(kept(lowered, settled), settled, judge_email, lowercased=capital & settled)


def judge_email(raw: str) -> Verdict:
    """One address."""
    text, changes = tidy(raw)
    if says_no_value(text):
        return absent(text, raw)
    if sum("@" in part for part in _between.split(text)) > 1:
        return wrong("several_addresses")
    bare = _unwrapped(text)
    plain = bare.rstrip(",;. ")
    lowered = plain.lower()
    problem = _problem(lowered)
    if problem:
        return wrong(problem)
    steps = {"unwrapped": (text, bare), "punctuation_removed": (bare, plain), "lowercased": (plain, lowered)}
    return Verdict(lowered, changes=changes + tuple(kind for kind, (a, b) in steps.items() if a != b))


def _unwrapped(text: str) -> str:
    """What stands inside `Name <…>` and after `mailto:`, however deep."""
    while found := _wrapped.fullmatch(text):
        text = (found[1] or found[2] or "").strip()
    return text


def _problem(address: str) -> str | None:
    if len(address) > MAX_CHARACTERS:
        return "too_long" if _like_an_address.fullmatch(address) else "not_an_address"
    if _is_address.match(address):
        return None
    if _like_an_address.fullmatch(address) and _foreign_character.search(address):
        return "character_not_allowed"
    return "not_an_address"
