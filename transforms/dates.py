"""Dates as yyyy-MM-dd, without a zone: a birthday sent as a time of day can become the day before."""

from functools import partial

import numpy as np
import pyarrow as pa

from schemas.values import Cleaned
from transforms.blanks import absent, says_no_value
from transforms.characters import tidy_ascii
from transforms.civil import read_days, write_days
from transforms.clock import read_times
from transforms.kernels import Column, Verdict, fixed_texts, kept, wrong
from transforms.spelled_dates import ZERO_DATE, Unreadable, read_moment


def clean_dates(raw: pa.Array, order: str) -> Cleaned:
    """Dates; of a date with a time the date as it is written, whatever its zone.

    `order` is day_first, month_first or iso. ISO dates and month names are read under all three. Under iso,
    25/04/2024 has one reading and is taken, 03/04/2024 is `ambiguous`; under day_first 04/25/2024 is
    `not_a_date`, never swapped.
    """
    column = Column(raw)
    view = column.view
    timed = view.lengths >= 16
    days = read_days(view, order, date_only=~timed, date_and_time=timed)
    known = days.known
    if timed.any():
        known &= ~timed | read_times(view, timed).known
    if (known & (days.rewritten | days.serial | timed)).any():
        table = np.empty((int(known.sum()), 10), np.uint8)
        write_days(table, days, np.flatnonzero(known))
        values = fixed_texts(table, known)
    else:
        values = kept(column.text, known)
    return column.settle(
        values,
        known,
        partial(judge_date, order=order),
        date_rewritten=known & days.rewritten,
        spreadsheet_serial=known & days.serial,
        time_dropped=known & timed,
    )


def judge_date(raw: str, order: str) -> Verdict:
    """One date."""
    text, changes = tidy_ascii(raw)
    if says_no_value(text) or ZERO_DATE.fullmatch(text):
        return absent(text, raw)
    problem = "not_a_date"
    try:
        moment = read_moment(text, order)
    except Unreadable as refusal:
        problem = str(refusal)
    else:
        dropped = () if moment.seconds is None else ("time_dropped",)
        return Verdict(moment.day.isoformat(), changes=changes + moment.date_changes + dropped)
    return wrong(problem)
