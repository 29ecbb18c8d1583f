"""Free text and identifiers: cards, member numbers, cities, notes. Nothing is changed that can be seen."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.values import Cleaned
from transforms.blanks import WRITTEN_BY_PROGRAMS, absent, says_nothing
from transforms.characters import INVISIBLE, JOINERS, SPACES, tidy
from transforms.kernels import NOT_ASCII, Bytes, Mask, Verdict, byte_range, byte_set, finish, kept, tally, wrong

CONTROLS = byte_range(0x00, 0x1F) | byte_set("\x7f")
_plus = byte_set("+")
_blanks = pa.array(sorted(WRITTEN_BY_PROGRAMS))

# Only what a spreadsheet writes: it shows long numbers as 9.19845E+11 (always a sign, at least two digits).
# "12E4" may be a code. Even with all digits in the mantissa, an identifier's leading zeros are gone.
SCIENTIFIC = r"^[+-]?[0-9]([.,][0-9]+)?[eE]\+[0-9]{2,3}$"
_damage = re.compile(SCIENTIFIC + r"|^#(REF|VALUE|DIV/0|NAME|NUM|NULL)[!?]$|^#{3,}$")

_unseen = "".join(f"\\x{{{ord(c):x}}}" for c in (SPACES + INVISIBLE + JOINERS) if ord(c) > 0x7F)
NOT_TIDY = f"[{_unseen}]"


def clean_texts(raw: pa.Array) -> Cleaned:
    """Trimmed, composed, without what cannot be seen; `damaged_by_spreadsheet` where digits are lost for good."""
    text = pc.fill_null(raw, "")
    view = Bytes(text)
    still_open = untidy(text, view)
    plus = view.has(_plus)
    if plus.any():
        still_open |= plus & pc.match_substring_regex(text, SCIENTIFIC).to_numpy(zero_copy_only=False)
    values = kept(text, ~still_open & (view.lengths > 0))
    return finish(text, values, still_open, judge_text, tally())


def judge_text(raw: str) -> Verdict:
    """One free text."""
    text, changes = tidy(raw)
    if says_nothing(text):
        return absent(text, raw)
    if damaged(text):
        return wrong("damaged_by_spreadsheet")
    return Verdict(text, changes=changes)


def damaged(text: str) -> bool:
    """Whether a spreadsheet has put its error or a rounded number in the place of the value."""
    return _damage.match(text) is not None


def untidy(text: pa.Array, view: Bytes) -> Mask:
    """Rows that `tidy` might change, or that may be absent or damaged; all others are clean as they are."""
    first = view.at(0)
    doubtful: Mask = (first == 0x20) | (view.at(-1) == 0x20) | np.isin(first, list(b"='#"))
    doubtful |= view.has(CONTROLS)
    doubtful |= pc.is_in(text, value_set=_blanks).to_numpy(zero_copy_only=False)
    foreign = view.has(NOT_ASCII)
    if foreign.any():
        some = text.filter(pa.array(foreign))
        unseen = pc.match_substring_regex(some, NOT_TIDY)
        decomposed = pc.not_equal(pc.utf8_normalize(some, form="NFC"), some)
        doubtful[foreign] |= pc.or_(unseen, decomposed).to_numpy(zero_copy_only=False)
    return doubtful
