"""What a cleaned customer must be: one pandera schema per job, from its mapping and the contract.

Columns of the table it checks, all Arrow-backed: each leaf's `target` with its value, and `PROBLEMS` with what
cleaning found wrong in any of them. A check's name is the second half of a reason's code.
"""

from collections.abc import Callable

import pandas as pd
import pandera.pandas as pa

from schemas.profiles import Leaf, Template

Test = Callable[[pd.Series], pd.Series]


# What cleaning found wrong in a row: "target|why", ';'-joined, null where all is well. One column for all targets:
# most rows have nothing to tell, and a column costs as much whatever it holds.
PROBLEMS = "problems"
_GIVEN = "|given"  # no target holds a `|`


def told_of(target: str) -> str:
    """The column that says whether a required target was given at all, right or wrong."""
    return f"{target}{_GIVEN}"


def target_of(column: str) -> str:
    """The target that a column of the table speaks of."""
    return column.removesuffix(_GIVEN)


def customers_schema(template: Template, today: str) -> pa.DataFrameSchema:
    """`today` (yyyy-mm-dd, in the job's zone) parts past from future. Only targets with a rule have a column."""
    columns = {PROBLEMS: _column([_check("problem", lambda s: s.isna())])}
    for leaf in template.leaves():
        if checks := _value_checks(leaf, today):
            columns[leaf.target] = _column(checks)
        if template.must_be_told(leaf):
            columns[told_of(leaf.target)] = _column([_check("missing", lambda s: s)])
    return pa.DataFrameSchema(columns, strict=True)


def _column(checks: list[pa.Check]) -> pa.Column:
    # Types are the cleaning's: a kind has one Arrow type. Checked here are rules, never types twice.
    return pa.Column(None, checks, nullable=True, required=True)


def _check(name: str, test: Test) -> pa.Check:
    return pa.Check(test, name=name, error=name, ignore_na=False)


def _value_checks(leaf: Leaf, today: str) -> list[pa.Check]:
    rule, tests = leaf.rule, list[tuple[str, Test]]()
    if rule.max_length is not None:
        most = rule.max_length
        tests.append(("too_long", lambda s: s.str.len() <= most))
    if rule.min_length is not None:
        least = rule.min_length
        tests.append(("too_short", lambda s: s.str.len() >= least))
    if rule.pattern is not None:
        pattern = rule.pattern
        tests.append(("character_not_allowed", lambda s: s.str.match(pattern)))
    if rule.one_of:
        allowed = list(rule.one_of)
        tests.append(("not_allowed", lambda s: s.isin(allowed)))
    if rule.minimum is not None:
        minimum = rule.minimum
        tests.append(("too_small", lambda s: s >= minimum))
    if rule.when == "past":
        tests.append(("in_the_future", lambda s: s.str.slice(0, 10) <= today))
    if rule.when == "future":
        # More than 100 years ahead (code 1217) no date can be: cleaning reads years up to 2100.
        tests.append(("in_the_past", lambda s: s.str.slice(0, 10) >= today))
    return [_check(name, _absent_passes(test)) for name, test in tests]


def _absent_passes(test: Test) -> Test:
    """An absent value breaks no rule but `missing`. To `isin` it is a wrong one, to the other tests it is absent."""
    return lambda series: (test(series) | series.isna()).astype(bool)
