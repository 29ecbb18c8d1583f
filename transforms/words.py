"""Values of a closed list: yes and no, gender. The spellings are data; a new one is a line here."""

from collections.abc import Mapping

import pyarrow as pa

from schemas.values import Cleaned
from transforms.blanks import absent, says_no_value
from transforms.characters import folded, tidy
from transforms.kernels import Column, Verdict, words, wrong

YES = words("true t yes y 1 on 1.0")
NO = words("false f no n 0 off 0.0")
FLAGS: Mapping[str, bool] = dict.fromkeys(YES, True) | dict.fromkeys(NO, False)

MALE = words("m male man boy mr gentleman")
FEMALE = words("f female woman girl ms mrs miss lady")
OTHER = words("o x other others transgender trans nonbinary non-binary nb") | {"non binary", "third gender"}
GENDERS: Mapping[str, str] = (
    dict.fromkeys(MALE, "MALE") | dict.fromkeys(FEMALE, "FEMALE") | dict.fromkeys(OTHER, "OTHER")
)
UNTOLD = frozenset({"u", "undisclosed", "not disclosed", "prefer not to say", "prefer not to answer"})


def clean_flags(raw: pa.Array) -> Cleaned:
    """True or false; only the words above, in any case."""
    return Column(raw).judge_all(pa.bool_(), judge_flag)


def clean_genders(raw: pa.Array) -> Cleaned:
    """MALE, FEMALE or OTHER; who does not tell is absent, not other."""
    return Column(raw).judge_all(pa.string(), judge_gender)


def judge_flag(raw: str) -> Verdict:
    """One yes or no."""
    text, changes = tidy(raw)
    word = _word(text)
    if says_no_value(text):
        return absent(text, raw)
    if word not in FLAGS:
        return wrong("not_a_boolean")
    return Verdict(FLAGS[word], changes=_steps(text, "true" if FLAGS[word] else "false", changes))


def judge_gender(raw: str) -> Verdict:
    """One gender."""
    text, changes = tidy(raw)
    word = _word(text)
    if says_no_value(text) or word in UNTOLD:
        return absent(text, raw)
    if word not in GENDERS:
        return wrong("not_a_gender")
    return Verdict(GENDERS[word], changes=_steps(text, GENDERS[word], changes))


def _word(text: str) -> str:
    return folded(text).casefold().rstrip(".")


def _steps(text: str, canonical: str, changes: tuple[str, ...]) -> tuple[str, ...]:
    return changes if canonical == text else (*changes, "spelling_unified")
