"""A job's mapping becomes the template of its payloads (contract: request payload tree)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa

from schemas.errors import JobError, raise_all
from schemas.job import Job
from schemas.mapping import Card, Channel, Enrollment, Mapping, Meta, Subscription, Value
from schemas.profiles import RULES, Array, Column, Constant, Credit, Leaf, Node, Object, Rule, Template, walk
from schemas.reasons import explain_ours
from schemas.values import Kind, Locale
from transforms.consent import unasked
from transforms.values import clean


def template_of(job: Job) -> Template:
    """The payload tree that the job's mapping asks for.

    Raises:
        JobError: a constant or an `as` that its target does not accept, consent that nobody gave, a card without
            its series, `nulls` for an unknown target.
    """
    build = _Builder(job)
    tree = build.tree(job.map)
    # `transforms.credits` finds points at a payload's end.
    assert "loyaltyProgramEnrollments" not in [name for name, _ in tree.members[:-1]]
    raise_all(JobError, [*build.problems, *_unknown_nulls(job, tree), *_unknown_placeholders(job)])
    identifiers = tuple(leaf for leaf in walk(tree) if leaf.target in {f"identifiers.{t}" for t in job.map.identifiers})
    by = job.rules.duplicates.by
    return Template(
        tree=tree,
        identifiers=identifiers,
        credits=build.credits,
        key=next(
            (leaf.column for leaf in identifiers if leaf.column.source == job.key_column),
            Column(job.key_column, Kind.TEXT),
        ),
        order=Column(by, Kind.DATETIME) if by else None,
        statement=Column(job.points_id, Kind.TEXT) if job.points_id else None,
    )


def locale_of(job: Job) -> Locale:
    """The job's locale as the value kernels take it."""
    return Locale(job.locale.country, job.locale.timezone, job.locale.dates)


class _Builder:
    """Builds one job's tree; gathers what is wrong with its constants on the way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.problems: list[str] = []
        self.credits: tuple[Credit, ...] = ()

    def tree(self, mapping: Mapping) -> Object:
        return _object(
            ("profiles", Array((self.profile(mapping),))),
            ("loyaltyInfo", _object(("loyaltyType", self.node("loyaltyType", _always(mapping.loyalty_type))))),
            ("associatedWith", self.node("associatedWith", mapping.associated_with)),
            ("createDate", self.node("createDate", mapping.create_date)),
            ("referralCode", self.node("referralCode", mapping.referral_code)),
            ("statusLabel", self.node("statusLabel", mapping.status_label)),
            ("extendedFields", self.words("extendedFields", mapping.extended_fields)),
            ("subscriptionInfo", self.subscriptions(mapping)),
            ("loyaltyProgramEnrollments", self.enrollments(mapping.enrollments)),
        )

    def profile(self, mapping: Mapping) -> Object:
        account = self.job.destination.account_id
        return _object(
            ("source", Constant(self.job.destination.source)),
            ("accountId", Constant(account) if account else None),
            ("firstName", self.node("firstName", mapping.first_name)),
            ("lastName", self.node("lastName", mapping.last_name)),
            ("identifiers", Array(tuple(self.identifier(name, value) for name, value in mapping.identifiers.items()))),
            ("commChannels", _array(self.channel(name, value) for name, value in mapping.comm_channels.items())),
            ("fields", self.words("fields", mapping.fields)),
        )

    def identifier(self, name: str, card: Card) -> Object:
        target = f"identifiers.{name}"
        if name == "cardnumber" and card.series_id is None and card.series_code is None:
            self.problems.append(f"map.{target}: a card needs its series: give seriesCode or seriesId")
        return _object(
            ("type", Constant(name)),
            ("value", self.node(target, card, anchor=True, rejects=card.column == self.job.key_column)),
            ("seriesId", self.node(f"{target}.seriesId", card.series_id)),
            ("seriesCode", self.node(f"{target}.seriesCode", card.series_code)),
            ("statusLabel", self.node(f"{target}.statusLabel", card.status_label)),
            ("cardExternalId", self.node(f"{target}.cardExternalId", card.card_external_id)),
        )

    def channel(self, name: str, channel: Channel) -> Object:
        target = f"commChannels.{name}"
        return _object(
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
        return _object_or_nothing(
            ("residence", self.node(f"{target}.residence", meta.residence)),
            ("office", self.node(f"{target}.office", meta.office)),
            ("lastViewedDate", self.node(f"{target}.lastViewedDate", meta.last_viewed_date)),
        )

    def words(self, target: str, values: dict[str, Value]) -> Node | None:
        """`fields` and `extendedFields`: the organisation's own words, all written as text."""
        return _object_or_nothing(*((word, self.node(f"{target}.{word}", value)) for word, value in values.items()))

    def enrollments(self, enrollments: list[Enrollment]) -> Node | None:
        return _array(self.enrollment(place, enrollment) for place, enrollment in enumerate(enrollments))

    def enrollment(self, place: int, enrollment: Enrollment) -> Object:
        """A bad value in here always rejects the row: points without their expiry are other points."""
        target = f"loyaltyProgramEnrollments.{place}"

        def node(word: str, value: Value | None, anchor: bool = False) -> Node | None:
            return self.node(f"{target}.{word}", value, anchor=anchor, rejects=True)

        programme = node("programId", enrollment.program_id, anchor=True)
        points = node("loyaltyPoints", enrollment.loyalty_points)
        if isinstance(programme, (Leaf, Constant)) and isinstance(points, (Leaf, Constant)):
            self.credits = (*self.credits, Credit(programme, points))
        return _object(
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
        return _object_or_nothing(
            ("subscriptions", _array(self.subscription(p, s) for p, s in enumerate(subscriptions)))
        )

    def subscription(self, place: int, subscription: Subscription) -> Object:
        target = f"subscriptionInfo.subscriptions.{place}"
        return _object(
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
            target, _subject(target), column, rule, constant, value.required, anchor,
            rejects or value.required, self.clears(target, rule),
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
            why = explain_ours(f"{_subject(target)}.{problem}").cause if problem else "It is blank."
            self.problems.append(f"map.{target}: the constant cannot be sent. {why}")
            return written
        self.problems += [f"map.{target}: the constant must {what}" for what in _unfit(rule, value)]
        return value  # type: ignore[no-any-return]

    def rule(self, target: str, value: Value) -> Rule:
        """The target's rule, read as the mapping's `as`; where the contract has a rule, few kinds keep it."""
        rule = rule_of(target)
        kinds = (rule.kind, *_ALSO.get(rule.kind, ()))
        if value.kind is None:
            return rule
        if rule != Rule() and value.kind not in kinds:
            self.problems.append(f"map.{target}: as: {value.kind} does not fit; allowed are {', '.join(kinds)}")
            return rule
        return replace(rule, kind=value.kind)

    def clears(self, target: str, rule: Rule) -> bool:
        nulls = self.job.rules.nulls
        asked = nulls if isinstance(nulls, str) else nulls.get(target, "omit")
        return asked == "clear" and target.startswith(_CLEARABLE) and rule.form == "text"


_CLEARABLE = ("firstName", "lastName", "fields.", "extendedFields.")
# Kinds that a target takes besides its own: text where the cleaning may be too strict, a day with its time.
_ALSO = {Kind.NAME: (Kind.TEXT,), Kind.MOBILE: (Kind.TEXT,), Kind.EMAIL: (Kind.TEXT,), Kind.DATE: (Kind.DATETIME,)}


def _unfit(rule: Rule, value: Any) -> Iterator[str]:
    """What a constant would have to be; days are left to the API, because a job file outlives them."""
    if rule.one_of and value not in rule.one_of:
        yield f"be one of {', '.join(rule.one_of)}"
    if rule.minimum is not None and value < rule.minimum:
        yield f"be {rule.minimum} or more"
    if rule.min_length is not None and len(value) < rule.min_length:
        yield f"have at least {rule.min_length} characters"
    if rule.max_length is not None and len(value) > rule.max_length:
        yield f"have at most {rule.max_length} characters"
    if rule.pattern is not None and not re.match(rule.pattern, value):
        yield "have no character that the API does not take"


def _always(value: Value) -> Value:
    """A column of what the API demands of every customer is required; its default serves too."""
    return value if value.column is None else value.model_copy(update={"required": True})


def rule_of(target: str) -> Rule:
    """The contract's rule for a target; numbers and channel names count as `*`."""
    parts = target.split(".")
    starred = [
        ".".join("*" if place == at or part.isdigit() else part for place, part in enumerate(parts))
        for at in range(len(parts))
    ]
    return next((RULES[name] for name in (target, *starred) if name in RULES), Rule())


def _unknown_nulls(job: Job, tree: Object) -> Iterable[str]:
    if isinstance(job.rules.nulls, str):
        return ()
    clearable = [leaf.target for leaf in walk(tree) if leaf.target.startswith(_CLEARABLE) and leaf.rule.form == "text"]
    return [
        f"rules.nulls: {target} is no mapped text that can be cleared; these are: {', '.join(clearable) or 'none'}"
        for target in job.rules.nulls
        if target not in clearable
    ]


def _unknown_placeholders(job: Job) -> Iterable[str]:
    mapped = dict.fromkeys([*job.map.identifiers, *job.map.comm_channels])
    return [
        f"rules.placeholders: {word} is no mapped identifier or channel; these are: {', '.join(mapped)}"
        for word in job.rules.placeholders
        if word not in mapped
    ]


def _subject(target: str) -> str:
    """`identifiers.mobile` and `commChannels.mobile` speak of the mobile, `extendedFields.city` of the city."""
    return target.rsplit(".", 1)[-1]


def _object(*members: tuple[str, Node | None]) -> Object:
    return Object(tuple((name, node) for name, node in members if node is not None))


def _object_or_nothing(*members: tuple[str, Node | None]) -> Object | None:
    """Nothing instead of an object that never holds anything."""
    built = _object(*members)
    return built if built.members else None


def _array(elements: Iterable[Node]) -> Array | None:
    kept = tuple(elements)
    return Array(kept) if kept else None


def askers(job: Job) -> Iterator[tuple[str, str]]:
    """Every source column the job names outside its filter, with the words that name it."""
    template = template_of(job)
    for leaf in template.leaves():
        yield leaf.column.source, f"map.{leaf.target}"
    yield template.key.source, "key"
    if template.order is not None:
        yield template.order.source, "rules.duplicates.by"
    if template.statement is not None:
        yield template.statement.source, "points_id"
