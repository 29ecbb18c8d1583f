"""What a run took of its source, as far as it is not read in its place: kept to go on with, and to put away."""

import msgspec


class TakenFile(msgspec.Struct, frozen=True):
    """A file that was copied, decrypted, or dropped: where it lay, and how it was then."""

    uri: str  # for people, without credentials
    path: str  # in its place
    stamp: str  # another one when somebody wrote it again
    sha256: str
    size_bytes: int
    files: tuple[int, ...]  # places in the table's `Reading.files`: an archive holds several
    beside: tuple[str, ...] = ()  # what goes where a dropped file goes: its marker, its manifest
    rows: int | None = None  # as its manifest says
    points: dict[str, int] | int | None = None  # as its manifest says: by programme, or of all

    @property
    def name(self) -> str:
        """Without its folders."""
        return self.path.rpartition("/")[2]


class Pulled(msgspec.Struct, frozen=True):
    """How far a query was asked for, and from where."""

    column: str
    kind: str  # of `schemas.watermarks`; empty: no row said
    query_sha256: str
    columns_sha256: str
    value: str | None = None  # only rows after this one were asked for; None: all
    horizon: str | None = None  # a transaction was open that may still commit rows from here on
    wished: bool = False  # by a person, in place of the watermark


class Taken(msgspec.Struct, frozen=True):
    """What was taken of one table."""

    files: tuple[TakenFile, ...] = ()
    pulled: Pulled | None = None
    twice: tuple[TakenFile, ...] = ()  # dropped files that an earlier run loaded already: only to be put away
    left: int = 0  # dropped files that are not read now, though they may hold rows of their own
