"""One part of the source, from raw text to payloads and first fates: normalize, filter, validate, map."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from schemas.outcomes import Fate
from schemas.profiles import Constant, Credit, Leaf, Template
from schemas.values import Locale
from transforms.associations import CHILDREN
from transforms.changes import DIGEST_BYTES, credit_digests, digests
from transforms.children import TOO_MANY, Brood, bear, untold
from transforms.credits import fleeting
from transforms.customers import Changes, array_of, normalize
from transforms.filters import Filter, Filtered, decide
from transforms.identity import HASH_BYTES, identifier_hashes, key_hashes
from transforms.placeholders import WidelyShared
from transforms.profiles import by_distinct, encode, only
from transforms.validation import Validated, validate

# Encoding a slice costs as much as 1,000 rows of it whatever its length; its fragments should stay in the cache.
ENCODED_ROWS = 10_000
BRACKETS = 2


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that preparing a part needs besides its rows; holds no secret but the salt, and no customer."""

    template: Template
    locale: Locale
    today: str  # yyyy-mm-dd in the job's zone
    bad_optional: Literal["drop", "reject"]
    filter: Filter | None
    max_bytes: int
    salt: bytes
    max_children: int = 30_000
    widely_shared: frozenset[int] = frozenset()  # keyed hashes of identifiers that are no values


def prepare(raw: pd.DataFrame, several: pa.Array, recipe: Recipe) -> tuple[pa.Table, Changes]:
    """Prepare some rows; `raw` has the wanted columns as Arrow-backed text under their wanted names.

    `several` (bool) marks rows that a joined table has more than one row for. The table has, in the order
    of `raw`: `fate` (null: to be sent), `codes`, `key` (keyed hash), `order` (UTC), `identifiers` (keyed hashes),
    `statement` (keyed hash of what `points_id` names, null without), `points_N` and `programme_N` per credit, `points`
    (bool: credits any), `size`, `payload`, its keyed `digest` without points and `whole_digest` with them (null where
    not to be sent, the latter also where it is the same). Where the job names parents, `relatives` has the parent's
    identifiers as keyed hashes and `parent_key` the keyed hash by which the parent would be a customer of this job;
    where it has children, `children` has the row numbers of those in the payload.
    """
    slices, changes = prepare_slices(raw, several, recipe)
    return pa.concat_tables(slices), changes


def prepare_slices(
    raw: pd.DataFrame, several: pa.Array, recipe: Recipe, brood: Brood | None = None
) -> tuple[Iterator[pa.Table], Changes]:
    """As `prepare`, with the table in slices that are encoded one by one: payloads take more room than all else."""
    widely_shared = WidelyShared(recipe.widely_shared, recipe.salt)
    normalized = normalize(raw, recipe.template, recipe.locale, widely_shared)
    checked = validate(normalized.customers, recipe.template, recipe.today, recipe.bad_optional)
    credits = _credits(recipe.template, checked)
    ours = _Ours(several, _keyless(normalized.key, recipe.template), _unstated(normalized.statement, credits["points"]))
    fate, codes = _fates(_filtered(raw, recipe), checked, ours)
    if brood is not None:
        fate, codes = invalid_where(fate, codes, pa.array(brood.counts > recipe.max_children), TOO_MANY)
    judged = pa.table(
        {
            "fate": fate,
            "codes": codes,
            "key": key_hashes(normalized.key, recipe.salt),
            "order": _instant(normalized.order, len(raw)),
            "identifiers": identifier_hashes(known_by(recipe.template.identifiers, checked), len(raw), recipe.salt),
            "statement": _statements(normalized.statement, len(raw), recipe.salt),
            **_relatives(recipe, checked, len(raw)),
            **credits,
        }
    )
    return encoded(recipe, checked.values, judged, brood), normalized.changes + checked.changes


def encoded(
    recipe: Recipe, values: Mapping[str, pa.Array], judged: pa.Table, brood: Brood | None = None
) -> Iterator[pa.Table]:
    """The judged rows with their payloads; one that is larger than a request is invalid. One slice at least."""
    values = by_distinct(values)
    for start, stop in _slices(recipe, judged.num_rows, brood):
        piece = judged.slice(start, stop - start)
        # Encoding the few that are not wanted costs less than filtering every column.
        here = {target: column.slice(start, stop - start) for target, column in values.items()}
        fate, codes = (piece.column(name).combine_chunks() for name in ("fate", "codes"))
        more: dict[str, pa.Array] = {}
        too_large = pa.repeat(False, len(fate))
        if brood is not None:
            borne = bear(brood, start, piece.column("identifiers").combine_chunks(), recipe.max_bytes)
            here[CHILDREN], more["children"] = borne.json, borne.rows
            too_large = pa.array(brood.sizes[start:stop] > recipe.max_bytes)
        for where, code in untold(recipe.template, here, here.get(CHILDREN)):
            fate, codes = invalid_where(fate, codes, where, code)
        payload = encode(recipe.template, here, len(fate))
        wanted = fate.is_null()
        size = pc.if_else(wanted, pc.binary_length(payload), pa.scalar(None, pa.int32()))
        too_large = pc.or_(too_large, pc.fill_null(pc.greater(size, recipe.max_bytes - BRACKETS), False))
        fate, codes = invalid_where(fate, codes, pc.and_(wanted, too_large), "payload.too_large")
        payload = only(payload, fate.is_null()).cast(pa.binary())
        digest, whole = _digests(payload, piece, recipe)
        columns = {name: piece.column(name) for name in piece.column_names} | {
            "fate": fate,
            "codes": codes,
            "size": size,
            "payload": payload,
            "digest": digest,
            "whole_digest": whole,
        }
        yield pa.table(columns | more)


def _digests(payload: pa.Array, piece: pa.Table, recipe: Recipe) -> tuple[pa.Array, pa.Array]:
    if recipe.template.credits:
        return credit_digests(payload, piece.column("statement"), fleeting(recipe.template), recipe.salt)
    return digests(payload, recipe.salt), pa.nulls(len(payload), pa.binary(DIGEST_BYTES))


def _slices(recipe: Recipe, rows: int, brood: Brood | None) -> Iterator[tuple[int, int]]:
    if brood is not None:
        return brood.slices(ENCODED_ROWS, recipe.max_bytes)
    starts = range(0, max(rows, 1), ENCODED_ROWS)
    return ((start, min(start + ENCODED_ROWS, rows)) for start in starts)


def known_by(identifiers: Sequence[Leaf], checked: Validated) -> dict[str, pa.Array]:
    """Per type of identifier its values."""
    return {leaf.target.rpartition(".")[2]: checked.values[leaf.target] for leaf in identifiers}


def _relatives(recipe: Recipe, checked: Validated, rows: int) -> dict[str, pa.Array]:
    """Who the row's parent is, where the job names parents."""
    if not recipe.template.parent:
        return {}
    known = known_by(recipe.template.parent, checked)
    keys = known.get(recipe.template.key_type or "", pa.nulls(rows, pa.string()))
    return {
        "relatives": identifier_hashes(known, rows, recipe.salt),
        "parent_key": key_hashes(keys.cast(pa.string()), recipe.salt),
    }


def _filtered(raw: pd.DataFrame, recipe: Recipe) -> Filtered:
    if recipe.filter is None:
        return Filtered(pa.repeat(True, len(raw)), pa.repeat(False, len(raw)))
    return decide(recipe.filter, {name: array_of(raw[name]) for name in recipe.filter.columns}, recipe.locale)


def _keyless(key: pa.Array, template: Template) -> pa.Array:
    """Rows without their key; where an identifier is the key, its own rule says so."""
    is_identifier = any(leaf.column == template.key for leaf in template.identifiers)
    return pa.repeat(False, len(key)) if is_identifier else key.is_null()


def _unstated(statement: pa.Array | None, points: pa.Array) -> pa.Array:
    """Rows with points that do not say by which statement, where the job asks for it."""
    return pa.repeat(False, len(points)) if statement is None else pc.and_(points, statement.is_null())


def _statements(statement: pa.Array | None, rows: int, salt: bytes) -> pa.Array:
    return pa.nulls(rows, pa.binary(HASH_BYTES)) if statement is None else key_hashes(statement, salt)


@dataclass(frozen=True, slots=True)
class _Ours:
    """What makes a row invalid beside its values; bool per row."""

    several: pa.Array
    keyless: pa.Array
    unstated: pa.Array


def _fates(kept: Filtered, checked: Validated, ours: _Ours) -> tuple[pa.Array, pa.Array]:
    """The first fate a row meets, and its reasons. A filtered row's values are nobody's business."""
    codes, invalid = checked.codes, checked.invalid
    for where, code in (
        (ours.several, "join.several_rows"),
        (ours.keyless, "key.missing"),
        (ours.unstated, "points_id.missing"),
        (kept.undecided, "filter.undecided"),
    ):
        codes, invalid = also(codes, where, code), pc.or_(invalid, where)
    filtered = pc.and_(pc.invert(kept.kept), pc.invert(kept.undecided))
    fate = pc.if_else(
        filtered, Fate.FILTERED.value, pc.if_else(invalid, Fate.INVALID.value, pa.scalar(None, pa.string()))
    )
    return fate, pc.if_else(filtered, pa.scalar(None, pa.string()), codes)


def invalid_where(fate: pa.Array, codes: pa.Array, where: pa.Array, code: str) -> tuple[pa.Array, pa.Array]:
    """Rows that have no fate yet, or are invalid already, are invalid for this reason too."""
    here = pc.and_(where, pc.or_(fate.is_null(), pc.fill_null(pc.equal(fate, Fate.INVALID.value), False)))
    return pc.if_else(here, Fate.INVALID.value, fate), also(codes, here, code)


def also(codes: pa.Array, where: pa.Array, code: str) -> pa.Array:
    """One more reason where it holds."""
    if not pc.any(where).as_py():
        return codes
    joined = pc.binary_join_element_wise(codes, code, ";")
    return pc.if_else(where, pc.coalesce(joined, pa.scalar(code)), codes)


def _instant(order: pa.Array | None, rows: int) -> pa.Array:
    return pa.nulls(rows, pa.timestamp("s", "UTC")) if order is None else order.cast(pa.timestamp("s", "UTC"))


def _credits(template: Template, checked: Validated) -> dict[str, pa.Array]:
    """Points are counted wherever they can be read, also in rows that are not sent."""
    rows = len(checked.invalid)
    columns: dict[str, pa.Array] = {}
    credits_any = pa.repeat(False, rows)
    for place, credit in enumerate(template.credits):
        points, programme = _credit(credit, checked, rows)
        columns[f"points_{place}"], columns[f"programme_{place}"] = points, programme
        credits_any = pc.or_(credits_any, pc.not_equal(points, 0))
    return columns | {"points": credits_any}


def _credit(credit: Credit, checked: Validated, rows: int) -> tuple[pa.Array, pa.Array]:
    def values(side: object) -> pa.Array:
        if isinstance(side, Constant):
            return pa.repeat(pa.scalar(side.value), rows)
        return checked.values[getattr(side, "target", "")]

    programme = values(credit.programme).cast(pa.string())
    points = pc.fill_null(values(credit.points).cast(pa.int64()), 0)
    # Without its programme an enrolment is not sent, so its points are nobody's.
    return pc.if_else(programme.is_valid(), points, 0), pc.fill_null(programme, "")
