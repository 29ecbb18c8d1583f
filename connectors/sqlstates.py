"""What an SQLSTATE means, in words that hold no value of a row."""

import re

from connectors.asking import Trouble

# Messages of these classes name tables, columns, rights and limits; those of the others quote values.
_QUOTABLE = ("08", "0A", "25", "26", "28", "3D", "3F", "40", "42", "53", "54", "55", "57")
_SAID = {
    "22003": "a number is out of range",
    "22007": "a text is no date or time",
    "22008": "a date or time is out of range",
    "22012": "a division by zero",
    "22021": "bytes that are no text in the database's encoding",
    "22P02": "a text cannot be read as the type it is cast to",
}
_ADVICE = {
    "25006": "a query may only read",
    "28P01": "look at user and password",
    "28000": "look at user and password, and at the server's pg_hba.conf",
    "42501": "grant select on it to this user",
    "57014": "look at the server's statement_timeout, and at who cancels",
    "55P03": "somebody holds the table; run again later",
    "53300": "try again when fewer are connected",
}
# What an error says where a driver gives its text and not its state.
_READ_AS = (
    (r"cannot execute .*? in a read-only transaction", "25006"),
    (r"cancel\w+ statement due to lock timeout", "55P03"),
    (r"cancel\w+ statement due to [\w ]+", "57014"),
    (r"permission denied for [\w ]+", "42501"),
    (r"invalid input syntax for", "22P02"),
    (r"division by zero", "22012"),
    (r"out of range", "22003"),
)
_GONE = ("08", "57P01", "57P02", "57P03", "57P05")


def told_state(state: str, message: str, place: str = "") -> Trouble:
    """What to tell of an error with this state; `place` is where in the query ("", ", line 2")."""
    text = message if state.startswith(_QUOTABLE) and message else _SAID.get(state, "an error that quotes a value")
    advice = f"; {_ADVICE[state]}" if state in _ADVICE else ""
    return Trouble(f"{text} ({state}{place}){advice}", gone=state.startswith(_GONE))


def told_text(text: str) -> Trouble | None:
    """The same for an error without a state; nothing where its text is not known."""
    for pattern, state in _READ_AS:
        if found := re.search(pattern, text):
            return told_state(state, found.group())
    return None
