"""Which format a file is said to have, and what it looks like instead."""

import codecs
import re
from pathlib import PurePath

from connectors.encodings import UNITS
from connectors.unpack import PACKINGS
from schemas.errors import SourceError

FORMATS = {
    ".csv": "csv",
    ".txt": "csv",
    ".dat": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
}
PGP_SUFFIXES = (".pgp", ".gpg", ".asc")
HEAD_BYTES = 64 << 10

ENCRYPTED = "PGP-encrypted; say decrypt: {pgp_key: …}"
BINARY = (
    (b"PAR1", "a Parquet file; set format: parquet"),
    (b"\x1f\x8b", "gzip; give the file the suffix .gz"),
    (b"\x28\xb5\x2f\xfd", "zstd; give the file the suffix .zst"),
    (b"%PDF", "a PDF document; have the table sent as CSV"),
    (b"\x89PNG", "a PNG picture; have the table sent as CSV"),
    (b"\xff\xd8\xff", "a JPEG picture; have the table sent as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook, or one with a password; save it as .xlsx without one"),
    (b"SQLite format 3\0", "an SQLite database; use database: instead of files:"),
    (b"BZh91AY&SY", "bzip2; unpack it, or pack it with gzip"),
    (b"\xfd7zXZ\0", "xz; unpack it, or pack it with gzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it, or pack it with gzip"),
    (b"-----BEGIN PGP MESSAGE", ENCRYPTED),
)
# A session key that is encrypted by a public key or a passphrase (RFC 4880, 5.1 and 5.3): its tag, length and version.
PGP_PACKET = re.compile(
    rb"([\x84\x8c].|[\x85\x8d]..|[\xc1\xc3]([\x00-\xbf]|[\xc0-\xdf].|\xff....))[\x03-\x06]", re.DOTALL
)


def is_pgp(path: PurePath) -> bool:
    """Whether its name says that a file is encrypted by PGP."""
    return path.suffix.lower() in PGP_SUFFIXES


def suffixes(path: PurePath) -> tuple[str, str | None]:
    """The suffix that tells the format, and the packing: `a.csv.gz` and `a.csv.gz.pgp` give `.csv` and gzip."""
    path = PurePath(path.stem) if is_pgp(path) else path
    packing = PACKINGS.get(path.suffix.lower())
    return (PurePath(path.stem).suffix if packing else path.suffix).lower(), packing


def stem_of(name: str) -> str:
    """A file's name without what tells its format, packing and encryption: `a.csv.gz.pgp` gives `a`."""
    path = PurePath(name)
    for known in (PGP_SUFFIXES, PACKINGS, FORMATS):
        path = PurePath(path.stem) if path.suffix.lower() in known else path
    return path.name


def format_of(suffix: str, label: str) -> str:
    """The format a suffix stands for.

    Raises:
        SourceError: it stands for none that is read here.
    """
    if suffix in FORMATS:
        return FORMATS[suffix]
    known = " ".join(FORMATS)
    raise SourceError(f"{label}: the suffix {suffix or '(none)'} says no format; set format:, or use {known}")


def check_is_text(head: bytes, codec: str, label: str) -> None:
    """Refuse what begins like no text in `codec`, and say what it looks like.

    Raises:
        SourceError: a binary file, or text in another encoding.
    """
    looks = next((name for magic, name in BINARY if head.startswith(magic)), None)
    if head.startswith(b"PK\x03\x04"):
        excel = b"[Content_Types].xml" in head or b"xl/" in head
        looks = (
            "an Excel workbook; give the file the suffix .xlsx"
            if excel
            else "a zip archive; give the file the suffix .zip"
        )
    if looks is None and codec not in UNITS and PGP_PACKET.match(head) and not _may_be_utf8(head):
        looks = ENCRYPTED
    if looks is None and codec not in UNITS and b"\0" in head:
        looks = _with_nul_bytes(head)
    if looks is not None:
        raise SourceError(f"{label}: no text; it looks like {looks}")


def _may_be_utf8(head: bytes) -> bool:
    """Whether it is text as far as it goes: what is encrypted hardly ever is."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _with_nul_bytes(head: bytes) -> str:
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) // 5 and min(even, odd) * 10 < max(even, odd):
        return f"utf-16 without a mark; set csv.encoding: utf-16-{'be' if even > odd else 'le'}"
    return "a binary file (it holds NUL bytes); have the table sent as CSV"
