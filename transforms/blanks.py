"""How absence is spelled: by programs in any column, by people where only a closed kind of value fits."""

from transforms.kernels import Verdict, words

# In free text and names these are read in exactly this spelling, because "Null", "Na", "NA", "Nan" and "None"
# are surnames, given names, codes (NA is Namibia) and answers ("None" to "any allergies?"). What is listed is
# what programs write: SQL NULL, JSON null, NumPy nan, MySQL \N, pandas <NA> and NaT, Excel #N/A. A Mr. NULL in
# capitals is lost to SQL's NULL, and counted; Mr. Null is kept.
WRITTEN_BY_PROGRAMS = words(
    "NULL null <NULL> <null> (NULL) (null) [NULL] [null] \\N N/A n/a N.A. n.a. #N/A #n/a <NA> NaN nan NaT nil <nil>"
    " undefined - --"
)

# No mobile, address, date, number, flag or gender is spelled like one of these, in whatever case.
NO_CLOSED_VALUE = (
    frozenset(word.casefold() for word in WRITTEN_BY_PROGRAMS)
    | words("na none n.a n/a. unknown unk missing blank empty tbd ? . _ * – —")
    | {"not available", "not applicable", "not known", "not provided", "not specified", "no data"}
)
REPEATED = set("-?._*–—")  # "---", "???", "....": a person's way to skip a required box


def absent(trimmed: str, raw: str) -> Verdict:
    """The verdict on a text that says there is no value. `trimmed` is what is left without white space."""
    if not raw:
        return Verdict()
    return Verdict(changes=("blank_spelled_out" if trimmed else "trimmed",))


def says_nothing(trimmed: str) -> bool:
    """Whether a trimmed free text or name stands for absence."""
    return not trimmed or trimmed in WRITTEN_BY_PROGRAMS


def says_no_value(trimmed: str) -> bool:
    """Whether a trimmed text stands for absence where only a number, date, address or the like fits."""
    return not trimmed or trimmed.casefold() in NO_CLOSED_VALUE or set(trimmed) <= REPEATED
