"""How an answer is read, rule by rule; the contract's own examples are in tests/contract."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.outcomes import Verdict
from transforms.replies import read_reply

SENT = [(("externalId", "C-1"), ("mobile", "919800000011")), (("externalId", "C-2"),), (("email", "d@example.com"),)]


def echo(*identifiers: tuple[str, object], **more: object) -> dict:
    return {"profiles": [{"identifiers": [{"type": t, "value": v} for t, v in identifiers]}], **more}


def problem(code: int, message: str = "") -> dict:
    return {"status": False, "code": code, "message": message}


ECHOES = [echo(*row) for row in SENT]


def read(body: object, sent=SENT, status=200, operation="update", policy="reconcile", points=False):
    return read_reply(status, json.dumps(body).encode(), sent, operation, policy, points=points)


def fates(reply) -> list[str]:
    return [row.fate.value for row in reply.rows] or [reply.verdict.value, reply.code]


def row_of(element: dict, **how):
    """The reply of a row that is alone in its batch."""
    reply = read([{**ECHOES[0], **element}], sent=SENT[:1], **how)
    assert reply.verdict is Verdict.ANSWERED
    return reply.rows[0]


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_code_within_2xx_says_nothing(status):
    assert fates(read(ECHOES, status=status)) == ["accepted"] * 3


@pytest.mark.parametrize(
    "echoed",
    [
        [("externalId", "C-1"), ("mobile", "919800000011")],
        [("mobile", "919800000011"), ("externalId", "C-1")],
        [("mobile", 919800000011)],
        [("mobile", "+91 98000-00011")],
        [("Mobile", "919800000011")],
        [("externalId", " C-1 ")],
        [("externalId", "G-77"), ("mobile", "919800000011")],  # the organisation replaces the external id
        [("card", "4000"), ("externalId", "C-1")],
    ],
)
def test_an_echo_agrees_however_it_is_written(echoed):
    assert fates(read([echo(*echoed), *ECHOES[1:]])) == ["accepted"] * 3


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        (("email", "Asha@Example.com"), ("email", "asha@example.COM")),
        (("cardnumber", "4000"), ("cardNumber", 4000)),
        (("cardnumber", "4000"), ("card", "4000")),
        (("mobile", "919800000011"), ("mobile", 919800000011.0)),
    ],
)
def test_one_spelling_stands_for_another(sent, echoed):
    assert fates(read([echo(echoed)], sent=[(sent,)])) == ["accepted"]


@pytest.mark.parametrize(
    "echoed",
    [
        [("externalId", "c-1")],  # the case of an external id counts
        [("externalId", "919800000011")],  # so does the type
        [("externalId", "C-2")],
    ],
)
def test_an_echo_of_another_customer_spoils_the_batch(echoed):
    assert fates(read([echo(*echoed), *ECHOES[1:]])) == ["in_doubt", "shuffled"]


def test_exchanged_elements_are_noticed():
    assert fates(read([ECHOES[1], ECHOES[0], ECHOES[2]])) == ["in_doubt", "shuffled"]


# Two rows of one household: the mobile is both's.
A, B, C, M, N = ("externalId", "A"), ("externalId", "B"), ("externalId", "C"), ("mobile", "91980"), ("mobile", "91981")
NO = {"errors": [problem(8009)]}
SHUFFLED = ["in_doubt", "shuffled"]


@pytest.mark.parametrize(
    ("sent", "elements", "expected"),
    [
        # Each element names its row by more than what the rows share.
        ([(A, M), (B, M)], [echo(A, M), echo(B, M, **NO)], ["accepted", "refused"]),
        ([(A, M), (B, M), (C,)], [echo(M, A), echo(("mobile", "+919 80"), B), echo(C)], ["accepted"] * 3),
        ([(A, M), (B, M)], [echo(A), echo(B, **NO)], ["accepted", "refused"]),
        # Exchanged, and each still holds the mobile of the row in whose place it stands.
        ([(A, M), (B, M)], [echo(B, M, **NO), echo(A, M)], SHUFFLED),
        ([(A, M), (B, M)], [echo(("mobile", 91980), B, **NO), echo(A, M)], SHUFFLED),
        ([(A, M), (B, ("mobile", "+919 80"))], [echo(B, M, **NO), echo(A, M)], SHUFFLED),
        ([(A, M), (B, M), (C,)], [echo(B, M), echo(A, M), echo(C)], SHUFFLED),
        # A tie: either row's.
        ([(A, M), (B, M)], [echo(M), echo(B, M, **NO)], SHUFFLED),
        ([(M,), (B, M)], [echo(M), echo(B, M)], SHUFFLED),
        ([(M,), (M,)], [echo(M), echo(M, **NO)], SHUFFLED),
    ],
)
def test_rows_that_share_an_identifier_are_told_apart_by_the_rest(sent, elements, expected):
    assert fates(read(elements, sent=sent)) == expected


@pytest.mark.parametrize(
    ("sent", "echoed", "expected"),
    [
        ([(A, M), (B, N)], (A, M, N), ["accepted"] * 2),  # two of its own outweigh one of its neighbour's
        ([(A, M), (B, N)], (A, N), SHUFFLED),
        ([(A, M), (B, N)], (A, B, N), SHUFFLED),
        ([(A,), (N,)], (A, N), SHUFFLED),
        ([(A,), (N,)], (A, ("mobile", "+919 81")), SHUFFLED),
        ([(A,), (B,)], (A, N), ["accepted"] * 2),  # nobody was sent with this mobile
    ],
)
def test_an_identifier_of_another_row_must_be_outweighed(sent, echoed, expected):
    assert fates(read([echo(*echoed), echo(*sent[1])], sent=sent)) == expected


@pytest.mark.parametrize("elements", [ECHOES[:2], [*ECHOES, ECHOES[0]], []])
def test_another_number_of_elements_is_in_doubt(elements):
    assert fates(read(elements)) == ["in_doubt", "row_count"]


REFUSED = {"errors": [problem(8009)]}
BUSY = {"errors": [problem(521)]}


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        # Those that speak have their places; what is left can only be the refused row.
        ([ECHOES[0], REFUSED, ECHOES[2]], ["accepted", "refused", "accepted"]),
        ([REFUSED, REFUSED, REFUSED], ["refused"] * 3),
        # A success that names nobody may be anybody's, and so may the refusal beside it.
        ([ECHOES[0], {"id": 7}, ECHOES[2]], ["accepted", "in_doubt", "accepted"]),
        ([ECHOES[0], {"id": 7}, REFUSED], ["accepted", "in_doubt", "in_doubt"]),
        ([ECHOES[0], {}, {}], ["accepted", "in_doubt", "in_doubt"]),
        ([ECHOES[0], 7, ECHOES[2]], ["accepted", "in_doubt", "accepted"]),
    ],
)
def test_an_element_without_echo_is_placed_only_if_fates_cannot_mix(elements, expected):
    assert fates(read(elements)) == expected


def test_refusals_without_echo_are_repeated_only_if_all_may_be():
    assert [row.retry for row in read([ECHOES[0], BUSY, BUSY]).rows] == [False, True, True]
    assert [row.retry for row in read([ECHOES[0], BUSY, REFUSED]).rows] == [False, False, False]


@pytest.mark.parametrize(
    ("element", "fate"),
    [({"id": 7}, "accepted"), ({"createdId": 7}, "accepted"), ({}, "in_doubt"), ({"errors": []}, "in_doubt")],
)
def test_a_lone_success_without_echo_needs_an_id(element, fate):
    assert fates(read([element], sent=SENT[:1])) == [fate]


@pytest.mark.parametrize(
    ("codes", "fate", "retry"),
    [
        ([8009], "refused", False),
        ([4711], "refused", False),  # unknown: parked, never sent again by itself
        ([8003], "refused", False),  # of one row, even a wrong source is only this row's
        ([401], "refused", False),
        ([8006], "refused", False),
        ([521], "refused", True),
        ([521, 8009], "refused", False),
        ([521, 8070], "refused", True),
        ([10002], "in_doubt", False),
        ([10002, 8009], "in_doubt", False),
        ([19223], "in_doubt", False),
        ([8070], "accepted", False),
        ([8071, 8009], "refused", False),
    ],
)
def test_errors_decide_the_fate(codes, fate, retry):
    # Beside another row, because a lone 401 is the batch's.
    reply = read([{**ECHOES[0], "errors": [problem(code) for code in codes]}, *ECHOES[1:]])
    row = reply.rows[0]
    assert (row.fate, row.retry, row.codes) == (fate, retry, tuple(map(str, codes)))


@pytest.mark.parametrize(
    ("operation", "fate"), [("update", "accepted"), ("upsert", "accepted"), ("register", "refused")]
)
def test_nothing_to_change_is_success_except_on_register(operation, fate):
    assert row_of({"errors": [problem(8070)]}, operation=operation).fate == fate


@pytest.mark.parametrize(
    ("warnings", "fate"),
    [
        ([8059], "accepted"),
        ([8050], "accepted"),
        ([8057], "accepted_with_loss"),
        ([8059, 8057], "accepted_with_loss"),
        ([4711], "accepted_with_loss"),
        ([19223], "accepted_with_loss"),
        ([8053], "in_doubt"),
        ([521], "in_doubt"),
    ],
)
def test_warnings_decide_what_an_applied_row_lost(warnings, fate):
    row = row_of({"warnings": [problem(code) for code in warnings]})
    assert (row.fate, row.codes) == (fate, tuple(map(str, warnings)))


@pytest.mark.parametrize(
    ("said", "fate"),
    [
        ({"warnings": [problem(19223)]}, "in_doubt"),
        ({"warnings": [problem(889)]}, "in_doubt"),
        ({"warnings": [problem(1086)]}, "in_doubt"),
        ({"warnings": [problem(1087)]}, "in_doubt"),
        ({"warnings": [problem(8059), problem(19223)]}, "in_doubt"),
        ({"errors": [problem(8070)]}, "in_doubt"),  # nothing to change: nor to credit?
        ({"errors": [problem(8073)]}, "in_doubt"),
        ({"warnings": [problem(8070)]}, "accepted"),  # a note beside a row that was stored
        ({"warnings": [problem(8057)]}, "accepted_with_loss"),
        ({"errors": [problem(8009)], "warnings": [problem(19223)]}, "refused"),  # nothing was stored at all
        ({"errors": [problem(8070), problem(8009)]}, "refused"),
        ({"errors": [problem(8070), problem(521)]}, "refused"),
        ({}, "accepted"),
    ],
)
def test_points_that_nobody_knows_are_in_doubt(said, fate):
    row = row_of(said, points=True)
    told = [str(each["code"]) for each in (*said.get("errors", ()), *said.get("warnings", ()))]
    assert (row.fate, list(row.codes)) == (fate, told)


@pytest.mark.parametrize("said", [{"warnings": [problem(19223)]}, {"errors": [problem(8070)]}])
def test_points_are_asked_after_only_where_they_are_credited(said):
    assert row_of(said).fate.applied


def test_points_that_failed_for_the_whole_batch_are_in_doubt_for_each_applied_row():
    body = {"data": [ECHOES[0], {**ECHOES[1], **NO}], "warnings": [problem(19223)]}
    reply = read(body, sent=SENT[:2], points=True)
    assert [(row.fate, row.codes) for row in reply.rows] == [("in_doubt", ("19223",)), ("refused", ("8009",))]


@pytest.mark.parametrize(("code", "told"), [(91016, "91016"), (None, "extended_field"), (8059, "8059")])
def test_an_unknown_extended_field_is_known_by_its_text(code, told):
    warning = {"code": code, "message": "Extended field name 'shoe_size' is invalid"}
    row = row_of({"warnings": [warning]})
    assert (row.fate, row.codes) == ("accepted_with_loss", (told,))


def test_errors_come_before_warnings_and_each_code_once():
    row = row_of({"warnings": [problem(8057)] * 2, "errors": [problem(8009), problem(8009), problem(8013)]})
    assert row.codes == ("8009", "8013", "8057")


@pytest.mark.parametrize("wrap", ["entity", "result", "entityId"])
def test_errors_are_found_in_whatever_wraps_the_customer(wrap):
    inner = {**ECHOES[0], "id": 7001, "errors": [problem(8009)]}
    row = read([{wrap: inner}], sent=SENT[:1]).rows[0]
    assert (row.fate, row.codes, row.entity_id) == ("refused", ("8009",), "7001")


@pytest.mark.parametrize(
    ("element", "fate", "codes"),
    [
        ({"success": True}, "accepted", ()),
        ({"success": "true"}, "accepted", ()),
        ({"success": False}, "refused", ("no_code",)),
        ({"success": "False"}, "refused", ("no_code",)),
        ({"success": False, "errors": [{}]}, "refused", ("no_code", "empty_error")),
        ({"success": False, "errors": [problem(8070)]}, "accepted", ("8070",)),
    ],
)
def test_a_plain_no_refuses_the_row(element, fate, codes):
    row = row_of(element)
    assert (row.fate, row.codes) == (fate, codes)


@pytest.mark.parametrize("empty", [{}, None, "", {"code": None, "message": ""}, {"status": False}])
@pytest.mark.parametrize(("policy", "fate"), [("success", "accepted"), ("reconcile", "in_doubt"), ("fail", "refused")])
def test_an_error_that_says_nothing_follows_the_policy(empty, policy, fate):
    assert row_of({"errors": [empty]}, policy=policy).fate == fate


def test_an_error_that_says_nothing_adds_nothing_to_one_that_does():
    row = row_of({"errors": [{}, problem(8009)]})
    assert (row.fate, row.codes) == ("refused", ("8009", "empty_error"))


def test_an_error_in_plain_text_refuses_and_its_text_is_not_kept():
    row = row_of({"errors": ["asha@example.com is blocked"]})
    assert (row.fate, row.codes) == ("refused", ("no_code",))


OK, LOSSY, BAD, VAGUE, LATER = {"id": 1}, {"warnings": [problem(8056)]}, REFUSED, {"errors": [{}]}, BUSY


@pytest.mark.parametrize(
    ("own", "children", "fate"),
    [
        ({}, [OK], "accepted"),
        ({}, [OK, LOSSY], "accepted_with_loss"),
        ({}, [OK, BAD], "accepted_with_loss"),
        ({}, [LATER], "accepted_with_loss"),  # the row itself was applied and cannot be sent again
        ({}, [VAGUE, BAD], "in_doubt"),
        ({}, [None], "in_doubt"),
        (BAD, [OK], "refused"),
        (LATER, [OK], "in_doubt"),
        (LATER, [BAD], "refused"),
    ],
)
def test_what_became_of_children_is_told_with_their_parent(own, children, fate):
    row = read([{"entity": ECHOES[0], **own, "childEntities": children}], sent=SENT[:1]).rows[0]
    assert row.fate == fate
    assert row.retry is (own is LATER and children == [BAD])


@pytest.mark.parametrize("where", [{"childCustomers": [BAD]}, {"parentCustomer": BAD}])
def test_children_are_found_in_the_association_too(where):
    row = row_of({"associationDetails": {"hierarchyCode": "H1", "childCustomer": False, **where}})
    assert (row.fate, row.codes) == ("accepted_with_loss", ("8009",))


def test_a_parent_that_the_row_named_is_no_child_to_be_counted():
    family = {"associationDetails": {"parentCustomer": echo(("externalId", "P-1"))}}
    inner = {"entity": {**ECHOES[0], **family}, "childEntities": [], "childCount": 0, "childSuccessCount": 0}
    assert fates(read([inner], sent=SENT[:1])) == ["accepted"]


@pytest.mark.parametrize(
    ("counts", "fate"),
    [
        ((2, 1, 1), "accepted_with_loss"),
        (("2", "1", "1"), "accepted_with_loss"),
        ((None, None, 1), "accepted_with_loss"),
        ((2, 2, 0), "in_doubt"),
        ((3, 2, 1), "in_doubt"),
        ((2, 1, "some"), "in_doubt"),
    ],
)
def test_children_that_do_not_add_up_make_their_row_doubtful(counts, fate):
    names = ("childCount", "childSuccessCount", "childFailureCount")
    element = {"entity": ECHOES[0], "childEntities": [OK, BAD], **dict(zip(names, counts, strict=True))}
    assert fates(read([element], sent=SENT[:1])) == [fate]


def test_failures_among_children_that_nobody_lists_are_in_doubt():
    assert row_of({"childFailureCount": 1}).codes == ("child_count",)


@pytest.mark.parametrize(
    ("total", "failures", "expected"),
    [
        (3, 1, ["accepted", "refused", "accepted"]),
        ("3", "1", ["accepted", "refused", "accepted"]),
        (None, None, ["accepted", "refused", "accepted"]),
        (3, 0, ["in_doubt", "sums"]),
        (3, 2, ["in_doubt", "sums"]),
        (2, 1, ["in_doubt", "sums"]),
        (3, "one", ["in_doubt", "sums"]),
    ],
)
def test_totals_must_be_what_is_listed(total, failures, expected):
    elements = [ECHOES[0], {**ECHOES[1], **REFUSED}, ECHOES[2]]
    assert fates(read({"response": elements, "totalCount": total, "failureCount": failures})) == expected


@pytest.mark.parametrize("failures", [0, 1])
def test_an_error_that_says_nothing_may_be_counted_or_not(failures):
    elements = [ECHOES[0], {**ECHOES[1], **VAGUE}, ECHOES[2]]
    assert fates(read({"response": elements, "failureCount": failures})) == ["accepted", "in_doubt", "accepted"]


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ({"warnings": [problem(8059)]}, ["accepted", "refused"]),
        ({"warnings": [problem(8057)]}, ["accepted_with_loss", "refused"]),
        ({"errors": [problem(8009)]}, ["in_doubt", "refused"]),
        ({"success": False}, ["accepted", "refused"]),  # one of them did fail
        ({"success": True}, ["accepted", "refused"]),
    ],
)
def test_what_is_said_beside_the_rows_holds_for_the_applied_ones(beside, expected):
    elements = [ECHOES[0], {**ECHOES[1], **REFUSED}]
    assert fates(read({"data": elements, **beside}, sent=SENT[:2])) == expected


def test_a_no_that_no_row_explains_is_in_doubt():
    assert fates(read({"data": ECHOES, "success": False})) == ["in_doubt"] * 3


@pytest.mark.parametrize("status", [400, 422, 500, 521])
def test_rows_outrank_the_status_of_a_refusal(status):
    elements = [ECHOES[0], {**ECHOES[1], **BUSY}, {**ECHOES[2], **REFUSED}]
    reply = read(elements, status=status)
    assert fates(reply) == ["accepted", "refused", "refused"]
    assert [row.retry for row in reply.rows] == [False, True, False]


@pytest.mark.parametrize("status", [502, 503, 504, 520, 523])
def test_a_gateway_does_not_speak_of_rows(status):
    assert fates(read(ECHOES, status=status)) == ["in_doubt", f"http_{status}"]


def test_a_refusal_that_shows_applied_rows_is_in_doubt():
    assert fates(read(ECHOES[:2], status=400)) == ["in_doubt", "row_count"]
    assert fates(read({"createdId": 7}, status=400)) == ["in_doubt", "unknown_shape"]


def test_a_refusal_with_too_few_errors_refuses_the_batch():
    assert fates(read([REFUSED], status=400)) == ["refused", "8009"]


@pytest.mark.parametrize("status", [200, 400, 413, 500, 502])
@pytest.mark.parametrize(
    "body",
    [
        {"errors": [problem(1060)]},
        {"success": False, "errors": [problem(1060)]},
        {"response": [], "errors": [problem(1060)]},
        [{"errors": [problem(1060)]}],
    ],
)
def test_a_batch_too_large_is_known_under_any_status(status, body):
    reply = read(body, status=status)
    assert (reply.verdict, reply.code) == (Verdict.TOO_LARGE, "1060")


@pytest.mark.parametrize(
    ("codes", "verdict", "code"),
    [
        ([8009, 10002], "in_doubt", "10002"),
        ([521, 8009], "refused", "8009"),
        ([8009, 8003], "misconfigured", "8003"),
        ([1004], "refused", "1004"),  # one row's store; halving finds it
    ],
)
def test_the_worst_code_of_a_refused_batch_decides(codes, verdict, code):
    reply = read({"errors": [problem(code) for code in codes]})
    assert (reply.verdict, reply.code) == (verdict, code)


# Properties

FIELDS = """id createdId userId entity entityId result response data customers profiles identifiers type value
errors warnings code message success childEntities childCount totalCount failureCount associationDetails
childCustomers""".split()  # noqa: SIM905

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)
statuses = st.integers(100, 599) | st.sampled_from([200, 201, 400, 461, 500, 503, 521])
bodies = st.binary() | json_values.map(lambda value: json.dumps(value).encode())


def random_element(number: int, seed: random.Random) -> dict:
    codes = seed.choice([[], [], [8009], [521], [10002], [8070]])
    warnings = seed.choice([[], [], [8057], [8059]])
    return echo(
        ("externalId", f"C-{number}"),
        id=number,
        errors=[problem(code) for code in codes],
        warnings=[problem(code) for code in warnings],
    )


@given(statuses, bodies, st.sampled_from(["update", "register", "upsert"]), st.integers(1, 3))
def test_no_answer_raises_or_tells_of_another_number_of_rows(status, body, operation, n_sent):
    reply = read_reply(status, body, SENT[:n_sent], operation)
    assert len(reply.rows) == (n_sent if reply.verdict is Verdict.ANSWERED else 0)


@given(bodies, st.integers(2, 3))
def test_what_names_nobody_is_never_applied(body, n_sent):
    sent = [(("externalId", f"{n}-not-in-any-text"),) for n in range(n_sent)]
    reply = read_reply(200, body, sent, "update")
    assert not [row for row in reply.rows if row.fate.applied]


@pytest.mark.parametrize("body", [ECHOES, {"response": ECHOES, "totalCount": 3, "failureCount": 0}, {"data": ECHOES}])
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_cut_short_anywhere_is_in_doubt(body, status):
    whole = json.dumps(body).encode()
    assert read_reply(status, whole, SENT, "update").verdict is Verdict.ANSWERED
    cut = {read_reply(status, whole[:size], SENT, "update").verdict for size in range(len(whole))}
    assert cut == {Verdict.IN_DOUBT}


@given(st.permutations(range(5)), st.randoms())
def test_rows_are_never_mixed_up(order, seed):
    sent = [(("externalId", f"C-{number}"),) for number in range(5)]
    reply = read([random_element(number, seed) for number in order], sent=sent)
    expected = Verdict.ANSWERED if order == sorted(order) else Verdict.IN_DOUBT
    assert (reply.verdict, reply.code) == (expected, "" if order == sorted(order) else "shuffled")


@given(st.permutations(range(5)), st.lists(st.integers(0, 2), min_size=5, max_size=5), st.randoms())
def test_rows_that_share_identifiers_are_never_mixed_up(order, mobiles, seed):
    sent = [(("externalId", f"C-{number}"), ("mobile", f"9198{mobiles[number]}")) for number in range(5)]
    truth = [{**random_element(n, seed), **echo(*sent[n])} for n in range(5)]
    reply = read([truth[n] for n in order], sent=sent)
    assert reply.verdict is (Verdict.ANSWERED if order == sorted(order) else Verdict.IN_DOUBT)


@given(st.permutations(range(4)), st.lists(st.booleans(), min_size=4, max_size=4), st.randoms())
def test_elements_without_echo_never_swap_an_applied_row_for_another(order, is_silent, seed):
    sent = [(("externalId", f"C-{number}"),) for number in range(4)]
    truth = [random_element(number, seed) for number in range(4)]
    fate_of = [row.fate for row in read(truth, sent=sent).rows]
    shown = [{**truth[n], "profiles": []} if silent else truth[n] for n, silent in zip(order, is_silent, strict=True)]
    reply = read(shown, sent=sent)
    assert all(row.fate in (true, "in_doubt") for row, true in zip(reply.rows, fate_of, strict=bool(reply.rows)))


@given(st.randoms())
def test_only_an_element_without_a_real_error_is_applied(seed):
    element = random_element(1, seed)
    row = read([element], sent=[(("externalId", "C-1"),)]).rows[0]
    has_error = any(error["code"] != 8070 for error in element["errors"])
    assert row.fate.applied is not has_error
