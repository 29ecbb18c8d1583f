"""How a table's file of text is written, found out for a job file that will say it."""

from pathlib import Path

from connectors.dialect import Dialect, look
from connectors.files import LIMITS
from connectors.kinds import FORMATS, suffixes
from connectors.unpack import PackedFile
from schemas.tables import Table


def is_known(name: str) -> bool:
    """Whether a file's name says its format, or says that it is an archive, whose members may."""
    suffix, packing = suffixes(Path(name))
    return suffix in FORMATS or packing == "zip"


def is_workbook(name: str) -> bool:
    """Whether a file's name says that it is an Excel workbook."""
    return FORMATS.get(suffixes(Path(name))[0]) == "xlsx"


def dialect_of(file: Path, told: Path, table: Table, label: str) -> Dialect | None:
    """The dialect of a file of text, packed or not; None for other formats, and for archives.

    Its bytes are at `file`; the name `told` says how it is packed and written.

    Raises:
        SourceError: it cannot be read as text.
    """
    suffix, packing = suffixes(told)
    kind = table.format or FORMATS.get(suffix)
    if packing == "zip" or kind not in ("csv", "tsv"):
        return None
    return look(PackedFile(file, label, packing), table.csv, "\t" if kind == "tsv" else None, LIMITS)
