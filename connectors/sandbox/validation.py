"""One customer checked before anything is written: contract §3's constraints, §5's codes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from connectors.sandbox import wire
from connectors.sandbox.codes import Note, Notes
from connectors.sandbox.contacts import Contacts
from connectors.sandbox.enrolments import check_enrolments, parse_moment
from connectors.sandbox.fields import custom_fields, extended_fields, stored_name
from connectors.sandbox.settings import Org, Settings

LOYALTY_TYPES = frozenset({"loyalty", "non_loyalty"})


class Checked(msgspec.Struct):  # not a dataclass: one is made per customer, and this is made eight times faster
    """What of an element may be stored, and what is to be told about it."""

    notes: Notes
    sent: wire.Person
    source: str = ""
    account: str = ""
    identifiers: list[tuple[str, str]] = []
    keys: list[str] = []  # under what this customer is found, in the order sent
    first_name: str | None = None
    last_name: str | None = None
    channels: list[dict[str, object]] = []
    custom: dict[str, str] = {}
    extended: dict[str, Any] = {}
    loyalty_type: str | None = None
    enrolments: list[wire.Enrollment] = []
    family: wire.Association | None = None
    parent: "Checked | None" = None
    children: "list[Checked]" = []

    @property
    def all_keys(self) -> list[str]:
        """The keys of this customer, their parent and their children."""
        if self.family is None:
            return self.keys
        relatives = [*([self.parent] if self.parent else []), *self.children]
        return [*self.keys, *(key for relative in relatives for key in relative.keys)]

    @property
    def errors(self) -> list[Note]:
        """Why it is not applied."""
        return self.notes.errors


class Validator:
    """The organisation's rules for one customer."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.org = settings.org
        self.contacts = Contacts(settings.org, settings.primary_identifier)
        self._earliest = datetime.fromisoformat(settings.org.min_registration_date).replace(tzinfo=UTC)

    def element(self, sent: wire.Element, source: str, account: str) -> Checked:
        """Check one element of a batch; `source` and `account` are the query's."""
        checked = self._person(sent, source, account, refuses=True)
        notes = checked.notes
        checked.loyalty_type = self._loyalty_type(sent, notes)
        if sent.loyalty_program_enrollments:
            now = datetime.now(UTC)
            checked.enrolments = check_enrolments(sent.loyalty_program_enrollments, self.org.programmes, now, notes)
        if sent.associated_with is not None and sent.associated_with not in self.org.tills:
            notes.warn(8077)
        if sent.status_label and sent.status_label not in self.org.status_labels:
            notes.error(8086, sent.status_label)
        if sent.create_date is not None:
            self._check_registration(sent.create_date, notes)
        if sent.association_details is not None:
            self._relatives(checked, sent.association_details)
        return checked

    def _relatives(self, checked: Checked, family: wire.Association) -> None:
        check_association(family, self.org, checked.notes)
        checked.family = family
        children = family.child_customers or []
        checked.children = [self._relative(c, checked.source, checked.account) for c in children]
        if family.parent_customer is not None:
            checked.parent = self._relative(family.parent_customer, checked.source, checked.account)

    def _relative(self, sent: wire.Person, source: str, account: str) -> Checked:
        """Check a parent or child: a bad mobile is left out and told three times over (contract §4.3)."""
        checked = self._person(sent, source, account, refuses=False)
        if any(warning["code"] == 8056 for warning in checked.notes.warnings):
            checked.notes.warn(8058)
            checked.notes.warn(19223)
        return checked

    def _person(self, sent: wire.Person, source: str, account: str, *, refuses: bool) -> Checked:
        notes = Notes()
        checked = Checked(notes, sent, source, account)
        if not sent.profiles or len(sent.profiles) != 1 or not sent.profiles[0].identifiers:
            notes.error(8002)
            return checked
        profile = sent.profiles[0]
        self._check_source(checked, profile)
        checked.identifiers = self.contacts.identifiers(profile.identifiers or [], notes, refuses=refuses)
        checked.keys = [f"{kind}:{value}" for kind, value in checked.identifiers]
        if profile.comm_channels:
            checked.channels = self.contacts.channels(profile.comm_channels, notes)
        checked.first_name = stored_name(profile.first_name)
        checked.last_name = stored_name(profile.last_name)
        if profile.fields:
            checked.custom = custom_fields(profile.fields, self.org.custom_fields)
        if sent.extended_fields:
            checked.extended = extended_fields(sent.extended_fields, self.org.extended_fields, notes)
        return checked

    def _check_source(self, checked: Checked, profile: wire.Profile) -> None:
        """The profile's source must be the query's; accounts belong to multi-account sources only."""
        checked.source = checked.source or profile.source or ""
        checked.account = checked.account or str(profile.account_id or "")
        accounts = self.org.sources.get(checked.source)
        if not checked.source:
            checked.notes.error(8001)
        elif accounts is None or (profile.source and profile.source != checked.source):
            checked.notes.error(8003)
        elif accounts and not checked.account:
            checked.notes.error(8045)
        elif checked.account and checked.account not in accounts:
            checked.notes.error(8127)

    def _loyalty_type(self, sent: wire.Element, notes: Notes) -> str | None:
        kind = sent.loyalty_info.loyalty_type if sent.loyalty_info else None
        if kind is None:
            if self.settings.requires_loyalty_type:
                notes.error(403, "loyaltyType")
        elif kind not in LOYALTY_TYPES:
            notes.error(400, "loyaltyType")
        elif kind == "non_loyalty" and sent.loyalty_program_enrollments:
            notes.error(8089)
        return kind

    def _check_registration(self, value: str, notes: Notes) -> None:
        moment = parse_moment(value)
        if moment is None or moment > datetime.now(UTC) + timedelta(days=1):
            notes.error(8017)
        elif moment < self._earliest:
            notes.error(1034)


def check_association(family: wire.Association, org: Org, notes: Notes) -> None:
    """Hierarchy, roles and company must be the org's; a role must be of its hierarchy (contract §5: 1600-1711)."""
    roles = org.hierarchies.get(family.hierarchy_code or "")
    if roles is None:
        notes.error(1616, family.hierarchy_code or "")
    elif family.role_code not in roles:
        notes.error(1615, family.role_code or "")
    elif family.child_customers and family.child_role_code not in roles:
        notes.error(1617, family.child_role_code or "")
    if len(family.child_customers or ()) > org.max_children:
        notes.error(1605)
    if family.parent_customer is not None and family.child_customers:
        notes.error(8027)
    company = family.fleet_company
    if company is not None and str(company.external_id) not in org.companies:
        notes.error(1704)
