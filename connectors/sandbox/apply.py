"""One checked element applied to the customers: the order in which the API does it, and what it may refuse."""

from dataclasses import replace

import msgspec

from connectors.sandbox import wire
from connectors.sandbox.families import check_mapping, check_parent, check_room, map_customer, tie
from connectors.sandbox.identity import Attaching, Operation, Policy, attach, owners_of, resolve
from connectors.sandbox.records import Enrolled, Record, StoredProfile
from connectors.sandbox.settings import Settings
from connectors.sandbox.store import Unit
from connectors.sandbox.validation import Checked

UNTOUCHABLE = {"Deleted": 8026, "Pending deletion": 8026, "Fraud confirmed": 618}


class Outcome(msgspec.Struct):
    """What became of one customer; `record` is None when nothing of it was applied."""

    checked: Checked
    record: Record | None = None
    profile: StoredProfile | None = None
    newly_mapped: bool = False
    children: "list[Outcome]" = []
    parent: "Outcome | None" = None

    @property
    def failed(self) -> bool:
        """Whether the API reports an error; a late one comes with an applied customer."""
        return bool(self.checked.notes.errors or self.checked.notes.late_errors)


class Applier:
    """Applies the elements of one request, in order, each for itself (contract §9.3: not atomic)."""

    def __init__(self, settings: Settings, unit: Unit, policy: Policy, now: str, *, points_fail: bool) -> None:
        self.settings = settings
        self.unit = unit
        self.policy = policy
        self.now = now
        self.points_fail = points_fail
        self._enrols = policy.operation is not Operation.UPDATE or settings.enrollments_on_put

    def element(self, checked: Checked) -> Outcome:
        """Parent first, then the customer, then their children; a parent's error refuses the customer."""
        family = checked.family
        if family is None:
            return self._person(checked, self.policy)
        relatives = replace(self.policy, updates=True, missing=1621)
        parent = None if checked.parent is None or checked.errors else self._parent(checked, checked.parent, relatives)
        outcome = self._person(checked, self.policy, family.role_code or "")
        outcome.parent = parent
        if outcome.record is None:
            return outcome
        outcome.newly_mapped = map_customer(self.unit, outcome.record, family, family.role_code or "")
        if parent is not None and parent.record is not None:
            head = self._survivor(parent.record)
            map_customer(self.unit, head, family, "")
            tie(self.unit, head, outcome.record)
        for child in checked.children:
            outcome.children.append(self._child(child, self._survivor(outcome.record), family, relatives))
        return outcome

    def _parent(self, checked: Checked, named: Checked, policy: Policy) -> Outcome:
        """The parent whom a customer names: as they are, or written if more than their identifiers is told."""
        assert checked.family is not None
        parent = self._mentioned(named) or self._person(named, policy)
        if parent.record is not None:
            maps = policy.operation is not Operation.UPDATE or self.settings.maps_parents
            check_parent(parent.record, checked.family, named.notes, maps=maps)
            check_room(parent.record, owners_of(self.unit, checked), self.settings.org.max_children, named.notes)
        checked.errors.extend(named.errors)
        return parent

    def _mentioned(self, named: Checked) -> Outcome | None:
        """Somebody known of whom nothing new is told: no write."""
        told = (named.first_name, named.last_name, named.channels, named.custom, named.extended)
        owners = owners_of(self.unit, named)
        if any(told) or len(owners) != 1 or named.errors:
            return None
        record = self.unit.record(owners[0])
        profile = record.profile(named.source, named.account)
        if profile is None or not set(named.keys) <= set(record.keys):
            return None
        self._refuse_untouchable(record, named, "")
        return Outcome(named, None if named.errors else record, profile)

    def _child(self, child: Checked, parent: Record, family: wire.Association, policy: Policy) -> Outcome:
        role = family.child_role_code or ""
        child.family = family
        check_room(parent, owners_of(self.unit, child), self.settings.org.max_children, child.notes)
        outcome = self._person(child, policy, role)
        if outcome.record is not None:
            outcome.newly_mapped = map_customer(self.unit, outcome.record, family, role)
            tie(self.unit, parent, outcome.record)
        return outcome

    def _survivor(self, record: Record) -> Record:
        """Whoever shares an identifier with somebody of their family may have become one with them."""
        return self._survivor(self.unit.record(record.merged_into)) if record.merged_into else record

    def _person(self, checked: Checked, policy: Policy, role: str = "") -> Outcome:
        if checked.errors:
            return Outcome(checked)
        if policy.operation is not Operation.UPSERT and checked.notes.late_errors:
            checked.errors.extend(checked.notes.late_errors)
            checked.notes.late_errors.clear()
            return Outcome(checked)
        owners = owners_of(self.unit, checked)
        for owner in owners:
            self._refuse_untouchable(self.unit.record(owner), checked, role)
        record = None if checked.errors else resolve(self.unit, checked, owners, policy)
        if record is None:
            return Outcome(checked)
        profile = self._store_profile(record, checked, policy, is_new=not owners)
        self._store_customer(record, checked)
        self.unit.wrote(record)
        return Outcome(checked, record, profile)

    def _refuse_untouchable(self, record: Record, checked: Checked, role: str) -> None:
        if record.status_label in UNTOUCHABLE:
            checked.notes.error(UNTOUCHABLE[record.status_label])
        if record.loyalty_type == "loyalty" and checked.loyalty_type == "non_loyalty":
            checked.notes.error(8018)
        if checked.family is not None:
            check_mapping(record.family, checked.family, role, checked.notes)

    def _store_profile(self, record: Record, checked: Checked, policy: Policy, *, is_new: bool) -> StoredProfile:
        profile = record.profile(checked.source, checked.account)
        if profile is None:
            profile = StoredProfile(checked.source, checked.account, created_at=self.now)
            record.profiles.append(profile)
        attach(self.unit, record, profile, checked, self._attaching(policy, is_new=is_new))
        if checked.first_name is not None:
            profile.first_name = checked.first_name
        if checked.last_name is not None:
            profile.last_name = checked.last_name
        if checked.channels:
            sent_types = {channel["type"] for channel in checked.channels}
            held = [channel for channel in profile.channels if channel["type"] not in sent_types]
            profile.channels = [*checked.channels, *held]
        if checked.custom:
            profile.fields = profile.fields | checked.custom
        profile.modified_at = self.now
        return profile

    def _attaching(self, policy: Policy, *, is_new: bool) -> Attaching:
        if policy.changes_identifiers:
            return "replace"
        return "fill" if is_new or self.settings.fills_empty else "keep"

    def _store_customer(self, record: Record, checked: Checked) -> None:
        if checked.extended:
            record.extended = record.extended | checked.extended
        record.loyalty_type = checked.loyalty_type or record.loyalty_type
        sent = checked.sent
        if not isinstance(sent, wire.Element):
            return
        if sent.associated_with in self.settings.org.tills:
            record.till = sent.associated_with or ""
        record.status_label = sent.status_label or record.status_label
        record.referral_code = sent.referral_code or record.referral_code
        if self._enrols:
            for enrolment in checked.enrolments:
                self._enrol(record, enrolment, checked)

    def _enrol(self, record: Record, sent: wire.Enrollment, checked: Checked) -> None:
        """Tier and expiry are set once; points are credited every time, unless the settings say otherwise."""
        program_id = sent.program_id or 0
        known = program_id in record.programmes
        if not known:
            record.programmes[program_id] = Enrolled(
                sent.tier_number or 1, sent.tier_expiry_date or "", sent.points_expiry_date or ""
            )
        if sent.loyalty_points and (not known or self.settings.credits_again):
            if self.points_fail:
                checked.notes.warn(19223)
            else:
                self.unit.credit(record, program_id, sent.loyalty_points)
