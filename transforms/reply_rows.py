"""What one element of an answer says of one row (contract: section 4.3); `transforms.replies` reads the whole.

What is not certain is in doubt, and an unknown code is never a success in full.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from typing import Literal

from schemas.codes import EXTENDED_FIELD, NO_CODE, POINTS_UNKNOWN, CodeClass, Operation, explain
from schemas.outcomes import Fate, RowReply
from schemas.replies import Element, Problem, Scalar, Sent, count

EmptyErrorPolicy = Literal["success", "reconcile", "fail"]
Judged = tuple[str, CodeClass]

_EXTENDED_FIELD_TEXT = re.compile(r"extended field name\b.*\bis invalid", re.IGNORECASE | re.DOTALL)
_ACCEPTED = RowReply(Fate.ACCEPTED)
_NO_ID = (None,) * 5
UNREADABLE = RowReply(Fate.IN_DOUBT, ("unreadable",))


@dataclass(frozen=True, slots=True)
class Terms:
    """What an element's meaning depends on beside its own words; `points`: the batch credits points."""

    operation: Operation
    policy: EmptyErrorPolicy
    points: bool


def read_row(element: Element | None, terms: Terms) -> RowReply:
    """The reply of a row that has no children; what became of the parent that it named is folded into it."""
    if element is None:
        return UNREADABLE
    if all(part.is_plain for part in element.parts):
        customer_id = None if _holds_no_id(element) else element.customer_id
        return _ACCEPTED if customer_id is None else RowReply(Fate.ACCEPTED, entity_id=customer_id)
    own = read_customer(element, terms)
    children = element.children
    beside = [*element.parents, *children]
    if not beside and not element.counts_children:
        return own
    replies = [read_customer(one, terms) if one else UNREADABLE for one in beside]
    return _with_others(own, replies, children_add_up(element, children))


class Echoes:
    """Which row of a batch an element speaks of, by the identifiers that it echoes.

    Rows may share identifiers, and an echo may hold another row's: an element belongs to the row with which it
    has more identifiers in common than with any other. A tie names nobody.
    """

    def __init__(self, sent: Sequence[Sent]) -> None:
        self._sent = sent
        # As they are spelled, which is quick and enough: whoever is echoed otherwise is counted below.
        self._is_shared = len(set(chain.from_iterable(sent))) < sum(map(len, sent))
        kinds = {_canonical_kind(kind) for kind in {kind for row in sent for kind, _ in row}}
        self._is_sent_kind = cache(lambda kind: _canonical_kind(kind) in kinds)

    def agree(self, element: Element | None, number: int) -> bool | None:
        """The element is that of the row with this number; None if it names nobody."""
        if element is None:
            return None
        if not self._is_shared and self._echoes_plainly(element, self._sent[number]):
            return True
        told = {(i.type, i.value) for i in element.identifiers}  # most are echoed twice
        spoken = {canonical(kind, value) for kind, value in told if value not in (None, "")}
        if not spoken:
            return None
        holders = [row for identifier in spoken for row in self._rows_of.get(identifier, ())]
        own = holders.count(number)
        if own == len(holders):
            return own > 0
        return own > max(Counter(row for row in holders if row != number).values())

    def _echoes_plainly(self, element: Element, row: Sent) -> bool:
        """It echoes the row as it was sent, and beside it only kinds of identifier that no row was sent with."""
        is_named = False
        for part in element.parts:
            for profile in part.profiles or ():
                for identifier in chain(profile.identifiers or (), profile.identifiers_all or ()) if profile else ():
                    if (identifier.type, identifier.value) in row:
                        is_named = True
                    elif self._is_sent_kind(identifier.type):
                        return False
        return is_named

    def is_of_sent_kind(self, element: Element) -> bool:
        """It echoes an identifier of a kind that any row was sent with; others tell nothing of who is who."""
        return any(self._is_sent_kind(one.type) for one in element.identifiers if one.value not in (None, ""))

    @cached_property
    def _rows_of(self) -> dict[tuple[str, str], list[int]]:
        found: dict[tuple[str, str], list[int]] = {}
        for number, row in enumerate(self._sent):
            for identifier in {canonical(kind, value) for kind, value in row}:
                found.setdefault(identifier, []).append(number)
        return found


def has_failed(element: Element | None) -> bool:
    """An error that says something, or a plain no: what the API counts as a failure."""
    if element is None or not (element.says_no or any(part.errors for part in element.parts)):
        return False
    return element.says_no or any(not error.is_empty for error in element.all_errors)


def doubted(row: RowReply, reason: str) -> RowReply:
    """In doubt, and so are its children."""
    children = tuple(doubted(child, reason) for child in row.children)
    return RowReply(Fate.IN_DOUBT, _distinct((*row.codes, reason)), row.entity_id, children=children)


def judge_error(problem: Problem, operation: Operation) -> Judged:
    """An error's code and class; 403 means a missing field or missing rights, and only its text says which."""
    code = problem.number
    if code == "403" and "mandatory" not in problem.text.lower():
        return code, CodeClass.CONFIG
    return code, explain(code, operation).as_error


def judge_warning(problem: Problem, terms: Terms) -> Judged:
    """A warning's code and class; an unknown extended field is known by its text, not by a number of its own."""
    if _EXTENDED_FIELD_TEXT.search(problem.text):
        code = EXTENDED_FIELD if problem.number == NO_CODE else problem.number
        return code, CodeClass.LOSS
    if terms.points and problem.number in POINTS_UNKNOWN:
        return problem.number, CodeClass.RECONCILE
    return problem.number, explain(problem.number, terms.operation).as_warning


def fate_of_warnings(kinds: set[CodeClass]) -> Fate:
    """The main action was done; whatever is not a mere note took something away."""
    if CodeClass.RECONCILE in kinds:
        return Fate.IN_DOUBT
    return Fate.ACCEPTED if kinds <= {CodeClass.NOTE} else Fate.ACCEPTED_WITH_LOSS


def read_customer(element: Element, terms: Terms) -> RowReply:
    """What is said of one customer alone, be it the row's own or one that the row brought along."""
    stated = element.all_errors
    errors = [judge_error(problem, terms.operation) for problem in stated if not problem.is_empty]
    warnings = [judge_warning(problem, terms) for problem in element.all_warnings if not problem.is_empty]
    if element.says_no and not errors:
        errors = [(NO_CODE, CodeClass.UNKNOWN)]
    is_vague = terms.policy != "success" and any(problem.is_empty for problem in stated)
    kinds = {kind for _, kind in errors}
    fate = _fate_of_errors(kinds)
    if fate.applied and is_vague:
        fate = Fate.REFUSED if terms.policy == "fail" else Fate.IN_DOUBT
    if fate.applied and terms.points and CodeClass.DONE in kinds:
        fate = Fate.IN_DOUBT  # "nothing to change" speaks of the profile; whether the points were credited is not said
    if fate.applied:
        fate = fate_of_warnings({kind for _, kind in warnings})
    codes = _distinct([*_codes(errors), *(["empty_error"] if is_vague else []), *_codes(warnings)])
    only_later = bool(kinds) and kinds <= {CodeClass.RETRY, CodeClass.DONE} and not is_vague
    return RowReply(fate, codes, element.customer_id, retry=fate is Fate.REFUSED and only_later)


def _fate_of_errors(kinds: set[CodeClass]) -> Fate:
    """Half-done work is in doubt even beside a plain refusal: looking it up costs less than doing it twice."""
    if CodeClass.RECONCILE in kinds:
        return Fate.IN_DOUBT
    return Fate.ACCEPTED if kinds <= {CodeClass.DONE} else Fate.REFUSED


def _with_others(own: RowReply, others: list[RowReply], adds_up: bool) -> RowReply:
    """A refusal of somebody who has no row is a loss to a row that was applied; a doubt makes the row doubtful.

    A row that may be sent again must have applied nothing, not even of others.
    """
    codes = _distinct([*own.codes, *(code for other in others for code in other.codes)])
    fates = {other.fate for other in others}
    if own.fate is Fate.REFUSED and not own.retry:
        return RowReply(own.fate, codes, own.entity_id)
    if not adds_up:
        return doubted(RowReply(own.fate, codes, own.entity_id), "child_count")
    if Fate.IN_DOUBT in (own.fate, *fates) or (own.retry and any(fate.applied for fate in fates)):
        return RowReply(Fate.IN_DOUBT, codes, own.entity_id)
    if own.retry or fates <= {Fate.ACCEPTED}:
        return RowReply(own.fate, codes, own.entity_id, own.retry)
    return RowReply(Fate.ACCEPTED_WITH_LOSS, codes, own.entity_id)


def _holds_no_id(element: Element) -> bool:
    """As the target's answers usually are (contract: section 4.1, S1); this spares the search for one."""
    first = element.profiles[0] if element.profiles else None
    named = (element.id, element.created_id, element.entity_id, element.entity, element.result)
    return named == _NO_ID and (first is None or first.user_id is None)


def children_add_up(element: Element, children: list[Element | None]) -> bool:
    """`childCount` = successes + failures = what is listed, each where it is told."""
    total, successes, failures = (
        count(n) for n in (element.child_count, element.child_success_count, element.child_failure_count)
    )
    failed = sum(has_failed(child) for child in children)
    expected = (total, len(children)), (successes, len(children) - failed), (failures, failed)
    return all(told in (None, seen) for told, seen in expected)


def canonical(kind: str | None, value: Scalar) -> tuple[str, str]:
    """One spelling for what the API may write in several: 919…, "+91 9…", "cardNumber", "A@x.com"."""
    kind = _canonical_kind(kind)
    text = (f"{value:.0f}" if isinstance(value, float) else str(value)).strip()
    if kind == "mobile" and not text.isdecimal():
        text = re.sub(r"\D", "", text)
    return kind, text.casefold() if kind == "email" else text


def _canonical_kind(kind: str | None) -> str:
    kind = (kind or "").lower()
    return "cardnumber" if kind == "card" else kind


def _codes(judged: list[Judged]) -> list[str]:
    return [code for code, _ in judged]


def _distinct(codes: Iterable[str]) -> tuple[str, ...]:
    """Each code once, where it came first."""
    return tuple(dict.fromkeys(codes))
