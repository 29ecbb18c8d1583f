"""What a reason's code means to a person."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """`cause` has a place for the subject; neither ever holds a value."""

    cause: str
    fix: str
