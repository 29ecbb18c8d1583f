"""The job file: every key a user may write, with its default. Source: the job file's page in README.

The models are the whole syntax, including parts that a later version makes work; `transforms/job_file.py`
reads YAML into them and refuses by name what does not work yet.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from schemas.mapping import Children, Mapping
from schemas.spellings import Clock, Country, Host, Name, Url, UrlPath, Zone
from schemas.tables import Strict, Tables

Percent = Annotated[float, Field(ge=0, le=100)]
PositiveInt = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
NotNegative = Annotated[int, Field(ge=0)]


class JobLocale(Strict):
    """How ambiguous values are read: whose mobiles, which time, which order of day and month."""

    country: Country | None = None
    timezone: Zone = "UTC"
    dates: Literal["day_first", "month_first", "iso"] = "iso"


class Duplicates(Strict):
    """Which of several rows of one customer is sent; `none`: all of them are invalid."""

    keep: Literal["latest", "first", "last", "none"] = "last"
    by: str | None = None

    @model_validator(mode="after")
    def latest_needs_by(self) -> Self:
        """`latest` compares a column's times; the other rules compare nothing."""
        if (self.keep == "latest") != (self.by is not None):
            raise ValueError("write keep: latest together with by: <a column with times>, or neither")
        return self


class Rules(Strict):
    """What is done with rows and values that are not sent as they are."""

    filter: str | None = None
    duplicates: Duplicates = Duplicates()
    shared_identifier: Literal["hold", "hold all", "keep_first"] = "hold"
    placeholders: dict[str, list[str]] = Field(default_factory=dict)
    placeholder_above: PositiveInt | None = 20  # customers; what more of them have is nobody's
    bad_optional: Literal["drop", "reject"] = "drop"
    nulls: Literal["omit", "clear"] | dict[str, Literal["omit", "clear"]] = "omit"
    # The hierarchy sets how many a parent may have, at most so many (contract: request payload tree).
    max_children: Annotated[int, Field(ge=1, le=30_000)] = 30_000


class OAuth(Strict):
    key: SecretStr
    secret: SecretStr


class Basic(Strict):
    till: str
    password: SecretStr


class Auth(Strict):
    """One of the two ways the API knows a client by (contract: authentication)."""

    oauth: OAuth | None = None
    basic: Basic | None = None

    @model_validator(mode="after")
    def exactly_one(self) -> Self:
        """OAuth or Basic, never both."""
        if (self.oauth is None) == (self.basic is None):
            raise ValueError("give either oauth or basic")
        return self


class Attribution(Strict):
    type: Literal[
        "TILL", "STORE_CODE", "STORE_NAME", "STORE_EXTERNAL_ID", "STORE_EXTERNAL_ID_1", "STORE_EXTERNAL_ID_2"
    ] = "TILL"
    code: str | None = None  # none: the client's default till


Operation = Literal["update", "register", "upsert"]
# `ALL` is listed for reads and writes, but a profile belongs to one source; the contract refuses it for writes.
Source = Literal[
    "FACEBOOK", "WEB_ENGAGE", "WECHAT", "INSTORE", "MARTJACK", "TMALL", "TAOBAO", "JD", "ECOMMERCE",
    "WEBSITE", "LINE", "MOBILE_APP",
]  # fmt: skip


class Destination(Strict):
    """Which API, which operation of it, and who asks."""

    host: Host | None = None
    url: Url | None = None
    operation: Operation = "update"
    path: UrlPath | None = None
    source: Source = "INSTORE"
    account_id: str | None = None
    auth: Auth
    attribution: Attribution | None = None
    enrollments: bool = False
    in_doubt: Literal["look_up", "hold", "resend"] = "look_up"
    headers: dict[str, str] = Field(default_factory=dict)
    query: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def one_place(self) -> Self:
        """A host (https) or a whole url (the sandbox)."""
        if (self.host is None) == (self.url is None):
            raise ValueError("give either host or url")
        return self


class Limits(Strict):
    """What the API allows; the defaults are the contract's (rate and batch limits)."""

    requests_per_minute: PositiveInt = 90
    rows_per_request: Annotated[int, Field(ge=1, le=1000)] = 10
    bytes_per_request: Annotated[int, Field(ge=1000)] = 1_000_000
    in_flight: Annotated[int, Field(ge=1, le=256)] = 4
    timeout_s: Annotated[float, Field(gt=0)] = 60.0
    attempts: PositiveInt = 4
    # When a row in doubt is looked up, and when once more: nobody says how long the API works on after it fell silent.
    look_up_after_s: tuple[Seconds, Seconds] = (5.0, 30.0)

    @model_validator(mode="after")
    def second_look_is_later(self) -> Self:
        """Two looks at one moment would be one."""
        if self.look_up_after_s[0] >= self.look_up_after_s[1]:
            raise ValueError("look_up_after_s: the second look comes after the first")
        return self


class Guards(Strict):
    """What a run may not pass without a person; where no guard is given, nothing is guarded.

    `max_invalid_percent` is of the rows read without filtered ones, `max_refused_percent` of those answered,
    `max_changed_percent` of those whose customers the job's memory knows, `max_vanished_percent` of the customers whom
    it knows and who are not in the source: to give it says that the source holds everybody.
    """

    min_rows: NotNegative | None = None
    max_invalid_percent: Percent | None = None
    max_refused_percent: Percent | None = None
    max_points: NotNegative | None = None
    max_points_per_customer: NotNegative | None = None
    max_changed_percent: Percent | None = None
    max_vanished_percent: Percent | None = None
    approve_above_points: NotNegative | None = None


class Window(Strict):
    from_: Annotated[Clock, Field(alias="from")]
    to: Clock


class Run(Strict):
    """Where parts are prepared, and how large they are."""

    workers: Literal["threads", "processes", "dask"] = "threads"
    dask: str | None = None
    part_rows: Annotated[int, Field(ge=100, le=1_000_000)] = 50_000


class Notify(Strict):
    webhook: SecretStr | None = None
    email: str | None = None


class Keep(Strict):
    payloads_days: Annotated[int, Field(ge=0)] = 7
    reports_days: Annotated[int, Field(ge=0)] = 90


class Job(Strict):
    """A whole job file, checked; `name`, `source`, `map` and `destination` must be written."""

    name: Name
    mode: Literal["sync", "migrate"] = "sync"
    source: Tables
    locale: JobLocale = JobLocale()
    key: str | None = None
    points_id: str | None = None
    map: Mapping
    rules: Rules = Rules()
    destination: Destination
    limits: Limits = Limits()
    guards: Guards = Guards()
    window: Window | None = None
    run: Run = Run()
    notify: Notify = Notify()
    keep: Keep = Keep()

    @model_validator(mode="after")
    def tables_fit(self) -> Self:
        """The first table leads and joins nothing; each later one says how it meets it."""
        for place, (name, table) in enumerate(self.source.items()):
            meets = table.join is not None or table.nest is not None
            if place == 0 and meets:
                raise ValueError(f"source.{name}: the first table leads; it cannot join or nest")
            if place > 0 and not meets:
                raise ValueError(f"source.{name}: say how it meets the first table: join or nest")
        lead, leading = next(iter(self.source.items()))
        nested = next((name for name, table in self.source.items() if table.nest is not None), None)
        if leading.since is not None and nested is not None:
            raise ValueError(
                f"source.{lead}.since: {nested} nests, and its children whose parent did not change would be orphans; "
                "read the parents in full"
            )
        return self

    @property
    def memory(self) -> str:
        """What the ledger remembers accepted customers under: another organisation has accepted nothing yet."""
        to = self.destination
        return " ".join((self.name, to.host or to.url or "", to.source, to.account_id or "")).strip()

    @property
    def lease(self) -> str:
        """What only one run at a time may load, whatever its job is called: an operation on a tenant's source."""
        to = self.destination
        return " ".join((to.operation, to.host or to.url or "", to.source, to.account_id or "")).strip()

    @property
    def children(self) -> Children | None:
        """How the rows of the nested table are mapped."""
        return self.map.association.child_customers if self.map.association else None

    @property
    def key_column(self) -> str:
        """The column that tells customers apart: `key`, else the first mapped identifier's."""
        if self.key is not None:
            return self.key
        columns = [value.column for value in self.map.identifiers.values() if value.column is not None]
        return columns[0]
