"""What cleaning a column gives: values the API accepts, what is wrong, and what was changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import pyarrow as pa


class Kind(StrEnum):
    """What a mapped value is; the words of `as:` in a job file."""

    TEXT = "text"
    NAME = "name"
    MOBILE = "mobile"
    EMAIL = "email"
    DATE = "date"
    DATETIME = "datetime"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    GENDER = "gender"


@dataclass(frozen=True, slots=True)
class Locale:
    """How ambiguous values of one job are read."""

    country: str | None = None  # ISO 3166 alpha-2: the country of mobiles without a country code
    timezone: str = "UTC"  # IANA name: of times without an offset
    dates: str = "iso"  # day_first | month_first | iso: the order of 03/04/2024


@dataclass(frozen=True, slots=True)
class Cleaned:
    """One column after cleaning; all arrays as long as the raw one.

    `values` holds the canonical value, null where the raw one is blank or wrong.
    `problems` holds null where all is well, else the second half of a reason's code ("not_a_number").
    `changes` counts rows per kind of change ("country_code_added"); an unchanged row is in none.
    """

    values: pa.Array
    problems: pa.Array
    changes: Mapping[str, int] = field(default_factory=dict)
