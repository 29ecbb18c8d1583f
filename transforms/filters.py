"""`rules.filter`: a closed expression over source columns, decided for all rows at once. Never Python.

    status == 'ACTIVE' and points >= 0
    city in ['BLR', 'DEL'] or not (updated_at < '2024-01-01')
    column('First name') != ''

Text is compared as it stands, without the blanks around it; a blank spelled out (NULL, n/a) is ''. A column
beside a number is read as a number, a column beside `'2024-01-31'` under < <= > >= as a date. A missing
number or date fulfils no comparison. An unreadable one leaves its comparison open; a row whose fate hangs on
it is undecided, which is invalid.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import JobError
from schemas.values import Kind, Locale
from transforms.values import clean

_ORDER = {ast.Lt: "less", ast.LtE: "less_equal", ast.Gt: "greater", ast.GtE: "greater_equal"}
_EQUAL = {ast.Eq: "equal", ast.NotEq: "not_equal"}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ALLOWED = (
    "and, or, not, == != < <= > >=, in [...], columns (column('First name') where the name is not one plain word), "
    "numbers and quoted text"
)


@dataclass(frozen=True, slots=True)
class Filtered:
    """By row: `kept` (bool), and `undecided` (bool) where an unreadable value decides."""

    kept: pa.Array
    undecided: pa.Array


@dataclass(frozen=True, slots=True)
class Filter:
    """A checked expression and the columns it reads."""

    body: ast.expr
    columns: tuple[str, ...]


def read_filter(text: str) -> Filter:
    """Check an expression.

    Raises:
        JobError: it is no expression, or uses what is not allowed.
    """
    try:
        body = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        near = f" near column {error.offset}" if isinstance(error, SyntaxError) else ""
        raise JobError(f"rules.filter: not an expression{near}; allowed are {_ALLOWED}") from None
    _check(body)
    return Filter(body, tuple(dict.fromkeys(_columns(body))))


def _check(node: ast.expr) -> None:
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                _check(value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check(operand)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            _check_comparison(left, op, right)
        case _:
            raise JobError(f"rules.filter: {ast.unparse(node)!r} decides nothing; allowed are {_ALLOWED}")


def _check_comparison(left: ast.expr, op: ast.cmpop, right: ast.expr) -> None:
    column = _column(left)
    shown = ast.unparse(left)
    if column is None:
        raise JobError(f"rules.filter: {shown!r} must be a column: put columns left, and values right")
    if isinstance(op, (ast.In, ast.NotIn)):
        values = [_constant(element) for element in right.elts] if isinstance(right, (ast.List, ast.Tuple)) else [None]
        if not values or not all(isinstance(value, str) for value in values):
            raise JobError(f"rules.filter: {shown} in [...] needs a list of quoted texts")
    elif type(op) in _ORDER:
        value = _constant(right)
        if isinstance(value, str) and not _DAY.fullmatch(value):
            raise JobError(f"rules.filter: {shown} is compared with a number or a day like '2024-01-31'")
        if value is None:
            raise JobError(f"rules.filter: {ast.unparse(right)!r} must be a number or a day like '2024-01-31'")
    elif type(op) not in _EQUAL or _constant(right) is None:
        raise JobError(
            f"rules.filter: {ast.unparse(right)!r} must be a number or a quoted text; allowed are {_ALLOWED}"
        )


def _column(node: ast.expr) -> str | None:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=table), attr=name):
            return f"{table}.{name}"
        case ast.Call(func=ast.Name(id="column"), args=[ast.Constant(value=str(name))], keywords=[]):
            return name
        case _:
            return None


def _constant(node: ast.expr) -> str | float | int | None:
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=str() | int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case _:
            return None


def _columns(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Compare):
        name = _column(node.left)
        assert name is not None
        yield name
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr) and not isinstance(node, ast.Compare):
            yield from _columns(child)


def decide(rule: Filter, columns: Mapping[str, pa.Array], locale: Locale) -> Filtered:
    """Which rows the filter keeps; `columns` holds the raw text of at least the filter's columns."""
    decided = _decide(rule.body, columns, locale)
    return Filtered(pc.fill_null(decided, False), decided.is_null())


def _decide(node: ast.expr, columns: Mapping[str, pa.Array], locale: Locale) -> pa.Array:
    """True, false, or null where an unreadable value leaves it open."""
    match node:
        case ast.BoolOp(op=op, values=values):
            join = pc.and_kleene if isinstance(op, ast.And) else pc.or_kleene
            return reduce(join, (_decide(value, columns, locale) for value in values))
        case ast.UnaryOp(operand=operand):
            return pc.invert(_decide(operand, columns, locale))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            name = _column(left)
            assert name is not None
            return _compare(columns[name], op, right, locale)
        case _:
            raise AssertionError("read_filter lets nothing else through")


def _compare(raw: pa.Array, op: ast.cmpop, right: ast.expr, locale: Locale) -> pa.Array:
    if isinstance(op, (ast.In, ast.NotIn)):
        assert isinstance(right, (ast.List, ast.Tuple))
        text = pc.fill_null(clean(raw, Kind.TEXT, locale).values, "")
        found = pc.is_in(text, value_set=pa.array([_constant(element) for element in right.elts], pa.string()))
        return found if isinstance(op, ast.In) else pc.invert(found)
    value = _constant(right)
    if type(op) in _EQUAL and isinstance(value, str):
        text = pc.fill_null(clean(raw, Kind.TEXT, locale).values, "")
        return pc.call_function(_EQUAL[type(op)], [text, pa.scalar(value)])
    kind = Kind.DATE if isinstance(value, str) else Kind.DECIMAL
    cleaned = clean(raw, kind, locale)
    left = cleaned.values if kind is Kind.DATE else cleaned.values.cast(pa.float64())
    # Through text, a number beyond every float is infinite instead of an error.
    right_side = pa.scalar(value if isinstance(value, str) else float(str(value)), left.type)
    compared = pc.call_function((_ORDER | _EQUAL)[type(op)], [left, right_side])
    return pc.if_else(cleaned.problems.is_valid(), pa.scalar(None, pa.bool_()), pc.fill_null(compared, False))
