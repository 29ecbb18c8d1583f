"""Cleaned columns become the JSON of their customers, thousands at a time.

One text join a level, no object per row. Absent values are left out (absent is not null, and nobody knows
whether the API clears on null: contract, contradictions and unknowns).
"""

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from schemas.profiles import Array, Constant, Leaf, Node, Object, Template

Piece: TypeAlias = "str | pa.Array"  # a constant, or one text per row
Member: TypeAlias = "tuple[str, list[Piece], pa.Array | None]"  # what stands before it, its pieces, where it is
NULL = pa.scalar(None, pa.string())
# JSON's short escapes, backslash first; the other control characters go by number.
_ESCAPES = (
    ("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"),
    *((chr(code), f"\\u{code:04x}") for code in range(0x20) if chr(code) not in "\n\r\t"),
)  # fmt: skip


def encode(template: Template, values: Mapping[str, pa.Array], rows: int) -> pa.Array:
    """The payload of each row as JSON text (never null); `values` holds one array per leaf's target.

    Members keep the template's order, so equal customers have equal bytes.
    """
    # The customer itself is always there, also in a row that has nothing to tell (and is not sent for it).
    members = _members(template.tree, values, rows)
    payloads = _join(_around("{", members, "}", None, rows)[0], rows)
    assert len(payloads) == rows
    return payloads


def _pieces(node: Node, values: Mapping[str, pa.Array], rows: int) -> tuple[list[Piece], pa.Array | None]:
    """What to join for a node, and the rows in which it is there (None: in all)."""
    match node:
        case Constant(value):
            return [json.dumps(value, ensure_ascii=False)], None
        case Leaf():
            return _leaf(node, values[node.target])
        case Object():
            pieces = _members(node, values, rows)
            return _around("{", pieces, "}", _object_presence(node, [present for _, _, present in pieces]), rows)
        case Array(elements):
            pieces = [("", *_pieces(child, values, rows)) for child in elements]
            return _around("[", pieces, "]", _any([present for _, _, present in pieces]), rows)


def _members(node: Object, values: Mapping[str, pa.Array], rows: int) -> list[Member]:
    return [(json.dumps(name, ensure_ascii=False) + ":", *_pieces(child, values, rows)) for name, child in node.members]


def _leaf(leaf: Leaf, column: pa.Array) -> tuple[list[Piece], pa.Array | None]:
    present = None if column.null_count == 0 else column.is_valid()
    if leaf.rule.form == "boolean":
        return [pc.if_else(column, "true", "false")], present
    if leaf.rule.form == "number":
        return [column.cast(pa.string())], present
    text = pc.if_else(column, "true", "false") if pa.types.is_boolean(column.type) else column.cast(pa.string())
    return ['"', escape(text), '"'], present


def escape(text: pa.Array) -> pa.Array:
    """Text as it stands between JSON's quotes."""
    dirty = pc.match_substring_regex(text, '["\\\\\\x00-\\x1f]')
    if not pc.any(dirty).as_py():
        return text
    fixed = text.filter(dirty)
    for raw, escaped in _ESCAPES:
        fixed = pc.replace_substring(fixed, raw, escaped)
    return pc.replace_with_mask(text, pc.fill_null(dirty, False), fixed)


def _object_presence(node: Object, presence: Sequence[pa.Array | None]) -> pa.Array | None:
    """An object is there where its anchors are; without anchors, where any value from a column is.

    One that holds constants only is always there; constants alone never bring an object along otherwise.
    """
    children = [child for _, child in node.members]
    anchors = [p for child, p in zip(children, presence, strict=True) if isinstance(child, Leaf) and child.anchor]
    moving = [p for child, p in zip(children, presence, strict=True) if not _is_constant(child)]
    others = [
        p
        for child, p in zip(children, presence, strict=True)
        if not _is_constant(child) and not (isinstance(child, Leaf) and child.anchor)
    ]
    if anchors:
        return _all(anchors)
    return _any(others or moving) if moving else None


def _is_constant(node: Node) -> bool:
    match node:
        case Constant():
            return True
        case Leaf():
            return False
        case Object(members):
            return all(_is_constant(child) for _, child in members)
        case Array(elements):
            return all(_is_constant(child) for child in elements)


def _all(presence: Sequence[pa.Array | None]) -> pa.Array | None:
    told = [p for p in presence if p is not None]
    both = told[0] if told else None
    for other in told[1:]:
        both = pc.and_(both, other)
    return both


def _any(presence: Sequence[pa.Array | None]) -> pa.Array | None:
    if any(p is None for p in presence) or not presence:
        return None
    either = presence[0]
    for other in presence[1:]:
        either = pc.or_(either, other)
    return None if pc.all(either).as_py() else either


def _around(
    opening: str,
    pieces: Sequence[Member],
    closing: str,
    present: pa.Array | None,
    rows: int,
) -> tuple[list[Piece], pa.Array | None]:
    """The pieces with commas between those that are there, in brackets.

    After the first piece that is always there the commas are fixed; before it they depend on the row.
    """
    sure = next((place for place, (_, _, there) in enumerate(pieces) if there is None), len(pieces))
    parts: list[Piece] = [opening]
    floating = [_maybe([name, *inner], there, rows) for name, inner, there in pieces[:sure] if there is not None]
    if floating:
        parts.append(_comma_join(floating, trailing="," if sure < len(pieces) else ""))
    for place, (name, inner, there) in enumerate(pieces[sure:]):
        comma = "," if place else ""
        parts += [comma + name, *inner] if there is None else [_maybe([comma + name, *inner], there, rows)]
    parts.append(closing)
    return ([_maybe(parts, present, rows)], present) if present is not None else (parts, None)


def _comma_join(floating: Sequence[pa.Array], trailing: str) -> pa.Array:
    """Join what is there with commas; `trailing` follows where anything is. Null becomes empty text."""
    joined: pa.Array = pc.if_else(floating[0].is_valid(), floating[0], "")
    for piece in floating[1:]:
        comma = pc.if_else(pc.and_(pc.not_equal(joined, ""), piece.is_valid()), ",", "")
        joined = pc.binary_join_element_wise(joined, comma, pc.fill_null(piece, ""), "")
    return (
        pc.if_else(pc.not_equal(joined, ""), pc.binary_join_element_wise(joined, trailing, ""), joined)
        if trailing
        else joined
    )


def _maybe(parts: Sequence[Piece], present: pa.Array | None, rows: int) -> pa.Array:
    """The parts as one text where present, else null."""
    joined = _join(parts, rows)
    return joined if present is None else pc.if_else(present, joined, NULL)


def _join(parts: Sequence[Piece], rows: int) -> pa.Array:
    """Join element by element; null counts as empty. Neighbouring constants are melted first."""
    melted: list[Piece] = []
    for part in parts:
        if isinstance(part, str) and melted and isinstance(melted[-1], str):
            melted[-1] += part
        else:
            melted.append(part)
    if all(isinstance(part, str) for part in melted):
        return pa.repeat("".join(str(part) for part in melted), rows)
    # "replace", never "skip": skip drops rows whose parts are all null and shifts the customers after them.
    return pc.binary_join_element_wise(*melted, "", null_handling="replace", null_replacement="")
