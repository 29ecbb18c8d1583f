"""Consent comes from the source: no job file may say yes in a customer's place, and a blank never does."""

import re
from collections.abc import Callable, Iterator

from schemas.mapping import Value
from transforms.blanks import says_no_value
from transforms.characters import tidy
from transforms.words import judge_flag

# Also a child's or a parent's, whose words stand below others.
_FLAG = re.compile(r"(?:.*\.)?commChannels\.[^.]+\.(?:subscribed|verified)")
_CHOICE = re.compile(r"(?:.*\.)?subscriptionInfo\.subscriptions\.\d+\.type")
_ASK = "consent comes from the source: give a column"


def unasked(target: str, value: Value) -> Iterator[str]:
    """Where a mapping would subscribe or verify customers who did not say so; to say no for all is allowed."""
    says_yes = _yes_of(target)
    if says_yes is None:
        return
    if value.value is not None and says_yes(value.value):
        yield f"it would say yes for every customer; {_ASK}"
    if value.default is not None and says_yes(value.default):
        yield f"its default would say yes for who says nothing; {_ASK}, without that default"
    if any(says_no_value(tidy(word)[0]) and says_yes(meaning) for word, meaning in (value.values or {}).items()):
        yield f"its values would read a blank, or a word for one, as a yes; {_ASK}, and take that word out"


def _yes_of(target: str) -> Callable[[str | bool | int | float], bool] | None:
    """What tells a yes at a target that asks for consent."""
    if _FLAG.fullmatch(target):
        return lambda written: judge_flag(str(written)).value is True
    if _CHOICE.fullmatch(target):
        return lambda written: tidy(str(written))[0] == "OPTIN"
    return None
