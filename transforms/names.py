"""Names of people. White space is collapsed; names in Latin CAPITALS get small letters; the rest is theirs."""

import re
import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

from schemas.values import Cleaned
from transforms.blanks import absent, says_nothing
from transforms.characters import tidy
from transforms.kernels import (
    NOT_ASCII,
    Bytes,
    Mask,
    Verdict,
    byte_range,
    byte_set,
    finish,
    kept,
    tally,
    words,
    wrong,
)
from transforms.texts import damaged, untidy

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
_capital = byte_range(0x41, 0x5A)
_space = byte_set(" ")
_consonants = "BCDFGHJKLMNPQRSTVWXZ"
_initials = re.compile(f"[{_consonants}]{{2}}")
_letters = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*")
_mc = re.compile(r"MC[^\W\d_]{3}")
# In RE2: names in capitals for which a capital after every non-letter is not enough.
_needs_care = (
    f"'|(^|[^A-Z])MC[A-Z]{{3}}|(^|[^A-Z])[{_consonants}]{{2}}([^A-Z]|$)"
    f"| ({'|'.join(sorted(SMALL_WORDS | SMALL_AFTER_DE | ROMAN))}|VAN)( |$)"
)


def clean_names(raw: pa.Array) -> Cleaned:
    """One space between words, capitals lowered; MCDONALD becomes McDonald, MACDONALD Macdonald (it may be Mack)."""
    text = pc.fill_null(raw, "")
    view = Bytes(text)
    still_open = untidy(text, view) | _double_spaced(text, view)
    shouted = ~view.has(_small) & (view.has(_capital) | view.has(NOT_ASCII)) & (view.lengths > 1) & ~still_open
    if not shouted.any():
        return finish(text, kept(text, ~still_open & (view.lengths > 0)), still_open, judge_name, tally())
    some = text.filter(pa.array(shouted))
    care = pc.or_(pc.match_substring_regex(some, _needs_care), pc.invert(pc.string_is_ascii(some)))
    still_open[shouted] = care.to_numpy(zero_copy_only=False)
    plain = shouted & ~still_open
    titled = pc.ascii_title(text.filter(pa.array(plain)))
    lowered = pc.not_equal(titled, text.filter(pa.array(plain))).to_numpy(zero_copy_only=False)
    values = pc.replace_with_mask(kept(text, ~still_open & (view.lengths > 0)), pa.array(plain), titled)
    return finish(text, values, still_open, judge_name, tally(capitals_lowered=lowered))


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


def _double_spaced(text: pa.Array, view: Bytes) -> Mask:
    """Rows with two spaces in a row; few names have two spaces at all, so only those are looked into."""
    found: Mask = view.count(_space) > 1
    if found.any():
        several = pc.match_substring(text.filter(pa.array(found)), "  ")
        found[found] = several.to_numpy(zero_copy_only=False)
    return found


def _shouted(name: str) -> bool:
    """In capitals, and all its letters Latin: capitals of other scripts follow other rules."""
    letters = (character for character in name if character.isalpha())
    return name.isupper() and all(c.isascii() or unicodedata.name(c, "").startswith("LATIN") for c in letters)


def _lowered(name: str) -> str:
    parts = name.split(" ")
    around = zip(["", *parts[:-1]], parts, [*parts[1:], ""], strict=True)
    return unicodedata.normalize("NFC", " ".join(_word(*three) for three in around))


def _word(before: str, word: str, after: str) -> str:
    """One word, given its neighbours; the first and the last have but one."""
    if before and after and _is_small(before, word, after):
        return word.lower()
    if before and not after and word in ROMAN:
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
