"""A query's text: where `:since` stands in it, outside quotes, comments and casts, and whether it only asks."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from schemas.errors import SourceError

_ASKING = {"select", "with", "values", "table", "from"}
_HASHES = {"mysql", "mariadb", "bigquery"}  # where # begins a comment
_STRINGS = _HASHES | {"databricks"}  # where double quotes are those of a text
_BACKSLASHES = _STRINGS | {"snowflake"}  # where one escapes a quote
_NESTED = {"postgresql", "redshift", "duckdb", "mssql", "databricks"}  # where a comment may hold another
_BRACKETS = {"mssql", "sqlite"}  # where they quote a name

_DEEPEST = 8  # of comments in comments


@dataclass(frozen=True, slots=True)
class Words:
    """A query cut at its parameters: between two of `pieces` stands `:since`."""

    pieces: tuple[str, ...]

    @property
    def asks_since(self) -> bool:
        return len(self.pieces) > 1

    def filled(self, since: str, literally: Callable[[str], str] = str) -> str:
        """The query with the driver's own placeholder; `literally` escapes what the driver would take for one."""
        return since.join(literally(piece) for piece in self.pieces)


def read_words(query: str, scheme: str, label: str) -> Words:
    """Cut the query at its parameters; the semicolon at its end goes.

    Raises:
        SourceError: it is empty, several statements, no query, or has another parameter than :since.
    """
    pieces, first, unknown, ended = [""], "", dict[str, None](), False
    for found in _tokens(scheme).finditer(query):
        kind, text = found.lastgroup, found.group()
        if kind == "end":
            ended = True
            continue
        if kind not in {"comment", "space"}:
            if ended:
                raise SourceError(f"{label}: several statements; give one query")
            first = first if first.strip("(") else first + text
        if kind == "name" and found["name"] == "since":
            pieces.append("")
            continue
        if kind == "name":
            unknown[text] = None
        pieces[-1] += text
    if first.strip("(").lower() not in _ASKING:
        raise SourceError(f"{label}: no query; it must begin with select, with, values, table or from")
    if unknown:
        raise SourceError(f"{label}: {', '.join(unknown)}: only :since is known; write the value itself")
    return Words(tuple(pieces))


@cache
def _tokens(scheme: str) -> re.Pattern[str]:
    comment = rf"--[^\n]*|{_comment(_DEEPEST if scheme in _NESTED else 0)}"
    comment += r"|\#[^\n]*" if scheme in _HASHES else r"|//[^\n]*" if scheme == "snowflake" else ""
    escaping, doubling = r"'(?:[^'\\]|\\.|'')*'", r"'(?:[^']|'')*'"
    text = escaping if scheme in _BACKSLASHES else rf"\b[eE]{escaping}|{doubling}"
    if scheme == "bigquery":
        text = r"'{3}(?:[^\\]|\\.)*?'{3}|" r'"{3}(?:[^\\]|\\.)*?"{3}|' + text
    name = (r'"(?:[^"\\]|\\.|"")*"' if scheme in _STRINGS else r'"(?:[^"]|"")*"') + r"|`[^`]*`"
    name += r"|\[[^\]]*\]" if scheme in _BRACKETS else ""
    dollars = r"\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$"
    return re.compile(
        rf"(?P<comment>{comment})|(?P<quoted>{text}|{name}|{dollars})"
        # Something stands before the colon of a::text, a[1:n] and field:part.
        r"""|(?<![:\w"'`)\]]):(?P<name>[A-Za-z_]\w*)"""
        r"|(?P<end>;)|(?P<space>\s+)|(?P<word>\w[\w$]*)|(?P<sign>.)",
        re.DOTALL,
    )


def _comment(deep: int) -> str:
    """Of one comment, and of those in it, so many deep."""
    if not deep:
        return r"/\*.*?\*/"
    return rf"/\*(?:[^*/]|\*(?!/)|/(?!\*)|{_comment(deep - 1)})*+\*/"
