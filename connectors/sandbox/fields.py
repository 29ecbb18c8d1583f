"""Custom fields, extended fields and names: what is stored, what is lost, and whether that is told (§3, §10)."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from connectors.sandbox.codes import Notes

NAME_MAX = 100  # the excess is dropped without a word (contract §3)
TEXT_MAX = 2000
BLANKS = (None, "", "NULL", "null", "Null")
GENDERS = frozenset({"male", "female", "other"})


def stored_name(name: str | None) -> str | None:
    """Trimmed and cut at 100 characters, silently; None when it was not sent."""
    return None if name is None else name.strip()[:NAME_MAX]


def custom_fields(given: Mapping[str, Any] | None, known: frozenset[str]) -> dict[str, str]:
    """Only configured names are stored; the others vanish without a warning (contract §3)."""
    return {name: str(value) for name, value in (given or {}).items() if name in known and value is not None}


def extended_fields(given: Mapping[str, Any] | None, types: Mapping[str, str], notes: Notes) -> dict[str, Any]:
    """Known names of the right type are stored; null, "" and "NULL" are not, without a word (contract §9.3).

    An unknown name gets warning 91016, a value that does not fit warning 91015. Names ignore case.
    """
    stored: dict[str, Any] = {}
    for sent, value in (given or {}).items():
        name = sent if sent in types else sent.lower()
        if name not in types:
            notes.warn(91016, sent)
        elif value in BLANKS:
            continue
        elif fits(value, types[name]) and (name != "gender" or str(value).lower() in GENDERS):
            stored[name] = value
        else:
            notes.warn(91015, name)
    return stored


def fits(value: object, type_name: str) -> bool:
    """Whether a value is one of the type; types without a rule of their own take any short text."""
    rule = RULES.get(type_name)
    if rule is None:
        return len(str(value)) <= TEXT_MAX
    try:
        rule(str(value))
    except ValueError:
        return False
    return True


def _iso_date(value: str) -> object:
    if len(value) != 10:
        raise ValueError(value)
    return date.fromisoformat(value)


RULES: Mapping[str, Callable[[str], object]] = {
    "INTEGER": int,
    "DOUBLE": float,
    "DATE": _iso_date,
    "DATETIME": datetime.fromisoformat,
}
