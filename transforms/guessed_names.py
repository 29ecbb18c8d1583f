"""How well a column's name fits a target: compared without case, accents, spaces and punctuation."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache

from schemas.guessed_names import AROUND, TARGETS

EXACT, NEARLY = 1.0, 0.9

_humps = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_accents = re.compile("[\u0300-\u036f]")
_counted = re.compile(r"(?<=[^\W\d_])0?1$")
_value = re.compile(r"\s*(?:\S+@\S+\.\S+|\+?(?:[\d][ ()./:-]*){6,})\s*")
_around = frozenset(AROUND.split())


def named(column: str) -> Mapping[str, float]:
    """The targets that a column's name fits, and how well."""
    words = _words(column)
    exact = _known().get("".join(words), ())
    if exact:
        return dict.fromkeys(exact, NEARLY if words == ["id"] else EXACT)  # a table's own id is not always the member's
    telling = [word for word in words if word not in _around]
    nearly = _known().get(_counted.sub("", "".join(telling)), ())
    return dict.fromkeys(nearly, NEARLY)


def _words(name: str) -> list[str]:
    """The words of a name: `FirstName`, `first_name` and `First Name` have the same two."""
    spread = _humps.sub(" ", unicodedata.normalize("NFKC", name))
    plain = _accents.sub("", unicodedata.normalize("NFKD", spread))
    joined = unicodedata.normalize("NFC", plain).casefold()
    # Vowel signs of Indian and Thai scripts are no letters to `re` and belong to their word all the same.
    kept = "".join(c if c.isalnum() or unicodedata.category(c).startswith("M") else " " for c in joined)
    return kept.split()


@cache
def _known() -> Mapping[str, tuple[str, ...]]:
    """Each known name in plain letters, and the targets that have it."""
    known: dict[str, tuple[str, ...]] = {}
    for target, (_, _, names) in TARGETS.items():
        for name in names.split(","):
            plain = "".join(_words(name))
            known[plain] = tuple(dict.fromkeys((*known.get(plain, ()), target)))
    return known


def are_values(names: Iterable[str]) -> bool:
    """Whether what should be a header is a row: none of it is known, and an address or a long number is among it."""
    given = list(names)
    return not any(named(name) for name in given) and any(_value.fullmatch(name) for name in given)
