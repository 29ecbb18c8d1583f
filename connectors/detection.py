"""Which encoding a text is in when nobody says: by its marks, by its bytes, and how sure that is."""

import codecs
import re

from connectors.encodings import BOMS, codec_of, mostly_wrong, of_file
from connectors.kinds import HEAD_BYTES
from connectors.word_shapes import have_better_rival
from schemas.errors import SourceError

SAMPLE_BYTES = 256 << 10
SURE = 0.55
SET_ENCODING = "set csv.encoding"
# Of 5 Japanese names in EUC some passed for Chinese ones, of 20 none did; and few odd words may just be damaged.
WORDS_TO_JUDGE_BY = 10
WORDS_TO_SHAPE_BY = 1_000
# What exports are written in today; among all hundred that are known, DOS and Mac encodings pass for each other.
CANDIDATES = (
    "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874", "koi8-r",
    "gb18030", "big5hkscs", "cp932", "euc_jis_2004", "cp949",
)  # fmt: skip
ONE_BYTE = frozenset(CANDIDATES[:10])
ESCAPES = re.compile(rb"\x1b\$[@B(]|\x1b\([BIJ]")  # from one alphabet of iso-2022-jp to another
# Letters of Iceland in cp1252 and of Turkey in cp1254; else western files differ little, and are met most by far.
TURKISH_OR_ICELANDIC = frozenset(b"\xd0\xdd\xde\xf0\xfd\xfe")
WESTERN_BONUS = 1.25
LEAST_OF_NULS = 40  # one in twenty characters; less is damage in another encoding
# Signs that no name holds in cp1252 (such as the broken bar) and letters in iso8859-15.
LETTERS_ELSEWHERE = frozenset(b"\xa4\xa6\xa8\xb4\xb8\xbc\xbd\xbe")


def encoding_of(head: bytes, written: str | None, label: str) -> tuple[str, int, tuple[str, ...]]:
    """The codec of a text that begins with `head`, the size of its byte order mark, and what to tell of it.

    What is `written` in the job stands, only a mark knows better. A few lines that are no UTF-8 are damage, and will
    be unreadable; more of them are another encoding.

    Raises:
        SourceError: the encoding in the job is unknown, or one that is not in the job cannot be told.
    """
    if written is not None:
        return *of_file(head, codec_of(written, label)), ()
    if head.isascii() and ESCAPES.search(head):
        raise SourceError(f"{label}: the text is not ascii but Japanese in escapes; {SET_ENCODING}: iso-2022-jp")
    codec, sure = detect(head)
    if 0.0 < sure < SURE:
        raise mostly_wrong(_wrong_lines(head), "utf-8", label, SET_ENCODING)
    _, mark_bytes = of_file(head, codec)
    if mark_bytes or codec == "utf-8":
        return codec, mark_bytes, ()
    told = f"read as {codec}, found out by its bytes (confidence {sure:.2f}); write csv.encoding: {codec} to be sure"
    return codec, 0, (told,)


def detect(head: bytes) -> tuple[str, float]:
    """The Python codec that a text's first bytes look like, and how sure that is: below `SURE`, ask.

    1.0 is a byte order mark, or UTF-8 as far as one can see; 0.5 fits no better than the next best.
    """
    for mark, codec in BOMS:
        if head.startswith(mark):
            return codec, 1.0
    if b"\0" in head[:HEAD_BYTES]:
        return _by_nuls(head[:HEAD_BYTES])
    wrong = _wrong_lines(head)
    return _by_letters(b"\n".join(wrong)) if wrong else ("utf-8", 1.0)


def _wrong_lines(head: bytes) -> list[bytes]:
    """Lines that are no UTF-8; none when most lines that are more than ASCII are."""
    lines = re.split(rb"[\r\n]+", head[:SAMPLE_BYTES])
    if len(lines) > 1:
        lines.pop()  # may go on behind the sample
    foreign = [line for line in lines if not line.isascii()]
    wrong = [line for line in foreign if not fits(line, "utf-8")]
    return wrong if 2 * len(wrong) > len(foreign) else []


def fits(data: bytes, codec: str) -> bool:
    """Whether these bytes are text in the codec."""
    try:
        data.decode(codec)
    except UnicodeError:
        return False
    return True


def _by_nuls(head: bytes) -> tuple[str, float]:
    """UTF-16 writes a NUL beside each digit, delimiter and line end, always on the same side; UTF-8 writes none."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    codec = "utf-16-be" if even > odd else "utf-16-le"
    if min(even, odd) * 10 >= max(even, odd) or max(even, odd) * LEAST_OF_NULS < len(head):
        return "utf-8", 0.0
    try:
        text = codecs.getincrementaldecoder(codec)().decode(head)
    except UnicodeDecodeError:
        return "utf-8", 0.0
    is_text = sum(each.isprintable() or each in "\t\r\n\x1f\x01\u3000" for each in text) * 100 >= len(text) * 99
    return (codec, 0.99) if is_text and ("\n" in text or "\r" in text) else ("utf-8", 0.0)


def _by_letters(text: bytes) -> tuple[str, float]:
    # No splitting at "|": it is the second half of characters in cp932 and gb18030.
    words = {word for word in re.split(rb'[,;\t" \x01\x1f\n]+', text) if not word.isascii()}
    if len(words) < WORDS_TO_JUDGE_BY:
        return "utf-8", 0.0
    scores = _scores(b"\n".join(sorted(words)))
    if not scores:
        return "utf-8", 0.0
    (codec, best), *others = scores
    if codec in ONE_BYTE and have_better_rival(sorted(words)[:: 1 + len(words) // WORDS_TO_SHAPE_BY], codec):
        return codec, 0.5
    if codec == "cp1252" and any(LETTERS_ELSEWHERE & set(word) for word in words):
        return codec, 0.5
    read = text.decode(codec)
    rival = next((score for other, score in others if text.decode(other) != read), 0.0)
    return codec, best / (best + rival)


def _scores(words: bytes) -> list[tuple[str, float]]:
    """Codecs by how much the words look like a language in them, best first; only those that read all of them."""
    import chardet  # noqa: PLC0415 - only for files that are no UTF-8

    found = chardet.detect_all(words, ignore_threshold=True, compat_names=False, include_encodings=CANDIDATES)
    western = 1.0 if TURKISH_OR_ICELANDIC & set(words) else WESTERN_BONUS
    scores = [
        (codecs.lookup(name).name, each["confidence"] * (western if name == "cp1252" else 1.0))
        for each in found
        if (name := each["encoding"]) is not None and fits(words, name)
    ]
    return sorted(scores, key=lambda each: -each[1])
