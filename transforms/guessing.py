"""Some rows of a source that nobody has described: which column is what, whose mobiles, which order of dates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from schemas.errors import SourceError
from schemas.guessed_names import TARGETS
from schemas.guessing import MAP_FROM, Guess, Guessed, Setting
from schemas.values import Locale
from transforms.guessed_columns import Told, guesses_of, told_by
from transforms.guessed_hints import hints_of
from transforms.guessed_locale import country_of_mobiles, like_dates, like_mobiles, order_of_dates, timezone_of
from transforms.guessed_names import named
from transforms.guessed_sharing import remarks
from transforms.yaml_words import can_be_written

LIKE_FROM = 0.8
MOBILE = "identifiers.mobile"
COUNTRY_FIRST = "say locale.country first"
HINTING = 500  # values of each column
NOTHING = pa.nulls(0, pa.string())
UNNAMED = 0.6  # what a country weighs if the column that tells it is not called a mobile


def guess(names: Sequence[str], rows: pa.Table) -> Guessed:
    """Guess from some rows of text; `names` are the columns' names, in the table's order.

    Raises:
        SourceError: no column has a name that a job file can hold.
    """
    raw = {name: column.combine_chunks() for name, column in zip(names, rows.columns, strict=True)}
    columns = [told_by(name, column) for name, column in raw.items()]
    country = _country(columns, hints_of(names, [column.values[:HINTING] for column in columns]))
    dates = order_of_dates([column.values for column in columns if _is_dated(column)])
    locale = Locale(country.value or country.perhaps, "UTC", dates.value or "iso")
    found = [_with_country(found, country) for column in columns for found in guesses_of(column, locale)]
    best = _assigned(found)
    assigned = {one.column for one in best.values()}
    others = {one.column: one for one in found if one.column not in assigned}
    return Guessed(
        rows=rows.num_rows,
        columns=tuple(names),
        guesses=best,
        country=country,
        dates=dates,
        timezone=timezone_of(country),
        least_repeated=_least_repeated(columns),
        others=tuple(others.values()),
        remarks=tuple(remarks(raw, best, locale)),
    )


def _with_country(guess: Guess, country: Setting) -> Guess:
    """Mobiles of nobody knows which country are not mapped: without one they would be left out."""
    if guess.target != MOBILE or country.value is not None:
        return guess
    return replace(guess, confidence=min(guess.confidence, MAP_FROM - 0.1), reason=f"{guess.reason}; {COUNTRY_FIRST}")


def _country(columns: Sequence[Told], hints: Mapping[str, str]) -> Setting:
    """By the columns that are called mobiles; without one, by those that look so and are called nothing known."""
    called = [column for column in columns if MOBILE in named(column.name) and len(column.values)]
    if called:
        return country_of_mobiles(pa.concat_arrays([column.values for column in called]), hints)
    like = [column for column in columns if not named(column.name) and like_mobiles(column.values) >= LIKE_FROM]
    found = country_of_mobiles(pa.concat_arrays([NOTHING, *(column.values for column in like)]), hints)
    return replace(found, confidence=UNNAMED * found.confidence)


def _least_repeated(columns: Sequence[Told]) -> Guess:
    named = [column for column in columns if can_be_written(column.name)]
    if not named:
        raise SourceError("no column has a name that a job file can hold: give the columns other names")
    most = max(named, key=lambda column: column.different * len(column.values))
    return Guess("identifiers.externalId", most.name, 0.0, "of all columns the one whose values repeat least")


def _is_dated(column: Told) -> bool:
    called = any(TARGETS[target][0] == "date" for target in named(column.name))
    return called or like_dates(column.values) >= LIKE_FROM


def _assigned(found: Iterable[Guess]) -> Mapping[str, Guess]:
    """At most one column a target, and one target a column: the surest first, of equal ones the leftmost."""
    best: dict[str, Guess] = {}
    taken: set[str] = set()
    for guess in sorted(found, key=lambda guess: -guess.confidence):
        if guess.target not in best and guess.column not in taken:
            best[guess.target] = guess
            taken.add(guess.column)
    return {target: best[target] for target in TARGETS if target in best}
