"""What speaks for a country besides its mobiles: the script of names and values, the ends of e-mail addresses.

Hints only decide between countries whose mobiles are written alike.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from transforms.shares import percent, share

# Kana before Han: Japanese has both.
SCRIPTS: Mapping[str, tuple[str, str]] = {
    r"[\p{Hiragana}\p{Katakana}]": ("JP", "Japanese"),
    r"\p{Hangul}": ("KR", "Korean"),
    r"\p{Han}": ("CN", "Chinese"),
    r"\p{Thai}": ("TH", "Thai"),
    r"\p{Devanagari}": ("IN", "written in Devanagari"),
}
# Two letters that are a country's and are used by everybody.
EVERYBODYS = frozenset({"AI", "CC", "CO", "FM", "IO", "ME", "TV"})
SCRIPT_FROM, ENDING_FROM = 0.2, 0.3
_ending = re.compile(r".*@.*\.([a-z]{2})")


def hints_of(names: Sequence[str], columns: Sequence[pa.Array]) -> Mapping[str, str]:
    """Countries that something speaks for, and what."""
    return dict([*_by_script([pa.array(names, pa.string()), *columns]), *_by_ending(columns)])


def _by_script(columns: Sequence[pa.Array]) -> Iterator[tuple[str, str]]:
    for pattern, (country, language) in SCRIPTS.items():
        if any(share(pc.match_substring_regex(column, pattern)) >= SCRIPT_FROM for column in columns):
            yield country, f"names or values are {language}"
            return


def _by_ending(columns: Sequence[pa.Array]) -> Iterator[tuple[str, str]]:
    endings = Counter[str]()
    addresses = 0
    for column in columns:
        for address in column.filter(pc.match_substring(column, "@")).to_pylist():
            addresses += 1
            found = _ending.fullmatch(address.strip().lower())
            endings[found[1].upper().replace("UK", "GB") if found else ""] += 1
    for country, count in endings.items():
        if country in phonenumbers.SUPPORTED_REGIONS - EVERYBODYS and count >= ENDING_FROM * addresses:
            yield country, f"{percent(count / addresses)} of the e-mail addresses end as its do"
