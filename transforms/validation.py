"""Customers against their schema: every reason of every row, and what is done about each.

pandera's own messages hold customers' values; none of them leaves this module.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.compute as pc

from schemas.customers import customers_schema, target_of
from schemas.profiles import Credit, Leaf, Template
from transforms.customers import Changes, array_of

NO_IDENTIFIER = "identifiers.missing"
NO_PROGRAMME = "programId.missing"
Mask = npt.NDArray[np.bool_]


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
    found = _failures(customers.reset_index(drop=True), template, today)
    rejecting = found["target"].map(lambda target: bad_optional == "reject" or leaves[target].rejects).to_numpy(bool)
    dropped = found[~rejecting]
    values = {target: _without(array_of(customers[target]), dropped, target) for target in leaves}
    nobody, stray = _nobody(template.identifiers, values), _stray(template.credits, values, found)
    invalid = np.zeros(len(customers), dtype=bool)
    invalid[found["row"].to_numpy()[rejecting]] = True
    told = dropped[["row", "subject", "why"]].drop_duplicates()  # a mobile of two targets is one value
    return Validated(
        values=values,
        codes=_codes(found, {NO_PROGRAMME: stray, NO_IDENTIFIER: nobody}, len(customers)),
        invalid=pa.array(invalid | nobody | stray),
        changes=Counter((row.subject, f"dropped_{row.why}") for row in told.itertuples()),
    )


def _failures(customers: pd.DataFrame, template: Template, today: str) -> pd.DataFrame:
    """One line per broken rule: row, target, subject, why."""
    subjects = {leaf.target: leaf.subject for leaf in template.leaves()}
    schema = customers_schema(template, today)
    try:
        schema.validate(customers[list(schema.columns)], lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
    else:
        cases = pd.DataFrame({"index": [], "column": [], "check": [], "failure_case": []})
    broken = cases["check"] != "problem"
    target = cases.loc[broken, "column"].astype(str).map(target_of)
    checked = pd.DataFrame(
        {"row": cases.loc[broken, "index"].astype("int64"), "target": target, "why": cases.loc[broken, "check"]}
    )
    found = pd.concat([checked, _problems(cases[~broken])], ignore_index=True)
    found["subject"] = found["target"].map(subjects)
    return found.sort_values(["row", "target"], kind="stable").reset_index(drop=True)


def _problems(cases: pd.DataFrame) -> pd.DataFrame:
    """What cleaning found wrong, taken apart again: one line per row and target."""
    told = [
        (row, *problem.split("|"))
        for row, problems in zip(cases["index"], cases["failure_case"], strict=True)
        for problem in problems.split(";")
    ]
    return pd.DataFrame(told, columns=["row", "target", "why"]).astype({"row": "int64"})


def _without(values: pa.Array, dropped: pd.DataFrame, target: str) -> pa.Array:
    rows = dropped.loc[dropped["target"] == target, "row"].to_numpy()
    if not len(rows):
        return values
    mask = np.zeros(len(values), dtype=bool)
    mask[rows] = True
    return pc.if_else(pa.array(mask), pa.scalar(None, values.type), values)


def _nobody(identifiers: tuple[Leaf, ...], values: dict[str, pa.Array]) -> Mask:
    """Rows without any identifier left: nobody could tell whose they are."""
    known = np.zeros(len(next(iter(values.values()))), dtype=bool)
    for leaf in identifiers:
        known |= values[leaf.target].is_valid().to_numpy(zero_copy_only=False)
    return ~known


def _stray(credits: tuple[Credit, ...], values: dict[str, pa.Array], found: pd.DataFrame) -> Mask:
    """Rows with points and no word of their programme: the enrolment would be left out, and the points lost."""
    stray = np.zeros(len(next(iter(values.values()))), dtype=bool)
    for credit in credits:
        if isinstance(credit.programme, Leaf) and isinstance(credit.points, Leaf):
            some = pc.not_equal(pc.fill_null(values[credit.points.target], 0), 0)
            here = pc.and_(some, values[credit.programme.target].is_null()).to_numpy(zero_copy_only=False).copy()
            here[found.loc[found["target"] == credit.programme.target, "row"].to_numpy()] = False
            stray |= here
    return stray


def _codes(found: pd.DataFrame, of_rows: dict[str, Mask], rows: int) -> pa.Array:
    """Every reason of every row, once."""
    told: dict[int, dict[str, None]] = {}
    for row, subject, why in zip(found["row"], found["subject"], found["why"], strict=True):
        told.setdefault(row, {})[f"{subject}.{why}"] = None
    for code, mask in of_rows.items():
        for row in np.flatnonzero(mask):
            told.setdefault(int(row), {})[code] = None
    return pa.array([";".join(told[row]) if row in told else None for row in range(rows)], pa.string())
