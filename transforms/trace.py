"""An identifier as somebody gives it becomes the keyed hashes by which runs and ledger know the customer."""

import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.mapping import IdentifierType
from schemas.profiles import Column, Template
from schemas.trace import Spelling, Touch, Wanted
from schemas.values import Kind, Locale
from transforms.identity import identifier_hashes, key_hashes
from transforms.results import Operation, meaning
from transforms.values import clean, translate


def spelling_of(templates: Sequence[Template], locale: Locale) -> Spelling:
    """How the job of these templates reads identifiers: those of its customers, and of whoever comes with them."""
    read = ((leaf.subject, leaf.column) for template in templates for leaf in template.identifiers)
    return Spelling(locale, templates[0].key, tuple(dict.fromkeys(read)))


def any_spelling(locales: Iterable[Locale]) -> Iterator[Spelling]:
    """Every way in which a job may read an identifier: for runs that did not keep how theirs did."""
    for locale in dict.fromkeys((Locale(), *locales)):
        for kind in Kind:
            column = Column("", kind)
            yield Spelling(locale, column, tuple((name, column) for name in typing.get_args(IdentifierType)))


def wanted_of(text: str, spellings: Iterable[Spelling], salt: bytes) -> Wanted:
    """Whom a text means, as source or API spell it, in a job that reads identifiers in one of these ways."""
    found = Wanted()
    for spelling in spellings:
        found |= _wanted(text, spelling, salt)
    return found


def wanted_each(texts: Sequence[str], customer: Wanted, spelling: Spelling, salt: bytes) -> list[int]:
    """The places of texts that are a key or an identifier of a customer, in a job that reads them like this."""
    raw, found = pa.array(texts, pa.string()), set[int]()
    for name, column in (("", spelling.key), *spelling.identifiers):
        values = _cleaned(raw, column, spelling.locale)
        there = pc.indices_nonzero(values.is_valid()).to_pylist()
        if name:
            hashed = pc.list_flatten(identifier_hashes({name: values}, len(values), salt)).to_pylist()
            found.update(place for place, one in zip(there, hashed, strict=True) if one in customer.identifiers)
        else:
            keys = key_hashes(values, salt).to_pylist()
            found.update(place for place in there if keys[place] in customer.keys)
    return sorted(found)


def _wanted(text: str, spelling: Spelling, salt: bytes) -> Wanted:
    columns = dict.fromkeys([spelling.key, *(column for _, column in spelling.identifiers)])
    read = {column: _read(text, column, spelling.locale) for column in columns}
    keys = {key for key in key_hashes(read[spelling.key], salt).to_pylist() if key is not None}
    identifiers: set[int] = set()
    for name, column in spelling.identifiers:
        values = read[column].drop_null()
        identifiers.update(pc.list_flatten(identifier_hashes({name: values}, len(values), salt)).to_pylist())
    return Wanted(frozenset(keys), frozenset(identifiers))


def _read(text: str, column: Column, locale: Locale) -> pa.Array:
    """What a column makes of a text, and of one that its table of values has made already."""
    # The API tells mobiles with their country and without the plus, which is read as one only where a country is known.
    raw = pa.array([text, f"+{text.strip()}"] if text.strip().isdecimal() else [text], pa.string())
    plain = clean(raw, column.kind, locale).values.cast(pa.string())
    return pa.concat_arrays([plain, _cleaned(raw, column, locale)]) if column.values else plain


def _cleaned(raw: pa.Array, column: Column, locale: Locale) -> pa.Array:
    """As text; null where there is no value."""
    text = translate(raw, dict(column.values), column.other).values if column.values else raw
    return clean(text, column.kind, locale).values.cast(pa.string())


def touches(found: pa.Table, run: dict[str, Any], operation: Operation) -> list[Touch]:
    """What is told of the lines of a run that were found; `run` has what is the same for all (`run`, `job`, …)."""
    return [
        Touch(
            **run,
            file=row["file"],
            line=row["line"],
            key_hash=row["key"],
            fate=row["fate"],
            codes=tuple((code, meaning(code, operation).cause) for code in _codes(row["codes"])),
            batch=row["batch"],
            attempt=row["attempt"],
            request_id=row["request_id"] or None,
            entity_id=row["entity_id"],
            payload_digest=row["digest"],
            answered_at_utc=row["answered_at_utc"],
        )
        for row in found.to_pylist()
    ]


def _codes(joined: str | None) -> Sequence[str]:
    return [code for code in (joined or "").split(";") if code]
