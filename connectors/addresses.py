"""Where files lie, as one writes it: a path, or the URL of a server, a bucket or a web page.

Paths are taken as they are written: %20 is no space in them, and ? is a wildcard except behind https. Only user and
password are percent-encoded. What is wrong with a URL is told without the URL: its password may be in any part of it.
"""

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from schemas.errors import SourceError

BUCKETS = {"s3": "s3", "gs": "gs", "az": "az", "abfs": "az"}  # scheme: the extra that reads it
SERVERS = ("sftp", "ftp", "https", "http")
MAX_PORT = 65_535
# Taken for a path, the rest of a password would be told.
_TWO_WAYS = (
    "{label}: the URL's host and port cannot be told apart; write {scheme}://user@host:port/folder/file, "
    "and a password under login: (in a URL its / @ : are written %2F %40 %3A)"
)
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[^/?#]*)(?P<path>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Address:
    """A URL's parts. `host` is a bucket's name for object stores, with the account for Azure's long form."""

    scheme: str
    host: str
    path: str
    port: int | None = None
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    query: str = field(default="", repr=False)  # a signature may be in it

    @property
    def is_bucket(self) -> bool:
        """Whether it is an object store's."""
        return self.scheme in BUCKETS

    @property
    def server(self) -> str:
        """For people: without credentials and path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port else "")

    def uri(self, path: str) -> str:
        """For people: of a path in this address's file system."""
        if self.is_bucket:
            return f"{self.server}/{path.partition('/')[2]}"
        return self.server + (path if path.startswith("/") else f"/~/{path}")


def is_url(files: str) -> bool:
    """Whether it begins with a scheme."""
    return _URL.fullmatch(files) is not None


def local_path(files: str) -> str | None:
    """The path of a file on this machine; None: a URL of another one."""
    url = _URL.fullmatch(files)
    if url is None:
        return files
    if url["scheme"].lower() != "file":
        return None
    return url["path"] if url["host"] in ("", "localhost") else None


def address_of(files: str, label: str) -> Address:
    """The parts of a URL that is not of this machine.

    Raises:
        SourceError: no scheme that is read here, no host, a port that is none, http beyond this machine, or what may
            be a secret in another place than its own.
    """
    url = _URL.fullmatch(files)
    assert url is not None
    scheme = url["scheme"].lower()
    if scheme == "file":
        raise SourceError(f"{label}: file:// is for files of this machine; write file:///folder/file, or just the path")
    if scheme in BUCKETS:
        return _bucket(scheme, url["host"], url["path"], label)
    if scheme in SERVERS:
        return _server(scheme, url["host"], url["path"], label)
    known = ", ".join(f"{each}://" for each in ("file", *BUCKETS, *SERVERS[:-1]))
    raise SourceError(f"{label}: {scheme}:// is not read here; files are read from a path, {known}")


def _bucket(scheme: str, host: str, path: str, label: str) -> Address:
    if not host:
        raise SourceError(f"{label}: names no bucket; write {scheme}://bucket/folder/file")
    if scheme not in ("az", "abfs") and ("@" in host or ":" in host):
        raise SourceError(
            f"{label}: a cloud's credentials do not stand in a URL; take them out, they are found where the cloud's "
            "own tools look for them (environment, profile, the machine's role)"
        )
    if re.search(r"\?[^/]*=", path):
        raise SourceError(
            f"{label}: a signature does not stand in a URL of {scheme}://, where ? is a wildcard; take it out or "
            "write the file's https:// URL with it"
        )
    bucket = host.partition("@")[0]
    return Address(scheme, host, f"{bucket}{path.rstrip('/')}")


def _server(scheme: str, netloc: str, path: str, label: str) -> Address:
    login, _, place = netloc.rpartition("@")
    user, has_password, password = login.partition(":")
    host, port = _host_and_port(place, scheme, label)
    query = ""
    if scheme in ("https", "http"):
        path, _, query = path.partition("#")[0].partition("?")
        if scheme == "http" and not _is_this_machine(host):
            raise SourceError(f"{label}: http:// is neither private nor safe from changes; use https://")
    if "@" in path and port is not None and not login:
        raise SourceError(_TWO_WAYS.format(label=label, scheme=scheme))
    if path.startswith("/~/"):
        path = path.removeprefix("/~/")
    return Address(
        scheme, host, path or "/", port,
        unquote(user) if user else None, unquote(password) if has_password else None, query,
    )  # fmt: skip


def _host_and_port(place: str, scheme: str, label: str) -> tuple[str, int | None]:
    parts = re.fullmatch(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]*))(?::(?P<port>[0-9]{1,5}))?", place)
    if parts is None:
        raise SourceError(_TWO_WAYS.format(label=label, scheme=scheme))
    host = parts["v6"] or parts["name"]
    if not host:
        raise SourceError(f"{label}: names no host; write {scheme}://host/folder/file")
    port = int(parts["port"]) if parts["port"] else None
    if port is not None and not 0 < port <= MAX_PORT:
        raise SourceError(f"{label}: the URL's port is none; ports are 1 to {MAX_PORT:,}")
    return host, port


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
