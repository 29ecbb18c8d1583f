"""Values of a job file that have one spelling: what is allowed, as a pattern for machines and in words for people."""

import difflib
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, Field, StringConstraints

from schemas.mapping import WORD

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"
_DURATION = r"^\d+[smhd]$"
_COLUMNS = r"^[1-9]\d*-[1-9]\d*$"
_COUNTRY = r"^[A-Z]{2}$"
_HOST = r"^[A-Za-z0-9.-]+(:\d+)?$"
_URL = r"^https?://[^/\s]+/?$"
_PATH = r"^/[^\s?#]*$"
# What each pattern allows, for people; messages and the JSON Schema's descriptions say it.
IN_WORDS = {
    _NAME: "letters, digits, dots, dashes and underscores, at most 64, a letter or digit first",
    _CLOCK: 'a time from "00:00" to "23:59"',
    _DURATION: "a number with s, m, h or d behind it, such as 15m",
    _COLUMNS: "the first and the last character of a column, from 1, such as 11-20",
    _COUNTRY: "a country's two capital letters, such as IN or GB",
    _HOST: "a host's name alone, such as eu.api.capillarytech.com, without https:// and without a path",
    _URL: "http:// or https:// and a host, such as http://127.0.0.1:8080, without a path",
    _PATH: "a path that begins with /, such as /v2/bulk, without a query",
    WORD: "a name without ; and |",
}

Name = Annotated[str, StringConstraints(pattern=_NAME), Field(description=IN_WORDS[_NAME])]
Clock = Annotated[str, StringConstraints(pattern=_CLOCK), Field(description=IN_WORDS[_CLOCK])]
Duration = Annotated[str, StringConstraints(pattern=_DURATION), Field(description=IN_WORDS[_DURATION])]
Columns = Annotated[str, StringConstraints(pattern=_COLUMNS), Field(description=IN_WORDS[_COLUMNS])]
Country = Annotated[str, StringConstraints(pattern=_COUNTRY), Field(description=IN_WORDS[_COUNTRY])]
Host = Annotated[str, StringConstraints(pattern=_HOST), Field(description=IN_WORDS[_HOST])]
Url = Annotated[str, StringConstraints(pattern=_URL), Field(description=IN_WORDS[_URL])]
UrlPath = Annotated[str, StringConstraints(pattern=_PATH), Field(description=IN_WORDS[_PATH])]


def seconds_of(duration: str) -> int:
    """How long a `Duration` is."""
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[duration[-1]]


def _known_zone(name: str) -> str:
    """A zone that the clocks of this machine know."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown, no zone's name at all, a folder of zones
        near = difflib.get_close_matches(name, available_timezones(), n=1, cutoff=0.7)
        hint = f"; nearest is {near[0]!r}" if near else ""
        raise ValueError(f"must be a zone's IANA name, such as Asia/Kolkata or UTC{hint}") from None
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]
