"""Who sends is alone: with the place that is sent to, and with its job."""

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.ledger import Ledger
from connectors.locks import only_one
from flows.lease import holding
from flows.settings import Home
from schemas.errors import JobError
from schemas.job import Job


@contextmanager
def alone(ledger: Ledger, home: Home, job: Job, run: str, *, begun: bool = False) -> Iterator[None]:
    """Nobody else sends to the same place, nor the same job to another one: its killed run is known by its name.

    `begun`: the run itself may be the one that was killed.

    Raises:
        LeaseHeld, WrongInput: somebody does.
        JobError: another run of the job was killed. What it sent is remembered when it is closed; before that
            nothing of its job may be sent.
    """
    with holding(ledger, home.folder, job.lease, run), only_one(home.folder, job.name):
        if (unfinished := ledger.unfinished(job.name, run if begun else "")) is not None:
            raise JobError(f"run {unfinished} of job {job.name} was killed; first: bulkload resume {unfinished}")
        yield
