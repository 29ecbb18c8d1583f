"""Watermarks: values of one kind compared, moved back, and read from what a person wrote; never past a held row."""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from hashlib import sha256
from typing import Any, overload
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import JobError
from schemas.watermarks import Kind, Seen

_MICROSECOND, _DAY = timedelta(microseconds=1), timedelta(days=1)
_FINER = r"(\.\d{6})\d+"
_ARROW = {
    Kind.TIMESTAMPTZ: pa.timestamp("us", "UTC"),
    Kind.TIMESTAMP: pa.timestamp("us"),
    Kind.DATE: pa.date32(),
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.decimal128(38, 0),
    Kind.DECIMAL: pa.decimal256(76, 38),
}
# As Arrow holds them; it reads longer numbers, and wrongly.
_SHAPES = {Kind.INTEGER: r"^-?\d{1,38}$", Kind.DECIMAL: r"^-?\d{1,38}(\.\d{1,38})?$"}
_EXACT = Context(prec=80)
EXAMPLES = {
    Kind.TIMESTAMPTZ: "2026-03-01T00:30:00+05:30",
    Kind.TIMESTAMP: "2026-03-01T00:30:00",
    Kind.DATE: "2026-03-01",
    Kind.INTEGER: "48213",
    Kind.DECIMAL: "48213.5",
}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
# A quoted text, an identifier, a dollar quote; then comments; then blanks.
_WORDS = re.compile(
    r"""(?P<kept>'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"""
    r"|(?P<blank>(?:--[^\n]*|/\*.*?\*/|\s)+)",
    re.DOTALL,
)
_BLANK = "\0"
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")
# Times and numbers that a database keeps as text; what else a text may be is nobody's business.
_HARMLESS = re.compile(r"[\d\s.:,/+TZ-]*")


def query_digest(query: str, *more: str) -> str:
    """Of a query's text, whatever its blanks, line ends and comments, and of what else says which rows are taken."""
    cut = _WORDS.sub(lambda found: found["kept"] or _BLANK, query)
    text = re.sub(rf"(?<=\w){_BLANK}+(?=\w)", " ", cut).replace(_BLANK, "")
    return sha256("\0".join((text.rstrip(";"), *more)).encode()).hexdigest()


def columns_digest(columns: Iterable[str]) -> str:
    """Of a query's columns, in whatever order they come."""
    return sha256("\0".join(sorted(columns)).encode()).hexdigest()


def duration_of(told: str) -> timedelta:
    """A duration as a job file writes it ("15m")."""
    return timedelta(seconds=int(told[:-1]) * _SECONDS[told[-1]])


def is_harmless(value: str) -> bool:
    """Whether a text may be kept: it is a time or a number, and no word."""
    return _HARMLESS.fullmatch(value) is not None


def later(kind: Kind, *values: str | None) -> str | None:
    """The latest of some values; none where none is one."""
    return max((value for value in values if value is not None), key=lambda value: _read(kind, value), default=None)


def earliest(kind: Kind, *values: str | None) -> str | None:
    """The earliest of some values; none where none is one."""
    return min((value for value in values if value is not None), key=lambda value: _read(kind, value), default=None)


def earlier_by(kind: Kind, value: str, while_: timedelta) -> str:
    """A time moved back; a date by whole days, so that a day is never cut."""
    at = _read(kind, value)
    try:
        back: datetime | date = at - (-(-while_ // _DAY) * _DAY if kind == Kind.DATE else while_)
    except OverflowError:
        back = type(at).min.replace(tzinfo=UTC) if kind == Kind.TIMESTAMPTZ else type(at).min
    return _written(back)


def just_below(kind: Kind, value: str) -> str | None:
    """A value below this one and next to it; of texts nobody knows any, as databases order them in many ways."""
    if kind == Kind.TEXT:
        return None
    if kind.is_time:
        return earlier_by(kind, value, _DAY if kind == Kind.DATE else _MICROSECOND)
    number = Decimal(value)
    last_digit = min(int(number.as_tuple().exponent), 0)
    return _written(_EXACT.subtract(number, Decimal(1).scaleb(last_digit)))


def moved(
    kind: Kind, before: str | None, seen: Seen, *, asked: bool = False, start: str | None = None, horizon: str | None
) -> str | None:
    """Where the watermark stands after a run: past every row that need not be read again, and no further.

    `before` is where it stood. Rows after `start` were read, without one all there are; that it begins where no run
    has read is for a person to ask. It goes back for held rows only. From `horizon` on rows may still appear. None: all
    rows are to be read again.
    """
    if start is not None and (not asked if before is None else _read(kind, start) > _read(kind, before)):
        found = before  # nobody has read what lies between them
    elif seen.held:
        below = None if seen.lowest_held is None else just_below(kind, seen.lowest_held)
        found = start if below is None else below  # a row without a value is met again where this run began
    else:
        found = later(kind, before, start, seen.highest)
    if found is None or horizon is None:
        return found
    if kind == Kind.TEXT:
        return before if _is_ahead(kind, found, horizon) else found
    return earliest(kind, found, just_below(kind, horizon))


def future(kind: Kind, now: datetime) -> str | None:
    """From where on no value can be by `now`, a time in the job's zone; of what is no time nobody can tell.

    A column without a zone may be in that zone or in UTC: the earlier one counts, as rows read again do no harm. Of
    times in texts the day counts, and only the second one after: nothing would take an overlap off them.
    """
    if kind == Kind.TIMESTAMPTZ:
        return _written(now)
    clock = min(now.replace(tzinfo=None), now.astimezone(UTC).replace(tzinfo=None))
    if kind == Kind.TIMESTAMP:
        return _written(clock)
    days = {Kind.DATE: 1, Kind.TEXT: 2}.get(kind)
    return None if days is None else _written(clock.date() + days * _DAY)


def is_of_the_future(kind: Kind, value: str | None, now: datetime) -> bool:
    """Whether people should know of a value: it is ahead of any clock, and not just of another one."""
    limit = future(kind, now if kind == Kind.TEXT else now + _DAY)
    return value is not None and limit is not None and _is_ahead(kind, value, limit)


def _is_ahead(kind: Kind, value: str, limit: str) -> bool:
    if kind == Kind.TEXT and not _ISO_DAY.match(value):
        return False
    return bool(_read(kind, value) >= _read(kind, limit))


def seen_in(kind: Kind, values: pa.Array, held: pa.Array) -> Seen:
    """Some values of a since column as text, and which of their rows are held (bool)."""
    typed = _typed(kind, values)
    theirs = typed.filter(held)
    lowest = None if theirs.null_count else pc.min(theirs).as_py()
    return Seen(_written(pc.max(typed).as_py()), len(theirs), _written(lowest), typed.null_count)


def both(kind: Kind, one: Seen, other: Seen) -> Seen:
    """What two parts of a table had."""
    lowest = [each.lowest_held for each in (one, other) if each.held]
    known = [value for value in lowest if value is not None]
    return Seen(
        later(kind, one.highest, other.highest),
        one.held + other.held,
        min(known, key=lambda value: _read(kind, value)) if known and len(known) == len(lowest) else None,
        one.without + other.without,
    )


def _typed(kind: Kind, values: pa.Array) -> pa.Array:
    """As what they are; infinities and what else nothing can be compared with are no values."""
    if kind in _SHAPES:
        values = pc.if_else(pc.match_substring_regex(values, _SHAPES[kind]), values, pa.scalar(None, pa.string()))
    elif kind != Kind.TEXT:
        values = pc.replace_substring_regex(values, _FINER, r"\1")
    with suppress(pa.ArrowInvalid):
        return values.cast(_ARROW[kind])
    return pa.array([_read_or_none(kind, value) for value in values.to_pylist()], _ARROW[kind])


def _read_or_none(kind: Kind, value: str | None) -> Any:
    with suppress(ValueError):
        return None if value is None else _read(kind, value)
    return None


def _read(kind: Kind, value: str) -> Any:
    """As something that can be compared with others of its kind."""
    if kind in (Kind.TIMESTAMPTZ, Kind.TIMESTAMP):
        return datetime.fromisoformat(value)
    if kind == Kind.DATE:
        return date.fromisoformat(value)
    return value if kind == Kind.TEXT else Decimal(value)


@overload
def _written(value: None) -> None: ...
@overload
def _written(value: datetime | date | Decimal | int | str) -> str: ...
def _written(value: datetime | date | Decimal | int | str | None) -> str | None:
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    if isinstance(value, Decimal):
        whole = format(value, "f")
        return whole.rstrip("0").rstrip(".") if "." in whole else whole
    return value if value is None else str(value)


def value_of(kind: Kind, told: str, zone: ZoneInfo, column: str) -> str:
    """What a person wrote, as its kind is written; a time without an offset is in this zone.

    Raises:
        JobError: it is none of this kind.
    """
    try:
        return _READERS[kind](told.strip(), zone)
    except (ValueError, ArithmeticError):
        pass
    raise JobError(f"--since {told}: {column} is a {kind}; write it like {EXAMPLES[kind]}")


def _moment(told: str, zone: ZoneInfo) -> str:
    at = datetime.fromisoformat(told)
    # Of an hour that comes twice the first one: rows read again do no harm.
    return _written(at if at.tzinfo else at.replace(tzinfo=zone))


def _clock(told: str, _zone: ZoneInfo) -> str:
    at = datetime.fromisoformat(told)
    if at.tzinfo:
        raise ValueError("the column has no offsets to compare it with")
    return _written(at)


def _number(told: str, _zone: ZoneInfo) -> str:
    number = Decimal(told)
    if not number.is_finite():
        raise ValueError("no number is after it")
    return _written(number)


_READERS: dict[Kind, Callable[[str, ZoneInfo], str]] = {
    Kind.TIMESTAMPTZ: _moment,
    Kind.TIMESTAMP: _clock,
    Kind.DATE: lambda told, _zone: _written(date.fromisoformat(told)),
    Kind.INTEGER: lambda told, _zone: _written(int(told)),
    Kind.DECIMAL: _number,
    Kind.TEXT: lambda told, _zone: told,
}
