"""Two runs never take one dropped file: each is claimed by its uri, until the run that has it ends."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from pathlib import Path

from connectors.addresses import is_url
from connectors.locks import claimed
from schemas.errors import WrongInput
from schemas.job import Job
from schemas.taken import Taken


def claim_of(uri: str) -> str:
    """The name of a file's lock: the same by whatever links one comes to the file."""
    where = uri if is_url(uri) else str(Path(uri).resolve())
    return f"drop-{blake2b(os.fsencode(where), digest_size=16).hexdigest()}"


@contextmanager
def claimed_again(job: Job, taken: Mapping[str, Taken], locks: Path) -> Iterator[None]:
    """Let no other run take the files of one that goes on.

    Raises:
        WrongInput: another run is loading one of them.
    """
    with ExitStack() as stack:
        for name, of_it in taken.items():
            for file in of_it.files if job.source[name].is_drop else ():
                if not stack.enter_context(claimed(locks, claim_of(file.uri))):
                    raise WrongInput(f"source.{name}: {file.uri} is being loaded by another run; wait for its end")
        yield
