"""Errors, named for what happens next: each class is an exit code of the command line.

Messages name the thing, what is allowed and the way out, and never hold a value from a customer's row.
"""

from collections.abc import Iterable


class BulkloadError(Exception):
    """Whatever ends a command without being a bug."""

    exit_code = 1

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)

    @property
    def problems(self) -> tuple[str, ...]:
        """All mistakes at once, one sentence each."""
        return self.args

    def __str__(self) -> str:
        return "\n".join(self.problems)


class WrongInput(BulkloadError):
    """The job file, the source or the credentials are wrong; nothing was sent."""

    exit_code = 2


class JobError(WrongInput):
    """The job file cannot be used as it is."""


class SourceError(WrongInput):
    """The source cannot be read: missing, unreadable, of another format, without a mapped column."""


class NotTheFile(SourceError):
    """A file could not be read, and that is not its fault: others would meet it too, or this one not another time."""


class CredentialsError(WrongInput):
    """The API knows nobody by these credentials, or does not let them load customers."""


class Unreachable(WrongInput):
    """The API's host could not be reached before anything was sent."""


class Stopped(BulkloadError):
    """The run ended before its end; what was not sent is known and can be sent later."""

    exit_code = 4


class GuardStopped(BulkloadError):
    """What was found is beyond what the job's guards allow; all that are broken are told at once."""

    exit_code = 3


class OutOfBalance(BulkloadError):
    """Rows or points read are not the sum of rows or points per fate: a bug, told instead of hidden."""


def raise_all(kind: type[BulkloadError], problems: Iterable[str]) -> None:
    """Raise `kind` with all problems, or do nothing when there are none."""
    found = tuple(problems)
    if found:
        raise kind(*found)
