"""Programme enrolments: what is refused before any point is credited (contract §3, §5: 1213, 1215-1217).

1214, "date order", is never answered: nothing tells which dates it compares.
"""

from collections.abc import Container, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from connectors.sandbox import wire
from connectors.sandbox.codes import Notes

HUNDRED_YEARS = timedelta(days=36_525)


def check_enrolments(
    given: Sequence[wire.Enrollment], programmes: Container[int], now: datetime, notes: Notes
) -> list[wire.Enrollment]:
    """Enrolments in the order sent; any error refuses the whole customer.

    1213 for a programme that is not the org's; 400 for a tier below 1 or negative points.
    """
    for enrolment in given:
        if enrolment.program_id not in programmes:
            notes.error(1213, str(enrolment.program_id))
        if enrolment.tier_number is not None and enrolment.tier_number < 1:
            notes.error(400, "tierNumber")
        if enrolment.loyalty_points is not None and enrolment.loyalty_points < 0:
            notes.error(400, "loyaltyPoints")
        _check_expiry(enrolment.tier_expiry_date, "tierExpiryDate", now, notes)
        _check_expiry(enrolment.points_expiry_date, "pointsExpiryDate", now, notes)
    return list(given)


def _check_expiry(value: str | None, name: str, now: datetime, notes: Notes) -> None:
    if value is None:
        return
    moment = parse_moment(value)
    if moment is None:
        notes.error(1216, name)
    elif moment < now:
        notes.error(1215, name)
    elif moment > now + HUNDRED_YEARS:
        notes.error(1217, name)


@lru_cache(maxsize=4096)  # a load's customers share a few expiry dates
def parse_moment(value: str) -> datetime | None:
    """`YYYY-MM-DDTHH:MM:SS` with an offset or Z; None for any other form, also without a zone (contract §8)."""
    if len(value) < 20 or value[10] != "T":
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
