"""What `:since` is bound to, as a value that a driver takes."""

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from schemas.errors import SourceError
from schemas.watermarks import Bound, Kind

_DIGITS = re.compile(r"-?\d+")


def checked_value(bound: Bound, kind: Kind, label: str) -> str | int | Decimal | None:
    """The bound's value as a number where its kind is one, else as its text; nothing from the very beginning.

    Raises:
        SourceError: the column is of another kind than it was, or the value of another form.
    """
    if bound.kind is not None and bound.kind != kind:
        raise SourceError(
            f"{label}: since.column: {bound.column} was {bound.kind} and is {kind} now; run once with --full"
        )
    if bound.value is None:
        return None
    if not _is(bound.value, kind):
        raise SourceError(f"{label}: since: the value to begin after is no {kind}, which {bound.column} holds")
    if kind == Kind.INTEGER:
        return int(bound.value)
    return Decimal(bound.value) if kind == Kind.DECIMAL else bound.value


def scale_of(value: object) -> int | None:
    """How many digits behind the point a decimal of 38 needs to hold the value; nothing where a float has to.

    A bound that is rounded up passes over rows.
    """
    if not isinstance(value, Decimal):
        return None
    digits, exponent = value.as_tuple().digits, int(value.as_tuple().exponent)
    scale = max(0, -exponent)
    return scale if scale < 38 and len(digits) + max(0, exponent) <= 38 else None


def _is(value: str, kind: Kind) -> bool:
    try:
        if kind == Kind.INTEGER:
            return _DIGITS.fullmatch(value) is not None
        if kind == Kind.DECIMAL:
            return Decimal(value).is_finite()
        if kind == Kind.DATE:
            return bool(date.fromisoformat(value))
        if kind in {Kind.TIMESTAMP, Kind.TIMESTAMPTZ}:
            return (datetime.fromisoformat(value).tzinfo is None) == (kind == Kind.TIMESTAMP)
    except (ValueError, InvalidOperation):
        return False
    return True
