"""Fates: every row ends in exactly one (design: fates), and what is known of it by then."""

from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """In the order in which a row can meet them."""

    UNREADABLE = "unreadable"
    FILTERED = "filtered"
    INVALID = "invalid"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    UNCHANGED = "unchanged"
    ACCEPTED = "accepted"
    ACCEPTED_WITH_LOSS = "accepted_with_loss"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"
    NOT_SENT = "not_sent"

    @property
    def applied(self) -> bool:
        """The API said that it stored the row."""
        return self in (Fate.ACCEPTED, Fate.ACCEPTED_WITH_LOSS)

    @property
    def rejected(self) -> bool:
        """The row belongs into `rejected.csv`, to be corrected and sent again; a line that is no row cannot."""
        return self in (Fate.INVALID, Fate.CONFLICT, Fate.REFUSED)


class Decision(StrEnum):
    """What a person says of rows in doubt."""

    ACCEPTED = "accepted"
    NOT_SENT = "not-sent"


@dataclass(frozen=True, slots=True)
class RowReply:
    """What the API's answer says of one row.

    `codes` are the API's own numbers as text, errors before warnings; `retry` marks a refusal that the
    API asks to repeat later (521 and kin): nothing of the row was applied, nor of its children. `children` has one
    reply per child that travelled with the row, in the order sent; each child's fate is its own.
    """

    fate: Fate
    codes: tuple[str, ...] = ()
    entity_id: str | None = None
    retry: bool = False
    children: tuple["RowReply", ...] = ()

    @property
    def family(self) -> tuple["RowReply", ...]:
        """The row's reply, then its children's: as `Batch.all_rows` has them."""
        return (self, *self.children)


class Verdict(StrEnum):
    """What an answer to a whole batch means, and so what happens next."""

    ANSWERED = "answered"  # each row has its own reply
    REFUSED = "refused"  # the batch was refused as a whole, nothing was applied, and sending it again cannot help
    TOO_LARGE = "too_large"  # 1060 or 413: nothing was applied; smaller batches may be
    THROTTLED = "throttled"  # 429: nothing was applied; later
    LATER = "later"  # the API says it could not even start; nothing was applied; later
    UNAUTHENTICATED = "unauthenticated"  # 401: a new token, once
    MISCONFIGURED = "misconfigured"  # host, path, rights or headers are wrong: no batch can succeed
    IN_DOUBT = "in_doubt"  # nobody can say what was applied


@dataclass(frozen=True, slots=True)
class BatchReply:
    """A verdict on a batch; `rows` is one reply per row in batch order, and only when `ANSWERED`.

    `code` says why in a few stable words or the API's number ("html", "row_count", "1060").
    """

    verdict: Verdict
    code: str = ""
    rows: tuple[RowReply, ...] = ()
