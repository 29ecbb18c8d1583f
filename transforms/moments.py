"""Points in time as yyyy-MM-ddTHH:MM:SS±HH:MM: never an epoch, never without a zone (contract 8)."""

from datetime import datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from schemas.values import Cleaned
from transforms.blanks import absent, says_no_value
from transforms.characters import tidy_ascii
from transforms.civil import days_from_civil, read_days, write_days, write_pair
from transforms.clock import Times, read_times
from transforms.kernels import Column, Ints, Mask, Octets, Verdict, fixed_texts, wrong
from transforms.spelled_dates import ZERO_DATE, Moment, Unreadable, read_moment


def clean_moments(raw: pa.Array, order: str, timezone: str) -> Cleaned:
    """Times with their own offset, or that of `timezone` then; a date alone is its first minute there.

    An hour that the clocks skip or repeat is a problem: nobody can say which moment was meant.
    """
    column = Column(raw)
    view = column.view
    timed = view.lengths >= 16
    days = read_days(view, order, date_only=~timed, date_and_time=timed)
    times = read_times(view, timed)
    known = days.known & (~timed | times.known)
    seconds = days_from_civil(days.year, days.month, days.day) * 86_400 + times.seconds
    offsets, found = _local_offsets(seconds, known & ~times.zoned, timezone)
    known &= times.zoned | found
    times.offset_minutes = np.where(times.zoned, times.offset_minutes, offsets)
    rows = np.flatnonzero(known)
    table = np.empty((len(rows), 25), np.uint8)
    write_days(table, days, rows)
    _write_times(table, times, rows)
    return column.settle(
        fixed_texts(table, known),
        known,
        partial(judge_moment, order=order, zone=ZoneInfo(timezone)),
        spreadsheet_serial=known & days.serial,
        date_rewritten=known & days.rewritten,
        time_rewritten=known & times.rewritten,
        fraction_dropped=known & times.fraction,
        midnight_added=known & ~timed,
        zone_added=known & ~times.zoned,
    )


def judge_moment(raw: str, order: str, zone: ZoneInfo) -> Verdict:
    """One point in time."""
    text, changes = tidy_ascii(raw)
    if says_no_value(text) or ZERO_DATE.fullmatch(text):
        return absent(text, raw)
    problem = "not_a_date"
    try:
        moment = read_moment(text, order)
        offset_minutes = _offset(moment, zone)
    except Unreadable as refusal:
        problem = str(refusal)
    else:
        return Verdict(_written(moment, offset_minutes), changes=changes + _steps(moment))
    return wrong(problem)


def _local_offsets(seconds: Ints, rows: Mask, timezone: str) -> tuple[Ints, Mask]:
    """Minutes ahead of UTC at local times, and where they are certain. Offsets of before 1970 may have seconds;
    they are cut to the minute that the API's format has, so that the local time stays as written.
    """
    minutes = np.zeros(len(rows), np.int64)
    found = np.zeros(len(rows), dtype=bool)
    if not rows.any():
        return minutes, found
    local = pd.DatetimeIndex(seconds[rows].astype("datetime64[s]"))
    utc = local.tz_localize(ZoneInfo(timezone), ambiguous="NaT", nonexistent="NaT")
    known = np.asarray(utc.notna())
    ahead = seconds[rows] - utc.tz_convert(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    found[rows] = known
    minutes[rows] = np.where(known, np.sign(ahead) * (np.abs(np.where(known, ahead, 0)) // 60), 0)
    return minutes, found


def _write_times(table: Octets, times: Times, rows: Ints) -> None:
    """Write THH:MM:SS±HH:MM into columns 10 to 25."""
    seconds, offset = times.seconds[rows], times.offset_minutes[rows]
    write_pair(table, 11, seconds // 3600)
    write_pair(table, 14, seconds // 60 % 60)
    write_pair(table, 17, seconds % 60)
    write_pair(table, 20, np.abs(offset) // 60)
    write_pair(table, 23, np.abs(offset) % 60)
    table[:, 10] = ord("T")
    table[:, 13] = table[:, 16] = table[:, 22] = ord(":")
    table[:, 19] = np.where(offset < 0, ord("-"), ord("+"))


def _offset(moment: Moment, zone: ZoneInfo) -> int:
    """Minutes ahead of UTC.

    Raises:
        Unreadable: the zone's clocks skip or repeat that hour.
    """
    if moment.offset_minutes is not None:
        return moment.offset_minutes
    local = datetime.combine(moment.day, time(), zone) + timedelta(seconds=moment.seconds or 0)
    before, after = (local.replace(fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    if before != after:  # PEP 495: fold 0 is the offset before the clocks change, fold 1 the one after
        raise Unreadable("nonexistent_time" if before < after else "ambiguous_time")
    seconds = int(before.total_seconds())
    return seconds // 60 if seconds >= 0 else -(-seconds // 60)


def _written(moment: Moment, offset_minutes: int) -> str:
    clock = timedelta(seconds=moment.seconds or 0)
    hours, minutes = divmod(abs(offset_minutes), 60)
    sign = "-" if offset_minutes < 0 else "+"
    return f"{moment.day}T{str(clock).rjust(8, '0')}{sign}{hours:02}:{minutes:02}"


def _steps(moment: Moment) -> tuple[str, ...]:
    midnight = ("midnight_added",) if moment.seconds is None else ()
    zone = ("zone_added",) if moment.offset_minutes is None else ()
    return moment.date_changes + moment.time_changes + midnight + zone
