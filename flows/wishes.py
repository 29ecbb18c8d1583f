"""What a person asks of one run's source, beyond what the job file says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person asks of a run's source."""

    full: bool = False  # rows before the watermark too
    since: str | None = None  # in place of the watermark
    force: bool = False  # files that were loaded before, too


AS_WRITTEN = Wishes()
