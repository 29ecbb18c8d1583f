"""The mapping: the API's own words on the left, a column or constant on the right.

Sources of the words: contract, request payload tree (page "update association details" and its kin).
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from schemas.values import Kind

IdentifierType = Literal[
    "mobile", "email", "externalId", "wechat", "martjackId", "fbId", "tmall_uname", "cuid", "ali_uname", "jd_uname",
    "vip_uname", "mobilePush", "line", "unionId", "cardnumber",
]  # fmt: skip
ChannelType = Literal["mobile", "email", "wechat", "ios", "android", "line", "mobilePush"]


# The organisation's own names. A reason's code is `name.why`, and several codes are joined by `;`.
WORD = r"^[^;|\x00-\x1f]+$"
Word = Annotated[str, StringConstraints(pattern=WORD)]


class Words(BaseModel):
    """Read strictly, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _spread(written: Any) -> Any:
    """A bare string is a column's name."""
    if isinstance(written, str):
        return {"column": written}
    if not isinstance(written, (dict, BaseModel)):
        raise ValueError("must be a column's name in quotes, {value: a constant} or {column: a name, …}")
    return written


def _flag(written: Any) -> Any:
    """A bare true or false is a constant."""
    return {"value": written} if isinstance(written, bool) else _spread(written)


class Value(Words):
    """Where one value of the payload comes from: a column, cleaned as `as`, or a constant."""

    column: str | None = None
    value: str | bool | int | float | None = None
    kind: Annotated[Kind | None, Field(alias="as")] = None
    values: dict[str, str] | None = None
    other: Literal["keep", "drop", "reject"] = "reject"
    default: str | bool | int | float | None = None
    required: bool = False

    @model_validator(mode="after")
    def one_origin(self) -> Self:
        """A column or a constant; the rest of the words belong to a column."""
        if (self.column is None) == (self.value is None):
            raise ValueError("give either column or value")
        if self.column is None and self.model_fields_set & {"kind", "values", "other", "default", "required"}:
            raise ValueError("a constant stands alone; as, values, other, default and required go with column")
        if self.values is None and "other" in self.model_fields_set:
            raise ValueError("other goes with values: it says what becomes of a value that is not among them")
        return self


Source = Annotated[Value, BeforeValidator(_spread, json_schema_input_type=str | Value)]
Flag = Annotated[Value, BeforeValidator(_flag, json_schema_input_type=bool | str | Value)]


class Card(Value):
    """A card number with its series and status; cards need seriesId or seriesCode."""

    series_id: Annotated[Source | None, Field(alias="seriesId")] = None
    series_code: Annotated[Source | None, Field(alias="seriesCode")] = None
    status_label: Annotated[Source | None, Field(alias="statusLabel")] = None
    card_external_id: Annotated[Source | None, Field(alias="cardExternalId")] = None

    @model_validator(mode="after")
    def tells_people_apart(self) -> Self:
        """Never one value for several: the API would merge everybody who has it into one customer."""
        if self.column is None:
            raise ValueError("give a column; one value for all would merge all customers into one")
        if self.default is not None:
            raise ValueError("an identifier has no default; it would merge all customers without one")
        return self


class Meta(Words):
    last_viewed_date: Annotated[Source | None, Field(alias="lastViewedDate")] = None
    residence: Flag | None = None
    office: Flag | None = None


class Channel(Value):
    """One address of a customer; flags are only sent when a constant or a column says so."""

    primary: Flag | None = None
    verified: Flag | None = None
    subscribed: Flag | None = None
    meta: Meta | None = None


class Enrollment(Words):
    """One programme; `loyaltyPoints` is credited, not set."""

    program_id: Annotated[Source, Field(alias="programId")]
    tier_number: Annotated[Source | None, Field(alias="tierNumber")] = None
    loyalty_points: Annotated[Source | None, Field(alias="loyaltyPoints")] = None
    tier_expiry_date: Annotated[Source | None, Field(alias="tierExpiryDate")] = None
    points_expiry_date: Annotated[Source | None, Field(alias="pointsExpiryDate")] = None


class Subscription(Words):
    channel: Source
    account_id: Annotated[Source | None, Field(alias="accountId")] = None
    priority: Source | None = None
    type: Source
    source_name: Annotated[Source | None, Field(alias="sourceName")] = None


class Subscriptions(Words):
    subscriptions: list[Subscription]


CardSource = Annotated[Card, BeforeValidator(_spread, json_schema_input_type=str | Card)]
ChannelSource = Annotated[Channel, BeforeValidator(_spread, json_schema_input_type=str | Channel)]


class Person(Words):
    """The words that describe any customer, also a child or a parent of one."""

    identifiers: Annotated[dict[IdentifierType, CardSource], Field(min_length=1)]
    first_name: Annotated[Source | None, Field(alias="firstName")] = None
    last_name: Annotated[Source | None, Field(alias="lastName")] = None
    comm_channels: Annotated[dict[ChannelType, ChannelSource], Field(alias="commChannels")] = {}
    fields: dict[Word, Source] = {}
    extended_fields: Annotated[dict[Word, Source], Field(alias="extendedFields")] = {}

    @model_validator(mode="after")
    def only_cards_have_a_series(self) -> Self:
        """Series, status and external id are a card's."""
        for name, identifier in self.identifiers.items():
            parts = (identifier.series_id, identifier.series_code, identifier.status_label)
            if name != "cardnumber" and any(part is not None for part in (*parts, identifier.card_external_id)):
                raise ValueError(f"identifiers.{name}: only cardnumber has a series, a status and a cardExternalId")
        return self


class Children(Person):
    """`childCustomers`: the rows of a nested table."""

    table: str


class Company(Words):
    """`fleetCompany`: the company must exist; the API knows it by its external id."""

    external_id: Annotated[Source | None, Field(alias="externalId")] = None
    name: Source | None = None
    hierarchy_definition_code: Annotated[Source | None, Field(alias="hierarchyDefinitionCode")] = None


class Association(Words):
    """`associationDetails`: families and companies."""

    hierarchy_code: Annotated[Source | None, Field(alias="hierarchyCode")] = None
    role_code: Annotated[Source | None, Field(alias="roleCode")] = None
    child_role_code: Annotated[Source | None, Field(alias="childRoleCode")] = None
    child_customers: Annotated[Children | None, Field(alias="childCustomers")] = None
    parent_customer: Annotated[Person | None, Field(alias="parentCustomer")] = None
    fleet_company: Annotated[Company | None, Field(alias="fleetCompany")] = None


class Mapping(Person):
    """`map`: one customer's payload, word by word."""

    loyalty_type: Annotated[Source, Field(alias="loyaltyType")] = Value(value="loyalty")
    enrollments: Annotated[list[Enrollment], Field(alias="loyaltyProgramEnrollments")] = []
    associated_with: Annotated[Source | None, Field(alias="associatedWith")] = None
    create_date: Annotated[Source | None, Field(alias="createDate")] = None
    referral_code: Annotated[Source | None, Field(alias="referralCode")] = None
    status_label: Annotated[Source | None, Field(alias="statusLabel")] = None
    subscription_info: Annotated[Subscriptions | None, Field(alias="subscriptionInfo")] = None
    association: Annotated[Association | None, Field(alias="associationDetails")] = None
