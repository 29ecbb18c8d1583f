"""What a target's words say of its values: the contract's rule, its subject, what a constant must be."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from schemas.mapping import Value
from schemas.profiles import RULES, Array, Node, Object, Rule
from schemas.values import Kind

CLEARABLE = ("firstName", "lastName", "fields.", "extendedFields.")
# Kinds that a target takes besides its own: text where the cleaning may be too strict, a day with its time.
ALSO = {Kind.NAME: (Kind.TEXT,), Kind.MOBILE: (Kind.TEXT,), Kind.EMAIL: (Kind.TEXT,), Kind.DATE: (Kind.DATETIME,)}


def unfit(rule: Rule, value: Any) -> Iterator[str]:
    """What a constant would have to be; days are left to the API, because a job file outlives them."""
    if rule.one_of and value not in rule.one_of:
        yield f"be one of {', '.join(rule.one_of)}"
    if rule.minimum is not None and value < rule.minimum:
        yield f"be {rule.minimum} or more"
    if rule.min_length is not None and len(value) < rule.min_length:
        yield f"have at least {rule.min_length} characters"
    if rule.max_length is not None and len(value) > rule.max_length:
        yield f"have at most {rule.max_length} characters"
    if rule.pattern is not None and not re.match(rule.pattern, value):
        yield "have no character that the API does not take"


def always(value: Value) -> Value:
    """A column of what the API demands of every customer is required; its default serves too."""
    return value if value.column is None else value.model_copy(update={"required": True})


def rule_of(target: str) -> Rule:
    """The contract's rule for a target; numbers and channel names count as `*`."""
    parts = target.split(".")
    starred = [
        ".".join("*" if place == at or part.isdigit() else part for place, part in enumerate(parts))
        for at in range(len(parts))
    ]
    return next((RULES[name] for name in (target, *starred) if name in RULES), Rule())


def subject_of(target: str) -> str:
    """`identifiers.mobile` and `commChannels.mobile` speak of the mobile, `extendedFields.city` of the city."""
    return target.rsplit(".", 1)[-1]


def object_of(*members: tuple[str, Node | None]) -> Object:
    return Object(tuple((name, node) for name, node in members if node is not None))


def object_or_nothing(*members: tuple[str, Node | None]) -> Object | None:
    """Nothing instead of an object that never holds anything."""
    built = object_of(*members)
    return built if built.members else None


def array_of(elements: Iterable[Node]) -> Array | None:
    kept = tuple(elements)
    return Array(kept) if kept else None
