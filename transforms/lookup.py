"""Rows in doubt are judged by what is there (contract: reconcile after an ambiguous outcome).

Unknown is never success, and points are never credited twice: that a credit is not seen proves nothing, because
credits are booked late. A row is untouched only where something shows that the write did not happen.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from schemas.lookups import ASKED_BY, Customer, Finding, Judgement, Seen, Wanted, zoned
from schemas.outcomes import Fate, RowReply
from schemas.profiles import Template
from schemas.replies import stated
from transforms.comparison import Match, compare, profile_of, read_sent

_Points = tuple[str, Decimal]
_SURVIVOR = {"8069", "91009"}
_LOOKED_UP = "looked_up"
_CODES = {
    Finding.APPLIED: _LOOKED_UP,
    Finding.APPLIED_WITH_LOSS: "look_up.part_missing",
    Finding.UNTOUCHED: "look_up.untouched",
}
FAMILY_NOT_SEEN = "look_up.family_not_seen"
# Of a row for which `wanted_of` finds nothing to ask by.
NO_IDENTIFIER = Judgement(Finding.UNCLEAR, "look_up.no_identifier")
# Of a child who is there as sent, and whose parent was not found to be applied.
NOT_WITH_PARENT = Judgement(Finding.UNCLEAR, FAMILY_NOT_SEEN)
UNTOUCHED = Judgement(Finding.UNTOUCHED, _CODES[Finding.UNTOUCHED])


def key_type(template: Template) -> str | None:
    """The type of the identifier that the job's key is, if it is one."""
    return next((leaf.subject for leaf in template.identifiers if leaf.column == template.key), None)


def wanted_of(payload: bytes, key: str | None, sent_at_utc: datetime) -> Wanted | None:
    """What to look up of a row; None where it has no identifier that can be asked by (`NO_IDENTIFIER`).

    The job's key is asked for first, then the rest by how surely each tells customers apart.
    """
    sent = read_sent(payload)
    known = [(str(one.type), str(one.value)) for one in sent.known_by if one.value not in (None, "")]
    order = ([key] if key in ASKED_BY else []) + [kind for kind in ASKED_BY if kind != key]
    askable = tuple(one for kind in order for one in known if one[0] == kind)
    if not askable:
        return None
    return Wanted(
        identifiers=askable,
        unaskable=tuple(one for one in known if one[0] not in ASKED_BY),
        programmes=bool(sent.loyalty_program_enrollments),
        points=bool(_credits_of(sent)),
        sent_at_utc=sent_at_utc,
    )


def judge(payload: bytes, seen: Seen, sent_at_utc: datetime) -> Judgement:
    """What became of a row, by one read of its customer; `sent_at_utc` is that of the read's `Wanted`."""
    sent = read_sent(payload)
    if seen.found and seen.customer is not None:
        found = _judge_found(sent, seen.customer, seen, seen.earliest(sent_at_utc))
        return _told(found, seen.customer.customer_id)
    if seen.found is not False:
        return _told("look_up.unreadable")
    # Points may have gone to a customer whom nothing here can be asked by.
    is_sure = seen.elsewhere is False or not _credits_of(sent)
    return _told(Finding.UNTOUCHED if is_sure else "look_up.other_customer")


def was_before(payload: bytes, seen: Seen, sent_at_utc: datetime) -> bool:
    """Whoever was read was last written before the row was sent, and so not by it."""
    since_utc = seen.earliest(sent_at_utc)
    if seen.customer is None or since_utc is None:
        return False
    return _all_before(_modified(read_sent(payload), seen.customer), since_utc)


def conclude(first: Judgement, second: Judgement) -> Judgement:
    """Two reads, the second after a while: to be applied one is enough, to be untouched takes both."""
    for finding in (Finding.APPLIED, Finding.APPLIED_WITH_LOSS):
        for judgement in (second, first):
            if judgement.finding is finding:
                return judgement
    if second.finding is Finding.UNTOUCHED and first.finding is not Finding.UNTOUCHED:
        return _told("look_up.not_confirmed", second.entity_id)
    return second


def settled(judgement: Judgement, was: RowReply) -> RowReply:
    """The row's reply by a look-up; one that is untouched is a refusal that may be sent again (`retry`)."""
    entity_id = judgement.entity_id or was.entity_id
    match judgement.finding:
        case Finding.APPLIED:
            return RowReply(Fate.ACCEPTED, (_LOOKED_UP,), entity_id)
        case Finding.APPLIED_WITH_LOSS:
            return RowReply(Fate.ACCEPTED_WITH_LOSS, (_LOOKED_UP, judgement.code), entity_id)
        case Finding.UNTOUCHED:
            return RowReply(Fate.REFUSED, (*was.codes, judgement.code), retry=True)
        case Finding.UNCLEAR:
            return RowReply(Fate.IN_DOUBT, (*was.codes, judgement.code), entity_id)


def _told(found: Finding | str, entity_id: str | None = None) -> Judgement:
    """A finding with the code it always has, or the code for which it is unclear."""
    if isinstance(found, Finding):
        return Judgement(found, _CODES[found], entity_id)
    return Judgement(Finding.UNCLEAR, found, entity_id)


def _judge_found(sent: Customer, there: Customer, seen: Seen, since_utc: datetime | None) -> Finding | str:
    compared = list(compare(sent, there, seen.programmes))
    missing = [target for target, match in compared if match is not Match.SAME]
    if _survived(there) and any(target.startswith("identifiers.") for target in missing):
        return "look_up.merged"
    credits = _credits_of(sent)
    if not credits and not missing and not sent.association_details:
        return Finding.APPLIED
    if since_utc is None:
        return "look_up.clock_unknown"
    modified = _modified(sent, there)
    is_older = _all_before(modified, since_utc)
    if credits:
        is_contradicted = is_older and any(match is Match.OTHER for _, match in compared)
        return _judge_points(credits, seen, since_utc, bool(missing), is_contradicted)
    if is_older:
        return Finding.UNTOUCHED
    return "look_up.customer_differs" if missing else _judge_family(modified, since_utc)


def _judge_family(modified: Sequence[datetime | None], since_utc: datetime) -> Finding | str:
    """Whoever was there as sent before may have no family yet: only that they were written to since tells of it."""
    is_written = any(moment is not None and moment >= since_utc for moment in modified)
    return Finding.APPLIED if is_written else FAMILY_NOT_SEEN


def _judge_points(
    credits: Counter[_Points], seen: Seen, since_utc: datetime, is_part_missing: bool, is_contradicted: bool
) -> Finding | str:
    """`is_contradicted`: the customer shows that the row's other members were not applied."""
    if seen.credits is None:
        return "look_up.ledger_unreadable"
    booked = Counter((credit.programme, credit.points) for credit in seen.credits if credit.at_utc >= since_utc)
    if booked == credits:
        return Finding.APPLIED_WITH_LOSS if is_part_missing else Finding.APPLIED
    if not booked <= credits:
        return "look_up.other_credits"
    if booked or not is_contradicted:
        return "look_up.credit_not_seen"
    return Finding.UNTOUCHED if seen.elsewhere is False else "look_up.other_customer"


def _all_before(modified: Sequence[datetime | None], since_utc: datetime) -> bool:
    """The customer was last written before; False where any of their times cannot be read."""
    return bool(modified) and all(moment is not None and moment < since_utc for moment in modified)


def _modified(sent: Customer, there: Customer) -> list[datetime | None]:
    """When the customer was last written, by all that tells it; None for what cannot be read."""
    profiles = [found for one in sent.profiles or () if (found := profile_of(one, there)) is not None]
    attributions = [profile.attribution for profile in profiles]
    attributions += [there.loyalty_info.attribution] if there.loyalty_info else []
    modified = [one.modified_date for one in attributions if one is not None and one.modified_date]
    updated = [text for one in profiles if (text := one.auto_update_time_iso or one.auto_update_time)]
    return [zoned(text) for text in modified + updated] if modified else []


def _credits_of(sent: Customer) -> Counter[_Points]:
    """How often which points go to which programme."""
    enrollments = sent.loyalty_program_enrollments or ()
    credits = ((str(one.program_id), Decimal(str(one.loyalty_points or 0))) for one in enrollments)
    return Counter(credit for credit in credits if credit[1] > 0)


def _survived(there: Customer) -> bool:
    """The API says that it answers with another customer, into whom the wanted one was merged."""
    return any(problem.number in _SURVIVOR for problem in stated(there.warnings))
