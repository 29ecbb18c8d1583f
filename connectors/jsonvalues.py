"""JSON values as text: strings as they are, numbers with every digit as written, the rest as compact JSON.

msgspec does the work; what it would change or drop without a word (-0, the first of two equal keys) is looked
for and mended from the line itself.
"""

import json
import re
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from connectors.lines import Units

NO_OBJECT = "Expected `object`"  # how msgspec's message begins when a line holds something else

_ESCAPED = re.compile(r'["\\\x00-\x1f]')  # a struct's field cannot be called so
COLON, QUOTE, MINUS, ZERO = b':"-0'
BLANKS = tuple(b" \t\r\n")

_NEGATIVE_ZERO = re.compile(rb"-0\s*[,}]")
_WORDS: dict[type, Callable[[Any], str | None]] = {
    str: str,
    int: str,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: None,
    msgspec.UnsetType: lambda _: None,
}


class Keys:
    """Decodes lines whose keys are among `names`."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.fields = [f"f{place}" for place in range(len(names))]
        self.decode = self._decoder(Any)
        self.decode_raw = self._decoder(msgspec.Raw)

    def _decoder(self, kind: Any) -> Callable[[bytes], Any]:
        """Makes structs with one field per key: far faster than dicts, and they tell of keys they do not know."""
        fields = [(field, kind, msgspec.UNSET) for field in self.fields]
        plain = not any(_ESCAPED.search(name) for name in self.names)
        rename = dict(zip(self.fields, self.names, strict=True)) if plain else {}
        line = msgspec.defstruct("Line", fields, rename=rename, forbid_unknown_fields=True, gc=False)
        # Fractions and exponents keep their text; integers of any length are exact by themselves.
        if plain:
            return msgspec.json.Decoder(line, float_hook=str).decode
        as_dict = msgspec.json.Decoder(dict[str, kind], float_hook=str).decode

        def by_way_of_a_dict(text: bytes) -> Any:
            found = as_dict(text)
            values = [found.pop(name, msgspec.UNSET) for name in self.names]
            if found:
                raise msgspec.ValidationError("Object contains an unknown field")
            return line(*values)

        return by_way_of_a_dict


def keys_of(line: bytes) -> list[str]:
    """The keys of `line`; none when it is no object."""
    try:
        return list(msgspec.json.decode(line, type=dict[str, msgspec.Raw]))
    except (ValueError, RecursionError):
        return []


class Objects:
    """Decoded `lines`, turned into columns; `found` are their structs."""

    def __init__(self, keys: Keys, lines: list[bytes], found: list[Any]) -> None:
        self._keys, self._lines, self._found = keys, lines, found
        self._bytes = np.frombuffer(b"".join(lines), np.uint8)
        self._inner_colons = [0] * len(lines)  # of keys inside nested values
        self._absent = 0

    def arrays(self) -> list[pa.Array]:
        """One string array per key."""
        if _holds_negative_zero(self._bytes):
            self._restore_negative_zeros()
        return [self._array(field) for field in self._keys.fields]

    def with_duplicate_keys(self) -> list[int]:
        """The places of lines that hold a key twice; to be asked after `arrays`.

        A key costs one `":`; a line that has more of them than keys is read again with care.
        """
        known = len(self._found) * len(self._keys.fields) - self._absent + sum(self._inner_colons)
        if _quoted_colons(self._bytes) == known:
            return []
        return [place for place in range(len(self._lines)) if self._is_suspect(place) and _repeats(self._lines[place])]

    def _is_suspect(self, place: int) -> bool:
        values = msgspec.structs.astuple(self._found[place])
        known = sum(value is not msgspec.UNSET for value in values) + self._inner_colons[place]
        return _quoted_colons(np.frombuffer(self._lines[place], np.uint8)) != known

    def _restore_negative_zeros(self) -> None:
        """`-0` is an integer to msgspec, and an integer has no negative zero."""
        for place, line in enumerate(self._lines):
            if not _NEGATIVE_ZERO.search(line):
                continue
            raw = self._keys.decode_raw(line)
            for field in self._keys.fields:
                if bytes(getattr(raw, field) or b"") == b"-0":
                    setattr(self._found[place], field, "-0")

    def _array(self, field: str) -> pa.Array:
        values = list(map(attrgetter(field), self._found))
        try:
            return pa.array(values, pa.string())  # strings and nulls, as most columns are
        except (pa.ArrowInvalid, TypeError):
            pass
        kinds = set(map(type, values))
        if msgspec.UnsetType in kinds:
            self._absent += sum(value is msgspec.UNSET for value in values)
        if kinds & {dict, list}:
            values = [self._nested(field, place, value) for place, value in enumerate(values)]
        return pa.array([_WORDS[type(value)](value) for value in values], pa.string())

    def _nested(self, field: str, place: int, value: Any) -> Any:
        """An object or array as the line has it, without the blanks between its parts."""
        if not isinstance(value, dict | list):
            return value
        raw = bytes(getattr(self._keys.decode_raw(self._lines[place]), field))
        self._inner_colons[place] += raw.count(b'":')
        return msgspec.json.format(raw, indent=-1).decode()


def _quoted_colons(units: Units) -> int | None:
    """How often `":` stands in a text; None where a blank before a colon makes the count worthless."""
    before = units[np.flatnonzero(units == COLON) - 1]
    if np.isin(before, BLANKS).any():
        return None
    return int(np.count_nonzero(before == QUOTE))


def _holds_negative_zero(units: Units) -> bool:
    """Whether `-0` stands where a number could end; the dates' `-0` has a digit before it."""
    at = np.flatnonzero(units == MINUS)
    at = at[(at > 0) & (at < len(units) - 2)]
    at = at[(units[at + 1] == ZERO) & np.isin(units[at - 1], (COLON, *BLANKS))]
    return bool(np.isin(units[at + 2], (*b",}", *BLANKS)).any())


def _repeats(line: bytes) -> bool:
    """Whether a JSON object has a key twice at its top level."""
    pairs = json.loads(line, object_pairs_hook=_Pairs)
    return len({key for key, _ in pairs}) < len(pairs)


class _Pairs(list[tuple[str, Any]]):
    """The pairs of one object, repeated keys and all."""
