"""A job's mapping becomes the template of its payloads (contract: request payload tree)."""

from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa

from schemas.errors import JobError, raise_all
from schemas.job import Job
from schemas.mapping import Card, Channel, Enrollment, Mapping, Meta, Person, Subscription, Value
from schemas.profiles import Array, Column, Constant, Credit, Leaf, Node, Object, Rule, Template, walk
from schemas.reasons import explain_ours
from schemas.values import Kind, Locale
from transforms.associations import CHILD, CUSTOMER, PARENT, Kin, association_of, misfits, person_of
from transforms.consent import unasked
from transforms.targets import (
    ALSO,
    CLEARABLE,
    always,
    array_of,
    object_of,
    object_or_nothing,
    rule_of,
    subject_of,
    unfit,
)
from transforms.values import clean


def template_of(job: Job) -> Template:
    """The payload tree that the job's mapping asks for.

    Raises:
        JobError: a constant or an `as` that its target does not accept, consent that nobody gave, a card without
            its series, `nulls` for an unknown target.
    """
    build, child = _Builder(job), _Builder(job, CHILD)
    tree = build.tree(job.map)
    # `transforms.credits` finds points at a payload's end.
    assert "loyaltyProgramEnrollments" not in [name for name, _ in tree.members[:-1]]
    children = child.person(job.children) if job.children else Object(())
    unknown = [*_unknown_nulls(job, tree, children), *_unknown_placeholders(job)]
    raise_all(JobError, [*misfits(job), *build.problems, *child.problems, *unknown])
    identifiers = _identifiers(tree, job.map)
    key = next(
        (leaf.column for leaf in identifiers if leaf.column.source == job.key_column),
        Column(job.key_column, Kind.TEXT),
    )
    parent = job.map.association.parent_customer if job.map.association else None
    by = job.rules.duplicates.by
    return Template(
        tree=tree,
        identifiers=identifiers,
        credits=build.credits,
        parent=_identifiers(tree, parent, PARENT.words) if parent else (),
        key=key,
        key_type=next((leaf.subject for leaf in identifiers if leaf.column == key), None),
        order=Column(by, Kind.DATETIME) if by else None,
        statement=Column(job.points_id, Kind.TEXT) if job.points_id else None,
    )


def child_template_of(job: Job) -> Template | None:
    """The tree of one child, an element of `childCustomers`; None where the job has none. `job` has a template."""
    if job.children is None:
        return None
    tree = _Builder(job, CHILD).person(job.children)
    identifiers = _identifiers(tree, job.children, CHILD.words)
    key_type = template_of(job).key_type
    key = next((leaf for leaf in identifiers if leaf.subject == key_type), identifiers[0])
    return Template(tree, identifiers, (), key.column, key_type=key_type)


def _identifiers(tree: Object, person: Person, place: str = "") -> tuple[Leaf, ...]:
    """A person's identifiers among the leaves, in the mapping's order."""
    targets = {f"{place}identifiers.{kind}" for kind in person.identifiers}
    return tuple(leaf for leaf in walk(tree) if leaf.target in targets)


def locale_of(job: Job) -> Locale:
    """The job's locale as the value kernels take it."""
    return Locale(job.locale.country, job.locale.timezone, job.locale.dates)


class _Builder:
    """Builds one job's tree; gathers what is wrong with its constants on the way."""

    def __init__(self, job: Job, kin: Kin = CUSTOMER) -> None:
        self.job, self.kin = job, kin
        self.problems: list[str] = []
        self.credits: tuple[Credit, ...] = ()

    def tree(self, mapping: Mapping) -> Object:
        return object_of(
            ("profiles", Array((self.profile(mapping),))),
            ("loyaltyInfo", object_of(("loyaltyType", self.node("loyaltyType", always(mapping.loyalty_type))))),
            ("associatedWith", self.node("associatedWith", mapping.associated_with)),
            ("createDate", self.node("createDate", mapping.create_date)),
            ("referralCode", self.node("referralCode", mapping.referral_code)),
            ("statusLabel", self.node("statusLabel", mapping.status_label)),
            ("extendedFields", self.words("extendedFields", mapping.extended_fields)),
            ("subscriptionInfo", self.subscriptions(mapping)),
            ("associationDetails", association_of(self, mapping.association)),
            # The last member, and it stays so: points are cut off a payload's end.
            ("loyaltyProgramEnrollments", self.enrollments(mapping.enrollments)),
        )

    def parent(self, person: Person) -> Object:
        build = _Builder(self.job, PARENT)
        built = build.person(person)
        self.problems += build.problems
        return built

    def person(self, person: Person) -> Object:
        return person_of(self.profile(person), self.words("extendedFields", person.extended_fields))

    def profile(self, mapping: Person) -> Object:
        account = self.job.destination.account_id
        return object_of(
            ("source", Constant(self.job.destination.source)),
            ("accountId", Constant(account) if account else None),
            ("firstName", self.node("firstName", mapping.first_name)),
            ("lastName", self.node("lastName", mapping.last_name)),
            ("identifiers", Array(tuple(self.identifier(name, value) for name, value in mapping.identifiers.items()))),
            ("commChannels", array_of(self.channel(name, value) for name, value in mapping.comm_channels.items())),
            ("fields", self.words("fields", mapping.fields)),
        )

    def identifier(self, name: str, card: Card) -> Object:
        target = f"identifiers.{name}"
        if name == "cardnumber" and card.series_id is None and card.series_code is None:
            self.problems.append(f"map.{self.kin.words}{target}: a card needs its series: give seriesCode or seriesId")
        return object_of(
            ("type", Constant(name)),
            (
                "value",
                self.node(target, card, anchor=True, rejects=self.kin.rejects(card.column == self.job.key_column)),
            ),
            ("seriesId", self.node(f"{target}.seriesId", card.series_id)),
            ("seriesCode", self.node(f"{target}.seriesCode", card.series_code)),
            ("statusLabel", self.node(f"{target}.statusLabel", card.status_label)),
            ("cardExternalId", self.node(f"{target}.cardExternalId", card.card_external_id)),
        )

    def channel(self, name: str, channel: Channel) -> Object:
        target = f"commChannels.{name}"
        return object_of(
            ("type", Constant(name)),
            ("value", self.node(target, channel, anchor=True)),
            ("primary", self.node(f"{target}.primary", channel.primary)),
            ("verified", self.node(f"{target}.verified", channel.verified)),
            ("subscribed", self.node(f"{target}.subscribed", channel.subscribed)),
            ("meta", self.meta(f"{target}.meta", channel.meta)),
        )

    def meta(self, target: str, meta: Meta | None) -> Node | None:
        if meta is None:
            return None
        return object_or_nothing(
            ("residence", self.node(f"{target}.residence", meta.residence)),
            ("office", self.node(f"{target}.office", meta.office)),
            ("lastViewedDate", self.node(f"{target}.lastViewedDate", meta.last_viewed_date)),
        )

    def words(self, target: str, values: dict[str, Value]) -> Node | None:
        """`fields` and `extendedFields`: the organisation's own words, all written as text."""
        return object_or_nothing(*((word, self.node(f"{target}.{word}", value)) for word, value in values.items()))

    def enrollments(self, enrollments: list[Enrollment]) -> Node | None:
        return array_of(self.enrollment(place, enrollment) for place, enrollment in enumerate(enrollments))

    def enrollment(self, place: int, enrollment: Enrollment) -> Object:
        """A bad value in here always rejects the row: points without their expiry are other points."""
        target = f"loyaltyProgramEnrollments.{place}"

        def node(word: str, value: Value | None, anchor: bool = False) -> Node | None:
            return self.node(f"{target}.{word}", value, anchor=anchor, rejects=True)

        programme = node("programId", enrollment.program_id, anchor=True)
        points = node("loyaltyPoints", enrollment.loyalty_points)
        if isinstance(programme, (Leaf, Constant)) and isinstance(points, (Leaf, Constant)):
            self.credits = (*self.credits, Credit(programme, points))
        return object_of(
            ("programId", programme),
            ("tierNumber", node("tierNumber", enrollment.tier_number)),
            ("loyaltyPoints", points),
            ("tierExpiryDate", node("tierExpiryDate", enrollment.tier_expiry_date)),
            ("pointsExpiryDate", node("pointsExpiryDate", enrollment.points_expiry_date)),
        )

    def subscriptions(self, mapping: Mapping) -> Node | None:
        if mapping.subscription_info is None:
            return None
        subscriptions = mapping.subscription_info.subscriptions
        return object_or_nothing(
            ("subscriptions", array_of(self.subscription(p, s) for p, s in enumerate(subscriptions)))
        )

    def subscription(self, place: int, subscription: Subscription) -> Object:
        target = f"subscriptionInfo.subscriptions.{place}"
        return object_of(
            ("channel", self.node(f"{target}.channel", subscription.channel, anchor=True)),
            ("accountId", self.node(f"{target}.accountId", subscription.account_id)),
            ("priority", self.node(f"{target}.priority", subscription.priority)),
            ("type", self.node(f"{target}.type", subscription.type, anchor=True)),
            ("sourceName", self.node(f"{target}.sourceName", subscription.source_name)),
        )

    def node(self, target: str, value: Value | None, anchor: bool = False, rejects: bool = False) -> Node | None:
        if value is None:
            return None
        self.problems += [f"map.{target}: {what}" for what in unasked(target, value)]
        rule = self.rule(target, value)
        constant = value.value if value.column is None else value.default
        if constant is not None:
            constant = self.constant(target, rule, constant)
        if value.column is None:
            return Constant(constant if constant is not None else "")
        values = tuple((value.values or {}).items())
        column = Column(value.column, rule.kind, values, value.other, self.placeholders(target, rule))
        return Leaf(
            self.kin.words + target, self.kin.about + subject_of(target), column, rule, constant, value.required,
            anchor, rejects or value.required, self.clears(target, rule),
        )  # fmt: skip

    def placeholders(self, target: str, rule: Rule) -> tuple[str, ...]:
        """The job's own placeholders of an identifier or channel, as its column is cleaned; if they can be."""
        *_, of, word = ("", *target.split("."))
        written = self.job.rules.placeholders.get(word, []) if of in ("identifiers", "commChannels") else []
        cleaned = clean(pa.array(written, pa.string()), rule.kind, locale_of(self.job)).values.to_pylist()
        return tuple(raw.strip() if value is None else str(value) for raw, value in zip(written, cleaned, strict=True))

    def constant(self, target: str, rule: Rule, constant: str | bool | int | float) -> str | bool | int | float:
        """The constant as JSON takes it."""
        written = str(constant).lower() if isinstance(constant, bool) else str(constant)
        cleaned = clean(pa.array([written]), rule.kind, locale_of(self.job))
        value, problem = cleaned.values[0].as_py(), cleaned.problems[0].as_py()
        if value is None:
            why = explain_ours(f"{subject_of(target)}.{problem}").cause if problem else "It is blank."
            self.problems.append(f"map.{self.kin.words}{target}: the constant cannot be sent. {why}")
            return written
        self.problems += [f"map.{self.kin.words}{target}: the constant must {what}" for what in unfit(rule, value)]
        return value  # type: ignore[no-any-return]

    def rule(self, target: str, value: Value) -> Rule:
        """The target's rule, read as the mapping's `as`; where the contract has a rule, few kinds keep it."""
        rule = rule_of(target)
        kinds = (rule.kind, *ALSO.get(rule.kind, ()))
        if value.kind is None:
            return rule
        if rule != Rule() and value.kind not in kinds:
            allowed = ", ".join(kinds)
            self.problems.append(f"map.{self.kin.words}{target}: as: {value.kind} does not fit; allowed are {allowed}")
            return rule
        return replace(rule, kind=value.kind)

    def clears(self, target: str, rule: Rule) -> bool:
        nulls = self.job.rules.nulls
        asked = nulls if isinstance(nulls, str) else nulls.get(self.kin.words + target, "omit")
        return asked == "clear" and self.kin is not PARENT and target.startswith(CLEARABLE) and rule.form == "text"


def _unknown_nulls(job: Job, *trees: Object) -> Iterable[str]:
    if isinstance(job.rules.nulls, str):
        return ()
    clearable = [
        leaf.target
        for tree in trees
        for leaf in walk(tree)
        if leaf.target.removeprefix(CHILD.words).startswith(CLEARABLE) and leaf.rule.form == "text"
    ]
    return [
        f"rules.nulls: {target} is no mapped text that can be cleared; these are: {', '.join(clearable) or 'none'}"
        for target in job.rules.nulls
        if target not in clearable
    ]


def _unknown_placeholders(job: Job) -> Iterable[str]:
    people = [job.map, *([job.children] if job.children else [])]
    mapped = dict.fromkeys(word for one in people for word in (*one.identifiers, *one.comm_channels))
    return [
        f"rules.placeholders: {word} is no mapped identifier or channel; these are: {', '.join(mapped)}"
        for word in job.rules.placeholders
        if word not in mapped
    ]
