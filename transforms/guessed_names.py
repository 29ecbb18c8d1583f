"""How well a column's name fits a target: compared without case, accents, spaces and punctuation."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from schemas.guessed_names import AROUND, TARGETS

EXACT, NEARLY = 1.0, 0.9
LONG = 20  # characters, more than names of columns have

_humps = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_accents = re.compile("[\u0300-\u036f]")
_counted = re.compile(r"(?<=[^\W\d_])0?1$")
_value = re.compile(r"\s*(?:\S+@\S+\.\S+|\+?(?:[\d][ ()./:-]*){6,})\s*")
_digits = re.compile(r"\d{8}")
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


def are_values(names: Sequence[str], rows: pa.RecordBatch) -> bool:
    """Whether what should be a header is a row: none of it is known, and an address, a long number, or a value that
    comes again further down in `rows` is among it."""
    if any(named(name) for name in names):
        return False
    return any(_value.search(name) for name in names) or any(
        pc.index(rows.column(name), name).as_py() >= 0 for name in names
    )


def is_fixed_width(names: Sequence[str], rows: pa.RecordBatch) -> bool:
    """Whether a file's only column is whole lines without a delimiter, the first of them taken for its name."""
    if len(names) != 1 or named(names[0]) or _value.fullmatch(names[0]):
        return False
    lengths = set(pc.utf8_length(rows.column(0)).to_pylist())
    return _digits.search(names[0]) is not None or (len(names[0]) >= LONG and lengths == {len(names[0])})
