"""Cleaned columns become the JSON of their customers, thousands at a time.

One text join a level, no object per row. Absent values are left out (absent is not null, and nobody knows
whether the API clears on null: contract, contradictions and unknowns).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.types import is_boolean, is_dictionary, is_string

from schemas.profiles import Array, Constant, Leaf, Node, Object, Ready, Template
from transforms.kernels import Bytes, byte_range, byte_set, repeats

Piece: TypeAlias = "str | pa.Array"  # a constant, or one text per row
Member: TypeAlias = "tuple[str, list[Piece], pa.Array | None]"  # what stands before it, its pieces, where it is
NULL = pa.scalar(None, pa.string())
# JSON's short escapes, backslash first; the other control characters go by number.
_ESCAPES = (
    ("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"), ("\b", "\\b"), ("\f", "\\f"),
    *((chr(code), f"\\u{code:04x}") for code in range(0x20) if chr(code) not in "\n\r\t\b\f"),
)  # fmt: skip
FLAGS = pa.array(["false", "true"])
# A text is looked up, not joined, where a slice of rows has a fraction of it as distinct values.
FEW = 0.25
_SPECIAL = byte_range(0x00, 0x1F) | byte_set('"\\')


def by_distinct(values: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """The same columns for `encode`; of texts that repeat a lot each is then escaped and named but once."""
    return {target: _by_distinct(column) for target, column in values.items()}


def _by_distinct(column: pa.Array) -> pa.Array:
    if not is_string(column.type) or not repeats(column, FEW):
        return column
    encoded = column.dictionary_encode()
    return encoded if len(encoded.dictionary) else column


def encode(template: Template, values: Mapping[str, pa.Array], rows: int) -> pa.Array:
    """The payload of each row as JSON text (never null); `values` holds one array per leaf's target.

    Members keep the template's order, so equal customers have equal bytes.
    """
    members = _members(template.tree, values, rows)
    parts, present = _around("{", members, "}", _any([there for _, _, there in members]), rows)
    # The customer itself is always there, also in a row that has nothing to tell (and is not sent for it).
    payloads = _join(parts, rows) if present is None else pc.fill_null(parts[0], "{}")
    assert len(payloads) == rows
    return payloads


def _pieces(node: Node, values: Mapping[str, pa.Array], rows: int) -> tuple[list[Piece], pa.Array | None]:
    """What to join for a node, and the rows in which it is there (None: in all)."""
    match node:
        case Constant(value):
            return [json.dumps(value, ensure_ascii=False)], None
        case Leaf():
            return _leaf(node, values[node.target])
        case Ready(name):
            return [values[name]], values[name].is_valid() if values[name].null_count else None
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
        return [pa.DictionaryArray.from_arrays(column.cast(pa.int8()), FLAGS)], present
    if leaf.rule.form == "number":
        return [column.cast(pa.string())], present
    if is_dictionary(column.type):
        return ['"', pa.DictionaryArray.from_arrays(column.indices, escape(column.dictionary)), '"'], present
    text = pc.if_else(column, "true", "false") if is_boolean(column.type) else column.cast(pa.string())
    return ['"', escape(text), '"'], present


def escape(text: pa.Array) -> pa.Array:
    """Text as it stands between JSON's quotes."""
    if not len(text):
        return text
    view = Bytes(text)
    # Not looked up in a table as `Bytes.has` does: of a column's millions of bytes few or none are special.
    octets = view.data.tobytes()
    if view.data.min(initial=0x20) >= 0x20 and b'"' not in octets and b"\\" not in octets:
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
    told = [
        (child, there)
        for (name, child), there in zip(node.members, presence, strict=True)
        if not node.brought_by or name in node.brought_by
    ]
    anchors = [there for child, there in told if isinstance(child, Leaf) and child.anchor]
    if anchors:
        return _all(anchors)
    moving = [there for child, there in told if not _is_constant(child)]
    return _any(moving) if moving else None


def _is_constant(node: Node) -> bool:
    match node:
        case Constant():
            return True
        case Leaf() | Ready():
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
    """The pieces with commas between those that are there, in brackets; `present` is where there are any.

    After the first piece that is always there each brings its comma along, before it each has its comma behind.
    """
    sure = next((place for place, (_, _, there) in enumerate(pieces) if there is None), None)
    if sure is None:
        joined = _comma_join(opening, pieces, closing, rows)
        return [joined if present is None else only(joined, present)], present
    parts: list[Piece] = [opening]
    parts += [_maybe([name, *inner, ","], there, rows) for name, inner, there in pieces[:sure]]
    for place, (name, inner, there) in enumerate(pieces[sure:]):
        told = ["," + name if place else name, *inner]
        parts += told if there is None else [_maybe(told, there, rows)]
    parts.append(closing)
    return ([_maybe(parts, present, rows)], present) if present is not None else (parts, None)


def _comma_join(opening: str, pieces: Sequence[Member], closing: str, rows: int) -> pa.Array:
    """Join what is there with commas in brackets, where any row may lack any of it, but none lacks all."""
    parts: list[Piece] = [_maybe(["," + name, *inner], there, rows) for name, inner, there in pieces]
    joined = _join([*parts, closing], rows)
    # The first comma becomes the bracket where it stands: nobody else has seen these bytes yet.
    _, offsets, data = joined.buffers()
    if rows:
        np.frombuffer(data, np.uint8)[np.frombuffer(offsets, np.int32, rows)] = ord(opening)
    return joined


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
    """Join element by element; null counts as empty."""
    texts = list(_melted(parts)) or [""]
    if len(texts) == 1:
        return pa.repeat(texts[0], rows) if isinstance(texts[0], str) else texts[0]
    # "replace", never "skip": skip drops rows whose parts are all null and shifts the customers after them.
    return pc.binary_join_element_wise(*texts, "", null_handling="replace", null_replacement="")


def _melted(parts: Iterable[Piece]) -> Iterator[Piece]:
    """The same with neighbouring constants as one, and as one with a text that repeats beside them."""
    before, column, after = "", None, ""
    for part in parts:
        if isinstance(part, str):
            before, after = (before + part, "") if column is None else (before, after + part)
            continue
        if column is not None or not is_dictionary(part.type):
            yield from _looked_up(before, column, after)
            before, column, after = "", None, ""
        if is_dictionary(part.type):
            column = part
        else:
            yield part
    yield from _looked_up(before, column, after)


def _looked_up(before: str, column: pa.Array | None, after: str) -> Iterator[Piece]:
    """What stands where a value is absent does not matter: its object is masked there."""
    if column is not None:
        yield pc.binary_join_element_wise(before, column.dictionary, after, "").take(pc.fill_null(column.indices, 0))
    elif before:
        yield before
