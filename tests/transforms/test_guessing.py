"""Guesses from tables on the screen: which column is what, whose mobiles, which order of dates, and how sure."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import SourceError
from schemas.guessed_names import TARGETS
from schemas.job_text import Entry
from transforms.guessed_job import blocks_of
from transforms.guessed_names import EXACT, NEARLY, are_values, is_fixed_width, named
from transforms.guessing import guess
from transforms.job_file import read_job
from transforms.job_text import text_of

ENVIRONMENT = {"CAPILLARY_KEY": "k", "CAPILLARY_SECRET": "s"}
FILE = (Entry("files: customers.csv"),)
# Beginnings of India's mobiles that few other countries have.
INDIAN = [f"+91 {lead}{n:08}" for n, lead in enumerate(("70", "80", "90", "95", "99", "88", "98", "91"), 12_345_001)]


def guessed(**columns):
    """From columns that are given as lists, or as one value for all rows."""
    rows = max(len(values) for values in columns.values() if isinstance(values, list))
    whole = {n: values if isinstance(values, list) else [values] * rows for n, values in columns.items()}
    return guess(list(whole), pa.table({name: pa.array(values, pa.string()) for name, values in whole.items()}))


def targets(found):
    """Target by column, of those that are mapped."""
    return {one.column: target for target, one in found.guesses.items() if one.is_mapped}


def text(found):
    return text_of(blocks_of("customers", FILE, found))


def job(found):
    return read_job(text(found), ENVIRONMENT)


# names


@pytest.mark.parametrize(
    ("name", "target", "strength"),
    [
        ("member_no", "identifiers.externalId", EXACT),
        ("CustomerKey", "identifiers.externalId", EXACT),
        ("会員番号", "identifiers.externalId", EXACT),
        ("id", "identifiers.externalId", NEARLY),  # of a table, and perhaps not of the member
        ("E-mail", "identifiers.email", EXACT),
        ("EmailAddress", "identifiers.email", EXACT),
        ("cust_email_1", "identifiers.email", NEARLY),
        ("Tel.", "identifiers.mobile", EXACT),
        ("TÉLÉPHONE", "identifiers.mobile", EXACT),
        ("เบอร์โทร", "identifiers.mobile", EXACT),
        ("मोबाइल नंबर", "identifiers.mobile", EXACT),
        ("First Name", "firstName", EXACT),
        ("Prénom", "firstName", EXACT),
        ("姓", "lastName", EXACT),
        ("BirthDate", "extendedFields.dob", EXACT),
        ("became_member_on", "createDate", EXACT),
        ("SMS_OK", "commChannels.mobile.subscribed", EXACT),
    ],
)
def test_a_column_is_known_by_its_name(name, target, strength):
    assert named(name) == {target: strength}


@pytest.mark.parametrize("name", ["customer", "AnnualIncome", "", "  ", "mail_order", "phonetics"])
def test_a_name_that_only_sounds_like_one_is_not_known(name):
    assert named(name) == {}


def test_every_known_name_is_found_by_itself():
    for target, (_, _, names) in TARGETS.items():
        for name in names.split(","):
            assert target in named(name), name


@pytest.mark.parametrize(
    ("header", "is_row"),
    [
        (["1001", "Asha", "9845012345"], True),
        (["C-1", "asha@example.com"], True),
        (["member_no", "asha@example.com"], False),
        (["M9845012345", "Asha"], True),
        (["Asha", "BLR"], True),  # BLR comes again
        (["city", "BLR"], False),
        (["2023", "2024"], False),
        (["a", "b"], False),
    ],
)
def test_a_header_that_is_a_row_is_recognised(header, is_row):
    rows = pa.record_batch([["x", "BLR", "Rao"]] * len(header), names=header)
    assert are_values(header, rows) == is_row


@pytest.mark.parametrize(
    ("name", "row", "is_line"),
    [
        ("M0000198450123450Asha   ", "M0000298450123451Ravi   ", True),
        ("M000019845012345 Asha", "M000029845012346 Ravindra", True),
        ("M00001   Asha Rao     BLR", "M00002   Ravi Rao     BLR", True),
        ("M00001   Asha Rao     BLR", "M00002", False),
        ("9845012345", "9845012346", False),  # a list of mobiles
        ("contact_number", "98450123469876", False),
        ("nothing", "1234567", False),
    ],
)
def test_lines_of_fixed_width_are_recognised(name, row, is_line):
    assert is_fixed_width([name], pa.record_batch([[row]], names=[name])) == is_line


# columns


def test_columns_are_mapped_by_name_and_values():
    found = guessed(
        member_no=[f"C-{n}" for n in range(8)],
        phone=INDIAN,
        mail=[f"a{n}@example.com" for n in range(8)],
        sex=["M", "F"] * 4,
        dob=["1990-01-31"] * 8,
        till="till.blr.01",
    )
    assert targets(found) == {
        "member_no": "identifiers.externalId",
        "phone": "identifiers.mobile",
        "mail": "identifiers.email",
        "sex": "extendedFields.gender",
        "dob": "extendedFields.dob",
        "till": "associatedWith",
    }
    assert found.guesses["identifiers.mobile"].reason == "by its name; all of 8 values are mobiles of IN"


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("phone", ["none of your business", "call me", "ask", "x", "y"], "none of 5 values are mobiles"),
        ("sex", ["männlich", "weiblich", "w"], "none of 3 values are words for a gender"),
        ("birthday", ["Q1", "Q2", "1990-01-31"], "33% of 3 values are dates"),
        ("email", [None, None, ""], "by its name; it has no values"),
    ],
)
def test_a_name_that_its_values_contradict_is_told_and_not_mapped(column, values, reason):
    found = guessed(member_no=[f"C-{n}" for n in range(len(values))], **{column: values})
    assert targets(found) == {"member_no": "identifiers.externalId"}
    told = [line for line in text(found).splitlines() if f" {column}" in line or reason in line]
    assert all(line.strip().startswith("# ") for line in told)
    assert reason in "".join(told)


def test_values_that_say_no_value_do_not_count():
    found = guessed(member_no=["C-1", "C-2", "C-3", "C-4"], email=["a@example.com", "NA", "-", None])
    assert found.guesses["identifiers.email"].reason == "by its name; all of 1 values are e-mail addresses"


def test_addresses_are_recognised_under_any_name_and_numbers_are_not():
    found = guessed(x=[f"a{n}@example.com" for n in range(9)], y=[f"{n}" for n in range(9)])
    assert targets(found) == {"x": "identifiers.email"}
    assert "# externalId: y " in text(found)


def test_the_column_that_is_more_of_it_wins():
    found = guessed(member_no=["1", "2", "3"], id=["7", "8", "9"], email=["a", "b", "c"], mail=["a@b.cc"] * 3)
    assert targets(found) == {"member_no": "identifiers.externalId", "mail": "identifiers.email"}


def test_a_key_that_repeats_is_less_sure():
    once = guessed(member_no=["1", "2", "3", "4"])
    often = guessed(member_no=["1", "1", "1", "1", "2"])
    assert once.guesses["identifiers.externalId"].is_sure
    assert not often.guesses["identifiers.externalId"].is_sure


def test_a_second_column_of_a_kind_is_told_and_not_mapped():
    found = guessed(member_no=[f"C-{n}" for n in range(8)], phone=INDIAN, phone_1=INDIAN[::-1])
    assert targets(found) == {"member_no": "identifiers.externalId", "phone": "identifiers.mobile"}
    assert "# Not mapped, because another column is mobile: phone_1 (0.90, " in text(found)


@pytest.mark.parametrize(
    ("also", "mapped"), [({}, "# firstName: name\n"), ({"first_name": "Asha"}, "# name is left out")]
)
def test_a_whole_name_is_left_to_a_person(also, mapped):
    found = guessed(member_no=["1", "2", "3"], name="Asha Rao", **also)
    assert "name" not in targets(found)
    assert mapped in text(found)


# what a person decides


def test_points_and_consent_are_never_mapped_by_themselves():
    found = guessed(
        member_no=[f"C-{n}" for n in range(8)],
        phone=INDIAN,
        points="120",
        tier="2",
        tier_until="2036-01-31",
        sms_ok="Y",
        statement_no=[f"S-{n}" for n in range(8)],
    )
    assert targets(found) == {"member_no": "identifiers.externalId", "phone": "identifiers.mobile"}
    made = job(found)
    assert (made.map.enrollments, made.map.comm_channels, made.points_id) == ([], {}, None)
    assert found.guesses["loyaltyPoints"].confidence > 0.9


def test_what_is_commented_out_can_be_used_as_it_stands():
    found = guessed(
        member_no=[f"C-{n}" for n in range(8)], phone=INDIAN, points="120", sms_ok="Y", statement_no=["S-1"] * 8
    )
    lines = [line.replace("# ", "", 1) if _is_asleep(line) else line for line in text(found).splitlines()]
    awake = read_job("\n".join(lines).replace("value: 0", "value: 1016"), ENVIRONMENT)
    assert awake.points_id == "statement_no"
    assert [one.loyalty_points.column for one in awake.map.enrollments] == ["points"]
    assert awake.map.comm_channels["mobile"].subscribed.column == "sms_ok"


def _is_asleep(line: str) -> bool:
    """A line of the job that is commented out; sentences have no colon behind their first word."""
    rest = line.strip().removeprefix("# ")
    return line.strip().startswith("# ") and rest.lstrip(" -").partition(" ")[0].endswith(":")


# whose mobiles


@pytest.mark.parametrize(
    ("values", "country"),
    [
        (INDIAN, "IN"),
        (["+44 7911 123450", "07400 123456", "07711 234567", "07811 234567", "07511 234567"], "GB"),
        (["07911 123450", "07400 123456", "07711 234567", "07811 234567", "07511 234567"], None),  # or Iraq's
        ([f"+62 812 {n}" for n in range(11_111_111, 11_111_119)], "ID"),
        (["1", "2", "3", "4", "5"], None),
        (["9845012345"], None),  # one says nothing
    ],
)
def test_the_country_is_told_when_it_is_clear(values, country):
    found = guessed(member_no=[f"C-{n}" for n in range(len(values))], phone=values)
    assert found.country.value == country


ALIKE = [f"090-{n}-5678" for n in range(1230, 1240)]  # mobiles of Japan and, without the zero, of India


def test_a_country_that_another_looks_like_is_not_guessed():
    found = guessed(member_no=[f"C-{n}" for n in range(10)], phone=ALIKE)
    assert (found.country.value, found.country.confidence < 0.7) == (None, True)
    assert "phone" not in targets(found)
    assert "say locale.country first" in found.guesses["identifiers.mobile"].reason


@pytest.mark.parametrize("hint", [{"氏名": "さとう"}, {"mail": [f"a{n}@example.jp" for n in range(10)]}])
def test_a_hint_decides_between_countries_that_look_alike(hint):
    found = guessed(member_no=[f"C-{n}" for n in range(10)], phone=ALIKE, **hint)
    assert (found.country.value, found.timezone.value) == ("JP", "Asia/Tokyo")
    assert targets(found)["phone"] == "identifiers.mobile"


# the order of dates


@pytest.mark.parametrize(
    ("values", "order", "sure"),
    [
        (["25/12/1990", "01/02/1990", "13/01/1991", "14.01.1991"], "day_first", True),
        (["12/25/1990", "01/02/1990", "01/13/1991", "01/14/1991"], "month_first", True),
        (["1990-12-25", "17-Jan-1990"], "iso", True),
        (["01/02/1990", "03/04/1991"], "iso", False),
        (["25/12/1990", "12/25/1990"], "iso", False),
    ],
)
def test_dates_that_have_one_reading_decide_their_order(values, order, sure):
    found = guessed(member_no=[f"C-{n}" for n in range(len(values))], dob=values)
    assert (found.dates.value, found.dates.is_sure) == (order, sure)
    assert job(found).locale.dates == order


def test_all_columns_of_dates_decide_together():
    found = guessed(member_no=["1", "2", "3"], dob=["01/02/1990"] * 3, joined_on=["25/12/2020"] * 3)
    assert found.dates.value == "day_first"


# rows that share


def test_rows_that_share_a_key_or_an_identifier_are_counted():
    found = guessed(
        member_no=["C-1", "C-1", "C-2", "C-3", "C-4", None],
        email=["a@b.cc", "a@b.cc", "x@b.cc", "x@b.cc", "na@na.com", "e@b.cc"],
    )
    assert found.remarks == (
        "member_no: values on several rows: 1, on 2 rows; one row of each is sent",
        "member_no: rows without a value: 1; they are invalid while it is the key",
        "email: rows with a placeholder, such as many people type: 1; it is left out",
        "email: values of several customers: 1, on 2 rows; they are held back",
    )


# any table gives a job


NAMES = st.one_of(
    st.text(min_size=1, max_size=12), st.sampled_from(["email", "phone", "points", "dob", "id", "sms_ok"])
)
VALUES = st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["a@b.cc", "9845012345", "01/02/1990", "Y", "F"]))


@settings(max_examples=40)
@given(st.lists(NAMES, min_size=1, max_size=6, unique=True), st.data())
def test_any_table_gives_a_job_that_is_read(names, data):
    rows = data.draw(st.lists(st.tuples(*[VALUES] * len(names)), min_size=1, max_size=5))
    table = pa.table(
        [pa.array(column, pa.string()) for column in zip(*rows, strict=True)], names=[str(n) for n in range(len(names))]
    )
    try:
        found = guess(names, table)
    except SourceError:
        assert all("${" in name or "\ue000" in name or "\ue001" in name for name in names)
        return
    made = job(found)
    assert made.key_column in names
    assert {one.column for one in made.map.identifiers.values()} <= set(names)


@settings(max_examples=20)
@given(st.lists(st.from_regex(r"[a-z]{6}QZX[0-9]{4}", fullmatch=True), min_size=3, max_size=8, unique=True))
def test_no_value_stands_in_the_job(values):
    found = guessed(
        member_no=values,
        email=[f"{value}@example.com" for value in values],
        first_name=[value[:9] for value in values],
        city=values,
        other=values,
    )
    assert "qzx" not in text(found).lower()
