"""A row in doubt by what is there: never applied without its points, never untouched without a sign of it."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.lookups import MARGIN, Credit, Customer, Finding, Judgement, Seen
from schemas.outcomes import Fate, RowReply
from schemas.profiles import Column, Leaf, Object, Rule, Template
from schemas.values import Kind
from transforms.comparison import read_sent
from transforms.lookup import NO_IDENTIFIER, conclude, judge, key_type, settled, wanted_of, was_before

SENT_AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
BEFORE, AFTER = SENT_AT - timedelta(minutes=5), SENT_AT + timedelta(seconds=1)
C_1 = {"type": "externalId", "value": "C-1"}


def row(name="Asha", *, points=(), known_by=(C_1,), **rest):
    """A payload; `points` are (programme, points)."""
    credited = [{"programId": programme, "loyaltyPoints": number} for programme, number in points]
    more = {"loyaltyProgramEnrollments": credited} if credited else {}
    profile = {"source": "INSTORE", "firstName": name, "identifiers": list(known_by)}
    return json.dumps({"profiles": [profile], **more, **rest}).encode()


def there(name="Asha", modified=BEFORE, *, known_by=(C_1,), **rest):
    attribution = {"modifiedDate": modified.isoformat()} if modified else {}
    profile = {"source": "INSTORE", "firstName": name, "identifiers": list(known_by), "attribution": attribution}
    return read_sent(json.dumps({"id": 7001, "profiles": [profile], **rest}).encode())


def saw(customer, *, credits=None, ahead_s=0.0, elsewhere=False, programmes=("1016", "2077")):
    booked = None if credits is None else tuple(Credit(str(p), Decimal(n), at) for p, n, at in credits)
    return Seen(
        True, customer=customer, elsewhere=elsewhere, programmes=frozenset(programmes), credits=booked, ahead_s=ahead_s
    )


def found(judgement):
    return judgement.finding.value, judgement.code


APPLIED = ("applied", "looked_up")
UNTOUCHED = ("untouched", "look_up.untouched")
LOSS = ("applied_with_loss", "look_up.part_missing")


def unclear(why):
    return "unclear", f"look_up.{why}"


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (saw(there()), APPLIED),
        (saw(there(), ahead_s=None), APPLIED),  # no clock is needed to be equal
        (Seen(False, ahead_s=0.0), UNTOUCHED),
        (saw(there("Aisha", BEFORE)), UNTOUCHED),
        (saw(there("Aisha", AFTER)), unclear("customer_differs")),
        (saw(there("Aisha", SENT_AT)), unclear("customer_differs")),
        (saw(there("Aisha", None)), unclear("customer_differs")),
        (saw(there("Aisha", BEFORE), ahead_s=None), unclear("clock_unknown")),
        (Seen(None, "http_429"), unclear("unreadable")),
    ],
)
def test_a_row_without_points_is_judged_by_its_profile(seen, expected):
    assert found(judge(row(), seen, SENT_AT)) == expected


OURS = [(1016, 100, AFTER)]


@pytest.mark.parametrize(
    ("customer", "credits", "expected"),
    [
        (there(), OURS, APPLIED),
        (there("Aisha"), OURS, LOSS),
        (there(), [(1016, 100, SENT_AT - MARGIN)], APPLIED),  # whole seconds, and machines that differ
        (there(), [(1016, 100, BEFORE)], unclear("credit_not_seen")),  # an older one proves nothing
        (there(), [], unclear("credit_not_seen")),  # equal before, or booked later
        (there("Aisha", BEFORE), [], UNTOUCHED),
        (there("", BEFORE), [], UNTOUCHED),
        (there("Aisha", AFTER), [], unclear("credit_not_seen")),
        (there("Aisha", None), [], unclear("credit_not_seen")),
        (there("Aisha", BEFORE), [(1016, 100, BEFORE)], UNTOUCHED),
        (there(), [*OURS, *OURS], unclear("other_credits")),
        (there(), [*OURS, (1016, 25, AFTER)], unclear("other_credits")),
        (there("Aisha", BEFORE), [(1016, 25, AFTER)], unclear("other_credits")),
        (there("Aisha", BEFORE), [(2077, 100, AFTER)], unclear("other_credits")),
        (there("Aisha", BEFORE), None, unclear("ledger_unreadable")),
    ],
)  # fmt: skip
def test_a_row_with_points_is_judged_by_the_ledger(customer, credits, expected):
    assert found(judge(row(points=[(1016, 100)]), saw(customer, credits=credits), SENT_AT)) == expected


@pytest.mark.parametrize(
    ("credits", "expected"),
    [
        ([(1016, 5, AFTER), (2077, 9, AFTER)], APPLIED),
        ([(1016, 5, AFTER)], unclear("credit_not_seen")),
        ([(1016, 9, AFTER), (2077, 5, AFTER)], unclear("other_credits")),
    ],
)
def test_every_credit_of_the_row_must_be_there(credits, expected):
    assert found(judge(row(points=[(1016, 5), (2077, 9)]), saw(there(), credits=credits), SENT_AT)) == expected


def test_an_enrolment_without_points_needs_its_programme():
    payload = row(points=[(1016, 0)])
    assert found(judge(payload, saw(there()), SENT_AT)) == APPLIED
    assert found(judge(payload, saw(there(modified=AFTER), programmes=()), SENT_AT)) == unclear("customer_differs")


def test_another_value_of_a_word_shows_that_nothing_was_applied():
    payload = row(extendedFields={"city": "Pune"}, points=[(1016, 1)])
    seen = saw(there(extendedFields={"city": "Delhi"}), credits=[])
    assert found(judge(payload, seen, SENT_AT)) == UNTOUCHED


@pytest.mark.parametrize(
    ("customer", "more"),
    [
        (there(), {"extendedFields": {"x": "a"}}),  # the organisation may not know x
        (there(), {"known_by": (C_1, {"type": "mobile", "value": "919800000011"})}),  # may not be changed
        (there(extendedFields={"x": "2000-10-22"}), {"extendedFields": {"x": "22-10-2000"}}),  # rewritten
        (there("Rao"), {"name": "Rao (Dr)"}),
    ],
)
def test_what_the_api_may_always_drop_shows_nothing_where_points_are_at_stake(customer, more):
    payload = row(points=[(1016, 1)], **more)
    assert found(judge(payload, saw(customer, credits=[]), SENT_AT)) == unclear("credit_not_seen")


@pytest.mark.parametrize("text", ["2026-03-01 11:00:00", "yesterday"])
@pytest.mark.parametrize("name", ["autoUpdateTime", "autoUpdateTimeISO"])
def test_a_time_that_cannot_be_compared_shows_nothing(text, name):
    plain = json.loads(row("Aisha"))
    plain["profiles"][0] |= {"attribution": {"modifiedDate": BEFORE.isoformat()}, name: text}
    seen = saw(read_sent(json.dumps(plain).encode()))
    assert found(judge(row(), seen, SENT_AT)) == unclear("customer_differs")


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (saw(there(modified=AFTER)), APPLIED),
        (saw(there(modified=BEFORE)), UNTOUCHED),
        (saw(there(modified=None)), unclear("family_not_seen")),
        (saw(there(modified=AFTER), ahead_s=None), unclear("clock_unknown")),
        (saw(there("Aisha", AFTER)), unclear("customer_differs")),
    ],
)
def test_a_family_is_applied_only_if_its_customer_was_written_since(seen, expected):
    payload = row(associationDetails={"hierarchyCode": "FAMILY", "roleCode": "HEAD"})
    assert found(judge(payload, seen, SENT_AT)) == expected


@pytest.mark.parametrize(
    ("seen", "before"),
    [
        (saw(there(modified=BEFORE)), True),
        (saw(there(modified=AFTER)), False),
        (saw(there(modified=None)), False),
        (saw(there(modified=BEFORE), ahead_s=None), False),
        (Seen(None, "http_502", ahead_s=0.0), False),
    ],
)
def test_whoever_was_last_written_before_the_row_was_sent_was_there_before(seen, before):
    assert was_before(row(), seen, SENT_AT) is before


def test_points_that_are_booked_show_that_the_family_is_made():
    payload = row(points=[(1016, 100)], associationDetails={"hierarchyCode": "FAMILY", "roleCode": "HEAD"})
    assert found(judge(payload, saw(there(), credits=OURS), SENT_AT)) == APPLIED


def test_the_latest_of_a_customers_times_counts():
    for profile, info in permutations((BEFORE, AFTER)):
        customer = there("Aisha", profile, loyaltyInfo={"attributionV2": {"modifiedDate": info.isoformat()}})
        assert found(judge(row(), saw(customer), SENT_AT)) == unclear("customer_differs")


@pytest.mark.parametrize("elsewhere", [True, None])
def test_points_that_may_have_gone_elsewhere_are_unclear(elsewhere):
    payload = row(points=[(1016, 1)])
    seen = saw(there("Aisha"), credits=[], elsewhere=elsewhere)
    assert found(judge(payload, seen, SENT_AT)) == unclear("other_customer")
    assert found(judge(payload, Seen(False, elsewhere=elsewhere), SENT_AT)) == unclear("other_customer")
    assert found(judge(row(), Seen(False, elsewhere=elsewhere), SENT_AT)) == UNTOUCHED


@pytest.mark.parametrize("points", [(), [(1016, 100)]])
@pytest.mark.parametrize("code", [8069, "91009"])
def test_a_survivor_without_the_rows_identifiers_is_unclear(points, code):
    warned = {"warnings": [{"status": False, "code": code, "message": "merged"}]}
    stranger = there(known_by=({"type": "externalId", "value": "C-2"},), **warned)
    assert found(judge(row(points=points), saw(stranger, credits=OURS), SENT_AT)) == unclear("merged")
    assert found(judge(row(points=points), saw(there(**warned), credits=OURS), SENT_AT)) == APPLIED


@pytest.mark.parametrize("hours", [-7, 0, 5.5])
def test_times_are_compared_by_the_servers_clock(hours):
    """Our clock may be hours off; what counts is what the server's showed when the row was sent."""
    ahead = timedelta(hours=hours)
    older, newer = SENT_AT + ahead - timedelta(seconds=9), SENT_AT + ahead + timedelta(seconds=1)
    payload = row(points=[(1016, 100)])

    def judged(modified, credited):
        credits = [(1016, 100, at) for at in credited]
        seen = saw(there("Aisha", modified), credits=credits, ahead_s=ahead.total_seconds())
        return found(judge(payload, seen, SENT_AT))

    assert judged(older, []) == UNTOUCHED
    assert judged(newer, []) == unclear("credit_not_seen")
    assert judged(older, [older]) == UNTOUCHED
    assert judged(older, [newer]) == LOSS


def test_the_applied_customers_id_is_told():
    assert judge(row(), saw(there()), SENT_AT).entity_id == "7001"


U, C = Judgement(Finding.UNTOUCHED, "look_up.untouched"), Judgement(Finding.UNCLEAR, "look_up.credit_not_seen")
A, L = Judgement(Finding.APPLIED, "looked_up", "7"), Judgement(Finding.APPLIED_WITH_LOSS, "look_up.part_missing", "7")
R = Judgement(Finding.UNCLEAR, "look_up.unreadable")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (U, U, U),
        (U, C, C),
        (C, R, R),
        (R, U, Judgement(Finding.UNCLEAR, "look_up.not_confirmed")),
        *((A, other, A) for other in (U, C, L, R)),
        *((other, A, A) for other in (U, C, L, R)),
        *((L, other, L) for other in (U, C, R)),
        *((other, L, L) for other in (U, C, R)),
    ],
)
def test_one_read_is_enough_to_be_applied_and_two_to_be_untouched(first, second, expected):
    assert conclude(first, second) == expected


WAS = RowReply(Fate.IN_DOUBT, ("no_answer",))


@pytest.mark.parametrize(
    ("judgement", "reply"),
    [
        (A, RowReply(Fate.ACCEPTED, ("looked_up",), "7")),
        (L, RowReply(Fate.ACCEPTED_WITH_LOSS, ("looked_up", "look_up.part_missing"), "7")),
        (U, RowReply(Fate.REFUSED, ("no_answer", "look_up.untouched"), retry=True)),
        (C, RowReply(Fate.IN_DOUBT, ("no_answer", "look_up.credit_not_seen"))),
        (NO_IDENTIFIER, RowReply(Fate.IN_DOUBT, ("no_answer", "look_up.no_identifier"))),
    ],
)
def test_a_judgement_becomes_the_rows_reply(judgement, reply):
    assert settled(judgement, WAS) == reply


KNOWN_BY = tuple({"type": kind, "value": f"{kind}-1"} for kind in ("line", "email", "mobile", "externalId", "cuid"))


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        ("email", ["email", "externalId", "mobile"]),
        ("cuid", ["externalId", "mobile", "email"]),
        (None, ["externalId", "mobile", "email"]),
    ],
)
def test_the_key_is_asked_for_first_and_then_what_tells_customers_apart_best(key, asked):
    wanted = wanted_of(row(known_by=KNOWN_BY), key, SENT_AT)
    assert [kind for kind, _ in wanted.identifiers] == asked
    assert [kind for kind, _ in wanted.unaskable] == ["line", "cuid"]


def test_a_row_that_cannot_be_asked_for_has_nothing_wanted():
    assert wanted_of(row(known_by=KNOWN_BY[:1]), "line", SENT_AT) is None


@pytest.mark.parametrize(("key", "expected"), [("phone", "mobile"), ("row_id", None)])
def test_the_keys_type_is_known_where_the_key_is_an_identifier(key, expected):
    columns = {"externalId": Column("member", Kind.TEXT), "mobile": Column("phone", Kind.MOBILE)}
    leaves = tuple(Leaf(f"identifiers.{kind}", kind, column, Rule()) for kind, column in columns.items())
    named = {column.source: column for column in columns.values()}
    template = Template(Object(()), leaves, (), named.get(key, Column(key, Kind.TEXT)))
    assert key_type(template) == expected


@pytest.mark.parametrize(
    ("points", "programmes", "wants_points"),
    [((), False, False), ([(1016, 0)], True, False), ([(1016, 5)], True, True)],
)
def test_programmes_and_points_are_wanted_where_the_row_has_them(points, programmes, wants_points):
    wanted = wanted_of(row(points=points), "externalId", SENT_AT)
    assert (wanted.programmes, wanted.points) == (programmes, wants_points)


# Laws

moments = st.integers(-30, 30).map(lambda seconds: SENT_AT + timedelta(seconds=seconds))
some_credits = st.lists(st.tuples(st.sampled_from([1016, 2077]), st.sampled_from([5, 9]), moments), max_size=4)
customers = st.builds(
    there,
    st.sampled_from(["Asha", "Aisha", ""]),
    st.none() | moments,
    extendedFields=st.sampled_from([{}, {"city": "Pune"}, {"city": "Delhi"}]),
)
sights = st.one_of(
    st.builds(
        saw,
        customers,
        credits=st.none() | some_credits,
        ahead_s=st.sampled_from([None, 0.0, -2.0, 3.0]),
        elsewhere=st.sampled_from([True, False, None]),
    ),
    st.builds(Seen, st.sampled_from([False, None]), elsewhere=st.sampled_from([True, False, None])),
)
credited = st.lists(st.tuples(st.sampled_from([1016, 2077]), st.sampled_from([5, 9])), min_size=1, max_size=2)


@given(credited, sights)
def test_no_row_is_applied_whose_points_are_not_all_in_the_ledger(points, seen):
    judgement = judge(row(points=points, extendedFields={"city": "Pune"}), seen, SENT_AT)
    if judgement.finding in (Finding.APPLIED, Finding.APPLIED_WITH_LOSS):
        since = SENT_AT + timedelta(seconds=seen.ahead_s) - MARGIN
        late = sorted((int(c.programme), int(c.points)) for c in seen.credits if c.at_utc >= since)
        assert late == sorted(points)


@given(credited, sights)
def test_no_row_with_points_is_untouched_without_a_sign_of_it(points, seen):
    judgement = judge(row(points=points, extendedFields={"city": "Pune"}), seen, SENT_AT)
    if judgement.finding is Finding.UNTOUCHED and seen.found:
        since = SENT_AT + timedelta(seconds=seen.ahead_s) - MARGIN
        profile = seen.customer.profiles[0]
        assert datetime.fromisoformat(profile.attribution.modified_date) < since
        assert profile.first_name != "Asha" or seen.customer.extended_fields == {"city": "Delhi"}
        assert not [credit for credit in seen.credits if credit.at_utc >= since]
    if judgement.finding is Finding.UNTOUCHED:
        assert seen.found is not None
        assert seen.elsewhere is False


@given(credited, sights, st.randoms())
def test_the_order_of_credits_and_enrolments_decides_nothing(points, seen, random):
    def shuffled(items):
        return random.sample(list(items), len(items))

    mixed = Seen(
        seen.found, customer=seen.customer, elsewhere=seen.elsewhere, programmes=seen.programmes,
        credits=None if seen.credits is None else tuple(shuffled(seen.credits)), ahead_s=seen.ahead_s,
    )  # fmt: skip
    assert judge(row(points=shuffled(points)), mixed, SENT_AT) == judge(row(points=points), seen, SENT_AT)


@given(sights)
def test_no_unequal_customer_is_ever_applied_without_points(seen):
    judgement = judge(row(extendedFields={"city": "Pune"}), seen, SENT_AT)
    if judgement.finding is Finding.APPLIED:
        assert isinstance(seen.customer, Customer)
        assert (seen.customer.profiles[0].first_name, seen.customer.extended_fields) == ("Asha", {"city": "Pune"})
