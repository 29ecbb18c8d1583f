"""What a run is started with: the environment, the job file, the home folder. Read once, then passed on."""

import os
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from schemas.errors import JobError
from schemas.job import Job
from transforms.job_file import read_job

DEFAULT_HOME = Path("data/runs")


@dataclass(frozen=True, slots=True)
class Home:
    """Where runs, the ledger and the key of the keyed hashes live; private to its owner."""

    folder: Path

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite"

    def run(self, name: str) -> Path:
        """A run's folder."""
        return self.folder / name

    def salt(self) -> bytes:
        """The key that customers are hashed with; made once, and never leaves the home."""
        file = self.folder / "hash.key"
        if not file.exists():
            self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            made = self.folder / f"hash.key.{os.getpid()}"
            with os.fdopen(os.open(made, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as opened:
                opened.write(secrets.token_bytes(32))
                os.fsync(opened.fileno())
            # Of two processes that start at once, the first one's key stays.
            with suppress(FileExistsError):
                os.link(made, file)
            made.unlink()
        return file.read_bytes()


def home_of(given: Path | None, environment: Mapping[str, str]) -> Home:
    """`--home`, else `$BULKLOAD_HOME`, else `data/runs` below the working directory; always absolute."""
    return Home((given or Path(environment.get("BULKLOAD_HOME") or DEFAULT_HOME)).resolve())


def load_job(file: Path, environment: Mapping[str, str]) -> Job:
    """Read a job file from disk.

    Raises:
        JobError: it is missing, unreadable or wrong.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise JobError(f"{file}: no such job file; `bulkload demo` shows one that works") from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise JobError(f"{file}: cannot be read: {why}") from None
    return read_job(text, environment, str(file))


def now(job: Job) -> datetime:
    """The time at the job's place."""
    return datetime.now(ZoneInfo(job.locale.timezone))


def run_name(job: Job, started: datetime, home: Home, known: Iterable[str]) -> str:
    """`20260301-003000-loyalty-nightly`, with a number behind it when that second is taken.

    `known` are the last runs: of one that failed there is no folder.
    """
    name = f"{started:%Y%m%d-%H%M%S}-{job.name}"
    taken = {*known, *(path.name for path in home.folder.glob(f"{name}*"))}
    return next(
        tried for number in range(1, 1000) if (tried := name if number == 1 else f"{name}-{number}") not in taken
    )
