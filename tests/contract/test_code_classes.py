"""Every code of the contract's section 5 has the class that the contract gives it, and every class its fate."""

import json
import re
from typing import get_args

import pytest

from schemas.code_table import CODE_TABLE
from schemas.codes import CodeClass, Operation, explain
from transforms.replies import read_reply

# Section 5, line by line: codes | class in the contract's words | as an error of a row | as a warning.
# "1000 OK", "500 RETRY after reconcile" and "WARN" as an error say the same: what was applied has to be looked up.
SECTION_5 = """
400 403                                         | DATA                        | data      | loss
401                                             | AUTH                        | auth      | loss
461                                             | RETRY                       | retry     | loss
500                                             | RETRY after reconcile       | reconcile | loss
521                                             | RETRY (serialise)           | retry     | reconcile
618                                             | DATA (park)                 | data      | loss
816 1011 1012 8009 8015 8065                    | DATA, not found             | data      | loss
1000                                            | OK                          | reconcile | note
1001 8056 1002 8055 1003 8064 8020              | DATA / WARN-loss            | data      | loss
8057 8058                                       | WARN-loss                   | data      | loss
1004 1150 91020 91021 8077 8085                 | CONF / WARN                 | setup     | loss
1006 1039 1043 1007 1019 1045 1059              | DATA                        | data      | loss
8014                                            | DATA, CONF if every row     | data      | loss
8001 8004 8016 8011 8012 8003 8127              | CONF                        | config    | loss
8045 8054 8091                                  | CONF                        | config    | loss
8002 8005 8013 8092 8093 1104 1015 1042         | DATA                        | data      | loss
8010 8106 1101                                  | DATA                        | data      | loss
8006 8028 1014                                  | DUP (fetch and compare)     | duplicate | loss
8007 8008                                       | DATA (conflict)             | data      | loss
1016 1032 1033 91007                            | DATA (conflict)             | data      | loss
8050                                            | DUP/WARN, merge happened    | reconcile | note
8051 8067                                       | DUP/WARN, record survivor   | reconcile | loss
8052 8053                                       | DATA, also as a warning     | data      | reconcile
8066                                            | DATA, DUP/WARN as a warning | data      | loss
8069 91009                                      | DUP, survivor               | duplicate | loss
8068                                            | WARN                        | data      | loss
8070-8073                                       | DUP (idempotent success)    | done      | note
8074 8075 1047                                  | DATA (conflict)             | data      | loss
8017 1034                                       | DATA                        | data      | loss
8018 1046                                       | DATA                        | data      | loss
1048 1049                                       | DATA                        | data      | loss
8026 8109                                       | DATA (never retry)          | data      | loss
8027                                            | DATA                        | data      | loss
8059 8060                                       | WARN (applied)              | reconcile | note
8061-8063 91001-91004                           | WARN, a read failed         | reconcile | note
91011-91014                                     | WARN, tiers and their limit | reconcile | loss
8084 8119                                       | DATA                        | data      | loss
8126                                            | CONF                        | config    | loss
8086 3016 3017                                  | DATA                        | data      | loss
8107 8108                                       | CONF                        | setup     | loss
8087 3000-3011 3013-3015 3018-3038 3040-3050    | DATA                        | data      | loss
3012                                            | DUP "no update"             | duplicate | note
3039                                            | DUP "no update"             | duplicate | loss
8088                                            | RETRY/WARN                  | reconcile | note
8089 8121 1013 1020                             | DATA                        | data      | loss
8090                                            | DATA (order)                | data      | loss
8100-8102 8120                                  | CONF (our bug)              | config    | loss
1009 1010 1023 1024 1088 10001 10002            | RETRY after reconcile       | reconcile | loss
19223 1086 1087 889                             | WARN, reconcile points      | reconcile | loss
1017 1018 1022                                  | DATA / WARN                 | data      | loss
91005 91006                                     | WARN-loss                   | data      | loss
91015                                           | WARN-loss                   | data      | loss
91022 1106-1110                                 | WARN / DATA                 | data      | loss
1053                                            | WARN                        | data      | loss
1060                                            | CONF (shrink)               | limit     | loss
1062 1064 1061                                  | CONF                        | config    | loss
1213-1217                                       | DATA                        | data      | loss
1600-1635 1637-1650                             | DATA                        | data      | loss
1636                                            | DUP, already a member       | duplicate | note
1701-1711                                       | CONF (parent data first)    | setup     | loss
900                                             | RETRY                       | retry     | reconcile
4711 1 99999                                    | park, never auto-retry      | unknown   | unknown
"""
# The contract's first word, and what it may become here as an error.
HERE = {
    "DATA": {"data"},
    "AUTH": {"auth"},
    "RETRY": {"retry", "reconcile"},
    "OK": {"reconcile"},
    "WARN": {"data", "reconcile"},
    "CONF": {"config", "setup", "limit"},
    "DUP": {"duplicate", "reconcile", "done"},
    "park": {"unknown"},
}


def section_5():
    for line in SECTION_5.strip().splitlines():
        numbers, said, as_error, as_warning = (part.strip() for part in line.split("|"))
        for first, _, last in (number.partition("-") for number in numbers.split()):
            for code in range(int(first), int(last or first) + 1):
                yield str(code), said, as_error, as_warning


LISTED = list(section_5())
SENT = [(("externalId", "C-1"),), (("externalId", "C-2"),)]
ECHOES = [{"profiles": [{"identifiers": [{"type": t, "value": v} for t, v in row]}]} for row in SENT]
MANDATORY = "Mandatory field is missing"  # without which a 403 speaks of rights


def problem(code):
    return {"status": False, "code": int(code), "message": MANDATORY if code == "403" else ""}


def read(body, status=200, sent=SENT, operation="update", points=False):
    return read_reply(status, json.dumps(body).encode(), sent, operation, points=points)


def beside_a_sound_row(**said):
    """The first row's reply; the second was accepted."""
    reply = read([{**ECHOES[0], **said}, ECHOES[1]])
    assert reply.rows[1].fate == "accepted"
    return reply.rows[0]


def test_no_code_of_section_5_stands_twice():
    assert len({code for code, *_ in LISTED}) == len(LISTED) == 272


@pytest.mark.parametrize("operation", get_args(Operation))
def test_every_code_has_the_class_of_the_contract(operation):
    wrong = [
        (code, said, meaning.as_error, meaning.as_warning)
        for code, said, as_error, as_warning in LISTED
        for meaning in [explain(code, operation)]
        # To register somebody who exists already is not what was asked for.
        if (meaning.as_error, meaning.as_warning)
        != ("duplicate" if operation == "register" and as_error == "done" else as_error, as_warning)
    ]
    assert wrong == []


def test_our_classes_are_the_contracts_in_finer_words():
    assert [one for one in LISTED if one[2] not in HERE[re.match("[A-Za-z]+", one[1])[0]]] == []


def test_a_class_is_an_errors_or_a_warnings():
    errors, warnings = ({line[place] for line in LISTED} for place in (2, 3))
    assert warnings == {"loss", "note", "reconcile", "unknown"}
    assert errors == {*CodeClass} - {"loss", "note"}
    heads = [line.split("|") for line in CODE_TABLE.splitlines() if "|" in line]
    assert {head[1].strip() for head in heads} <= errors
    assert {head[2].strip() for head in heads} <= warnings


# Class | code | fate of a row with this error | with this warning | verdict on a batch that is refused with it,
# by HTTP status: 200 and 201 | 400 and 422 | 500 and 502
FATES = """
data      | 8009  | refused       | accepted_with_loss | refused         | refused         | in_doubt
setup     | 1004  | refused       | accepted_with_loss | refused         | refused         | in_doubt
config    | 8003  | refused       | accepted_with_loss | misconfigured   | misconfigured   | in_doubt
auth      | 401   | refused       | accepted_with_loss | unauthenticated | unauthenticated | unauthenticated
limit     | 1060  | refused       | accepted_with_loss | too_large       | too_large       | too_large
retry     | 461   | refused later | accepted_with_loss | later           | later           | in_doubt
retry     | 521   | refused later | in_doubt           | later           | later           | in_doubt
reconcile | 10002 | in_doubt      | accepted_with_loss | in_doubt        | in_doubt        | in_doubt
reconcile | 8050  | in_doubt      | accepted           | in_doubt        | in_doubt        | in_doubt
duplicate | 8006  | refused       | accepted_with_loss | refused         | refused         | in_doubt
done      | 8070  | accepted      | accepted           | refused         | refused         | in_doubt
unknown   | 4711  | refused       | accepted_with_loss | in_doubt        | refused         | in_doubt
"""
CASES = [[part.strip() for part in line.split("|")] for line in FATES.strip().splitlines()]


def test_every_class_has_its_fates_here():
    assert {case[0] for case in CASES} == {*CodeClass} - {"loss", "note"}


@pytest.mark.parametrize(("kind", "code", "as_error", "as_warning"), [case[:4] for case in CASES])
def test_a_class_decides_the_fate_of_its_row_alone(kind, code, as_error, as_warning):
    assert explain(code, "update").as_error == kind
    row = beside_a_sound_row(errors=[problem(code)])
    assert (row.fate, row.codes, row.retry) == (as_error.split()[0], (code,), as_error.endswith("later"))
    row = beside_a_sound_row(warnings=[problem(code)])
    assert (row.fate, row.codes, row.retry) == (as_warning, (code,), False)


@pytest.mark.parametrize("shape", ["object", "success false", "response", "data"])
@pytest.mark.parametrize(
    ("code", "statuses", "verdict"),
    [
        (case[1], statuses, verdict)
        for case in CASES
        for statuses, verdict in zip([(200, 201), (400, 422), (500, 502)], case[4:], strict=True)
    ],
)
def test_a_class_decides_on_a_batch_refused_as_a_whole(shape, code, statuses, verdict):
    errors = {"errors": [problem(code)]}
    said = {"success false": {"success": False}, "response": {"response": []}, "data": {"data": []}}.get(shape, {})
    for status in statuses:
        reply = read({**said, **errors}, status)
        assert (reply.verdict, reply.rows) == (verdict, ())
        assert code in reply.code


# Where the class needs the status to be believed, or the status the class.
@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (401, "8009", "unauthenticated"),
        (403, "8009", "misconfigured"),
        (404, "8009", "misconfigured"),
        (413, "8009", "too_large"),
        (415, "8009", "misconfigured"),
        (429, "8009", "throttled"),
        (429, "521", "throttled"),
        (429, "10002", "throttled"),
        (461, "461", "later"),
        (503, "521", "in_doubt"),
        (503, "1060", "too_large"),
        (504, "521", "in_doubt"),
        (521, "521", "later"),
        (521, "900", "later"),
        (521, "8009", "in_doubt"),
        (521, "10002", "in_doubt"),
    ],
)
def test_some_statuses_are_stronger_than_a_code(status, code, verdict):
    assert read({"errors": [problem(code)]}, status).verdict == verdict


# The same as the only row of its batch, which ends where halving ends: 200 | 400 | 500
@pytest.mark.parametrize(
    ("code", "in_200", "in_400", "in_500"),
    [
        ("8009", "refused", "batch refused", "refused"),
        ("8003", "refused", "batch misconfigured", "refused"),
        ("401", "batch unauthenticated", "batch unauthenticated", "batch unauthenticated"),
        ("1060", "batch too_large", "batch too_large", "batch too_large"),
        ("521", "refused", "batch later", "refused"),
        ("10002", "in_doubt", "batch in_doubt", "in_doubt"),
        ("8006", "refused", "batch refused", "refused"),
        ("8070", "in_doubt", "batch refused", "in_doubt"),  # a success that names nobody and has no id
        ("4711", "refused", "batch refused", "refused"),
    ],
)
def test_a_row_alone_is_told_by_its_own_error(code, in_200, in_400, in_500):
    told = []
    for status in (200, 400, 500):
        reply = read({"errors": [problem(code)]}, status, sent=SENT[:1])
        told.append(reply.rows[0].fate.value if reply.rows else f"batch {reply.verdict.value}")
    assert told == [in_200, in_400, in_500]


FATE_OF_ERROR = {case[0]: case[2].split()[0] for case in CASES}
FATE_OF_WARNING = {
    "loss": "accepted_with_loss",
    "note": "accepted",
    "reconcile": "in_doubt",
    "unknown": "accepted_with_loss",
}


def test_every_code_of_the_contract_brings_its_rows_fate():
    wrong = [
        code
        for code, _, as_error, as_warning in LISTED
        if beside_a_sound_row(errors=[problem(code)]).fate != FATE_OF_ERROR[as_error]
        or beside_a_sound_row(warnings=[problem(code)]).fate != FATE_OF_WARNING[as_warning]
    ]
    assert wrong == []


def test_only_a_retry_is_ever_sent_again_by_itself():
    again = {code for code, *_ in LISTED if beside_a_sound_row(errors=[problem(code)]).retry}
    assert again == {"461", "521", "900"}


def test_points_of_an_applied_row_are_never_taken_for_granted():
    """Section 5: points that failed, and "nothing to change", say nothing certain of a credit."""
    doubtful = {
        code
        for code, _, as_error, _ in LISTED
        for said in [{"errors": [problem(code)]}, {"warnings": [problem(code)]}]
        if read([{**ECHOES[0], **said}, ECHOES[1]]).rows[0].fate.applied
        and not read([{**ECHOES[0], **said}, ECHOES[1]], points=True).rows[0].fate.applied
    }
    assert doubtful == {"19223", "1086", "1087", "889", "8070", "8071", "8072", "8073"}
