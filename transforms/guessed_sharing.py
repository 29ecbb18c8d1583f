"""What several rows have in common and should not: a key that repeats, an identifier of many, a placeholder."""

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from schemas.guessing import Guess
from schemas.profiles import Column
from schemas.values import Kind, Locale
from transforms.placeholders import placeholders
from transforms.values import clean
from transforms.yaml_words import scalar

WIDELY = 20  # as rules.placeholder_above: what more customers have is nobody's
KEY = "identifiers.externalId"
_SHARED = {"identifiers.mobile": Kind.MOBILE, "identifiers.email": Kind.EMAIL}


def remarks(raw: Mapping[str, pa.Array], guesses: Mapping[str, Guess], locale: Locale) -> Iterator[str]:
    """Sentences on columns that are mapped as identifiers."""
    key = guesses.get(KEY)
    keys = clean(raw[key.column], Kind.TEXT, locale).values if key and key.is_sure else None
    if key and keys is not None:
        yield from _of_key(key.column, keys)
    for target, kind in _SHARED.items():
        found = guesses.get(target)
        if found and found.is_sure:
            yield from _of_identifier(found.column, raw[found.column], kind, keys, locale)


def _of_key(column: str, keys: pa.Array) -> Iterator[str]:
    counts = pc.value_counts(keys.drop_null()).field("counts")
    several = counts.filter(pc.greater(counts, 1))
    if len(several):
        rows = pc.sum(several).as_py()
        yield f"{scalar(column)}: values on several rows: {len(several):,}, on {rows:,} rows; one row of each is sent"
    if keys.null_count:
        yield f"{scalar(column)}: rows without a value: {keys.null_count:,}; they are invalid while it is the key"


def _of_identifier(column: str, raw: pa.Array, kind: Kind, keys: pa.Array | None, locale: Locale) -> Iterator[str]:
    cleaned = clean(raw, kind, locale)
    dull = placeholders(raw, cleaned.values, cleaned.problems, Column(column, kind), locale.country)
    if count := pc.sum(dull).as_py():
        yield f"{scalar(column)}: rows with a placeholder, such as many people type: {count:,}; it is left out"
    owners = keys if keys is not None else pa.array(range(len(raw)))
    known = pc.and_(pc.and_(cleaned.values.is_valid(), pc.invert(pc.fill_null(dull, False))), owners.is_valid())
    table = pa.table({"value": cleaned.values.filter(known), "owner": owners.filter(known)})
    counted = table.group_by("value").aggregate([("owner", "count_distinct"), ("owner", "count")])
    shared = counted.filter(pc.greater(counted["owner_count_distinct"], 1))
    if shared.num_rows:
        rows = pc.sum(shared["owner_count"]).as_py()
        widely = pc.sum(pc.greater(shared["owner_count_distinct"], WIDELY)).as_py()
        more = f", but {widely:,} of more than {WIDELY} customers are left out" if widely else ""
        count = f"values of several customers: {shared.num_rows:,}"
        yield f"{scalar(column)}: {count}, on {rows:,} rows; they are held back{more}"
