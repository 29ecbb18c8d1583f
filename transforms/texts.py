"""Free text and identifiers: cards, member numbers, cities, notes. Nothing is changed that can be seen."""

import re

import pyarrow as pa
import pyarrow.compute as pc

from schemas.values import Cleaned
from transforms.blanks import WRITTEN_BY_PROGRAMS, absent, says_nothing
from transforms.characters import INVISIBLE, JOINERS, SPACES, tidy
from transforms.kernels import NOT_ASCII, Column, Mask, Verdict, byte_range, byte_set, flags_of, kept, wrong

CONTROLS = byte_range(0x00, 0x1F) | byte_set("\x7f")
_blanks = pa.array(sorted(WRITTEN_BY_PROGRAMS))

# Only what a spreadsheet writes: it shows long numbers as 9.19845E+11 (always a sign, at least two digits).
# "12E4" may be a code. Even with all digits in the mantissa, an identifier's leading zeros are gone.
SCIENTIFIC = r"^[+-]?[0-9]([.,][0-9]+)?[eE]\+[0-9]{2,3}$"
_damage = re.compile(SCIENTIFIC + r"|^#(REF|VALUE|DIV/0|NAME|NUM|NULL)[!?]$|^#{3,}$")

_unseen = "".join(f"\\x{{{ord(c):x}}}" for c in (SPACES + INVISIBLE + JOINERS) if ord(c) > 0x7F)
NOT_TIDY = f"[{_unseen}]"


def clean_texts(raw: pa.Array) -> Cleaned:
    """Trimmed, composed, without what cannot be seen; `damaged_by_spreadsheet` where digits are lost for good."""
    column = Column(raw)
    settled = tidy_already(column)
    if column.view.count("+").any():
        settled &= ~flags_of(pc.match_substring_regex(column.text, SCIENTIFIC))
    return column.settle(kept(column.text, settled), settled, judge_text)


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


def tidy_already(column: Column) -> Mask:
    """Rows that `tidy` would not change once trimmed, and that are neither absent nor a spreadsheet's error."""
    view = column.view
    first = view.at(0)
    doubtful: Mask = (first == ord("=")) | (first == ord("'")) | (first == ord("#")) | (view.lengths == 0)
    doubtful |= view.has(CONTROLS) | flags_of(pc.is_in(column.text, value_set=_blanks))
    if not view.is_ascii():
        foreign = view.has(NOT_ASCII)
        some = column.text.filter(pa.array(foreign))
        unseen = pc.match_substring_regex(some, NOT_TIDY)
        decomposed = pc.not_equal(pc.utf8_normalize(some, form="NFC"), some)
        doubtful[foreign] |= flags_of(pc.or_(unseen, decomposed))
    return ~doubtful
