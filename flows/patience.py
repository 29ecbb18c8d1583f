"""How often one batch is tried, how long is waited before the next time, and when it ends the run instead.

Only for verdicts after which nothing of the batch was applied, for sure.
"""

from dataclasses import dataclass

from schemas.batches import Answer, NeverSent, Sending
from schemas.errors import BulkloadError, CredentialsError, Stopped, WrongInput
from schemas.job import Job
from schemas.outcomes import BatchReply, Verdict

LONGEST_WAIT_S = 60.0
UNSENT_WAIT_S = 1.0  # the breaker takes over when it happens again and again
# A batch that is only ever answered 429 shows that the rate is somebody else's; waiting longer cannot help.
MOST_THROTTLED = 20


@dataclass
class Tries:
    """Of one batch. Only a "later" of the API's own is an attempt: not a 429, nor a token that had expired, nor
    what never left, because no retries are spent on a dead host.
    """

    later: int = 0
    throttled: int = 0
    unauthenticated: int = 0  # in a row: each but the first was sent with a new token

    @property
    def attempt(self) -> int:
        """The number of the attempt that is made next, from 1."""
        return 1 + self.later

    def count(self, sending: Sending, verdict: Verdict) -> None:
        """One more."""
        self.later += verdict is Verdict.LATER and isinstance(sending, Answer)
        self.throttled += verdict is Verdict.THROTTLED
        self.unauthenticated = self.unauthenticated + 1 if verdict is Verdict.UNAUTHENTICATED else 0

    def wait_s(self, sending: Sending, verdict: Verdict) -> float:
        """As long as the API asks for; without a wish, longer each time."""
        if verdict is Verdict.UNAUTHENTICATED:
            return 0.0
        if isinstance(sending, NeverSent):
            return UNSENT_WAIT_S
        wished_s = sending.retry_after_s if isinstance(sending, Answer) else None
        return wished_s if wished_s is not None else min(LONGEST_WAIT_S, 2.0 ** (self.later + self.throttled))

    def give_up(self, job: Job, reply: BatchReply) -> BulkloadError | None:
        """Why the run ends here, or None to try again."""
        where = job.destination.host or job.destination.url
        if reply.verdict is Verdict.MISCONFIGURED:
            return WrongInput(
                f"{where} refuses every request ({reply.code}); check destination.path, operation and rights"
            )
        if self.unauthenticated >= 2:
            return CredentialsError(
                f"{where} does not know us any more (401, also with a new token); check destination.auth"
            )
        if self.throttled >= MOST_THROTTLED:
            return Stopped(
                f"{where} answered 429 {self.throttled} times to one request; lower limits.requests_per_minute"
            )
        if self.later < job.limits.attempts:
            return None
        return Stopped(f"{where} asked to come back later {self.later} times ({reply.code})")
