"""Where the rows of a delimited text begin and end: lines put together where a quoted value spans several.

A quote opens a value only at the value's start and is doubled inside; elsewhere it is a character like any
other (as in Python's csv module and Arrow).
"""

import numpy as np

from connectors.lines import CR, LF, Ints, Lines, Units
from schemas.errors import SourceError


def record_bounds(lines: Lines, delimiter: str, quote: str | None, max_lines: int, label: str) -> Ints:
    """Row i is made of the lines `bounds[i]` to `bounds[i + 1] - 1`; an unfinished row at the end is left out.

    Raises:
        SourceError: a quote that is never closed, or that is closed where no value can end.
    """
    count = len(lines.text_ends)
    if quote is None or not count or quote.encode() not in lines.text:
        return np.arange(count + 1, dtype=np.int64)
    units = np.frombuffer(lines.text, np.uint8, count=int(lines.text_ends[-1]))
    opens, closes = _pairs(units, ord(delimiter), ord(quote))
    # A line end inside quotes has one more opening than closing quote before it.
    value = np.searchsorted(opens, lines.text_ends)
    inside = value > np.searchsorted(closes, lines.text_ends)
    if inside.any():
        spans = value[inside] - 1
        _check_length(spans, opens, lines, max_lines, label)
        _check_closed(spans, opens, closes, units, lines, ord(delimiter), label)
    bounds = np.flatnonzero(~inside) + 1
    return np.concatenate([np.zeros(1, np.int64), bounds])


def _pairs(units: Units, delimiter: int, quote: int) -> tuple[Ints, Ints]:
    """The opening and the closing quotes of all quoted values, in order; the last one may lack its closing."""
    quotes = np.flatnonzero(units == quote)
    even, odd = quotes[0::2], quotes[1::2]
    doubled = odd[: len(even) - 1] + 1 == even[1:]
    opens = even[np.concatenate([np.ones(min(1, len(even)), np.bool_), ~doubled])]
    before = units[np.maximum(opens - 1, 0)]
    at_start = (opens == 0) | (before == delimiter) | (before == LF) | (before == CR)
    if not at_start.all():
        return _pairs_one_by_one(quotes.tolist(), units, delimiter)
    keep = np.ones(len(odd), np.bool_)
    keep[: len(doubled)] = ~doubled
    return opens, odd[keep]


def _pairs_one_by_one(quotes: list[int], units: Units, delimiter: int) -> tuple[Ints, Ints]:
    """The same where quotes also stand in the middle of values, so that counting them is not enough."""
    opens: list[int] = []
    closes: list[int] = []
    place, is_open = 0, False
    while place < len(quotes):
        at = quotes[place]
        if is_open and place + 1 < len(quotes) and quotes[place + 1] == at + 1:
            place += 1
        elif is_open:
            closes.append(at)
            is_open = False
        elif at == 0 or int(units[at - 1]) in (delimiter, LF, CR):
            opens.append(at)
            is_open = True
        place += 1
    return np.array(opens, np.int64), np.array(closes, np.int64)


def _check_length(spans: Ints, opens: Ints, lines: Lines, max_lines: int, label: str) -> None:
    longest = int(np.bincount(spans).argmax())
    if int(np.count_nonzero(spans == longest)) > max_lines:
        raise SourceError(
            f"{_where(lines, int(opens[longest]), label)}: a quote opens here and is not closed within "
            f"{max_lines} lines; close it, or set csv.quote: null when quotes are ordinary characters"
        )


def _check_closed(
    spans: Ints,
    opens: Ints,
    closes: Ints,
    units: Units,
    lines: Lines,
    delimiter: int,
    label: str,
) -> None:
    """A value of several lines ends before a delimiter or a line end; else its closing quote opened another."""
    closed = np.unique(spans[spans < len(closes)])
    after = closes[closed] + 1
    following = units[np.minimum(after, len(units) - 1)]
    ended = (after == len(units)) | (following == delimiter) | (following == LF) | (following == CR)
    if not ended.all():
        wrong = int(closed[int(np.argmin(ended))])
        raise SourceError(
            f"{_where(lines, int(opens[wrong]), label)}: a quote opens here, and the next one stands in the "
            f"middle of a value, on line {_line_at(lines, int(closes[wrong])):,}; close the first, double quotes "
            "inside values, or set csv.quote: null when quotes are ordinary characters"
        )
    if lines.last and len(opens) > len(closes):
        raise SourceError(
            f"{_where(lines, int(opens[-1]), label)}: a quote opens here and is never closed; close it, or set "
            "csv.quote: null when quotes are ordinary characters"
        )


def _line_at(lines: Lines, position: int) -> int:
    return lines.first + int(np.searchsorted(lines.text_ends, position, side="right"))


def _where(lines: Lines, position: int, label: str) -> str:
    return f"{label}, line {_line_at(lines, position):,}"
