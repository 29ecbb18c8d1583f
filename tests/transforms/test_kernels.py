"""What holds for every kernel and any text."""

from functools import partial
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.values import Kind, Locale
from transforms.dates import judge_date
from transforms.emails import judge_email
from transforms.kernels import SAMPLED_ROWS, Bytes, byte_set
from transforms.mobiles import judge_mobile
from transforms.moments import judge_moment
from transforms.names import judge_name
from transforms.numbers import judge_decimal, judge_integer
from transforms.texts import judge_text
from transforms.values import clean
from transforms.words import clean_flags, clean_genders, judge_flag, judge_gender

INDIA = Locale("IN", "Asia/Kolkata", "day_first")
ZONE = ZoneInfo(INDIA.timezone)
JUDGES = {
    Kind.TEXT: judge_text,
    Kind.NAME: judge_name,
    Kind.MOBILE: partial(judge_mobile, country="IN"),
    Kind.EMAIL: judge_email,
    Kind.DATE: partial(judge_date, order="day_first"),
    Kind.DATETIME: partial(judge_moment, order="day_first", zone=ZONE),
    Kind.INTEGER: partial(judge_integer, country="IN"),
    Kind.DECIMAL: partial(judge_decimal, country="IN"),
    Kind.BOOLEAN: judge_flag,
    Kind.GENDER: judge_gender,
}
# Per kind, texts that its kernel knows, between bars.
SEEDS = {
    Kind.TEXT: '4111 1111|="00123"|\'00123|9.19845E+11|NULL|नमस्ते|a\nb|e\u0301|അവന്\u200d|#REF!',
    Kind.NAME: "JON SMITH|VAN DER BERG|MARIA DE LA CRUZ|O'BRIEN|MCDONALD|JP II|José|JOSÉ|J.R.R.",
    Kind.MOBILE: "9845012345|+91 98450-12345|09845012345|00919845012345|+65 9123 4567|9845012345.0|9.845012345E9"
    "|٩٨٤٥٠١٢٣٤٥|9845012345/9845054321|(+91) 98450|+44 (0)7911 123456|+1 202 555 0123",
    Kind.EMAIL: "jon@shop.co.in|Jon <JON@shop.in>|mailto:a@b.com|a@b.com; c@d.com|o'brien@x.com",
    Kind.DATE: "2024-01-12|12/01/2024|1/2/2024|20240112|44927|12-Jan-2024|2024-01-12T10:30:00Z|12/01/24",
    Kind.DATETIME: "2024-01-12T10:30:00+05:30|2024-01-12 10:30|2024-01-12T10:30:00.123Z|1/2/2024 1:30 PM"
    "|12/01/2024 10:30:59,5-0330|20240112T103000Z|2024-01-12",
    Kind.INTEGER: "1200|-5|1200.0|1,00,000|(1 200)|$9,000|-0.0|9223372036854775807|1.5E7",
    Kind.DECIMAL: "12.50|-0.5|.5|1.200,50|1,200.50|9.19845E+11|Rs. 5|٣٫٥|007.10",
    Kind.BOOLEAN: "true|Y|0|N/A",
    Kind.GENDER: "MALE|f|Mrs.|unknown",
}
PIECES = [*" \t\u00a0\u200b\u200d0123456789.,-+/:()'=\"eEzZ@<;ТàÉİ٣ABz\x00\n", "", "  ", "00", ".0"]
EDITS = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 2), st.sampled_from(PIECES)), max_size=3)


def edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    """The text with some characters cut out and some put in."""
    for place, cut, piece in edits:
        text = text[:place] + piece + text[place + cut :]
    return text


def cells(kind: Kind) -> st.SearchStrategy[str]:
    """Texts near one that the kernel knows, and any text."""
    return st.builds(edited, st.sampled_from(SEEDS[kind].split("|")), EDITS) | st.text(max_size=20)


def one(kind: Kind, text: str | None, locale: Locale = INDIA) -> tuple[object, str | None, dict[str, int]]:
    """A single row's value, problem and changes."""
    cleaned = clean(pa.array([text], pa.string()), kind, locale)
    return cleaned.values[0].as_py(), cleaned.problems[0].as_py(), dict(cleaned.changes)


def as_text(value: object) -> str:
    """A clean value as a typed source would write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("kind", Kind)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_fast_half_agrees_with_the_judge(kind, data):
    rows = data.draw(st.lists(cells(kind), min_size=1, max_size=6))
    cleaned = clean(pa.array(rows), kind, INDIA)
    verdicts = [JUDGES[kind](row) for row in rows]
    assert cleaned.values.to_pylist() == [verdict.value for verdict in verdicts]
    assert cleaned.problems.to_pylist() == [verdict.problem for verdict in verdicts]
    told = [change for verdict in verdicts for change in verdict.changes]
    assert dict(cleaned.changes) == {change: told.count(change) for change in told}


@pytest.mark.parametrize("kind", Kind)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_row_counts_as_changed_exactly_if_it_is(kind, data):
    raw = data.draw(cells(kind))
    value, problem, changes = one(kind, raw)
    if problem is not None:
        assert (value, changes) == (None, {})
    elif value is None:
        assert bool(changes) == (raw != "")
    else:
        assert bool(changes) == (as_text(value) != raw)
    assert set(changes.values()) <= {1}


@pytest.mark.parametrize("kind", Kind)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_clean_value_is_clean_again(kind, data):
    value, _, _ = one(kind, data.draw(cells(kind)))
    if value is None or (kind is Kind.MOBILE and not str(value).startswith("91")):
        return  # another country's mobile without its plus cannot be told from a wrong one of this country
    assert one(kind, as_text(value)) == (value, None, {})


@pytest.mark.parametrize("kind", Kind)
def test_rows_stay_in_place_among_nulls_and_slices(kind):
    rows = [None, "", *SEEDS[kind].split("|"), "nonsense \u2603", None]
    whole = clean(pa.array(rows), kind, INDIA)
    sliced = clean(pa.array(["x", *rows, "y"]).slice(1, len(rows)), kind, INDIA)
    alone = [one(kind, row)[:2] for row in rows]
    assert list(zip(whole.values.to_pylist(), whole.problems.to_pylist(), strict=True)) == alone
    assert (sliced.values, sliced.problems, sliced.changes) == (whole.values, whole.problems, whole.changes)


@pytest.mark.parametrize("kind", Kind)
def test_values_that_repeat_are_cleaned_as_any_others(kind):
    rows = [None, " ", *SEEDS[kind].split("|"), "nonsense \u2603", ""]
    times = SAMPLED_ROWS // len(rows) + 1  # long enough to be taken apart into its distinct values
    few, many = clean(pa.array(rows), kind, INDIA), clean(pa.array(rows * times), kind, INDIA)
    assert many.values.to_pylist() == few.values.to_pylist() * times
    assert many.problems.to_pylist() == few.problems.to_pylist() * times
    assert many.changes == {change: count * times for change, count in few.changes.items()}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("rows", [[], [None], [""], [None, "", None]])
def test_columns_without_any_text_are_absent(kind, rows):
    cleaned = clean(pa.array(rows, pa.string()), kind, INDIA)
    assert cleaned.values.to_pylist() == cleaned.problems.to_pylist() == [None] * len(rows)
    assert cleaned.changes == {}


@pytest.mark.parametrize("raw", [pa.array(["x", None], pa.large_string()), pa.array(["x", "x"]).dictionary_encode()])
def test_other_text_layouts_are_read_as_text(raw):
    assert clean(raw, Kind.TEXT, INDIA).values[0].as_py() == "x"


@pytest.mark.parametrize("clean_column", [clean_flags, clean_genders])
def test_problems_never_quote_what_was_found(clean_column):
    assert "secret" not in str(clean_column(pa.array(["secret"])).problems)


@example(["", "é", "ab+", "++"])
@given(st.lists(st.text(alphabet="a+é", max_size=5), min_size=1))
def test_bytes_are_counted_and_found_per_row(rows):
    view = Bytes(pa.array(rows))
    encoded = [row.encode() for row in rows]
    assert view.count(byte_set("+")).tolist() == [row.count(b"+") for row in encoded]
    assert view.at(-1).tolist() == [row[-1] if row else 0 for row in encoded]
    assert view.at(1).tolist() == [row[1] if len(row) > 1 else 0 for row in encoded]
