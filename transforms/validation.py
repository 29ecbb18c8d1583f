"""Customers against their schema: every reason of every row, and what is done about each.

pandera's own messages hold customers' values; none of them leaves this module.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.compute as pc

from schemas.customers import customers_schema, target_of
from schemas.profiles import Leaf, Template
from transforms.customers import Changes, array_of

NO_IDENTIFIER = "identifiers.missing"


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
    nobody = _nobody(template.identifiers, values)
    invalid = np.zeros(len(customers), dtype=bool)
    invalid[found["row"].to_numpy()[rejecting]] = True
    return Validated(
        values=values,
        codes=_codes(found, nobody, len(customers)),
        invalid=pa.array(invalid | nobody),
        changes=Counter((row.subject, f"dropped_{row.why}") for row in dropped.itertuples()),
    )


def _failures(customers: pd.DataFrame, template: Template, today: str) -> pd.DataFrame:
    """One line per broken rule: row, target, subject, why."""
    subjects = {leaf.target: leaf.subject for leaf in template.leaves()}
    try:
        customers_schema(template, today).validate(customers, lazy=True)
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


def _nobody(identifiers: tuple[Leaf, ...], values: dict[str, pa.Array]) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Rows without any identifier left: nobody could tell whose they are."""
    known = np.zeros(len(next(iter(values.values()))), dtype=bool)
    for leaf in identifiers:
        known |= values[leaf.target].is_valid().to_numpy(zero_copy_only=False)
    return ~known


def _codes(found: pd.DataFrame, nobody: "np.ndarray[tuple[int], np.dtype[np.bool_]]", rows: int) -> pa.Array:
    codes: list[str | None] = [None] * rows
    for row, subject, why in zip(found["row"], found["subject"], found["why"], strict=True):
        code, had = f"{subject}.{why}", codes[row]
        if had is None:
            codes[row] = code
        elif code not in had.split(";"):
            codes[row] = f"{had};{code}"
    for row in np.flatnonzero(nobody):
        had = codes[row]
        codes[row] = NO_IDENTIFIER if had is None else f"{had};{NO_IDENTIFIER}"
    return pa.array(codes, pa.string())
