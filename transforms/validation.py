"""Customers against their schema: every reason of every row, and what is done about each.

The schema's checks are asked one by one. `DataFrameSchema.validate` asks the same and then spells out every
failure, which costs as much a part as checking 50,000 rows; its messages hold customers' values besides.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from schemas.customers import PROBLEMS, customers_schema, target_of
from schemas.profiles import Credit, Leaf, Template
from transforms.customers import Changes, array_of
from transforms.kernels import flags_of

NO_IDENTIFIER = "identifiers.missing"
NO_PROGRAMME = "programId.missing"
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.signedinteger[Any]]


class Broken(NamedTuple):
    """One rule, and the rows whose value breaks it."""

    target: str
    why: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Validated:
    """`values` by target, bad optional ones dropped. `codes` (text, ';'-joined, null: none) and `invalid`
    (bool) by row. `changes` counts dropped values as (subject, "dropped_<why>").
    """

    values: dict[str, pa.Array]
    codes: pa.Array
    invalid: pa.Array
    changes: Changes


def validate(
    customers: pd.DataFrame, template: Template, today: str, bad_optional: Literal["drop", "reject"]
) -> Validated:
    """Check all rows against all rules at once; `customers` is `Normalized.customers` with any index."""
    leaves = {leaf.target: leaf for leaf in template.leaves()}
    found = sorted(_broken(customers, template, today), key=lambda broken: broken.target)
    rejects = {target for target, leaf in leaves.items() if bad_optional == "reject" or leaf.rejects}
    rejecting = [broken.rows for broken in found if broken.target in rejects]
    dropped = [broken for broken in found if broken.target not in rejects]
    values = {target: _without(array_of(customers[target]), dropped, target) for target in leaves}
    nobody, stray = _nobody(template.identifiers, values), _stray(template.credits, values, found)
    told = [(f"{leaves[broken.target].subject}.{broken.why}", broken.rows) for broken in found]
    of_rows = [(NO_PROGRAMME, np.flatnonzero(stray)), (NO_IDENTIFIER, np.flatnonzero(nobody))]
    return Validated(
        values=values,
        codes=_codes([*told, *of_rows], len(customers)),
        invalid=pa.array(_mask(rejecting, len(customers)) | nobody | stray),
        changes=_changes(dropped, leaves),
    )


def _broken(customers: pd.DataFrame, template: Template, today: str) -> Iterator[Broken]:
    """Every rule that some row breaks: the schema's, then what cleaning found wrong."""
    schema = customers_schema(template, today)
    for name, column in schema.columns.items():
        for check in column.checks or ():
            passed = check(customers[name])
            if not passed.check_passed and name != PROBLEMS:
                yield Broken(target_of(name), str(check.name), np.flatnonzero(~passed.check_output.to_numpy(bool)))
    yield from _problems(array_of(customers[PROBLEMS]))


def _problems(problems: pa.Array) -> Iterator[Broken]:
    """What cleaning found wrong, taken apart again."""
    rows = np.flatnonzero(flags_of(problems.is_valid()))
    lists = pc.split_pattern(problems.drop_null(), ";")
    encoded = pc.list_flatten(lists).dictionary_encode()
    of = rows[pc.list_parent_indices(lists).to_numpy()]
    for place, problem in enumerate(encoded.dictionary.to_pylist()):
        target, why = problem.split("|")
        yield Broken(target, why, of[encoded.indices.to_numpy() == place])


def _without(values: pa.Array, dropped: Iterable[Broken], target: str) -> pa.Array:
    rows = [broken.rows for broken in dropped if broken.target == target]
    return pc.if_else(pa.array(~_mask(rows, len(values))), values, pa.scalar(None, values.type)) if rows else values


def _mask(rows: Iterable[Rows], length: int) -> Mask:
    mask = np.zeros(length, dtype=bool)
    for some in rows:
        mask[some] = True
    return mask


def _changes(dropped: Iterable[Broken], leaves: dict[str, Leaf]) -> Changes:
    """Dropped values by row, in the order in which rows first have them: a mobile of two targets is one value."""
    rows: dict[tuple[str, str], list[Rows]] = {}
    for broken in dropped:
        rows.setdefault((leaves[broken.target].subject, f"dropped_{broken.why}"), []).append(broken.rows)
    dropped_rows = {change: np.unique(np.concatenate(some)) for change, some in rows.items()}
    in_order = sorted(dropped_rows.items(), key=lambda item: int(item[1][0]))
    return Counter({change: len(some) for change, some in in_order})


def _nobody(identifiers: tuple[Leaf, ...], values: dict[str, pa.Array]) -> Mask:
    """Rows without any identifier left: nobody could tell whose they are."""
    known = np.zeros(len(next(iter(values.values()))), dtype=bool)
    for leaf in identifiers:
        known |= values[leaf.target].is_valid().to_numpy(zero_copy_only=False)
    return ~known


def _stray(credits: tuple[Credit, ...], values: dict[str, pa.Array], found: Iterable[Broken]) -> Mask:
    """Rows with points and no word of their programme: the enrolment would be left out, and the points lost."""
    stray = np.zeros(len(next(iter(values.values()))), dtype=bool)
    for credit in credits:
        if isinstance(credit.programme, Leaf) and isinstance(credit.points, Leaf):
            some = pc.not_equal(pc.fill_null(values[credit.points.target], 0), 0)
            here = flags_of(pc.and_(some, values[credit.programme.target].is_null())).copy()
            for broken in found:
                if broken.target == credit.programme.target:
                    here[broken.rows] = False
            stray |= here
    return stray


def _codes(told: Iterable[tuple[str, Rows]], rows: int) -> pa.Array:
    """Every reason of every row, once."""
    codes: dict[int, dict[str, None]] = {}
    for code, some in told:
        for row in some.tolist():
            codes.setdefault(row, {})[code] = None
    known = sorted(codes)
    joined = pa.array([";".join(codes[row]) for row in known], pa.string())
    return pc.replace_with_mask(pa.nulls(rows, pa.string()), pa.array(_mask([np.array(known, int)], rows)), joined)
