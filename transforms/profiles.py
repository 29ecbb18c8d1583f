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
from transforms.kernels import Bytes, byte_range, byte_set

Piece: TypeAlias = "str | pa.Array"  # a constant, or one text per row
Member: TypeAlias = "tuple[str, list[Piece], pa.Array | None]"  # what stands before it, its pieces, where it is
NULL = pa.scalar(None, pa.string())
# JSON's short escapes, backslash first; the other control characters go by number.
_ESCAPES = (
    ("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"), ("\b", "\\b"), ("\f", "\\f"),
    *((chr(code), f"\\u{code:04x}") for code in range(0x20) if chr(code) not in "\n\r\t\b\f"),
)  # fmt: skip
_SPECIAL = byte_range(0x00, 0x1F) | byte_set('"\\')


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
    if not len(text):
        return text
    view = Bytes(text)
    # Compared, not looked up in a table as `Bytes.has` does: of a column's millions of bytes few or none are special.
    if not ((view.data < 0x20) | (view.data == ord('"')) | (view.data == ord("\\"))).any():
        return text
    dirty = pa.array(view.has(_SPECIAL))
    fixed = text.filter(dirty)
    for raw, escaped in _ESCAPES:
        fixed = pc.replace_substring(fixed, raw, escaped)
    return pc.replace_with_mask(text, dirty, fixed)


def _object_presence(node: Object, presence: Sequence[pa.Array | None]) -> pa.Array | None:
    """An object is there where its anchors are; without anchors, where any value from a column is.

    One that holds constants only is always there; constants alone never bring an object along otherwise.
    """
    children = [child for _, child in node.members]
    anchors = [p for child, p in zip(children, presence, strict=True) if isinstance(child, Leaf) and child.anchor]
    if anchors:
        return _all(anchors)
    moving = [p for child, p in zip(children, presence, strict=True) if not _is_constant(child)]
    return _any(moving) if moving else None


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

    After the first piece that is always there each brings its comma along, before it each has its comma behind.
    """
    sure = next((place for place, (_, _, there) in enumerate(pieces) if there is None), None)
    parts: list[Piece] = [opening]
    if sure is None:
        parts.append(_comma_join(pieces, rows))
    else:
        parts += [_maybe([name, *inner, ","], there, rows) for name, inner, there in pieces[:sure]]
        for place, (name, inner, there) in enumerate(pieces[sure:]):
            told = ["," + name if place else name, *inner]
            parts += told if there is None else [_maybe(told, there, rows)]
    parts.append(closing)
    return ([_maybe(parts, present, rows)], present) if present is not None else (parts, None)


def _comma_join(pieces: Sequence[Member], rows: int) -> pa.Array:
    """Join what is there with commas, where any row may lack any of it."""
    with_commas = _join([_maybe(["," + name, *inner], there, rows) for name, inner, there in pieces], rows)
    # Not binary_slice: that fails on empty values (pyarrow 26: "Negative buffer resize").
    return pc.utf8_slice_codeunits(with_commas, 1)


def _maybe(parts: Sequence[Piece], present: pa.Array | None, rows: int) -> pa.Array:
    """The parts as one text where present, else null."""
    joined = _join(parts, rows)
    return joined if present is None else only(joined, present)


def only(text: pa.Array, present: pa.Array) -> pa.Array:
    """The text where present (bool, never null), else null: a mask over the same memory where that can be."""
    _, bits = present.buffers()
    whole_bytes, odd_bits = divmod(present.offset, 8)
    if odd_bits or text.offset or text.null_count:
        return pc.if_else(present, text, NULL)
    return pa.StringArray.from_buffers(len(text), *text.buffers()[1:], bits.slice(whole_bytes))


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
