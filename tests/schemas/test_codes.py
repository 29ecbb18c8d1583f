"""The API's codes: what class each has, and that a person can read what it means."""

from typing import get_args

import pytest

from schemas.code_table import CODE_TABLE
from schemas.codes import CodeClass, Operation, explain

OPERATIONS = get_args(Operation)


def codes(text: str) -> list[str]:
    return text.split()


# Every code that section 5 of the contract lists for a customer load, and the request-level ones of 4.2.
LISTED = codes("""
400 403 401 461 500 521 618 816 1011 1012 8009 8015 8065 1000 1001 8056 1002 8055 1003 8064 8020 8057 8058
1004 1150 91020 91021 8077 8085 1006 1039 1043 1007 1019 1045 1059 8014 8001 8004 8016 8011 8012 8003 8127
8045 8054 8091 8002 8005 8013 8092 8093 1104 1015 1042 8010 8106 1101 8006 8028 1014 8007 8008 1016 1032 1033
91007 8050 8051 8067 8066 8052 8053 8069 91009 8068 8070 8071 8072 8073 8074 8075 1047 8017 1034 8018 1046
1048 1049 8026 8109 8027 8059 8060 8061 8062 8063 91001 91002 91003 91004 91011 91012 91013 91014 8084 8119
8126 8086 8107 8108 3016 3017 8087 3000 3009 3010 3012 3024 3036 3038 3039 3042 3046 3050 8088 8089 8121 1013
1020 8090 8100 8101 8102 8120 1009 1010 1023 1024 1088 10001 10002 19223 1086 1087 889 1017 1018 1022 91005
91006 91015 91022 1106 1107 1108 1109 1110 1053 1060 1062 1064 1061 1213 1214 1215 1216 1217 1600 1605 1618
1638 1607 1615 1616 1609 1610 1617 1621 1622 1625 1626 1627 1628 1636 1642 1648 1650 1701 1711 900
404 405 415 429 502 503 504 520 522 523 524
""")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_code_of_the_contract_is_known(operation):
    unknown = [code for code in LISTED if explain(code, operation).as_error is CodeClass.UNKNOWN]
    assert unknown == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_meaning_is_a_cause_and_a_next_step(operation):
    for code in LISTED:
        meaning = explain(code, operation)
        assert meaning.code == code
        assert all(text.endswith(".") and len(text) > 7 for text in (meaning.cause, meaning.fix))


@pytest.mark.parametrize(
    ("code", "as_error", "as_warning"),
    [
        ("8009", "data", "loss"),
        ("8003", "config", "loss"),
        ("1060", "limit", "loss"),
        ("401", "auth", "loss"),
        ("521", "retry", "reconcile"),  # beside an applied row nobody says that nothing was applied
        ("10002", "reconcile", "loss"),
        ("19223", "reconcile", "loss"),  # the customer was saved, the points were not
        ("8006", "duplicate", "loss"),
        ("8066", "data", "loss"),
        ("8053", "data", "reconcile"),  # two documented senses: merged already, and cannot be merged
        ("8050", "reconcile", "note"),
        ("8059", "reconcile", "note"),
        ("8077", "setup", "loss"),
        ("1701", "setup", "loss"),
        ("3042", "data", "loss"),  # a range before it, an exception of its own
        ("3012", "duplicate", "note"),
    ],
)
def test_the_array_decides_the_class(code, as_error, as_warning):
    meaning = explain(code, "update")
    assert (meaning.as_error, meaning.as_warning) == (as_error, as_warning)


@pytest.mark.parametrize("code", codes("8055 8056 8057 8058 8064 8077 91015 91005 91006 1018"))
def test_a_value_that_was_not_stored_is_a_loss(code):
    assert {explain(code, operation).as_warning for operation in OPERATIONS} == {CodeClass.LOSS}


@pytest.mark.parametrize("code", ["8070", "8071", "8072", "8073"])
def test_nothing_to_change_is_done_except_on_register(code):
    classes = {operation: explain(code, operation).as_error for operation in OPERATIONS}
    assert classes == {"update": "done", "upsert": "done", "register": "duplicate"}


def test_an_unknown_code_is_never_good_news():
    meaning = explain("4711", "update")
    assert (meaning.as_error, meaning.as_warning) == (CodeClass.UNKNOWN, CodeClass.UNKNOWN)
    assert "not documented" in meaning.cause


def test_only_notes_say_that_a_row_was_applied_in_full():
    notes = {code for code in LISTED if explain(code, "update").as_warning is CodeClass.NOTE}
    assert notes == set(
        codes("1000 1636 3012 8050 8059 8060 8061 8062 8063 8070 8071 8072 8073 8088 91001 91002 91003 91004")
    )


def test_no_code_stands_twice_but_for_an_operation_or_in_a_range():
    heads = [line for line in CODE_TABLE.splitlines() if "|" in line]
    single = [
        (code, "@" in head)
        for head in heads
        for code in head.split("|")[0].partition("@")[0].split()
        if "-" not in code
    ]
    assert len(single) == len(set(single))
