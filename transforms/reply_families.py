"""What one element of an answer says of a row and of each child within it (contract: section 4.3).

Each has a fate of its own; a child of which nothing is said shares its parent's where that is certain enough.
"""

from collections.abc import Sequence
from dataclasses import replace

from schemas.outcomes import Fate, RowReply
from schemas.replies import Element, Sent, count
from transforms.reply_rows import UNREADABLE, Echoes, Terms, children_add_up, doubted, read_customer

_NOT_TOLD = "family.not_told"
_MISCOUNTED = RowReply(Fate.IN_DOUBT, ("child_count",))


def read_family(element: Element | None, sent: Sequence[Sent], terms: Terms) -> RowReply:
    """A row's reply with one for each of its children; `sent` has the children's identifiers, in the order sent."""
    if element is None:
        return replace(UNREADABLE, children=(UNREADABLE,) * len(sent))
    own, listed = read_customer(element, terms), element.children
    children = _told(element, listed, sent, terms) if listed else (_untold(element, own),) * len(sent)
    family = replace(own, children=children)
    if own.retry and any(child.fate is not Fate.REFUSED for child in children):
        return doubted(family, "child_count")  # it cannot go again where anything of it may have been applied
    return family


def _told(element: Element, listed: list[Element | None], sent: Sequence[Sent], terms: Terms) -> tuple[RowReply, ...]:
    """The children by their own words, matched by position and identifiers as rows are."""
    if len(listed) != len(sent) or not children_add_up(element, listed):
        return (_MISCOUNTED,) * len(sent)
    echoes = Echoes(sent)
    places = [_agrees(echoes, child, number) for number, child in enumerate(listed)]
    # No child carries an enrolment (contract: section 3): the points of the batch are their parents'.
    alone = replace(terms, points=False)
    # A child is not sent without its parent: "later" is a no for the time being.
    replies = [replace(read_customer(child, alone), retry=False) if child else UNREADABLE for child in listed]
    if False in places:
        return tuple(doubted(reply, "shuffled") for reply in replies)
    return tuple(_place_silent(replies, places)) if None in places else tuple(replies)


def _agrees(echoes: Echoes, child: Element | None, number: int) -> bool | None:
    """As for rows; who lost what they were known by, and was given a card, names nobody."""
    agrees = echoes.agree(child, number)
    return None if agrees is False and child is not None and not echoes.is_of_sent_kind(child) else agrees


def _place_silent(replies: list[RowReply], places: list[bool | None]) -> list[RowReply]:
    """Children that echo nothing are told by position only where that can mix up no fates: theirs are all alike.

    An applied one needs an id besides; whose id it is cannot be told where there are several.
    """
    silent = [reply for reply, place in zip(replies, places, strict=True) if place is None]
    are_alike = len({reply.fate for reply in silent}) == 1
    are_sure = all(reply.fate is Fate.REFUSED or (reply.fate.applied and reply.entity_id) for reply in silent)
    if not (are_alike and are_sure):
        return [doubted(r, "unmatched") if place is None else r for r, place in zip(replies, places, strict=True)]
    if len(silent) == 1:
        return replies
    return [replace(r, entity_id=None) if place is None else r for r, place in zip(replies, places, strict=True)]


def _untold(element: Element, own: RowReply) -> RowReply:
    """What becomes of each child of whom the element has no word."""
    if own.fate is Fate.IN_DOUBT:
        return RowReply(Fate.IN_DOUBT, own.codes)
    if own.fate.applied:
        return _MISCOUNTED if element.speaks_of_children else RowReply(own.fate, (_NOT_TOLD,))
    if _may_have_applied(element, own):
        return RowReply(Fate.IN_DOUBT, (*own.codes, _NOT_TOLD))
    return RowReply(Fate.REFUSED, own.codes)


def _may_have_applied(element: Element, own: RowReply) -> bool:
    """A refused element that is counted as applied in part, or holds a customer, as half-done ones do."""
    total, successes, failures = (
        count(n) for n in (element.child_count, element.child_success_count, element.child_failure_count)
    )
    is_half_done = own.entity_id is not None and not own.retry
    return is_half_done or successes not in (None, 0) or (successes is None and total not in (None, 0, failures))
