"""A watermark never passes a row that is held, never goes back by itself, and is never before what it must be."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import JobError
from schemas.watermarks import Kind, Seen
from transforms.watermarks import (
    both,
    columns_digest,
    duration_of,
    earlier_by,
    future,
    is_harmless,
    is_of_the_future,
    just_below,
    later,
    moved,
    query_digest,
    seen_in,
    value_of,
)

KOLKATA = ZoneInfo("Asia/Kolkata")
DAY_LONG = timedelta(days=1)
TZ, CLOCK, DAY, WHOLE, PARTS, TEXT = Kind.TIMESTAMPTZ, Kind.TIMESTAMP, Kind.DATE, Kind.INTEGER, Kind.DECIMAL, Kind.TEXT
TIMES = st.builds(datetime.combine, st.dates(date(1, 1, 3), date(9999, 12, 30)), st.times())
VALUES = {
    TZ: TIMES.map(lambda at: at.replace(tzinfo=UTC).isoformat()),
    CLOCK: TIMES.map(datetime.isoformat),
    DAY: st.dates(min_value=date(1, 1, 3)).map(str),
    WHOLE: st.integers(-(10**37), 10**37).map(str),
    PARTS: st.decimals(-(10**20), 10**20, places=6).map(lambda number: format(number, "f")),
    TEXT: st.text("0123456789:- T", min_size=1),
}
OF_ANY_KIND = st.sampled_from(list(VALUES)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.lists(st.tuples(VALUES[kind] | st.none(), st.booleans())), VALUES[kind])
)


def key(kind, value):
    if kind in (TZ, CLOCK):
        return datetime.fromisoformat(value)
    return Decimal(value) if kind in (WHOLE, PARTS) else value


def seen(kind, rows) -> Seen:
    values, held = [value for value, _ in rows], [each for _, each in rows]
    return seen_in(kind, pa.array(values, pa.string()), pa.array(held, pa.bool_()))


# what is kept of a run


@given(OF_ANY_KIND)
def test_no_held_row_is_out_of_reach_and_no_time_is_lost(told):
    """Rows are of a full read: whatever is held is after the watermark, or there is none."""
    kind, rows, _ = told
    new = moved(kind, None, seen(kind, rows), horizon=None)
    held = [value for value, is_held in rows if is_held]
    if None in held or (held and kind == TEXT):
        assert new is None
    elif held:
        assert new is not None and all(key(kind, value) > key(kind, new) for value in held if value is not None)
    else:
        known = [value for value, _ in rows if value is not None]
        assert (new is None) == (not known)
        assert new is None or key(kind, new) == max(key(kind, value) for value in known)


@given(OF_ANY_KIND)
def test_a_watermark_goes_back_for_held_rows_only(told):
    """The run began where it stood, as one without an overlap does."""
    kind, rows, before = told
    new = moved(kind, before, seen(kind, [(value, False) for value, _ in rows]), start=before, horizon=None)
    assert new is not None and key(kind, new) >= key(kind, before)


@given(OF_ANY_KIND, st.data(), st.booleans())
def test_nothing_that_was_not_read_is_passed(told, data, asked):
    """Wherever a run began: neither rows before it that no run has read, nor held ones."""
    kind, rows, before = told
    start = data.draw(VALUES[kind])
    after = [(value, held) for value, held in rows if value is not None and key(kind, value) > key(kind, start)]
    new = moved(kind, before, seen(kind, after), start=start, asked=asked, horizon=None)
    assert new is not None
    if key(kind, start) > key(kind, before):
        assert new == before
    assert all(key(kind, value) > key(kind, new) for value, held in after if held)


@given(OF_ANY_KIND, st.integers(0, 20))
def test_a_table_seen_in_two_parts_is_seen_whole(told, cut):
    kind, rows, _ = told
    assert both(kind, seen(kind, rows[:cut]), seen(kind, rows[cut:])) == seen(kind, rows)


@given(OF_ANY_KIND)
def test_just_below_is_below(told):
    kind, _, value = told
    below = just_below(kind, value)
    assert (below is None) == (kind == TEXT)
    assert below is None or key(kind, below) < key(kind, value)


@pytest.mark.parametrize(
    ("kind", "rows", "watermark"),
    [
        (TZ, [("2026-03-01T00:30:00+00:00", False), ("2026-03-02T00:30:00.5+00:00", False)],
         "2026-03-02T00:30:00.500000+00:00"),
        (TZ, [("2026-03-01T00:30:00+00:00", True), ("2026-03-02T00:30:00+00:00", False)],
         "2026-03-01T00:29:59.999999+00:00"),
        (CLOCK, [("2026-03-01T00:30:00.123456789", False)], "2026-03-01T00:30:00.123456"),  # read again, not missed
        (CLOCK, [("2026-03-01T00:30:00.123456789", True)], "2026-03-01T00:30:00.123455"),
        (CLOCK, [("infinity", False), ("2026-03-01T00:30:00", False), ("-infinity", False)], "2026-03-01T00:30:00"),
        (DAY, [("2026-03-01", True), ("2026-03-05", False)], "2026-02-28"),
        (DAY, [("10000-01-01", False), ("2026-03-05", False), (None, False)], "2026-03-05"),
        (WHOLE, [("7", True), ("9", False), ("10", False)], "6"),
        (WHOLE, [("9" * 38, False), ("9" * 300, False)], "9" * 38),
        (PARTS, [("12.50", True), ("13", False)], "12.4"),
        (PARTS, [("0.25", False), ("1e300", False), ("nan", False), ("-3", False)], "0.25"),
        (TEXT, [("2026-03-01", False), ("2026-03-02", False)], "2026-03-02"),
        (TEXT, [("2026-03-01", True), ("2026-03-02", False)], None),
        (TZ, [(None, True), ("2026-03-02T00:30:00+00:00", False)], None),  # nothing would reach it any more
    ],
)  # fmt: skip
def test_the_watermark_of_a_first_run(kind, rows, watermark):
    assert moved(kind, None, seen(kind, rows), horizon=None) == watermark


RUN = [("60", True), ("130", False)]


@pytest.mark.parametrize(
    ("before", "rows", "start", "asked", "watermark"),
    [
        ("120", RUN, "50", False, "59"),  # its overlap read the held row; the next one's may be shorter
        ("120", RUN, "50", True, "59"),
        ("120", RUN, None, True, "59"),  # --full
        ("120", [("60", False)], "50", True, "120"),
        ("120", [("130", False)], "50", True, "130"),
        ("120", [], None, True, "120"),
        ("120", [], "200", True, "120"),  # what lies between them was not read
        ("120", [("210", False)], "200", True, "120"),
        ("120", [("210", True)], "200", True, "120"),
        (None, [], "200", True, "200"),  # a person left out what is before
        (None, [("210", False)], "200", True, "210"),
        (None, [("210", False)], "200", False, None),  # an earlier run has taken it back in the meantime
        ("40", [("130", False)], "50", False, "40"),  # or moved it back
        ("120", [(None, True), ("60", True)], "50", True, "50"),
        ("120", [(None, True), ("60", True)], None, True, None),
    ],
)
def test_a_watermark_passes_neither_held_rows_nor_such_as_nobody_read(before, rows, start, asked, watermark):
    assert moved(WHOLE, before, seen(WHOLE, rows), asked=asked, start=start, horizon=None) == watermark


@pytest.mark.parametrize(
    ("before", "values", "watermark"),
    [
        (None, ["2026-03-01T08:00:00+00:00", "2026-03-01T09:30:00+00:00"], "2026-03-01T08:59:59.999999+00:00"),
        (None, ["2026-03-01T08:00:00+00:00"], "2026-03-01T08:00:00+00:00"),
        (None, ["2026-03-01T09:00:00+00:00"], "2026-03-01T08:59:59.999999+00:00"),
        ("2026-03-01T07:00:00+00:00", [], "2026-03-01T07:00:00+00:00"),
        (None, [], None),
    ],
)
def test_a_watermark_stays_before_the_horizon(before, values, watermark):
    rows = [(value, False) for value in values]
    assert moved(TZ, before, seen(TZ, rows), horizon="2026-03-01T09:00:00+00:00") == watermark


@pytest.mark.parametrize(
    ("kind", "from_", "told_from"),
    [
        (TZ, "2026-03-01T20:00:00+00:00", "2026-03-02T20:00:00+00:00"),
        (CLOCK, "2026-03-01T20:00:00", "2026-03-02T20:00:00"),  # of two clocks the earlier one
        (DAY, "2026-03-02", "2026-03-03"),  # today is read, and again
        (TEXT, "2026-03-03", "2026-03-03"),
        (WHOLE, None, None),
    ],
)
def test_the_future_begins_now_and_is_told_from_tomorrow_on(kind, from_, told_from):
    now = datetime(2026, 3, 2, 1, 30, tzinfo=KOLKATA)
    assert future(kind, now) == from_
    if told_from is None:
        assert not is_of_the_future(kind, "9" * 30, now)
    else:
        assert is_of_the_future(kind, told_from, now)
        assert not is_of_the_future(kind, earlier_by(DAY, told_from, DAY_LONG) if kind in (DAY, TEXT) else from_, now)


@pytest.mark.parametrize(
    ("before", "value", "watermark"),
    [
        ("2026-02-01 08:00", "9999-12-31", "2026-02-01 08:00"),
        (None, "9999-12-31", None),
        ("2026-02-01 08:00", "2026-03-02 23:59", "2026-03-02 23:59"),
        ("48213", "99999", "99999"),
    ],
)
def test_a_text_of_the_future_moves_nothing(before, value, watermark):
    assert moved(TEXT, before, seen(TEXT, [(value, False)]), start=before, horizon="2026-03-03") == watermark


def test_rows_without_a_value_are_counted():
    assert seen(DAY, [(None, False), ("2026-03-01", True), ("infinity", False)]) == Seen(
        "2026-03-01", 1, "2026-03-01", 2
    )


# overlap


@pytest.mark.parametrize(
    ("kind", "value", "overlap", "moved_back"),
    [
        (TZ, "2026-03-01T00:30:00+00:00", "2h", "2026-02-28T22:30:00+00:00"),
        (CLOCK, "2026-03-01T00:30:00", "15m", "2026-03-01T00:15:00"),
        (CLOCK, "0001-01-01T00:00:01", "1d", "0001-01-01T00:00:00"),
        (TZ, "0001-01-01T00:00:01+00:00", "1d", "0001-01-01T00:00:00+00:00"),
        (DAY, "2026-03-01", "15m", "2026-02-28"),  # the day may not be over yet
        (DAY, "2026-03-01", "2d", "2026-02-27"),
        (DAY, "2026-03-01", "0s", "2026-03-01"),
    ],
)
def test_an_overlap_moves_times_back(kind, value, overlap, moved_back):
    assert earlier_by(kind, value, duration_of(overlap)) == moved_back


@given(st.sampled_from([TZ, CLOCK, DAY]).flatmap(lambda kind: st.tuples(st.just(kind), VALUES[kind])), st.timedeltas())
def test_an_overlap_is_never_shorter_than_asked(told, overlap):
    kind, value = told
    back = earlier_by(kind, value, abs(overlap) % timedelta(days=400))
    floor = "0001-01-01"
    assert key(kind, value) >= key(kind, back)
    if kind != DAY and not back.startswith(floor):
        assert key(kind, value) - key(kind, back) == abs(overlap) % timedelta(days=400)


def test_offsets_are_one_moment():
    assert later(TZ, "2026-03-01T05:30:00+05:30", "2026-03-01T00:00:01+00:00", None) == "2026-03-01T00:00:01+00:00"
    assert later(TZ, None) is None


# what a person writes


@pytest.mark.parametrize(
    ("kind", "told", "value"),
    [
        (TZ, "2026-03-01", "2026-02-28T18:30:00+00:00"),
        (TZ, "2026-03-01 06:00", "2026-03-01T00:30:00+00:00"),
        (TZ, "2026-03-01T06:00:00Z", "2026-03-01T06:00:00+00:00"),
        (TZ, "2026-03-01T06:00:00-05:00", "2026-03-01T11:00:00+00:00"),
        (CLOCK, "2026-03-01 06:00", "2026-03-01T06:00:00"),
        (CLOCK, "2026-03-01", "2026-03-01T00:00:00"),
        (DAY, "2026-03-01", "2026-03-01"),
        (WHOLE, " 48213 ", "48213"),
        (PARTS, "48213.50", "48213.5"),
        (TEXT, "2026-03-01 06:00", "2026-03-01 06:00"),
    ],
)
def test_a_person_says_from_where_on(kind, told, value):
    assert value_of(kind, told, KOLKATA, "updated_at") == value


def test_of_an_hour_that_comes_twice_it_is_the_first():
    assert value_of(TZ, "2026-10-25T01:30", ZoneInfo("Europe/London"), "at") == "2026-10-25T00:30:00+00:00"


@pytest.mark.parametrize(
    ("kind", "told"),
    [(TZ, "yesterday"), (CLOCK, "2026-03-01T06:00:00+05:30"), (DAY, "2026-03-01T06:00"), (DAY, "01.03.2026"),
     (WHOLE, "12.5"), (PARTS, "nan"), (PARTS, "many"), (TZ, "0001-01-01T00:00")],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_an_example(kind, told):
    with pytest.raises(JobError, match=rf"^--since .*: updated_at is a {kind}; write it like [\d]"):
        value_of(kind, told, KOLKATA, "updated_at")


# fingerprints


def test_a_query_is_the_same_in_other_blanks_and_comments():
    plain = "select a, 'x  y' from t where b > :since"
    other = "-- nightly\nselect a ,\n\t'x  y'\nfrom /* all of */ t where b > :since;\n"
    assert query_digest(plain) == query_digest(other)
    others = [plain.replace("x  y", "x y"), plain.replace("a,", "a, c,"), plain.replace(">", ">="),
              plain.replace("from t", "fromt"), plain.replace("'x  y'", "'--'")]  # fmt: skip
    assert len({query_digest(each) for each in [plain, *others]}) == 1 + len(others)


def test_what_else_says_which_rows_are_taken_is_part_of_a_query():
    plain = "select a from t -- all of it"
    told = [(), ("transactions",), ("", "a > 1"), ("", "a > 2"), ("transactions", "a > 1")]
    assert len({query_digest(plain, *more) for more in told}) == len(told)


def test_columns_are_the_same_in_any_order():
    assert columns_digest(["a", "b"]) == columns_digest(["b", "a"])
    assert len({columns_digest(each) for each in (["a", "b"], ["ab"], ["a"], [])}) == 4


def test_only_times_and_numbers_are_harmless_as_text():
    assert all(map(is_harmless, ["2026-03-01 00:30:00.5", "2026-03-01T00:30:00Z", "48,213", "1/3/2026"]))
    assert not any(map(is_harmless, ["asha@example.com", "Asha", "C-17"]))
