"""Rows of a nested table, from raw text to children's payloads and first fates."""

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from schemas.outcomes import Fate
from transforms.children import ORPHAN, TOO_MANY, again_of
from transforms.customers import Changes, normalize
from transforms.identity import HASH_BYTES, identifier_hashes, key_hashes
from transforms.placeholders import WidelyShared
from transforms.prepared import Recipe, also, encoded, invalid_where, known_by
from transforms.validation import Validated, validate

_NOTHING = pa.scalar(None, pa.string())


def prepare_children(
    raw: pd.DataFrame, parent: pa.Array, siblings: pa.Array, recipe: Recipe
) -> tuple[Iterator[pa.Table], Changes]:
    """Prepare the children of some leading rows, sorted by `parent` (its row number; null: an orphan).

    Of `siblings` each row has the number of all rows of its parent. As `prepare`, with `parent` and `keyed` (bool)
    besides: whether `key` is that of a customer of this job, and not just the child's first identifier.
    """
    shared = WidelyShared(recipe.widely_shared, recipe.salt)
    normalized = normalize(raw, recipe.template, recipe.locale, shared)
    checked = validate(normalized.customers, recipe.template, recipe.today, recipe.bad_optional)
    fate, codes = pc.if_else(checked.invalid, Fate.INVALID.value, _NOTHING), checked.codes
    fate, codes = invalid_where(fate, codes, parent.is_null(), ORPHAN)
    crowded = pc.fill_null(pc.greater(siblings, recipe.max_children), False)
    fate, codes = invalid_where(fate, codes, crowded, TOO_MANY)
    keyed, key = _keys(checked, recipe, len(raw))
    again = again_of(parent, key, fate)
    judged = pa.table(
        {
            "fate": pc.if_else(again, Fate.DUPLICATE.value, fate),
            "codes": also(codes, again, "duplicates.another_row"),
            "key": key,
            "order": pa.nulls(len(raw), pa.timestamp("s", "UTC")),
            "identifiers": identifier_hashes(known_by(recipe.template.identifiers, checked), len(raw), recipe.salt),
            "statement": pa.nulls(len(raw), pa.binary(HASH_BYTES)),
            "points": pa.repeat(False, len(raw)),
            "parent": parent,
            "keyed": keyed,
        }
    )
    return encoded(recipe, checked.values, judged), normalized.changes + checked.changes


def _keys(checked: Validated, recipe: Recipe, rows: int) -> tuple[pa.Array, pa.Array]:
    """Where a child has an identifier of the key's type, and the keyed hash of it or of the first there is."""
    known = {kind: values.cast(pa.string()) for kind, values in known_by(recipe.template.identifiers, checked).items()}
    own = known.get(recipe.template.key_type or "", pa.nulls(rows, pa.string()))
    # An identifier may read like another customer's key: its type tells them apart.
    first = [pc.binary_join_element_wise(kind, values, ":") for kind, values in known.items()]
    return own.is_valid(), key_hashes(pc.coalesce(own, *first), recipe.salt)
