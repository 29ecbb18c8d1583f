"""Whose mobiles a column holds, and in which order its dates are written: told by values that have one reading."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers.timezone import time_zones_for_geographical_number

from schemas.guessing import Setting
from transforms.dates import clean_dates
from transforms.mobiles import clean_mobiles
from transforms.numbering import plan_of
from transforms.shares import percent, share

# So many mobiles tell the country: each is tried with the plan of every one.
TRIED = 300
LIKELY = 12
SHOWN = 3
# Of countries whose mobiles look alike, what is offered first; a person decides.
MET_OFTEN = ("IN", "US", "ID", "AE", "SG", "MY", "TH", "SA", "CN", "JP", "KR", "VN", "PH", "GB")
FEWEST = 5
VALID_FROM, CLEAR_BY = 0.8, 0.15
CODES_FROM, CODES_CLEAR = 0.1, 0.9
ORDER_CLEAR = 0.95

_not_digit = re.compile(r"[^0-9]")
_spreadsheet = re.compile(r"\.0{1,2}\s*$")
_like_a_date = r"^\s*[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4}\b"
_like_a_mobile = r"^\s*[+(]?[\p{Nd}][\p{Nd} ()./-]{5,20}\s*$"
# Names that zones have today; the metadata keeps some old ones.
_RENAMED = {"Asia/Calcutta": "Asia/Kolkata", "Asia/Saigon": "Asia/Ho_Chi_Minh", "Asia/Katmandu": "Asia/Kathmandu"}


def like_mobiles(values: pa.Array) -> float:
    """Share of the values that could be phone numbers of some country."""
    return share(pc.match_substring_regex(values, _like_a_mobile))


def like_dates(values: pa.Array) -> float:
    """Share of the values that are written as 25/12/2024 is."""
    return share(pc.match_substring_regex(values, _like_a_date))


def share_of_mobiles(values: pa.Array, country: str | None) -> float:
    return 1 - clean_mobiles(values, country).values.null_count / len(values) if len(values) else 0.0


def country_of_mobiles(values: pa.Array, hints: Mapping[str, str]) -> Setting:
    """The country whose mobiles most of the values are, if no other's are nearly as many or it alone is hinted at.

    Countries that share a code are told by its leading one: they are written alike.
    """
    tried = pc.unique(values)[:TRIED]
    if len(tried) < FEWEST:
        return Setting(None, 0.0, f"only {len(tried)} different mobiles" if len(tried) else "no column holds mobiles")
    likely = dict.fromkeys([*_likely(tried.to_pylist()), *hints])
    shares = {country: share_of_mobiles(tried, country) for country in likely}
    most = max(shares.values(), default=0.0)
    if most < VALID_FROM:
        return Setting(None, 0.0, "the values are mobiles of no single country")
    alike = sorted((each for each in shares if most - shares[each] < CLEAR_BY), key=lambda each: -shares[each])
    coded, codes = _by_code(tried.to_pylist())
    hinted = [country for country in alike if country in hints]
    usual = next((country for country in MET_OFTEN if country in alike), alike[0])
    best = coded if coded in alike else hinted[0] if len(hinted) == 1 else usual
    told = f"{percent(shares[best])} of {len(tried):,} different values are its mobiles"
    if len(alike) == 1:
        return Setting(best, min(shares[best], 0.99), told)
    if best == coded:
        return Setting(best, 0.9 * shares[best], f"{told}; {percent(codes)} have its country code")
    also = f"{told}, nearly as many those of {', '.join([each for each in alike if each != best][:SHOWN])}"
    if hinted == [best]:
        return Setting(best, 0.8 * shares[best], f"{also}; {hints[best]}")
    return Setting(None, 0.5, f"perhaps {best}: {also}", best)


def _likely(values: Sequence[str]) -> list[str]:
    """The countries by whose plans most of the values could be mobiles, in the plain spellings."""
    digits = [_not_digit.sub("", _spreadsheet.sub("", value)) for value in values]
    found = Counter[str]()
    for country, code, pattern in _plans():
        found[country] = sum(any(pattern.fullmatch(one) for one in _readings(each, code)) for each in digits)
    return [country for country, hits in found.most_common(LIKELY) if hits]


def _readings(digits: str, code: str) -> Iterator[str]:
    yield digits
    yield digits.removeprefix("0")
    yield digits.removeprefix("00").removeprefix(code)


@cache
def _plans() -> list[tuple[str, str, re.Pattern[str]]]:
    """Each country code's leading country, its code and the pattern of its mobiles."""
    leading = sorted({regions[0] for regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.values()} - {"001"})
    plans = {country: plan_of(country) for country in leading}
    return [(country, plan.code, re.compile(plan.mobile)) for country, plan in plans.items() if plan]


def _by_code(values: Sequence[str]) -> tuple[str | None, float]:
    """The country that nearly all values with a plus or 00 name, and the share of all values that do."""
    codes = Counter[str]()
    for value in values:
        written = value.strip().replace("(", "")
        if written.startswith(("+", "00")):
            digits = _not_digit.sub("", written).removeprefix("00")
            code = next((c for c in (digits[:1], digits[:2], digits[:3]) if c and int(c) in _code_numbers()), "")
            codes[code] += 1
    (most, count), *_ = codes.most_common(1) or [("", 0)]
    if not most or count < CODES_FROM * len(values) or count < CODES_CLEAR * codes.total():
        return None, 0.0
    return phonenumbers.region_code_for_country_code(int(most)), count / len(values)


def _code_numbers() -> Iterable[int]:
    return phonenumbers.COUNTRY_CODE_TO_REGION_CODE


def timezone_of(told: Setting) -> Setting:
    """The zone of a country that has but one."""
    country = told.value
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE) if country else None
    zones = time_zones_for_geographical_number(example) if example else ()
    if len(zones) != 1 or country in MANY_ZONES:
        return Setting(None, 0.0, "times without an offset are read as UTC; say whose they are")
    return Setting(
        _RENAMED.get(zones[0], zones[0]),
        min(0.8, told.confidence),
        f"times without an offset are read as those of {country}",
    )


# A mobile's number names one zone there, and people live in several.
MANY_ZONES = frozenset({"AU", "BR", "CA", "CD", "CL", "EC", "ES", "FM", "GL", "ID", "KI", "KZ", "MN", "MX", "MY", "NZ",
                        "PF", "PG", "PT", "RU", "UA", "US"})  # fmt: skip


def order_of_dates(columns: Iterable[pa.Array]) -> Setting:
    """Decided only by values that have one reading; `iso` where none has, because it takes no other."""
    day, month, either = (0, 0, 0)
    for values in columns:
        by_day = clean_dates(values, "day_first").values.is_valid()
        by_month = clean_dates(values, "month_first").values.is_valid()
        day += pc.sum(pc.and_not(by_day, by_month)).as_py() or 0
        month += pc.sum(pc.and_not(by_month, by_day)).as_py() or 0
        either += pc.sum(pc.equal(clean_dates(values, "iso").problems, "ambiguous")).as_py() or 0
    if not day + month:
        if either:
            why = f"{either:,} dates can be read day first and month first, no other tells which is right"
            return Setting("iso", 0.3, f"{why}, and under iso they are left out: ask who wrote them")
        return Setting("iso", 0.9, "no date has its day or month first")
    best, count = ("day_first", day) if day >= month else ("month_first", month)
    clear = count / (day + month)
    told = f"{day:,} dates can only be day first, {month:,} only month first, {either:,} either"
    if clear < ORDER_CLEAR:
        return Setting("iso", 0.3, f"{told}; mixed, so only dates with one reading are taken")
    return Setting(best, min(clear, 0.99) if count > 2 else 0.8, told)
