"""One table of a job's source: where it lies, how it is written, and when it may be taken."""

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator, model_validator

from schemas.spellings import Columns, Duration, Name

Format = Literal["csv", "tsv", "jsonl", "parquet", "xlsx", "fixed"]


class Strict(BaseModel):
    """Read strictly, never changed, and silent about what it was given (a value may be a secret)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Csv(Strict):
    """How a file of text is written; `columns` names those of a file without a header line.

    Without an `encoding` it is found out: a byte order mark, UTF-8, else what the bytes look like.
    """

    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = None
    encoding: str | None = None
    quote: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = '"'
    skip_rows: Annotated[int, Field(ge=0)] = 0
    columns: list[str] | None = None


class Workbook(Strict):
    """Which sheet of a workbook, and which of its rows names the columns (from 1)."""

    sheet: str | None = None  # none: the only visible one
    header_row: Annotated[int, Field(ge=1)] = 1


class Login(Strict):
    """Who asks an SFTP, FTP or HTTPS server; clouds have their own chains of credentials."""

    user: str | None = None
    password: SecretStr | None = None
    key_file: str | None = None  # an SSH private key; relative to the job file
    passphrase: SecretStr | None = None  # of the key
    known_hosts: str | None = None  # none: ~/.ssh/known_hosts


class MoveTo(Strict):
    """Folders beside the files: for those that are loaded, for those that could not be, and for result files."""

    done: str | None = None
    failed: str | None = None
    results: str | None = None  # none: where the file goes


class Decrypt(Strict):
    pgp_key: str  # a file with the private key; relative to the job file
    passphrase: SecretStr | None = None


class Since(Strict):
    """Only rows after the last ones: `overlap` reads a while before them again, for rows that were committed late.

    `transactions` (PostgreSQL): the watermark stays before every transaction that is still open, and nothing is
    read twice; right where the column is set to now() by the database. A joined table is read in full all the same:
    leading rows need theirs whether or not it changed.
    """

    column: str
    overlap: Duration | Literal["transactions"] = "15m"


class On(Strict):
    on: str


class Table(Strict):
    """Files or a database's query, and how they meet the leading table."""

    files: str | None = None
    match: str | None = None
    database: SecretStr | None = None
    query: str | None = None
    query_file: str | None = None
    format: Format | None = None
    csv: Csv = Csv()
    fixed: dict[str, Columns] | None = None
    xlsx: Workbook = Workbook()
    login: Login | None = None
    ready: str | None = None
    still_for: Duration = "5s"
    move_to: MoveTo | None = None
    manifest: str | None = None
    decrypt: Decrypt | None = None
    since: Since | None = None
    join: On | None = None
    nest: On | None = None

    @field_validator("match")
    @classmethod
    def match_is_a_pattern(cls, match: str | None) -> str | None:
        """A regular expression for whole names."""
        try:
            re.compile(match or "")
        except re.error as error:
            raise ValueError(f"must be a regular expression; {error}") from None
        return match

    @field_validator("ready", "manifest")
    @classmethod
    def names_a_file_beside(cls, spelled: str | None) -> str | None:
        """A suffix, or a name with {name} or {stem} in it, of a file in the same folder."""
        if spelled is not None and not _BESIDE.fullmatch(spelled):
            raise ValueError('must be a suffix such as .ok, or a name with {name} or {stem}, such as "{stem}.ok"')
        return spelled

    @model_validator(mode="after")
    def one_origin(self) -> Self:
        """A table comes from files or from a database, and has the words of that."""
        if (self.files is None) == (self.database is None):
            raise ValueError("give either files or database")
        if self.database is not None and (self.query is None) == (self.query_file is None):
            raise ValueError("a database needs a query, or a query_file")
        if self.join is not None and self.nest is not None:
            raise ValueError("give either join or nest")
        if self.since is not None and self.nest is not None:
            raise ValueError("since goes not with nest: children whose parent did not change would be orphans")
        self._only_of_files()
        if (self.format == "fixed") != (self.fixed is not None):
            raise ValueError("write format: fixed together with fixed: {<column>: <from>-<to>}")
        return self

    def _only_of_files(self) -> None:
        theirs = {"query", "query_file", "since"} if self.database is None else _OF_FILES
        wrong = [name for name in type(self).model_fields if name in theirs & self.model_fields_set]
        if wrong and any(getattr(self, name) is not None for name in wrong):
            here, there = ("files", "database") if self.database is None else ("database", "files")
            raise ValueError(f"{' and '.join(wrong)}: goes with {there}, not with {here}")

    @property
    def is_drop(self) -> bool:
        """Whether files are dropped here: each is loaded once, when it is whole, and then put away."""
        return any(each is not None for each in (self.ready, self.move_to, self.manifest))


# A word that is no suffix would be glued to the name.
_BESIDE = re.compile(r"[._-][^/{}]+|(?!\{name\}$)[^/{}]*\{(name|stem)\}[^/{}]*")
_OF_FILES = {
    "match", "format", "csv", "fixed", "xlsx", "login", "ready", "still_for", "move_to", "manifest", "decrypt",
}  # fmt: skip
Tables = Annotated[dict[Name, Table], Field(min_length=1)]
