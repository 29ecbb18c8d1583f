"""Whether words are shaped like words in one encoding, and more of them in another.

The statistics of letters that `detection` asks know no DOS, Mac and elder ISO encodings, and find each a likeness.
"""

import re
import unicodedata
from collections.abc import Sequence

# Exports of old tills and hosts are written in them; to all of them any byte is a character.
RIVALS = ("cp850", "cp437", "cp852", "cp866", "iso8859-2", "iso8859-5", "mac_roman", "mac_cyrillic")
_QUOTES = "«»‹›„“”‘’‚\"'"
_INSIDE = frozenset("’ªº")  # O’Brien, Mª José, Nº
_latin = re.compile("[A-Za-z]")


def have_better_rival(words: Sequence[bytes], codec: str) -> bool:
    """Whether more of the words are shaped like words in an elder encoding than in `codec`."""
    shaped = _shaped(words, codec)
    return any(_shaped(words, rival) > shaped for rival in RIVALS)


def _shaped(words: Sequence[bytes], codec: str) -> int:
    return sum(_is_shaped(word.decode(codec).strip(_QUOTES)) for word in words)


def _is_shaped(word: str) -> bool:
    is_latin = _latin.search(word) is not None
    return not any(
        _is_sign_at_letter(each, before + after)
        or (is_latin and each.isalpha() and not _is_latin(each))
        or (each.isupper() and before.islower())
        for before, each, after in zip(f" {word}", word, f"{word[1:]} ", strict=False)
        if not each.isascii() or not before.isascii()
    )


def _is_sign_at_letter(each: str, beside: str) -> bool:
    is_sign = not each.isascii() and unicodedata.category(each)[0] not in "LM" and each not in _INSIDE
    return is_sign and any(other.isalpha() for other in beside)


def _is_latin(letter: str) -> bool:
    return letter.isascii() or letter in _INSIDE or unicodedata.name(letter).startswith("LATIN")
