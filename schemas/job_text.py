"""Lines of a job file that is written for a person: words, comments, and words that stand commented out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One line and those below it.

    `why` is the comment behind it, or all of it where there is no text. What is not `live`, or has only children that
    are not, is written as a comment: who takes the # away in front of it has it at the right place.
    """

    text: str = ""
    why: str = ""
    live: bool = True
    children: tuple["Entry", ...] = ()

    @property
    def is_live(self) -> bool:
        """Whether it is read; a line that only holds others is read if one of them is."""
        holds_none = not self.text or not self.children
        return self.live and (holds_none or any(child.is_live and child.text for child in self.children))
