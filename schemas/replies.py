"""What the bulk API answers with: the shapes S1 to S5 of the contract (section 4.1), decoded into structs.

Every field may be missing or null and unknown ones are skipped, so the usual echo of a batch is read without
building a dict of it. An element that fits no shape is `None` and spoils nothing but itself.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.codes import NO_CODE

# The identifiers that one row was sent with, as (type, value): ("mobile", "919800000011").
Sent = tuple[tuple[str, str], ...]

Scalar = int | float | str | None

# The API's codes are numbers; a word in capitals may pass. Anything else could be a customer's value.
_CODE = re.compile(r"[0-9]{1,9}|[A-Z][A-Z0-9_]{2,39}")
_MAX_DIGITS = 9
_NULL = msgspec.Raw(b"null")


class Problem(msgspec.Struct, frozen=True, gc=False):
    """One item of an array of errors or warnings; `status` is false in both and says nothing."""

    code: Any = None
    message: Any = None

    @property
    def is_empty(self) -> bool:
        """`{}`: the array is not empty, and yet nothing is said."""
        return self.code in (None, "") and self.message in (None, "")

    @property
    def number(self) -> str:
        """ "8009" for 8009, "8009" and 8009.0; `NO_CODE` when there is none."""
        code = int(self.code) if type(self.code) is float and self.code.is_integer() else self.code
        if type(code) is int and 0 <= code < 10**_MAX_DIGITS:
            return str(code)
        return code.strip() if isinstance(code, str) and _CODE.fullmatch(code.strip()) else NO_CODE

    @property
    def text(self) -> str:
        return self.message if isinstance(self.message, str) else ""


Problems = list[Problem | str | None] | Problem | str | None


class Identifier(msgspec.Struct, frozen=True, gc=False):
    type: str | None = None
    value: Scalar = None


class Profile(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    identifiers: list[Identifier] | None = None
    identifiers_all: list[Identifier] | None = None
    user_id: Scalar = None


class Association(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    parent_customer: "Element | None" = None
    child_customers: "list[Element | None] | None" = None


class Element(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What is said of one customer, in any shape: the customer lies bare (S1), or under one of three names."""

    id: Scalar = None
    created_id: Scalar = None
    entity_id: "Element | Scalar" = None
    entity: "Element | Scalar" = None
    result: "Element | Scalar" = None
    profiles: list[Profile | None] | None = None
    association_details: Association | None = None
    child_entities: "list[Element | None] | None" = None
    child_count: Any = None
    child_success_count: Any = None
    child_failure_count: Any = None
    customers: "list[Element | None] | None" = None
    success: bool | str | None = None
    errors: Problems = None
    warnings: Problems = None

    @property
    def parts(self) -> tuple["Element", ...]:
        """The element itself and what it wraps."""
        if self.entity is None and self.result is None and self.entity_id is None:
            return (self,)
        wrapped = (self.entity, self.result, self.entity_id)
        return (self, *[part for part in wrapped if isinstance(part, Element)])

    @property
    def is_plain(self) -> bool:
        """It holds a customer and nothing else: no error, warning, child or verdict."""
        return (
            not (self.errors or self.warnings or self.child_entities or self.association_details)
            and not (self.child_count or self.child_success_count or self.child_failure_count)
            and self.success is None
        )

    @property
    def says_no(self) -> bool:
        """`"success": false`, as a boolean or a word."""
        return self.success is not None and str(self.success).lower() == "false"

    @property
    def customer_id(self) -> str | None:
        """The API's id of the customer, from wherever this shape keeps it (contract: section 4.3, rule 6)."""
        parts = self.parts
        found: list[Any] = [part.id for part in parts]
        found += (self.entity_id, self.entity)
        found += [part.profiles[0].user_id for part in parts if part.profiles and part.profiles[0]]
        found.append(self.created_id)
        # -1, 0 and "" are what systems write for "none".
        named = (s for s in found if s is not None and s not in (0, -1, "") and isinstance(s, (int, str)))
        return next(map(str, named), None)

    @property
    def identifiers(self) -> Iterator[Identifier]:
        """The identifiers that are echoed, in any order, some of them perhaps twice."""
        for part in self.parts:
            for profile in part.profiles or ():
                if profile is not None:
                    yield from profile.identifiers or ()
                    yield from profile.identifiers_all or ()

    @property
    def all_errors(self) -> list[Problem]:
        """Empty items included; likewise `all_warnings`."""
        return [problem for part in self.parts if part.errors for problem in stated(part.errors)]

    @property
    def all_warnings(self) -> list[Problem]:
        return [problem for part in self.parts if part.warnings for problem in stated(part.warnings)]

    @property
    def counts_children(self) -> bool:
        return (self.child_count, self.child_success_count, self.child_failure_count) != (None, None, None)

    @property
    def children(self) -> "list[Element | None]":
        """What is said of the row's children; an answer that lists them twice (S2) tells their errors in the first."""
        listed = [child for part in self.parts for child in part.child_entities or ()]
        return listed or [child for family in self._families for child in family.child_customers or ()]

    @property
    def speaks_of_children(self) -> bool:
        """It counts them or has a list of them, be it an empty one."""
        lists = [*(part.child_entities for part in self.parts), *(family.child_customers for family in self._families)]
        return self.counts_children or any(listed is not None for listed in lists)

    @property
    def parents(self) -> "list[Element]":
        """What is said of the parent that the row named, if it named one."""
        return [family.parent_customer for family in self._families if family.parent_customer is not None]

    @property
    def _families(self) -> list[Association]:
        return [part.association_details for part in self.parts if part.association_details is not None]


class Envelope(Element, frozen=True, gc=False, rename="camel"):
    """An answer that is one object: rows under `response` (S3) or `data` (S4), one row (S5), or a refusal."""

    response: msgspec.Raw = _NULL
    data: msgspec.Raw = _NULL
    total_count: Any = None
    failure_count: Any = None
    message: Any = None

    @property
    def names_a_customer(self) -> bool:
        """It speaks of one customer, and so is no mere refusal."""
        says_yes = self.success is not None and not self.says_no
        return says_yes or self.customer_id is not None or self.profiles is not None


class Answer(msgspec.Struct, frozen=True):
    """A body, unwrapped: its elements, if it speaks of rows, and what it says of the batch as a whole.

    `flaw` says in a word why nothing can be read.
    """

    elements: list[Element | None] | None = None
    whole: Envelope = Envelope()
    flaw: str = ""


_ENVELOPE = msgspec.json.Decoder(Envelope)
_ELEMENT = msgspec.json.Decoder(Element)
_ELEMENTS = msgspec.json.Decoder(list[Element | None])
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])


def read_answer(body: bytes) -> Answer:
    """Decode a body of any shape; whatever it is, this does not raise."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    first = body.lstrip()[:1]
    if not first:
        return Answer(flaw="empty")
    if first == b"<":
        return Answer(flaw="html")
    try:
        return Answer(elements=_elements(body)) if first == b"[" else _unwrap(_ENVELOPE.decode(body))
    except msgspec.ValidationError:
        return Answer(flaw="unknown_shape")
    except (ValueError, RecursionError):  # ValueError: not JSON, cut short, or not UTF-8
        return Answer(flaw="broken_json" if first in b"[{" else "not_json")


def stated(problems: Problems) -> list[Problem]:
    """An array of errors or warnings, whatever it is written as, empty items included."""
    if not problems:
        return []
    items = problems if isinstance(problems, list) else [problems]
    return [item if isinstance(item, Problem) else Problem(message=item) for item in items]


def count(value: Any) -> int | None:
    """A number of rows, perhaps written as text; None when there is none, -1 when it is no number."""
    if value is None:
        return None
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else -1


def _unwrap(whole: Envelope) -> Answer:
    for raw in (whole.response, whole.data):
        if raw != _NULL:
            return Answer(elements=_elements(raw), whole=whole)
    if isinstance(whole.entity, Element) and whole.entity.customers is not None:
        return Answer(elements=whole.entity.customers, whole=whole)
    return Answer(whole=whole)


def _elements(body: bytes | msgspec.Raw) -> list[Element | None]:
    try:
        return _ELEMENTS.decode(body)
    except msgspec.ValidationError:
        return [_element(raw) for raw in _RAWS.decode(body)]


def _element(raw: msgspec.Raw) -> Element | None:
    try:
        return _ELEMENT.decode(raw)
    except msgspec.ValidationError:
        return None
