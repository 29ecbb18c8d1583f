"""Characters nobody sees and digits of other scripts: one text at a time, for every kind of value."""

import re
import unicodedata
from typing import NamedTuple

# White space of Unicode, and the ASCII separators that Python calls space too.
SPACES = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
# Controls, soft hyphen, zero width space, byte order mark, direction marks: they print nothing and make two
# equal values differ. The joiners U+200C and U+200D are not among them: Persian, Malayalam and emoji need them.
INVISIBLE = "".join(
    map(
        chr,
        {*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x034F, 0x061C, 0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF}
        | {*range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFFF9, 0xFFFA, 0xFFFB},
    )
).translate({ord(space): None for space in SPACES})
JOINERS = "\u200c\u200d"
EDGES = SPACES + INVISIBLE + JOINERS

_inner_space = re.compile(f"\r\n|[{re.escape(SPACES.replace(' ', ''))}]")
_break_run = re.compile(r"[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]{2,}")
_invisible = re.compile(f"[{re.escape(INVISIBLE)}]")
_excel_quoting = re.compile(r'="(.*)"', re.DOTALL)
_excel_apostrophe = re.compile(r"'([+(-]?\d[\d .,/:()+-]*)")


class Tidy(NamedTuple):
    """A text without what nobody sees or meant, and the kinds of change that took."""

    text: str
    changes: tuple[str, ...]


def tidy(raw: str) -> Tidy:
    """Trim, drop invisible characters, make every white space a plain one, compose, undo Excel's quoting.

    Unwrapping goes on until nothing is wrapped, so that a tidy text is tidy again.
    """
    text, changes = _spaced(raw)
    if text[:1] not in ("=", "'"):
        return Tidy(text, changes)
    while inner := _excel_quoting.fullmatch(text) or _excel_apostrophe.fullmatch(text):
        text, more = _spaced(inner[1])
        changes = tuple(dict.fromkeys((*changes, "quoting_unwrapped", *more)))
    return Tidy(text, changes)


def _spaced(raw: str) -> Tidy:
    if raw.isascii() and raw.isprintable():  # nearly all that is not clean yet has but spaces at its edges
        text = raw.strip(" ")
        return Tidy(text, () if text == raw else ("trimmed",))
    trimmed = _trimmed(raw)
    shown = _invisible.sub("", trimmed)
    spaced = _inner_space.sub(" ", _break_run.sub(" ", shown))
    composed = _composed(spaced)
    steps = {
        "trimmed": (raw, trimmed),
        "invisible_removed": (trimmed, shown),
        "space_replaced": (shown, spaced),
        "unicode_composed": (spaced, composed),
    }
    return Tidy(composed, tuple(kind for kind, (before, after) in steps.items() if before != after))


def _trimmed(raw: str) -> str:
    """Without white and invisible edges; a joiner after a combining mark is a letter's last part (Malayalam)."""
    left = raw.lstrip(EDGES)
    inner = left.rstrip(EDGES)
    tail = left[len(inner) : len(inner) + 1]
    if inner and tail and tail in JOINERS and unicodedata.category(_composed(inner)[-1])[0] == "M":
        return inner + tail
    return inner


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


class _Folding(dict[int, str]):
    """Filled as characters are met: 680 digits of 68 scripts need no table here, Unicode has one."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character.isdecimal():
            folded = str(unicodedata.decimal(character))
        elif unicodedata.category(character) == "Pd" or character == "\u2212":
            folded = "-"
        else:
            folded = _FOLDED_SIGNS.get(character, character)
        self[code] = folded
        return folded


# Full width signs, and the Arabic decimal and thousands separators.
_FOLDED_SIGNS = {"\uff0b": "+", "\uff08": "(", "\uff09": ")", "\uff0e": ".", "\uff0c": ",", "\uff0f": "/"} | {
    "\uff1a": ":",
    "\u066b": ".",
    "\u066c": ",",
}
_folding = _Folding()


def folded(text: str) -> str:
    """The same number or date in ASCII digits and signs; other characters stay."""
    return text if text.isascii() else text.translate(_folding)


def tidy_ascii(raw: str) -> Tidy:
    """`tidy`, then `folded`: for numbers, dates and mobiles."""
    text, changes = tidy(raw)
    ascii_text = folded(text)
    return Tidy(ascii_text, changes if ascii_text == text else (*changes, "digits_folded"))
