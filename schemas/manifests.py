"""What a file's sender says of it, in a small file beside it: checked before the first row is sent."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.tables import Strict

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{64}$", to_lower=True)]
Count = Annotated[int, Field(ge=0)]
# Stands in no header, and so tells one list of names from every other.
SEPARATOR = "\x1f"


class FileManifest(Strict):
    """What is expected of one file; whatever is left out is not checked.

    `columns_sha256` is the SHA-256 of the header's names in UTF-8, joined by the character U+001F.
    """

    rows: Count | None = None  # lines that are no rows too, blank ones not
    points: int | dict[str, int] | None = None  # of all programmes, or by programme
    sha256: Digest | None = None  # of the file as it lies there, packed and encrypted
    columns: list[str] | None = None  # in their order
    columns_sha256: Digest | None = None
