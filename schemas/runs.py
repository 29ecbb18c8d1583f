"""A run as it is told to people and machines: plan, totals, reasons, and `run.json` (README: run.json)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from schemas.clusters import NO_CLUSTERS, Clusters
from schemas.outcomes import Fate
from schemas.vanished import NOBODY_VANISHED, Vanished
from schemas.watermarks import ReadSince, since_json


@dataclass(frozen=True, slots=True)
class Example:
    """One row behind a reason, fit for a report: `customer` is masked ("C-1••••7")."""

    file: str
    line: int
    customer: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why rows ended in a fate: `cause` and `fix` are sentences without any value of a row."""

    fate: Fate
    code: str
    rows: int
    cause: str
    fix: str
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A row in doubt, fit for a report: `customer` is masked, `codes` say why nobody knows what became of it.

    A row that an earlier run sent has no batch here, nor a time.
    """

    file: str
    line: int
    customer: str
    sent_at: str  # local time of the job with its offset
    batch: int | None
    request_id: str  # empty when no answer came that had one
    codes: tuple[str, ...]
    points: int


@dataclass(frozen=True, slots=True)
class DoubtfulRequest:
    """A request with rows in doubt, by what Capillary's support can find it; `rows` and `points` are of those rows."""

    batch: int
    sent_at_utc: datetime
    request_id: str
    rows: int
    points: int


@dataclass(frozen=True, slots=True)
class Change:
    """What cleaning did to a value of the payload, in how many rows ("mobile", "country_code_added", 1204)."""

    target: str
    kind: str
    rows: int


@dataclass(frozen=True, slots=True)
class Origin:
    """A file or a query that was read: `rows` includes unreadable lines."""

    table: str
    file: str
    size_bytes: int
    sha256: str
    rows: int
    uri: str = ""  # where it was taken from; empty: it lies where the job says


@dataclass(frozen=True, slots=True)
class Tick:
    """What happened on the wire in one slice of the delivery; `start_s` counts from the first request."""

    start_s: float
    length_s: float
    sent: int
    throttled: int
    failed: int
    rows: int  # rows answered
    latency_ms: float | None  # median of the slice's answers


@dataclass(frozen=True, slots=True)
class Requests:
    sent: int = 0
    answered: int = 0
    retried: int = 0
    throttled: int = 0
    looked_up: int = 0

    def __add__(self, other: "Requests") -> "Requests":
        """Of two processes that sent one run, one after the other."""
        return Requests(*(getattr(self, name) + getattr(other, name) for name in Requests.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class Totals:
    """Control totals: `rows` and `points[programme]` by fate; both have the sum read beside them."""

    read: int
    rows: Mapping[Fate, int]
    points_read: Mapping[str, int]
    points: Mapping[str, Mapping[Fate, int]]

    def points_of(self, fate: Fate) -> int:
        """Points that ended in a fate, of all programmes."""
        return sum(per_fate.get(fate, 0) for per_fate in self.points.values())


@dataclass(frozen=True, slots=True)
class Changed:
    """Rows of customers whom the job's memory knows, and how many of them are not as they were accepted last."""

    known: int = 0
    changed: int = 0
    mapping_changed: bool = False  # since the job was loaded last

    @property
    def told(self) -> str:
        """What a changed mapping does, as a sentence without its full stop; empty when there is nothing to tell."""
        if not (self.mapping_changed and self.changed):
            return ""
        which = f"{self.changed:,} of {self.known:,} known customers"
        return f"The mapping changed since the last load: it changes {which}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be sent, before the first byte leaves; `totals` count planned rows as `not_sent`."""

    run: str
    job: str
    mode: str
    totals: Totals
    requests: int
    seconds_at_allowed_rate: float
    requests_per_minute: int
    destination: str
    operation: str
    origins: tuple[Origin, ...]
    reasons: tuple[Reason, ...]
    changes: tuple[Change, ...]
    unmatched: Mapping[str, int]  # rows of a joined table that no leading row asked for, and its broken lines
    most_points_per_customer: int  # of the rows to be sent, over all programmes
    changed: Changed
    guards: tuple[str, ...]  # what each guard says that this plan breaks
    digest: str  # of the job file and the source; `deliver` refuses a plan whose input changed
    clusters: Clusters = NO_CLUSTERS
    notes: tuple[str, ...] = ()  # what was found out about the source, in sentences without their full stop
    since: Mapping[str, ReadSince] = field(default_factory=dict)  # by table
    vanished: Vanished = NOBODY_VANISHED

    def as_json(self) -> dict[str, Any]:
        """`plan.json`."""
        return {
            "schema": 1,
            "run": self.run,
            "job": self.job,
            "mode": self.mode,
            "rows": rows_json(self.totals),
            "points": points_json(self.totals),
            "most_points_per_customer": self.most_points_per_customer,
            "changed": asdict(self.changed),
            "guards": list(self.guards),
            "requests": self.requests,
            "seconds": round(self.seconds_at_allowed_rate, 1),
            "requests_per_minute": self.requests_per_minute,
            "destination": self.destination,
            "operation": self.operation,
            "sources": [
                {"table": o.table, "file": o.file, "size_bytes": o.size_bytes, "sha256": o.sha256, "rows": o.rows}
                | ({"uri": o.uri} if o.uri else {})
                for o in self.origins
            ],
            "unmatched": dict(self.unmatched),
            "reasons": [reason_json(reason) for reason in self.reasons],
            "changes": [{"target": c.target, "kind": c.kind, "rows": c.rows} for c in self.changes],
            **self.clusters.as_json(),
            **({"notes": list(self.notes)} if self.notes else {}),
            **since_json(self.since),
            "digest": self.digest,
        }


@dataclass(frozen=True, slots=True)
class RunReport:
    """All that a report shows and `run.json` says. `state`: done | stopped | failed."""

    run: str
    job: str
    mode: str
    state: str
    exit_code: int
    started: str  # local time of the job with its offset, as run.json shows it
    finished: str
    destination: str
    operation: str
    totals: Totals
    requests: Requests
    requests_per_minute: int  # what the job allows
    seconds: Mapping[str, float]  # prepare, settle, deliver, report
    reasons: tuple[Reason, ...]  # most rows first within a fate, fates in their order
    changes: tuple[Change, ...]  # most rows first
    origins: tuple[Origin, ...]
    ticks: tuple[Tick, ...]
    unmatched: Mapping[str, int] = field(default_factory=dict)  # as in `Plan`
    retry_of: str = ""  # the run whose rejected rows these are
    stopped_because: str = ""  # in sentences; empty when the run came to its end within the guards
    stopped_by: Literal["", "window"] = ""  # for the job's next run, which goes on with this one first
    files: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[Doubtful, ...] = ()  # the first in the order of rows; `totals` has the number of all
    doubtful_requests: tuple[DoubtfulRequest, ...] = ()  # all, the first sent first
    notes: tuple[str, ...] = ()  # sentences that a person should know and need not act on
    clusters: Clusters = NO_CLUSTERS
    since: Mapping[str, ReadSince] = field(default_factory=dict)  # by table

    def as_json(self) -> dict[str, Any]:
        """`run.json`."""
        return {
            "schema": 1,
            "run": self.run,
            **({"retry_of": self.retry_of} if self.retry_of else {}),
            "job": self.job,
            "mode": self.mode,
            "state": self.state,
            "started": self.started,
            "finished": self.finished,
            "exit_code": self.exit_code,
            "rows": rows_json(self.totals),
            "points": points_json(self.totals),
            "requests": {name: getattr(self.requests, name) for name in Requests.__dataclass_fields__},
            "seconds": {stage: round(seconds, 1) for stage, seconds in self.seconds.items()},
            "reasons": [reason_json(reason) for reason in self.reasons],
            **({"unmatched": unmatched} if (unmatched := unmatched_json(self.unmatched)) else {}),
            **({"doubts": [doubtful_json(doubt) for doubt in self.doubts]} if self.doubts else {}),
            **self.clusters.as_json(),
            **({"notes": list(self.notes)} if self.notes else {}),
            **since_json(self.since),
            "files": dict(self.files),
            **({"stopped_because": self.stopped_because} if self.stopped_because else {}),
            **({"stopped_by": self.stopped_by} if self.stopped_by else {}),
        }


def rows_json(totals: Totals) -> dict[str, int]:
    """`{"read": …, "unreadable": …, …}` with every fate, zeros too."""
    return {"read": totals.read} | {fate.value: totals.rows.get(fate, 0) for fate in Fate}


def points_json(totals: Totals) -> dict[str, dict[str, int]]:
    """Per programme what was read and what became of it; fates without points are left out."""
    return {
        programme: {"read": read}
        | {fate.value: points for fate in Fate if (points := totals.points[programme].get(fate, 0))}
        for programme, read in totals.points_read.items()
    }


def unmatched_json(unmatched: Mapping[str, int]) -> dict[str, int]:
    """Per joined table the rows that were not used; tables without any are left out."""
    return {table: rows for table, rows in unmatched.items() if rows}


def reason_json(reason: Reason) -> dict[str, Any]:
    """One entry of `reasons`."""
    return {
        "fate": reason.fate.value,
        "code": reason.code,
        "rows": reason.rows,
        "cause": reason.cause,
        "fix": reason.fix,
    }


def doubtful_json(doubt: Doubtful) -> dict[str, Any]:
    """One entry of `doubts`."""
    return asdict(doubt) | {"codes": list(doubt.codes)}
