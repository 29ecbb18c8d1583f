"""What can go wrong on purpose, and when: `name[=seconds][@scope][:rate|:n]`, by flag or by header.

    502                 every bulk write           slow=3:0.05     one in twenty, 3 s late
    lost:2              the first two              502@reads:1     the first look-up

A number with a point is a rate in (0, 1]; a whole number counts requests from the first. Rates are drawn from a
generator seeded by the run's seed and the fault's own text: the same requests in the same order meet the same
faults.
"""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass

FAULTS = {
    "429": "refused for its rate, nothing applied; =seconds becomes Retry-After",
    "500": "JSON error, nothing applied",
    "502": "a gateway's HTML, nothing applied",
    "503": "a gateway's HTML, nothing applied; =seconds becomes Retry-After",
    "504": "a gateway's HTML, nothing applied",
    "503-auth": "JSON: authorization status unavailable, nothing applied",
    "500-after": "JSON error without elements, all applied",
    "502-after": "a gateway's HTML, all applied",
    "503-after": "a gateway's HTML, all applied",
    "504-after": "a gateway's HTML, all applied",
    "500-applied": "status 500 with the ordinary body of an applied batch",
    "slow": "answered after =seconds (default 1); its customers are held meanwhile",
    "lost": "applied, then the connection is closed without an answer",
    "reset-before": "the connection is reset (RST), nothing applied",
    "reset-after": "applied, then the connection is reset (RST)",
    "stall": "applied, then no answer until the client gives up",
    "stall-before": "nothing applied, no answer until the client gives up",
    "html": "applied, answered 200 with an HTML page",
    "shuffled": "applied, elements in another order",
    "truncated": "applied, the JSON ends in the middle",
    "short": "applied, the last element is missing",
    "empty-error": "applied, every element says errors:[{}]",
    "garbage": "applied, the answer is no text at all",
    "points-failed": "customers applied, points not: warning 19223",
    "expiry": "tokens live =seconds (default 1)",
}
DEFAULT_SECONDS = {"slow": 1.0, "expiry": 1.0, "429": 0.0, "503": 0.0}  # who may have =seconds at all
SCOPES = ("writes", "reads", "token", "all")
SYNTAX = re.compile(r"(?P<name>[a-z0-9-]+)(=(?P<seconds>\d+(\.\d+)?))?(@(?P<scope>[a-z]+))?(:(?P<amount>\d+(\.\d+)?))?")


class FaultError(ValueError):
    """The text names no fault; the message says what is allowed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, for a share of the requests or for the first so many."""

    name: str
    seconds: float = 0.0
    scope: str = "writes"
    rate: float = 1.0
    first: int | None = None


def parse_fault(text: str) -> Fault:
    """Read one fault.

    Raises:
        FaultError: unknown name or scope, a rate outside (0, 1], a count below 1, seconds where none belong.
    """
    match = SYNTAX.fullmatch(text.strip())
    if match is None:
        raise FaultError(f"fault {text!r}: write name[=seconds][@scope][:rate|:n]; names are {', '.join(FAULTS)}")
    name, scope, amount = match["name"], match["scope"] or "writes", match["amount"]
    if name not in FAULTS:
        raise FaultError(f"fault {name!r} is not known; allowed are {', '.join(FAULTS)}")
    if scope not in SCOPES:
        raise FaultError(f"fault {name}: scope {scope!r} is not known; allowed are {', '.join(SCOPES)}")
    if match["seconds"] and name not in DEFAULT_SECONDS:
        raise FaultError(f"fault {name}: only {', '.join(DEFAULT_SECONDS)} take =seconds")
    rate, first = 1.0, None
    if amount and "." in amount:
        rate = float(amount)
    elif amount:
        first = int(amount)
    if not 0 < rate <= 1 or first == 0:
        raise FaultError(f"fault {name}: {amount} is neither a rate such as 0.05 (up to 1.0) nor a count from 1")
    seconds = float(match["seconds"] or DEFAULT_SECONDS.get(name, 0.0))
    return Fault(name, seconds, scope, rate, first)


def parse_faults(texts: Iterable[str]) -> tuple[Fault, ...]:
    """Read several faults, also several in one text, between commas."""
    return tuple(parse_fault(part) for text in texts for part in text.split(",") if part.strip())


class Faults:
    """Decides per request which faults it meets."""

    def __init__(self, texts: Iterable[str] = (), seed: int = 0) -> None:
        self._seed = seed
        self.set(texts)

    def set(self, texts: Iterable[str]) -> None:
        """Replace all faults and start their counts and draws anew.

        Raises:
            FaultError: a text names no fault; the faults stay as they were.
        """
        parsed = parse_faults(texts)
        self._faults = [(f, random.Random(f"{self._seed}/{f}")) for f in parsed]  # noqa: S311 - reproducible, no secret
        self._seen = [0] * len(parsed)

    def pick(self, scope: str, header: str | None = None) -> dict[str, Fault]:
        """The faults that a request of this scope meets, by name; those of its header come on top."""
        met: dict[str, Fault] = {}
        for index, (fault, draw) in enumerate(self._faults):
            if fault.scope in {scope, "all"}:
                self._seen[index] += 1
                if (fault.first is None or self._seen[index] <= fault.first) and draw.random() < fault.rate:
                    met[fault.name] = fault
        for fault in parse_faults([header] if header else []):
            met[fault.name] = fault
        return met

    def token_ttl_s(self) -> float | None:
        """How long tokens live when `expiry` is among the faults, whatever its scope."""
        return next((fault.seconds for fault, _ in self._faults if fault.name == "expiry"), None)
