"""Mobiles as the API wants them: digits, country code first, no plus and no leading zero (contract 10.1)."""

from collections import Counter
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.values import Cleaned
from transforms.characters import folded
from transforms.kernels import (
    DIGITS,
    NOT_ASCII,
    Bytes,
    Column,
    Ints,
    Mask,
    are_digits,
    byte_set,
    flags_of,
    running_total,
    tally,
    texts_of,
)
from transforms.numbering import Form, Plan, country_of, forms_abroad, forms_at_home, plan_of, plan_of_code
from transforms.phones import judge_mobile

_unusual = ~(DIGITS | byte_set(" -()+./"))
_only_digits_differ = r"^[\x00-\x7F\p{Nd}]+$"


def clean_mobiles(raw: pa.Array, country: str | None) -> Cleaned:
    """Mobiles of any country; those without a country code are of `country`."""
    text = pc.fill_null(raw, "")
    view = Bytes(text)
    if view.is_ascii():
        return _clean(text, country_of(country))
    foreign = view.has(NOT_ASCII)
    only_digits = pc.match_substring_regex(text.filter(pa.array(foreign)), _only_digits_differ)
    foreign[foreign] = flags_of(only_digits)
    return _clean_folded(text, foreign, country_of(country))


def _clean_folded(text: pa.Array, foreign: Mask, country: str | None) -> Cleaned:
    """The rows in another script's digits are cleaned as ASCII rows; the rest as it is."""
    if not foreign.any():
        return _clean(text, country)
    rows = pa.array(foreign)
    in_ascii = pa.array([folded(one) for one in text.filter(rows).to_pylist()], pa.string())
    cleaned = _clean(pc.replace_with_mask(text, rows, in_ascii), country)
    fine = flags_of(pc.is_valid(cleaned.values))
    changes = Counter(cleaned.changes) + tally(digits_folded=foreign & fine)
    return Cleaned(cleaned.values, cleaned.problems, dict(changes))


def _clean(text: pa.Array, country: str | None) -> Cleaned:
    column = Column(text)
    view = column.view
    usual, decimal = _usual_shape(view)
    digits, lengths = _digits(view, decimal)
    usual &= ~view.has("/") | (lengths <= 13)  # more digits around a slash may be two numbers
    plus = view.has("+")
    values = pa.nulls(len(column.raw), pa.string())
    settled, coded, zero = (np.zeros(len(column.raw), dtype=bool) for _ in range(3))
    for plan, forms, rows in _attempts(digits, country, plus, usual):
        found, form_of, national = _matched(digits, lengths, rows & ~settled, plus, plan, forms)
        mobiles = pc.binary_join_element_wise(plan.code, national, "")
        values = pc.replace_with_mask(values, pa.array(found), mobiles)
        settled |= found
        coded[found] = np.array([form.adds_code for form in forms])[form_of]
        zero[found] = np.array([form.drops_zero for form in forms])[form_of]
    return column.settle(
        values,
        settled,
        partial(judge_mobile, country=country),
        country_code_added=coded,
        leading_zero_removed=zero,
        punctuation_removed=settled & (view.lengths - lengths - 2 * decimal > 0),
        decimal_point_removed=settled & decimal,
    )


def _usual_shape(view: Bytes) -> tuple[Mask, Mask]:
    """Rows of digits and the usual punctuation, and which of them end in a spreadsheet's ".0"."""
    usual = ~view.has(_unusual)
    dots = view.count(".")
    decimal = np.zeros(len(dots), dtype=bool)
    if dots.any():
        ends_in_zero = (dots == 1) & (view.at(-1) == ord("0"))
        decimal = usual & ends_in_zero & (view.at(-2) == ord("."))
        usual &= decimal | ~ends_in_zero  # "….00" is for the judge
    plus = view.count("+")
    if plus.any():
        usual &= (plus == 0) | ((plus == 1) & (view.at(0) == ord("+")))
    return usual, decimal & usual


def _digits(view: Bytes, decimal: Mask) -> tuple[pa.Array, Ints]:
    """Each row's digits, without the 0 behind a decimal point, and how many they are."""
    is_digit = are_digits(view.data)
    is_digit[view.ends[decimal] - 1] = False
    bounds = running_total(is_digit)[view.bounds]
    return texts_of(view.data[is_digit], bounds), np.diff(bounds)


def _attempts(digits: pa.Array, country: str | None, plus: Mask, usual: Mask) -> list[tuple[Plan, list[Form], Mask]]:
    """The plans to try: the country's own for all rows, then the plan of each country code after a plus."""
    home = plan_of(country)
    attempts = [(home, forms_at_home(home) + forms_abroad(home), usual)] if home else []
    abroad = plus & usual
    if home and abroad.any():
        abroad &= ~flags_of(pc.starts_with(digits, home.code))
    if not abroad.any():
        return attempts
    leads = pc.utf8_slice_codeunits(digits, 0, 3)
    common = pc.value_counts(leads.filter(pa.array(abroad))).to_pylist()
    plans = {plan for lead in common if (plan := _plan_after_plus(lead["values"]))}
    for plan in sorted(plans, key=lambda p: p.code):
        rows = abroad & flags_of(pc.starts_with(digits, plan.code))
        attempts.append((plan, forms_abroad(plan), rows))
    return attempts


def _plan_after_plus(lead: str) -> Plan | None:
    """The plan of the country code that three digits begin with; no code is the beginning of another."""
    codes = (int(lead[:width]) for width in (1, 2, 3) if lead and lead[0] != "0")
    return next((plan for code in codes if (plan := plan_of_code(code))), None)


def _matched(
    digits: pa.Array, lengths: Ints, some: Mask, plus: Mask, plan: Plan, forms: list[Form]
) -> tuple[Mask, Ints, pa.Array]:
    """Rows that are a mobile of the plan in exactly one form; of those rows the form's index and the national number.

    The candidates of all forms go through one pass of the pattern: to compile it takes as long as 3,000 rows.
    """
    parts, places = [], []
    for form in forms:
        rows = some & (plus == form.plus) & _long_as(lengths, plan, form)
        if form.before and rows.any():
            rows &= flags_of(pc.starts_with(digits, form.before))
        if form.before == plan.code and not form.plus and rows.any():
            rows &= ~_national_anyway(digits, rows, plan)
        mine = digits.filter(pa.array(rows))
        parts.append(pc.utf8_slice_codeunits(mine, len(form.before)) if form.before else mine)
        places.append(np.flatnonzero(rows))
    national, place = pa.concat_arrays(parts), np.concatenate(places)
    form_of = np.repeat(np.arange(len(forms)), [len(rows) for rows in places])
    fits = flags_of(pc.match_substring_regex(national, f"^(?:{plan.mobile})$"))
    readings = np.bincount(place[fits], minlength=len(digits))
    single = np.flatnonzero(fits & (readings[place] == 1))
    in_order = single[np.argsort(place[single], kind="stable")]
    return readings == 1, form_of[in_order], national.take(pa.array(in_order))


def _national_anyway(digits: pa.Array, some: Mask, plan: Plan) -> Mask:
    """Rows whose first digits are the country's code by chance: all of them together are a national number."""
    found = some.copy()
    is_national = pc.match_substring_regex(digits.filter(pa.array(some)), f"^(?:{plan.anything})$")
    found[some] = flags_of(is_national)
    return found


def _long_as(lengths: Ints, plan: Plan, form: Form) -> Mask:
    """Rows with as many digits as one of the plan's mobiles in this form."""
    wanted = np.zeros(64, dtype=bool)  # far more digits than any number has
    wanted[[length + len(form.before) for length in plan.mobile_lengths]] = True
    return wanted.take(lengths, mode="clip")
