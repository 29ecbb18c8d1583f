"""Raw rows of text become customers: each mapped column cleaned, with what was wrong and what was changed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from schemas.customers import PROBLEMS, told_of
from schemas.profiles import Column, Leaf, Template
from schemas.values import Cleaned, Locale
from transforms.placeholders import NONE_SHARED, PLACEHOLDER, WIDELY_SHARED, WidelyShared, placeholders
from transforms.values import clean, translate

Changes = Counter[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Normalized:
    """`customers`: the table that `schemas.customers` describes, in row order. `key`, `order` and `statement` are
    null where the row has none. `changes` counts rows by (subject, kind of change).
    """

    customers: pd.DataFrame
    key: pa.Array
    order: pa.Array | None
    statement: pa.Array | None
    changes: Changes


def normalize(
    raw: pd.DataFrame, template: Template, locale: Locale, widely_shared: WidelyShared = NONE_SHARED
) -> Normalized:
    """Clean every mapped column once; `raw` has Arrow-backed text columns under the source's names.

    Placeholders and what is widely shared are no values, but a problem.
    """
    cleaned = {column: _cleaned(raw, template, column, locale, widely_shared) for column in template.columns()}
    return Normalized(
        customers=_table(template, cleaned, raw.index),
        key=cleaned[template.key].values.cast(pa.string()),
        order=cleaned[template.order].values if template.order else None,
        statement=cleaned[template.statement].values.cast(pa.string()) if template.statement else None,
        changes=_changes(template, cleaned),
    )


def _cleaned(
    raw: pd.DataFrame, template: Template, column: Column, locale: Locale, widely_shared: WidelyShared
) -> Cleaned:
    text = array_of(raw[column.source])
    cleaned = _as_written(text, column, locale)
    nobodys = placeholders(text, cleaned.values, cleaned.problems, column, locale.country)
    cleaned = _without(cleaned, nobodys, PLACEHOLDER, text, column, locale)
    # Whoever is told apart by a value shares it with nobody.
    kinds = {leaf.subject for leaf in template.identifiers if leaf.column == column != template.key}
    many = widely_shared.among(cleaned.values, tuple(sorted(kinds)))
    return _without(cleaned, many, WIDELY_SHARED, text, column, locale)


def _without(cleaned: Cleaned, rows: pa.Array, problem: str, text: pa.Array, column: Column, locale: Locale) -> Cleaned:
    """Some rows have a problem instead of a value, so nothing was changed in it; what was is found by another look."""
    if not pc.any(rows).as_py():
        return cleaned
    undone = _as_written(text.filter(rows), column, locale).changes
    return Cleaned(
        pc.if_else(rows, pa.scalar(None, cleaned.values.type), cleaned.values),
        pc.if_else(rows, problem, cleaned.problems),
        Counter(cleaned.changes) - Counter(undone),
    )


def _as_written(text: pa.Array, column: Column, locale: Locale) -> Cleaned:
    if not column.values:
        return clean(text, column.kind, locale)
    translated = translate(text, dict(column.values), column.other)
    typed = clean(translated.values, column.kind, locale)
    problems = pc.coalesce(translated.problems, typed.problems)
    return Cleaned(typed.values, problems, Counter(translated.changes) + Counter(typed.changes))


def array_of(series: pd.Series) -> pa.Array:
    """An Arrow-backed column as one Arrow array, without copying when it is in one piece."""
    array = pa.array(series, from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def series_of(array: pa.Array, index: pd.Index | None = None) -> pd.Series:
    """An Arrow array as a pandas column over the same memory."""
    return pd.Series(pd.arrays.ArrowExtensionArray(array), index=index)


def _table(template: Template, cleaned: Mapping[Column, Cleaned], index: pd.Index) -> pd.DataFrame:
    columns: dict[str, pd.Series] = {}
    for leaf in template.leaves():
        problem = cleaned[leaf.column].problems
        value = _with_default(leaf, cleaned[leaf.column].values, problem)
        columns[leaf.target] = series_of(_cleared(value, problem) if leaf.clear else value, index)
        if template.must_be_told(leaf):
            columns[told_of(leaf.target)] = series_of(pc.or_(value.is_valid(), problem.is_valid()), index)
    problems = [(leaf.target, cleaned[leaf.column].problems) for leaf in template.leaves()]
    return pd.DataFrame(columns | {PROBLEMS: series_of(_found(problems, len(index)), index)}, index=index)


def _found(problems: list[tuple[str, pa.Array]], rows: int) -> pa.Array:
    """All leaves' problems in one column; looked at are the few rows that have any."""
    some = [(target, problem) for target, problem in problems if problem.null_count < rows]
    found = pa.nulls(rows, pa.string())
    if not some:
        return found
    wrong = reduce(pc.or_, [problem.is_valid() for _, problem in some])
    told = [pc.binary_join_element_wise(f"{target}|", problem.filter(wrong), "") for target, problem in some]
    joined = pc.binary_join_element_wise(*told, ";", null_handling="skip")  # none of these rows is all null
    return pc.replace_with_mask(found, wrong, joined)


def _with_default(leaf: Leaf, value: pa.Array, problem: pa.Array) -> pa.Array:
    """The default stands in for what is absent, never for what is wrong."""
    if leaf.default is None:
        return value
    absent = pc.and_(value.is_null(), problem.is_null())
    return pc.if_else(absent, pa.scalar(leaf.default, value.type), value)


def _cleared(value: pa.Array, problem: pa.Array) -> pa.Array:
    """Absence is sent as empty text; what is wrong is not absent, and must not erase what the API has."""
    absent = pc.and_(value.is_null(), problem.is_null())
    return pc.if_else(absent, "", value.cast(pa.string()))


def _changes(template: Template, cleaned: Mapping[Column, Cleaned]) -> Changes:
    subjects: dict[Column, str] = {leaf.column: leaf.subject for leaf in reversed(template.leaves())}
    counted: Changes = Counter()
    for column, result in cleaned.items():
        for kind, rows in result.changes.items():
            counted[subjects.get(column, column.source), kind] += rows
    return counted
