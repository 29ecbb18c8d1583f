"""A job file's text out of its lines (schemas/job_text.py)."""

import textwrap
from collections.abc import Iterable, Iterator

from schemas.job_text import Entry
from transforms.yaml_words import printable

# Comments begin here where their line leaves room; one that would end beyond the width stands above its line.
COMMENTS_AT = 48
WIDTH = 140
INDENT = "  "


def text_of(blocks: Iterable[Entry]) -> str:
    """Blocks of lines, with an empty line between them."""
    return "\n\n".join("\n".join(_lines(block, "", "")) for block in blocks) + "\n"


def _lines(entry: Entry, margin: str, indent: str) -> Iterator[str]:
    """`margin` is what stands before every line, a # too where all of them are commented out."""
    if not margin.endswith("# ") and not entry.is_live:
        margin, indent = f"{margin}{indent}# ", ""
    if entry.text:
        yield from _line(margin + indent + entry.text, printable(entry.why), margin + indent)
    else:
        yield f"{margin}{indent}# {printable(entry.why)}"
    for child in entry.children:
        yield from _lines(child, margin, indent + INDENT if entry.text else indent)


def _line(line: str, why: str, before: str) -> Iterator[str]:
    beside = f"{line:<{COMMENTS_AT}}  # {why}" if why else line
    if len(beside) <= WIDTH:
        yield beside
        return
    yield from (f"{before}# {part}" for part in textwrap.wrap(why, WIDTH - len(before) - 2, break_long_words=False))
    yield line
