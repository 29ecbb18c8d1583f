"""The responses that the API's contract shows (sections 4.1 and 4.4) are read as the contract says."""

import pytest

from schemas.replies import Sent
from transforms.replies import read_reply

FULL_SUCCESS_E1 = b"""[{"profiles":[{"firstName":"Asha","lastName":"Rao","attribution":{"createDate":
"2024-03-01T10:00:00+05:30","createdBy":{},"modifiedBy":{},"modifiedDate":"2024-03-09T08:12:44+05:30"},"fields":{},
"identifiers":[{"type":"externalId","value":"C-1001"},{"type":"mobile","value":"919800000011"}],"commChannels":[
{"type":"mobile","value":"919800000011","primary":true,"verified":true,"meta":{"residence":false,"office":false},
"attributes":{}}],"source":"INSTORE","accountId":"","conflictingProfileList":[],"autoUpdateTime":
"2024-03-09T08:12:44+05:30","identifiersAll":[{"type":"externalId","value":"C-1001"},{"type":"mobile","value":
"919800000011"}]}],"loyaltyInfo":{"loyaltyType":"loyalty"},"segments":{},"referralCode":"","extendedFields":
{"city":"Pune"},"errors":[],"warnings":[]}]"""
PARTIAL_FAILURE_E1 = b"""[{"profiles":[{"identifiers":[{"type":"externalId","value":"C-1"}],"source":"INSTORE"}],
"loyaltyInfo":{"loyaltyType":"loyalty"},"errors":[]},
{"profiles":[{"identifiers":[{"type":"externalId","value":"C-2"}],"source":"INSTORE"}],"errors":[{"status":false,
"code":8009,"message":"Update failed, Customer not found"}]},
{"profiles":[{"identifiers":[{"type":"externalId","value":"C-3"}],"source":"INSTORE"}],"errors":[],"warnings":[
{"status":false,"code":8057,"message":"Invalid email id in comm channel"}]}]"""
PARENT_AND_CHILDREN_E2 = b"""[{"entity":{"id":7001,"profiles":[{"userId":7001,"identifiers":[{"type":"mobile","value":
"919800000021"}]}],"associationDetails":{"hierarchyCode":"H1","hierarchyId":21,"roleCode":"OWNER","fleetCompany":
{"externalId":"CO-9","companyId":71},"childRoleCode":"DRIVER","skipLevelAllowed":false,"new":true,"childCustomer":
false},"warnings":[]},"childEntities":[{"id":7002,"warnings":[{"status":false,"code":19223,"message":"Points
processing failed"}]},{"errors":[{"status":false,"code":1626,"message":"Customer is already mapped to a different
hierarchy"}]}],"childCount":2,"childFailureCount":1,"childSuccessCount":1}]""".replace(b"\n", b" ")
# The sample behind it tells each child whole, as it does the parent; the contract prints 7002 shortened to its id.
PARENT_AND_CHILDREN_E2_UNABRIDGED = PARENT_AND_CHILDREN_E2.replace(
    b'{"id":7002,', b'{"id":7002,"profiles":[{"userId":7002,"identifiers":[{"type":"mobile","value":"919800000022"}]}],'
)
# Section 4.3, observed: the first child's mobile was not stored, a card was given, and the company is told. The API
# lists the children twice, the second time with what befell them.
WITHOUT_ITS_MOBILE_E2 = b"""[{"entity":{"id":7001,"profiles":[{"userId":7001,"identifiers":[{"type":"mobile","value":
"919800000021"},{"type":"unionId","value":"u-21"}]}],"loyaltyInfo":{"loyaltyType":"loyalty"},"associationDetails":{
"hierarchyCode":"H1","hierarchyId":21,"roleCode":"OWNER","childCustomers":[{"profiles":[{"userId":7002,"identifiers":[
{"type":"cuid","value":"cuid-22"},{"type":"unionId","value":"u-22"},{"type":"cardnumber","value":"reg0182412"}]}],
"extendedFields":{"city":"Pune"}},{"profiles":[{"userId":7003,"identifiers":[{"type":"mobile","value":"919800000023"},
{"type":"cuid","value":"cuid-23"},{"type":"cardnumber","value":"reg0182413"}]}]}],"fleetCompany":{"externalId":"CO-9",
"companyId":71},"childRoleCode":"DRIVER","skipLevelAllowed":false,"new":true,"childCustomer":false},"warnings":[
{"status":false,"code":19223,"message":"Points processing failed"}]},"childEntities":[{"id":7002,"profiles":[{"userId":
7002,"identifiers":[{"type":"cuid","value":"cuid-22"},{"type":"unionId","value":"u-22"},{"type":"cardnumber","value":
"reg0182412"}]}],"associationDetails":{"hierarchyId":21,"roleCode":"DRIVER","fleetCompany":{"externalId":"CO-9",
"companyId":71},"parentRoleId":83,"skipLevelAllowed":false,"new":true,"childCustomer":true},"warnings":[{"status":false,
"code":8056,"message":"Invalid mobile"},{"status":false,"code":8058,"message":"Invalid mobile in comm channel"},
{"status":false,"code":19223,"message":"Points processing failed"}]},{"id":7003,"profiles":[{"userId":7003,
"identifiers":[{"type":"mobile","value":"919800000023"},{"type":"cuid","value":"cuid-23"},{"type":"cardnumber","value":
"reg0182413"}]}],"warnings":[{"status":false,"code":19223,"message":"Points processing failed"}]}],"childCount":2,
"childFailureCount":0,"childSuccessCount":2}]""".replace(b"\n", b" ")
ONE_FAILED_OF_TWO_E3 = b"""{"response":[{"entityId":7001,"result":{"id":7001},"errors":[],"warnings":[]},{"entityId":
7003,"result":{"id":7003},"errors":[{"status":false,"code":3017,"message":"status label invalid"}],"warnings":[]}],
"totalCount":2,"failureCount":1}"""
# The sample behind it holds the whole customer as the result; the contract prints it shortened to its id.
ONE_FAILED_OF_TWO_E3_UNABRIDGED = b"""{"response":[{"entityId":7001,"result":{"id":7001,"profiles":[{"identifiers":[
{"type":"externalId","value":"C-1"}]}]},"errors":[],"warnings":[]},{"entityId":7003,"result":{"id":7003,"profiles":[
{"identifiers":[{"type":"externalId","value":"C-2"}]}]},"errors":[{"status":false,"code":3017,"message":
"status label invalid"}],"warnings":[]}],"totalCount":2,"failureCount":1}"""
TOTAL_FAILURE_E1 = b"""[{"errors":[{"status":false,"code":8003,"message":"Invalid source passed"}]},
{"errors":[{"status":false,"code":8003,"message":"Invalid source passed"}]}]"""
BATCH_TOO_LARGE = b'{"errors":[{"status":false,"code":1060,"message":"Batch limit size exceeded"}]}'
EMPTY_ERROR_E1 = b'[{"profiles":[{"identifiers":[{"type":"externalId","value":"C-1"}]}],"errors":[{}]}]'
CARDS_S3B = b"""{"response":[{"entityId":{"id":7001,"profiles":[{"identifiers":[{"type":"externalId","value":"C-1"}]}]},
"errors":[],"warnings":[]}],"totalCount":1,"failureCount":0}"""
DATA_S4 = b"""{"data":[{"entity":{"id":7001,"profiles":[{"identifiers":[{"type":"externalId","value":"C-1"}]}]},
"warnings":[],"errors":[],"success":true},{"entity":null,"warnings":[],"errors":[{"code":8109,"message":"deleted"}],
"success":false}]}"""
APPLIED_500_E4 = b'{"createdId":7001,"warnings":[{"status":false,"code":8050,"message":"combined"}],"sideEffects":[]}'

C = [(("externalId", f"C-{n}"),) for n in range(1, 4)]
CASES: list[tuple[str, int, bytes, list[Sent], str, list[tuple]]] = [
    # name, status, body, rows sent, verdict, per row (fate, codes, id)
    ("S1 full success", 200, FULL_SUCCESS_E1, [(("externalId", "C-1001"),)], "answered", [("accepted", "", None)]),
    (
        "S1 partial failure",
        201,
        PARTIAL_FAILURE_E1,
        C,
        "answered",
        [("accepted", "", None), ("refused", "8009", None), ("accepted_with_loss", "8057", None)],
    ),
    (
        "S2 parent applied, one child refused",
        200,
        PARENT_AND_CHILDREN_E2,
        [(("mobile", "919800000021"),)],
        "answered",
        [("accepted_with_loss", "19223 1626", "7001")],
    ),
    (
        "S3 one failed of two",
        200,
        ONE_FAILED_OF_TWO_E3_UNABRIDGED,
        C[:2],
        "answered",
        [("accepted", "", "7001"), ("refused", "3017", "7003")],
    ),
    (
        "S3 without echo: nothing says which of the two failed",
        200,
        ONE_FAILED_OF_TWO_E3,
        C[:2],
        "answered",
        [("in_doubt", "unmatched", "7001"), ("in_doubt", "3017 unmatched", "7003")],
    ),
    (
        "S1 total failure",
        200,
        TOTAL_FAILURE_E1,
        C[:2],
        "answered",
        [("refused", "8003", None), ("refused", "8003", None)],
    ),
    ("S5 batch too large", 200, BATCH_TOO_LARGE, C, "too_large", []),
    ("S5 batch too large, as an error", 400, BATCH_TOO_LARGE, C[:1], "too_large", []),
    ("400 with an empty object", 400, b"{}", C, "refused", []),
    ("S1 with an empty error", 200, EMPTY_ERROR_E1, C[:1], "answered", [("in_doubt", "empty_error", None)]),
    ("S3b object as entity id", 200, CARDS_S3B, C[:1], "answered", [("accepted", "", "7001")]),
    (
        "S4 data",
        200,
        DATA_S4,
        C[:2],
        "answered",
        [("accepted", "", "7001"), ("refused", "8109", None)],
    ),
    ("S5 created", 200, b'{"createdId":7001,"warnings":[]}', C[:1], "answered", [("accepted", "", "7001")]),
    (
        "S5 created while merging",
        200,
        b'{"createdId":7001,"errors":[{"code":8051}]}',
        C[:1],
        "answered",
        [("in_doubt", "8051", "7001")],
    ),
    (
        "S5 refused",
        200,
        b'{"errors":[{"status":false,"code":8009,"message":"no"}]}',
        C[:1],
        "answered",
        [("refused", "8009", None)],
    ),
    ("S5 applied under 500", 500, APPLIED_500_E4, C[:1], "answered", [("accepted", "8050", "7001")]),
]


@pytest.mark.parametrize(
    ("status", "body", "sent", "verdict", "rows"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_an_example_of_the_contract_is_read_as_it_says(status, body, sent, verdict, rows):
    reply = read_reply(status, body, sent, "upsert")
    assert reply.verdict == verdict
    assert [(row.fate, " ".join(row.codes), row.entity_id) for row in reply.rows] == rows


OWNER = (("mobile", "919800000021"),)
LOST_MOBILE = (("mobile", "915530153"), ("cuid", "cuid-22"), ("unionId", "u-22"))
FAMILIES: list[tuple[str, bytes, tuple[Sent, ...], list[tuple]]] = [
    # name, body, the children sent, per customer (fate, codes, id): the parent's first
    (
        "S2 parent applied, one child refused",
        PARENT_AND_CHILDREN_E2_UNABRIDGED,
        ((("mobile", "919800000022"),), (("mobile", "919800000023"),)),
        [("accepted", "", "7001"), ("accepted_with_loss", "19223", "7002"), ("refused", "1626", None)],
    ),
    (
        "S2 without echo: nothing says which of the two children failed",
        PARENT_AND_CHILDREN_E2,
        ((("mobile", "919800000022"),), (("mobile", "919800000023"),)),
        [("accepted", "", "7001"), ("in_doubt", "19223 unmatched", "7002"), ("in_doubt", "1626 unmatched", None)],
    ),
    (
        "S2 one child without its mobile",
        WITHOUT_ITS_MOBILE_E2,
        (LOST_MOBILE, (("mobile", "919800000023"), ("cuid", "cuid-23"))),
        [
            ("accepted_with_loss", "19223", "7001"),
            ("accepted_with_loss", "8056 8058 19223", "7002"),
            ("accepted_with_loss", "19223", "7003"),
        ],
    ),
]


@pytest.mark.parametrize(("body", "children", "told"), [case[1:] for case in FAMILIES], ids=[c[0] for c in FAMILIES])
def test_a_family_of_the_contract_is_accounted_for_one_by_one(body, children, told):
    (row,) = read_reply(200, body, [OWNER], "register", children=[children]).rows
    assert [(one.fate, " ".join(one.codes), one.entity_id) for one in row.family] == told


@pytest.mark.parametrize(("policy", "fate"), [("success", "accepted"), ("reconcile", "in_doubt"), ("fail", "refused")])
def test_an_error_that_says_nothing_follows_the_policy(policy, fate):
    reply = read_reply(200, EMPTY_ERROR_E1, C[:1], "update", policy)
    assert [row.fate for row in reply.rows] == [fate]


# Section 5, the row of 19223: the customer was saved, the points were not, so they are to be looked up.
@pytest.mark.parametrize(("points", "fate"), [(False, "accepted_with_loss"), (True, "in_doubt")])
def test_points_that_failed_are_in_doubt_where_the_batch_credits_them(points, fate):
    reply = read_reply(200, PARENT_AND_CHILDREN_E2, [(("mobile", "919800000021"),)], "register", points=points)
    assert [(row.fate, row.codes) for row in reply.rows] == [(fate, ("19223", "1626"))]


# Section 4.2, without a body that speaks of rows.
ERROR = '{{"errors":[{{"status":false,"code":{},"message":"{}"}}]}}'
STATUSES: list[tuple[int, str, str, str]] = [
    (200, "", "in_doubt", "empty"),
    (200, "<html>", "in_doubt", "html"),
    (201, "[]", "in_doubt", "row_count"),
    (200, "{}", "in_doubt", "unknown_shape"),
    (200, ERROR.format(8009, "not found"), "refused", "8009"),
    (200, ERROR.format(8003, "source"), "misconfigured", "8003"),
    (200, ERROR.format(521, "busy"), "later", "521"),
    (200, ERROR.format(10002, "update failed"), "in_doubt", "10002"),
    (200, ERROR.format(4711, "?"), "in_doubt", "4711"),
    (200, ERROR.format(403, "access denied"), "misconfigured", "403"),
    (200, ERROR.format(403, "mandatory field missing"), "refused", "403"),
    (200, ERROR.format(401, "authentication failed"), "unauthenticated", "401"),
    (302, "", "misconfigured", "http_302"),
    (400, "", "refused", "http_400"),
    (400, "<html>", "refused", "http_400"),
    (400, ERROR.format(8013, "invalid"), "refused", "8013"),
    (400, ERROR.format(4711, "?"), "refused", "4711"),
    (400, ERROR.format(8003, "source"), "misconfigured", "8003"),
    (401, "", "unauthenticated", "http_401"),
    (403, "<html>mandatory</html>", "misconfigured", "http_403"),
    (403, ERROR.format(403, "Access denied"), "misconfigured", "403"),
    (403, ERROR.format(403, "Mandatory field {x} missing"), "refused", "403"),
    (403, '{"message":"mandatory field missing"}', "refused", "http_403"),
    (404, "", "misconfigured", "http_404"),
    (405, "", "misconfigured", "http_405"),
    (413, "<html>", "too_large", "http_413"),
    (415, "", "misconfigured", "http_415"),
    (422, "", "refused", "http_422"),
    (429, "", "throttled", "http_429"),
    (461, "", "later", "http_461"),
    (500, "", "in_doubt", "http_500"),
    (500, ERROR.format(8009, "x"), "in_doubt", "8009"),
    (502, "<html>", "in_doubt", "http_502"),
    (502, ERROR.format(1060, "x"), "too_large", "1060"),
    (503, "<html>unauthorised</html>", "in_doubt", "http_503"),
    (503, ERROR.format(503, "authorization status unavailable"), "later", "503"),
    (503, '{"message":"upstream"}', "in_doubt", "http_503"),
    (504, "", "in_doubt", "http_504"),
    (520, "", "in_doubt", "http_520"),
    (521, "<html>", "in_doubt", "http_521"),
    (521, "{}", "in_doubt", "http_521"),
    (521, ERROR.format(521, "running"), "later", "521"),
    (524, "", "in_doubt", "http_524"),
    (999, "", "in_doubt", "http_999"),
]


@pytest.mark.parametrize(("status", "body", "verdict", "code"), STATUSES)
def test_a_status_without_rows_decides_on_the_batch(status, body, verdict, code):
    reply = read_reply(status, body.encode(), C, "update")
    assert (reply.verdict, reply.code, reply.rows) == (verdict, code, ())
