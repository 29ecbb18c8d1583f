"""A database's URL in its parts, and what of it people may see."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from connectors.addresses import MAX_PORT
from schemas.errors import SourceError

FILES = ("duckdb", "sqlite")
SCHEMES = (
    "postgresql", "redshift", "snowflake", "bigquery", "databricks", "mssql", "mysql", "mariadb", *FILES,
)  # fmt: skip
_ENCODED = "@ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25"
# Nothing is guessed: what could be read in two ways may be a piece of a password.
_SERVER = re.compile(
    r"//(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^:@/?#]*))?@)?(?P<host>\[[\da-fA-F:.]+\]|[^:@/?#\[\]]*)(?::(?P<port>\d+))?"
    r"(?:/(?P<path>[^:@?#]*))?(?:\?(?P<options>[^@#?]*))?",
)
_HALF_ENCODED = re.compile(r"%(?![\da-fA-F]{2})")
_SECRET_OPTION = re.compile(r"pass|pwd|token|secret|key", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is and who asks it."""

    scheme: str
    host: str = ""
    port: int | None = None
    path: str = ""  # the database; of a file's URL its path
    user: str = ""
    password: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def uri(self) -> str:
        """Without user, password and options: for people and for digests."""
        if self.scheme in FILES:
            return f"{self.scheme}:///{self.path}"
        port = f":{self.port}" if self.port else ""
        return f"{self.scheme}://{self.host}{port}/{quote(self.path)}".rstrip("/")

    def __str__(self) -> str:
        if self.scheme in FILES:
            return f"{self.scheme} file {self.path}"
        port = f":{self.port}" if self.port else ""
        return f"{self.scheme} at {self.host or 'localhost'}{port}" + (f", database {self.path}" if self.path else "")

    def censored(self, text: str) -> str:
        """A driver's text, in one line and without a secret."""
        # A token may be written in the user's place: databricks://dapi…:@host.
        user = self.user if self.scheme == "databricks" and self.user != "token" else ""
        secrets = {self.password, user, *(value for name, value in self.options.items() if _SECRET_OPTION.search(name))}
        spelled = {way(secret) for secret in secrets - {""} for way in (str, quote, quote_plus, _all_quoted)}
        for secret in sorted(spelled, key=len, reverse=True):
            text = text.replace(secret, "***")
        return " ".join(text.split())


def read_address(url: str, label: str, folder: Path) -> Address:
    """Split the URL; a file's path is relative to `folder` with three slashes, absolute with four.

    Raises:
        SourceError: an unknown scheme, or a URL that can be split in more than one way; nothing of it is told.
    """
    scheme, colon, rest = url.partition(":")
    if not colon or scheme not in SCHEMES:
        given = f"{scheme}:// is no database" if re.fullmatch(r"[a-z]{2,12}", scheme) and colon else "no database's URL"
        raise SourceError(f"{label}: {given} that is read here; known are {', '.join(SCHEMES)}")
    if scheme in FILES:
        return _file(scheme, rest, label, folder)
    found = _SERVER.fullmatch(rest)
    port = int(found["port"]) if found is not None and found["port"] else None
    if port is not None and not 0 < port <= MAX_PORT:
        raise SourceError(f"{label}: the URL's port is none; ports are 1 to {MAX_PORT:,}")
    if found is None or _HALF_ENCODED.search(found["user"] or "") or _HALF_ENCODED.search(found["password"] or ""):
        raise SourceError(
            f"{label}: this URL cannot be split into {scheme}://user:password@host:port/database?option=value; "
            f"in user, password and options write {_ENCODED}"
        )
    user, password, path = (unquote(found[part] or "") for part in ("user", "password", "path"))
    options = dict(parse_qsl(found["options"] or "", keep_blank_values=True))
    return Address(scheme, found["host"].strip("[]"), port, path, user, password, options)


def _file(scheme: str, rest: str, label: str, folder: Path) -> Address:
    if not rest.startswith("///") or not rest.strip("/"):
        raise SourceError(
            f"{label}: write {scheme}:///shop.db for a file beside the job file, {scheme}:////data/shop.db for another"
        )
    path = folder / unquote(rest[3:])
    if not path.is_file():
        raise SourceError(f"{label}: {path} is no file; look at the path (three slashes: relative to the job file)")
    return Address(scheme, path=str(path))


def _all_quoted(text: str) -> str:
    return quote(text, safe="")
