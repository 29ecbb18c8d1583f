"""What the API's codes mean for a customer row: their class, their cause and what to do next.

An error and a warning may carry the same number; the array they arrive in decides, so a meaning has a
class for either. A number that is not in the table is `UNKNOWN`: never a success in full, never a reason to
send a row again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

from schemas.code_table import CODE_TABLE

Operation = Literal["update", "register", "upsert"]

# Words that stand where the API gave no number of its own.
NO_CODE = "no_code"
EXTENDED_FIELD = "extended_field"

# Warnings beside a customer that was saved: "points processing failed" (contract: section 5, the row of 19223).
# How many points were credited nobody knows; the customer's ledger has to be read.
POINTS_UNKNOWN = frozenset({"889", "1086", "1087", "19223"})


class CodeClass(StrEnum):
    """What a code says was done, and what happens next."""

    DATA = "data"  # the row is at fault for good
    SETUP = "setup"  # something that the row points to is missing in the organisation: its store, its company
    CONFIG = "config"  # the job or the organisation is set up wrongly; other rows will meet it too
    AUTH = "auth"  # credentials
    LIMIT = "limit"  # the batch is too large
    RETRY = "retry"  # nothing was applied; the API asks to try again later
    RECONCILE = "reconcile"  # part of it may have been applied: look it up before sending it again
    DUPLICATE = "duplicate"  # it exists already, or was merged; whether as the row wants it is not said
    DONE = "done"  # an error only in name: what was asked for is already so
    LOSS = "loss"  # applied, without a part of it
    NOTE = "note"  # applied in full
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CodeMeaning:
    """One of the API's codes, in words for an operator."""

    code: str
    as_error: CodeClass
    as_warning: CodeClass
    cause: str
    fix: str


def explain(code: str, operation: Operation) -> CodeMeaning:
    """Say what a code of the bulk customer API means; a number nobody documents is `UNKNOWN`."""
    return _MEANINGS[operation].get(code) or _unknown(code)


def _unknown(code: str) -> CodeMeaning:
    return CodeMeaning(
        code,
        as_error=CodeClass.UNKNOWN,
        as_warning=CodeClass.UNKNOWN,
        cause="The API answered with a code that is not documented.",
        fix="Look at the stored customer and ask Capillary's support, naming the code and the request id.",
    )


def _entries(table: str) -> Iterator[tuple[Operation, CodeMeaning]]:
    """Every operation and code of the table, in its order."""
    lines = [line for line in table.splitlines() if line.strip() and not line.startswith("#")]
    for head, fix in zip(lines[::2], lines[1::2], strict=True):
        numbers, as_error, as_warning, cause = (part.strip() for part in head.split("|"))
        numbers, _, only = numbers.partition("@")
        for operation in get_args(Operation):
            if only in ("", operation):
                for code in _codes(numbers):
                    yield (
                        operation,
                        CodeMeaning(code, CodeClass(as_error), CodeClass(as_warning), cause, fix.strip()),
                    )


def _codes(numbers: str) -> Iterator[str]:
    """`8070-8071 8090` is 8070, 8071, 8090; a word is itself."""
    for number in numbers.split():
        first, _, last = number.partition("-")
        yield from map(str, range(int(first), int(last) + 1)) if last else [first]


_MEANINGS: dict[Operation, dict[str, CodeMeaning]] = {operation: {} for operation in get_args(Operation)}
for _operation, _meaning in _entries(CODE_TABLE):
    _MEANINGS[_operation][_meaning.code] = _meaning
