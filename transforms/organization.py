"""What the organisation lists of fields and programmes, against the words of the mapping.

The pages' layout is known from one sample each; so every `name` and every programme's id in an answer
counts, wherever it stands (contract: read endpoints for preflight). Extended fields' names ignore case.
"""

from collections.abc import Iterator, Mapping

import msgspec

from schemas.mapping import Mapping as JobMapping

# What to ask: path and query.
PAGES: dict[str, tuple[str, dict[str, str]]] = {
    "extendedFields": ("/v2/extendedFields", {}),
    "fields": ("/v2/organization/customFields", {"scope": "loyalty_registration"}),
    "programmes": ("/v2/organization/programs", {}),
}


def unknown(mapping: JobMapping, answers: Mapping[str, bytes | None]) -> Iterator[str]:
    """Warnings; an answer of None is a page that could not be read."""
    family = mapping.association
    people = [mapping, *([family.child_customers, family.parent_customer] if family else [])]
    mapped = {
        "extendedFields": {name.lower(): name for one in people if one for name in one.extended_fields},
        "fields": {name.lower(): name for one in people if one for name in one.fields},
        "programmes": {
            str(e.program_id.value): str(e.program_id.value)
            for e in mapping.enrollments
            if e.program_id.value is not None
        },
    }
    effect = {
        "extendedFields": "the API would drop it with a warning",
        "fields": "the API would drop it without a word",
        "programmes": "the API would refuse it (1213)",
    }
    for page, names in mapped.items():
        body = answers[page]
        known = {word.lower() for word in _words(body)} if body is not None else set()
        if names and not known:
            told = ", ".join(names.values())
            yield f"{page}: the organisation's list could not be read; it is not known whether {told} exist"
        elif names:
            for lowered in sorted(names.keys() - known):
                yield f"{page}: the organisation lists no {names[lowered]!r}; {effect[page]}"


def _words(body: bytes) -> Iterator[str]:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    yield from _named(answer)


def _named(value: object) -> Iterator[str]:
    match value:
        case dict():
            yield from (str(word) for key, word in value.items() if key in ("name", "id", "programId"))
            for child in value.values():
                yield from _named(child)
        case list():
            for child in value:
                yield from _named(child)
