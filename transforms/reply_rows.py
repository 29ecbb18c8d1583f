"""What one element of an answer says of one row (contract: section 4.3); `transforms.replies` reads the whole.

What is not certain is in doubt, and an unknown code is never a success in full.
"""

import re
from collections.abc import Iterable
from typing import Literal

from schemas.codes import EXTENDED_FIELD, NO_CODE, CodeClass, Operation, explain
from schemas.outcomes import Fate, RowReply
from schemas.replies import Element, Problem, Scalar, Sent, count

EmptyErrorPolicy = Literal["success", "reconcile", "fail"]
Judged = tuple[str, CodeClass]

_EXTENDED_FIELD_TEXT = re.compile(r"extended field name\b.*\bis invalid", re.IGNORECASE | re.DOTALL)
_ACCEPTED = RowReply(Fate.ACCEPTED)
_UNREADABLE = RowReply(Fate.IN_DOUBT, ("unreadable",))


def read_row(element: Element | None, operation: Operation, policy: EmptyErrorPolicy) -> RowReply:
    """One row's reply, with what became of the customers it brought along folded into it."""
    if element is None:
        return _UNREADABLE
    if all(part.is_plain for part in element.parts):
        customer_id = element.customer_id
        return _ACCEPTED if customer_id is None else RowReply(Fate.ACCEPTED, entity_id=customer_id)
    own = _read_customer(element, operation, policy)
    children = element.children
    if not children and not element.counts_children:
        return own
    replies = [_read_customer(child, operation, policy) if child else _UNREADABLE for child in children]
    return _with_children(own, replies, _children_add_up(element, children))


def echoes(element: Element | None, row: Sent) -> bool | None:
    """The element names an identifier that this row was sent with; None if it names none at all."""
    if element is None:
        return None
    for identifier in element.identifiers:
        if (identifier.type, identifier.value) in row:
            return True
    spoken = {_canonical(i.type, i.value) for i in element.identifiers if i.value not in (None, "")}
    return not spoken.isdisjoint(_canonical(kind, value) for kind, value in row) if spoken else None


def has_failed(element: Element | None) -> bool:
    """An error that says something, or a plain no: what the API counts as a failure."""
    if element is None or not (element.says_no or any(part.errors for part in element.parts)):
        return False
    return element.says_no or any(not error.is_empty for error in element.all_errors)


def doubted(row: RowReply, reason: str) -> RowReply:
    return RowReply(Fate.IN_DOUBT, _distinct((*row.codes, reason)), row.entity_id)


def judge_error(problem: Problem, operation: Operation) -> Judged:
    """An error's code and class; 403 means a missing field or missing rights, and only its text says which."""
    code = problem.number
    if code == "403" and "mandatory" not in problem.text.lower():
        return code, CodeClass.CONFIG
    return code, explain(code, operation).as_error


def judge_warning(problem: Problem, operation: Operation) -> Judged:
    """A warning's code and class; an unknown extended field is known by its text, not by a number of its own."""
    if _EXTENDED_FIELD_TEXT.search(problem.text):
        code = EXTENDED_FIELD if problem.number == NO_CODE else problem.number
        return code, CodeClass.LOSS
    return problem.number, explain(problem.number, operation).as_warning


def fate_of_warnings(kinds: set[CodeClass]) -> Fate:
    """The main action was done; whatever is not a mere note took something away."""
    if CodeClass.RECONCILE in kinds:
        return Fate.IN_DOUBT
    return Fate.ACCEPTED if kinds <= {CodeClass.NOTE} else Fate.ACCEPTED_WITH_LOSS


def _read_customer(element: Element, operation: Operation, policy: EmptyErrorPolicy) -> RowReply:
    """What is said of one customer alone, be it the row's own or one that the row brought along."""
    stated = element.all_errors
    errors = [judge_error(problem, operation) for problem in stated if not problem.is_empty]
    warnings = [judge_warning(problem, operation) for problem in element.all_warnings if not problem.is_empty]
    if element.says_no and not errors:
        errors = [(NO_CODE, CodeClass.UNKNOWN)]
    is_vague = policy != "success" and any(problem.is_empty for problem in stated)
    kinds = {kind for _, kind in errors}
    fate = _fate_of_errors(kinds)
    if fate.applied and is_vague:
        fate = Fate.REFUSED if policy == "fail" else Fate.IN_DOUBT
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


def _with_children(own: RowReply, children: list[RowReply], adds_up: bool) -> RowReply:
    """A refused child is a loss to a row that was applied; a doubtful one makes the row doubtful.

    A row that may be sent again must have applied nothing, its children included.
    """
    codes = _distinct([*own.codes, *(code for child in children for code in child.codes)])
    fates = {child.fate for child in children}
    if own.fate is Fate.REFUSED and not own.retry:
        return RowReply(own.fate, codes, own.entity_id)
    if not adds_up:
        return doubted(RowReply(own.fate, codes, own.entity_id), "child_count")
    if Fate.IN_DOUBT in (own.fate, *fates) or (own.retry and any(fate.applied for fate in fates)):
        return RowReply(Fate.IN_DOUBT, codes, own.entity_id)
    if own.retry or fates <= {Fate.ACCEPTED}:
        return RowReply(own.fate, codes, own.entity_id, own.retry)
    return RowReply(Fate.ACCEPTED_WITH_LOSS, codes, own.entity_id)


def _children_add_up(element: Element, children: list[Element | None]) -> bool:
    """`childCount` = successes + failures = what is listed, each where it is told."""
    total, successes, failures = (
        count(n) for n in (element.child_count, element.child_success_count, element.child_failure_count)
    )
    failed = sum(has_failed(child) for child in children)
    expected = (total, len(children)), (successes, len(children) - failed), (failures, failed)
    return all(told in (None, seen) for told, seen in expected)


def _canonical(kind: str | None, value: Scalar) -> tuple[str, str]:
    """One spelling for what the API may write in several: 919…, "+91 9…", "cardNumber", "A@x.com"."""
    kind = (kind or "").lower()
    text = (f"{value:.0f}" if isinstance(value, float) else str(value)).strip()
    if kind == "mobile":
        text = re.sub(r"\D", "", text)
    return "cardnumber" if kind == "card" else kind, text.casefold() if kind == "email" else text


def _codes(judged: list[Judged]) -> list[str]:
    return [code for code, _ in judged]


def _distinct(codes: Iterable[str]) -> tuple[str, ...]:
    """Each code once, where it came first."""
    return tuple(dict.fromkeys(codes))
