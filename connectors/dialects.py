"""How a table's first file of text is written, for a job file that says it in words."""

from pathlib import Path

from connectors.dialect import look
from connectors.files import LIMITS
from connectors.kinds import FORMATS, suffixes
from connectors.unpack import PackedFile
from schemas.tables import Csv, Table


def is_known(name: str) -> bool:
    """Whether a file's name says its format, or says that it is an archive, whose members may."""
    suffix, packing = suffixes(Path(name))
    return suffix in FORMATS or packing == "zip"


def written_in(file: Path, table: Table, label: str) -> Csv | None:
    """Delimiter and encoding of a file of text, packed or not; None for other formats, and for archives.

    Raises:
        SourceError: it cannot be read as text.
    """
    suffix, packing = suffixes(file)
    kind = table.format or FORMATS.get(suffix)
    if packing == "zip" or kind not in ("csv", "tsv"):
        return None
    found = look(PackedFile(file, label, packing), table.csv, "\t" if kind == "tsv" else None, LIMITS)
    return Csv(delimiter=found.delimiter, encoding=found.codec, columns=table.csv.columns)
