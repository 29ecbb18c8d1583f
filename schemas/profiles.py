"""The payload tree of one customer, and what the API asks of each value in it.

Source: contract, request payload tree and data conventions. A tree is made once per job from its mapping;
`transforms/profiles.py` fills it for thousands of customers at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from schemas.values import Kind


@dataclass(frozen=True, slots=True)
class Rule:
    """What a target accepts. Lengths in characters; dates are compared with the run's day in the job's zone."""

    kind: Kind = Kind.TEXT
    form: Literal["text", "number", "boolean"] = "text"  # how JSON writes it
    min_length: int | None = None
    max_length: int | None = None
    minimum: int | None = None
    one_of: tuple[str, ...] = ()
    pattern: str | None = None
    when: Literal["any", "past", "future"] = "any"


@dataclass(frozen=True, slots=True)
class Column:
    """A source column read as one kind: cleaned once, however many targets take it.

    `placeholders`: values that stand for one that is not known, as cleaning writes them, besides those known to all.
    """

    source: str
    kind: Kind
    values: tuple[tuple[str, str], ...] = ()
    other: Literal["keep", "drop", "reject"] = "reject"
    placeholders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of the payload that comes from a column.

    `target` is the job file's words ("extendedFields.city"), `subject` the first half of its reasons'
    codes ("city"). `anchor`: the object around it is there only where this is. `rejects`: a bad value
    rejects the row, whatever `bad_optional` says. `clear`: an absent value is sent as "".
    """

    target: str
    subject: str
    column: Column
    rule: Rule
    default: str | bool | int | float | None = None
    required: bool = False
    anchor: bool = False
    rejects: bool = False
    clear: bool = False


@dataclass(frozen=True, slots=True)
class Constant:
    value: str | bool | int | float


@dataclass(frozen=True, slots=True)
class Ready:
    """JSON that stands ready for each row, under this name beside the leaves' values; null where there is none."""

    name: str


@dataclass(frozen=True, slots=True)
class Object:
    """Members in order; absent ones are left out, and an object without any value from a column too.

    `brought_by`: the only members that bring the object along; the others come with them.
    """

    members: tuple[tuple[str, "Node"], ...]
    brought_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Array:
    elements: tuple["Node", ...]


Node = Leaf | Constant | Ready | Object | Array


@dataclass(frozen=True, slots=True)
class Credit:
    """One programme of the mapping: which it is, and the points it credits. Constants stand as such."""

    programme: Leaf | Constant
    points: Leaf | Constant


@dataclass(frozen=True, slots=True)
class Template:
    """A job's mapping, ready to be filled."""

    tree: Object
    identifiers: tuple[Leaf, ...]  # in the mapping's order: the first is asked for first
    credits: tuple[Credit, ...]
    key: Column
    order: Column | None = None  # of the rule `duplicates: {keep: latest}`
    statement: Column | None = None  # of `points_id`
    key_type: str | None = None  # the type of the identifier that the job's key is, if it is one
    parent: tuple[Leaf, ...] = ()  # identifiers of the customer's parent, in the mapping's order

    def leaves(self) -> tuple[Leaf, ...]:
        """Every leaf, in the order of the tree."""
        return tuple(walk(self.tree))

    def columns(self) -> tuple[Column, ...]:
        """Every column to be cleaned, once."""
        wanted = [*(leaf.column for leaf in self.leaves()), self.key, self.order, self.statement]
        return tuple(dict.fromkeys(column for column in wanted if column is not None))

    def must_be_told(self, leaf: Leaf) -> bool:
        """Whether a row without this value is invalid: it is required, or it tells customers apart."""
        return leaf.required or (leaf.rejects and leaf.column == self.key)


def walk(node: Node) -> Iterator[Leaf]:
    """The leaves at and below a node."""
    match node:
        case Leaf():
            yield node
        case Object(members):
            for _, child in members:
                yield from walk(child)
        case Array(elements):
            for child in elements:
                yield from walk(child)


_NAME = Rule(Kind.NAME, max_length=100)  # more is silently cut by the API
_MOBILE = Rule(Kind.MOBILE)
_EMAIL = Rule(Kind.EMAIL, max_length=255)
_FLAG = Rule(Kind.BOOLEAN, "boolean")

RULES: dict[str, Rule] = {
    "identifiers.mobile": _MOBILE,
    "identifiers.email": _EMAIL,
    "identifiers.cardnumber": Rule(min_length=5, max_length=150),  # codes 3024, 3028
    "identifiers.cardnumber.seriesId": Rule(Kind.INTEGER, "number", minimum=1),
    "identifiers.cardnumber.seriesCode": Rule(max_length=50, pattern=r"^[0-9A-Za-z]+$"),
    "commChannels.mobile": _MOBILE,
    "commChannels.email": _EMAIL,
    "commChannels.*.primary": _FLAG,
    "commChannels.*.verified": _FLAG,
    "commChannels.*.subscribed": _FLAG,
    "commChannels.*.meta.residence": _FLAG,
    "commChannels.*.meta.office": _FLAG,
    "commChannels.*.meta.lastViewedDate": Rule(Kind.DATE),
    "firstName": _NAME,
    "lastName": _NAME,
    "loyaltyType": Rule(one_of=("loyalty", "non_loyalty")),
    "loyaltyProgramEnrollments.*.programId": Rule(Kind.INTEGER, "number", minimum=1),
    "loyaltyProgramEnrollments.*.tierNumber": Rule(Kind.INTEGER, "number", minimum=1),
    "loyaltyProgramEnrollments.*.loyaltyPoints": Rule(Kind.INTEGER, "number", minimum=0),
    "loyaltyProgramEnrollments.*.tierExpiryDate": Rule(Kind.DATETIME, when="future"),  # codes 1214-1217
    "loyaltyProgramEnrollments.*.pointsExpiryDate": Rule(Kind.DATETIME, when="future"),
    "createDate": Rule(Kind.DATETIME, when="past"),  # codes 8017, 1034
    "subscriptionInfo.subscriptions.*.priority": Rule(one_of=("BULK", "TRANS")),
    "subscriptionInfo.subscriptions.*.type": Rule(one_of=("OPTIN", "OPTOUT")),
}
