"""One process at a time: a lock that a dead process lets go of."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import WrongInput


@contextmanager
def only_one(folder: Path, name: str) -> Iterator[None]:
    """Let no other process of this machine do what is locked under this name.

    Raises:
        WrongInput: another process is at it.
    """
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    with os.fdopen(os.open(folder / f".{name}.lock", os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WrongInput(f"job {name}: another process is loading it; wait for its end") from None
        yield
