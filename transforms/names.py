"""Names of people. White space is collapsed; names in Latin CAPITALS get small letters; the rest is theirs."""

import re
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.values import Cleaned
from transforms.blanks import absent, says_nothing
from transforms.characters import tidy
from transforms.kernels import Column, Mask, Verdict, byte_range, flags_of, kept, words, wrong
from transforms.texts import damaged, tidy_already

# Small between other words: "JAN VAN DER BERG" is Jan van der Berg, a surname column's "VAN DER BERG" is Van der
# Berg, as the Dutch write it without a first name. Left out because they are names themselves: AL, DA, DAS, DI,
# DO, LE; LA but after DE; and VAN alone, a Vietnamese middle name more often than the van of "Van Gogh".
SMALL_WORDS = words("DE DEL DELLA DER DEN VON ZU BIN BINTI BINT IBN")
VAN_BEFORE = words("DE DEN DER")
SMALL_AFTER_DE = words("LA LAS LOS")
ROMAN = words("II III IV VII VIII IX")  # not V and VI, an initial and a given name
# Two consonants are initials ("JP Morgan"), but for these.
NOT_INITIALS = words("NG MD DR MR MS JR SR ST")
CAPITAL_AFTER_APOSTROPHE = words("DELL DALL SANT")

_small = byte_range(0x61, 0x7A)
_consonants = "BCDFGHJKLMNPQRSTVWXZ"
_initials = re.compile(f"[{_consonants}]{{2}}")
_letters = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*")
_mc = re.compile(r"MC[^\W\d_]{3}")
# In RE2: names in capitals for which a capital after every non-letter is not enough.
_needs_care = (
    f"'|(^|[^A-Z])MC[^ ]{{3}}|(^|[^A-Z])[{_consonants}]{{2}}([^A-Z]|$)"
    f"|(^| )({'|'.join(sorted(SMALL_WORDS | SMALL_AFTER_DE | ROMAN))}|VAN)( |$)"
)
# Letters whose small ones Arrow and Python agree on; not the Turkish dotted capital I (U+0130).
_west_european = r"^[\x00-\x7F\x{C0}-\x{12F}\x{131}-\x{17F}]+$"


def clean_names(raw: pa.Array) -> Cleaned:
    """One space between words, capitals lowered; MCDONALD becomes McDonald, MACDONALD Macdonald (it may be Mack)."""
    column = Column(raw)
    view = column.view
    settled = tidy_already(column) & ~_double_spaced(column)
    shouted = settled & ~view.count(_small).astype(bool) & (view.lengths > 1)
    if not view.is_ascii():
        shouted[shouted] = flags_of(pc.utf8_is_upper(column.text.filter(pa.array(shouted))))
    if not shouted.any():
        return column.settle(kept(column.text, settled), settled, judge_name)
    some = column.text.filter(pa.array(shouted))
    care = pc.match_substring_regex(some, _needs_care)
    if not view.is_ascii():
        care = pc.or_(care, pc.invert(pc.match_substring_regex(some, _west_european)))
    settled[shouted] = ~flags_of(care)
    lowered = shouted & settled
    plain = pa.array(lowered)
    given = column.text.filter(plain)
    titled = pc.ascii_title(given) if view.is_ascii() else pc.utf8_title(given)
    values = pc.replace_with_mask(kept(column.text, settled), plain, titled)
    lowered[lowered] = flags_of(pc.not_equal(titled, given))
    return column.settle(values, settled, judge_name, capitals_lowered=lowered)


def judge_name(raw: str) -> Verdict:
    """One name."""
    text, changes = tidy(raw)
    if says_nothing(text):
        return absent(text, raw)
    if damaged(text):
        return wrong("damaged_by_spreadsheet")
    single = re.sub(" {2,}", " ", text)
    lowered = _lowered(single) if _shouted(single) else single
    changes += ("spaces_collapsed",) if single != text else ()
    changes += ("capitals_lowered",) if lowered != single else ()
    return Verdict(lowered, changes=changes)


def _double_spaced(column: Column) -> Mask:
    """Rows with two spaces in a row: two neighbouring spaces anywhere, which few columns have."""
    if not column.view.has_pair(" "):
        return np.zeros(len(column.text), dtype=bool)
    return flags_of(pc.match_substring(column.text, "  "))


def _shouted(name: str) -> bool:
    """In capitals, and all its letters Latin: capitals of other scripts follow other rules."""
    if not name.isupper() or name.isascii():
        return name.isupper()
    letters = (character for character in name if character.isalpha() and not character.isascii())
    return all(unicodedata.name(letter, "").startswith("LATIN") for letter in letters)


def _lowered(name: str) -> str:
    parts = name.split(" ")
    around = zip(["", *parts[:-1]], parts, [*parts[1:], ""], strict=True)
    return unicodedata.normalize("NFC", " ".join(_word(*three) for three in around))


def _word(before: str, word: str, after: str) -> str:
    """One word, given its neighbours; the first and the last have but one."""
    if before and after and _is_small(before, word, after):
        return word.lower()
    if not after and word in ROMAN:
        return word
    if _initials.fullmatch(word) and word not in NOT_INITIALS:
        return word
    return _letters.sub(_titled, word)


def _is_small(before: str, word: str, after: str) -> bool:
    return word in SMALL_WORDS or (word == "VAN" and after in VAN_BEFORE) or (word in SMALL_AFTER_DE and before == "DE")


def _titled(run: re.Match[str]) -> str:
    """A run of letters: after an apostrophe small ("Nu'man", "John's") unless it is O'Brien, D'Souza, Dell'Orto."""
    letters = run[0]
    if _mc.match(letters):
        return "Mc" + letters[2] + _small_letters(letters[3:])
    before = run.string[: run.start()]
    apostrophe = before[-1:] in ("'", "’") and before[-1:] != ""
    owner = re.split(r"[^\w]", before[:-1])[-1]
    if apostrophe and owner and (len(letters) < 2 or not (len(owner) == 1 or owner in CAPITAL_AFTER_APOSTROPHE)):
        return _small_letters(letters)
    return letters[0] + _small_letters(letters[1:])


def _small_letters(letters: str) -> str:
    """Lower case; the Turkish dotted capital would leave its dot behind as a character of its own."""
    return letters.replace("İ", "i").lower()
