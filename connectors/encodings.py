"""Encodings of text files: their names, which one a file is in, and which bytes are no text."""

import codecs
import difflib
from encodings.aliases import aliases

import pyarrow as pa

from schemas.errors import NotTheFile, SourceError

BOMS = (  # utf-32 first: its little-endian mark begins with utf-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
UNITS = {"utf-16-le": "<u2", "utf-16-be": ">u2", "utf-32-le": "<u4", "utf-32-be": ">u4"}
# Their line ends are not found by looking at bytes, or they write no text files.
NOT_FOR_FILES = {"utf-7", "hz", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"}
OFTEN_MET = (
    "cp1252",
    "gb18030",
    "cp932",
    "big5",
    "euc_kr",
    "cp874",
    "cp1251",
    "cp1254",
    "cp1256",
    "iso8859-15",
    "cp1250",
    "cp850",
    "cp852",
    "cp866",
    "iso8859-2",
    "mac_roman",
)


def codec_of(name: str, label: str) -> str:
    """The codec's own name for `name`.

    Raises:
        NotTheFile: unknown, or not usable for files that are read line by line.
    """
    known = None
    try:
        known = codecs.lookup(name)
        usable = known.name in {"utf-16", "utf-32", "utf-8-sig", *UNITS} or _ends_lines_in_ascii(known.name)
    except (LookupError, UnicodeError, ValueError):
        usable = False
    if known is not None and usable:
        return "utf-8" if known.name == "utf-8-sig" else known.name
    if known is not None:
        raise NotTheFile(f"{label}: csv.encoding {name} cannot be read here; convert the file to utf-8")
    names = {alias.replace("_", "-") for pair in aliases.items() for alias in pair} | {"utf-8-sig"}
    near = difflib.get_close_matches(name.lower().replace("_", "-"), sorted(names), n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "for example utf-8, utf-16, cp1252, gb18030"
    raise NotTheFile(f"{label}: csv.encoding {name} is unknown; {hint}")


def _ends_lines_in_ascii(codec: str) -> bool:
    """Where LF and CR are the bytes 10 and 13 (not so in EBCDIC)."""
    return codec not in NOT_FOR_FILES and "\n\r".encode(codec) == b"\n\r"


def of_file(head: bytes, codec: str) -> tuple[str, int]:
    """The codec of a file that begins with `head`, and the size of its byte order mark; a mark wins."""
    for mark, marked in BOMS:
        if head.startswith(mark):
            return marked, len(mark)
    if codec in ("utf-16", "utf-32"):
        big = head[:1] == b"\0"  # the first character of a table is hardly ever beyond U+00FF
        return f"{codec}-{'be' if big else 'le'}", 0
    return codec, 0


def is_utf8(data: bytes, size: int) -> bool:
    """Whether the first `size` bytes are UTF-8; checked by Arrow without making a string of them."""
    if data.isascii():
        return True
    if size > 2**31 - 1:
        raise ValueError("a block of lines is far smaller")
    offsets = pa.array([0, size], pa.int32()).buffers()[1]
    text = pa.StringArray.from_buffers(1, offsets, pa.py_buffer(data))
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def mostly_wrong(lines: list[bytes], codec: str, label: str, setting: str) -> SourceError:
    """What is said of a file most of whose first lines are no text in `codec`; names what would fit."""
    sample = b"".join(lines)
    fitting = [name for name in OFTEN_MET if name != codec and _decodes(sample, name)]
    hint = f"one of these fits: {', '.join(fitting)}" if fitting else "ask the sender for the encoding"
    return SourceError(f"{label}: the text is not {codec}; {setting} ({hint})")


def _decodes(sample: bytes, codec: str) -> bool:
    try:
        sample.decode(codec)
    except UnicodeDecodeError:
        return False
    return True
