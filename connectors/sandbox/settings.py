"""What the sandbox is told to be: an organisation's configuration, and answers to what the contract leaves open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeVar

V = TypeVar("V")


def _frozen(**values: V) -> Mapping[str, V]:
    return MappingProxyType(values)


def _extended_fields() -> Mapping[str, str]:
    return _frozen(
        gender="STANDARD_ENUM",
        marital_status="STANDARD_ENUM",
        dob="DATE",
        wedding_date="DATE",
        city="STANDARD_STRING",
        state="STANDARD_STRING",
        area="STRING",
        zip="STRING",
        nationality="COUNTRY",
        preferred_language="LANGUAGE",
        preferred_store="ORG_ENTITY",
        profession="STRING",
        kid_count="INTEGER",
        income="DOUBLE",
        acquisition_channel="CUSTOM_ENUM",
        last_visit="DATETIME",
    )


def _sources() -> Mapping[str, tuple[str, ...]]:
    """Sources of contract §2; those with accounts ask for one of them, the others for none."""
    single = ("INSTORE", "TMALL", "TAOBAO", "JD", "ECOMMERCE", "WEBSITE")
    several = ("WECHAT", "FACEBOOK", "LINE", "MOBILE_APP", "WEB_ENGAGE", "MARTJACK")
    return MappingProxyType(dict.fromkeys(single, ()) | dict.fromkeys(several, ("main",)))


@dataclass(frozen=True, slots=True)
class Programme:
    """A loyalty programme and its tiers, lowest first."""

    name: str
    tiers: tuple[str, ...] = ("Blue", "Silver", "Gold")


@dataclass(frozen=True, slots=True)
class Org:
    """A demo retailer in India. Every name is a rule: what is not listed is invalid or dropped."""

    org_id: int = 100458
    programmes: Mapping[int, Programme] = field(
        default_factory=lambda: MappingProxyType({1016: Programme("Rewards"), 2077: Programme("Partner Club")})
    )
    custom_fields: frozenset[str] = frozenset(
        {"store_code", "gender", "dateofbirth", "occupation", "favourite_brand", "remarks", "legacy_id"}
    )
    extended_fields: Mapping[str, str] = field(default_factory=_extended_fields)  # name -> type, contract §10.3
    tills: frozenset[str] = frozenset({"till.blr.01", "till.blr.02", "till.del.01", "till.mum.01", "till.hq"})
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=_sources)  # source -> accounts
    status_labels: frozenset[str] = frozenset(
        {"Active", "Suspended", "Deleted", "Fraud suspected", "Fraud confirmed", "Internal", "Pending deletion"}
    )
    card_status_labels: frozenset[str] = frozenset({"ACTIVE", "NOT_ISSUED", "INACTIVE", "EXPIRED"})
    card_series: frozenset[str] = frozenset({"GOLD", "GIFT", "S1"})
    hierarchies: Mapping[str, tuple[str, ...]] = field(  # hierarchy -> roles
        default_factory=lambda: _frozen(FAMILY=("HEAD", "MEMBER"), FLEET=("OWNER", "DRIVER"), H1=("OWNER", "DRIVER"))
    )
    max_children: int = 30_000
    companies: frozenset[str] = frozenset({"CO-1", "CO-9"})
    country_code: str = "91"
    mobile_pattern: str = r"91[6-9][0-9]{9}"  # with the country code, digits only (contract §10.1)
    national_pattern: str = r"[6-9][0-9]{9}"  # gets the country code
    external_id_pattern: str = r"[\s\S]{1,255}"  # an org may fix a prefix and a length
    min_registration_date: str = "1990-01-01"
    clients: Mapping[str, str] = field(default_factory=lambda: _frozen(demo="demo-secret"))  # OAuth key -> secret
    till_passwords: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({"till.hq": "demo-password", "till.blr.01": "demo-password"})
    )
    read_only: frozenset[str] = frozenset()  # keys or tills whose access group may not write customers: 403


@dataclass(frozen=True, slots=True)
class Settings:
    """What the contract calls unknown (§14), each with its safest documented answer as default."""

    org: Org = field(default_factory=Org)
    creates: bool = False  # PUT creates customers it does not find; else 8009
    register_existing: Literal["refuse", "update"] = "refuse"  # POST of a known customer: 8006, or an update
    shared_identifier: Literal["merge", "refuse"] = "merge"  # of several customers: one survives, or 8007
    maps_parents: bool = False  # PUT of a child puts the parent it names into the hierarchy; else 1625
    fills_empty: bool = True  # an update may add an identifier of a kind the customer has not
    enrollments_on_put: bool = True
    credits_again: bool = True  # points of a programme already enrolled in are credited once more
    requires_loyalty_type: bool = True
    primary_identifier: str | None = None  # its being bad refuses the customer (8014) instead of warning
    partial_failure_status: int = 201  # contract §4.2 says 201; §14 knows of 200
    all_failed_status: int = 500
    lookup_failed_status: int = 400
    max_batch: int = 100
    batch_limit_status: int = 400
    max_body_bytes: int = 10_000_000  # past it 413
    requests_per_minute: int | None = None  # per client; writes and look-ups are counted apart
    window: Literal["fixed", "sliding"] = "fixed"
    window_s: float = 60.0  # a minute of the limit, shorter for tests
    retry_after: bool = True
    token_ttl_s: int = 300
    latency_s: float = 0.0  # of every write; its customers are held meanwhile (521)
    points_delay_s: float = 0.0  # look-ups show a credit only after this
