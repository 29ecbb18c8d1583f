"""Text as a job file writes it: values that are read back as they were, and comments that stay on their line."""

import re

_plain = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_named = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_words = frozenset({"null", "true", "false"})
# A placeholder is filled in wherever it stands, and these characters carry one through the parser (yaml_lines).
_not_written = re.compile(r"\$\{|[\ue000\ue001]")


def can_be_written(text: str) -> bool:
    """Whether a job file can hold the text as a value: it is no placeholder for the environment's."""
    return bool(text) and not _not_written.search(text)


def scalar(text: str) -> str:
    """The text as a value in YAML: bare where it is one plain word, else in double quotes."""
    if _plain.fullmatch(text) and text.casefold() not in _words:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(escaped)}"'


def printable(text: str) -> str:
    """Characters that cannot be seen are written as YAML's double quotes take them."""
    return "".join(c if c.isprintable() else _named.get(c, f"\\U{ord(c):08X}") for c in text)
