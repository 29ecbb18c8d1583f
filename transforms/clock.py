"""Times of day behind a ten characters wide date, with or without a zone, read by numpy from fixed places."""

from dataclasses import dataclass

import numpy as np

from transforms.civil import number_at
from transforms.kernels import DIGITS, Bytes, Ints, Mask, running_total

LONGEST_OFFSET_MINUTES = 14 * 60  # Kiribati
_time_marks = list(b"Tt ")


@dataclass(slots=True)
class Times:
    """Seconds of the day and minutes ahead of UTC of all rows; meaningless where `known` is false.

    `rewritten`: not written as THH:MM:SS followed by nothing, a fraction or ±HH:MM.
    """

    seconds: Ints
    offset_minutes: Ints
    known: Mask
    zoned: Mask
    fraction: Mask
    rewritten: Mask


def read_times(view: Bytes, candidates: Mask) -> Times:
    """The times of the candidates, all of which are at least 16 characters long."""
    size = len(view.lengths)
    flags = [np.zeros(size, dtype=bool) for _ in range(4)]
    times = Times(np.zeros(size, np.int64), np.zeros(size, np.int64), *flags)
    rows = np.flatnonzero(candidates)
    if not len(rows):
        return times
    offset, width, tidy_zone, fine = _zones(view, rows)
    seconds, has_seconds, fraction, fine_time = _clock_times(view, rows, view.lengths[rows] - width)
    times.seconds[rows], times.offset_minutes[rows] = seconds, offset
    times.known[rows] = fine & fine_time
    times.zoned[rows], times.fraction[rows] = width > 0, fraction
    marked = view.at(10)[rows] == ord("T")
    times.rewritten[rows] = ~(marked & has_seconds & tidy_zone)
    return times


def _clock_times(view: Bytes, rows: Ints, ends: Ints) -> tuple[Ints, Mask, Mask, Mask]:
    """Seconds of the day, whether seconds and a fraction are written, and whether all is as it must be."""
    table = view.head(rows, 20)
    fine = np.isin(table[:, 10], _time_marks) & (table[:, 13] == ord(":"))
    for place in (11, 12, 14, 15):
        fine &= DIGITS[table[:, place]]
    has_seconds = ends >= 19
    fine &= ~has_seconds | ((table[:, 16] == ord(":")) & DIGITS[table[:, 17]] & DIGITS[table[:, 18]])
    fine &= has_seconds | (ends == 16)
    fraction = ends > 19
    if fraction.any():
        fine &= ~fraction | (_digits_only(view, rows, ends) & np.isin(table[:, 19], list(b".,")))
    hour, minute = number_at(table, 11, 13), number_at(table, 14, 16)
    second = np.where(has_seconds, number_at(table, 17, 19), 0)
    fine &= (hour < 24) & (minute < 60) & (second < 60)
    return hour * 3600 + minute * 60 + second, has_seconds, fraction, fine


def _digits_only(view: Bytes, rows: Ints, ends: Ints) -> Mask:
    """Whether a fraction's point is followed by digits up to the zone, one at least."""
    total = running_total(DIGITS.take(view.data))
    begin = np.minimum(view.starts[rows] + 20, len(view.data))
    stop = view.starts[rows] + ends
    digits_only: Mask = (ends > 20) & (total[np.maximum(stop, begin)] - total[begin] == ends - 20)
    return digits_only


def _zones(view: Bytes, rows: Ints) -> tuple[Ints, Ints, Mask, Mask]:
    """Minutes ahead of UTC, how many characters say so, whether as ±HH:MM or not at all, whether well formed."""
    size = len(rows)
    width, fine = np.zeros(size, np.int64), np.ones(size, dtype=bool)
    tail = np.stack([view.at(place)[rows] for place in range(-6, 0)], axis=1)
    lengths = view.lengths[rows]
    width[tail[:, 5] == ord("Z")] = 1
    for wide, sign_at, digits, colon in ((6, 0, (1, 2, 4, 5), 3), (5, 1, (2, 3, 4, 5), None)):
        found = np.isin(tail[:, sign_at], list(b"+-")) & (lengths >= 16 + wide) & (width == 0)
        for place in digits:
            found &= DIGITS[tail[:, place]]
        if colon is not None:
            found &= tail[:, colon] == ord(":")
        width[found] = wide
    hour = np.where(width == 6, number_at(tail, 1, 3), number_at(tail, 2, 4))
    minute = number_at(tail, 4, 6)
    minus = np.where(width == 6, tail[:, 0], tail[:, 1]) == ord("-")
    offset = np.where(width > 1, (hour * 60 + minute) * np.where(minus, -1, 1), 0)
    fine &= (width <= 1) | ((minute < 60) & (np.abs(offset) <= LONGEST_OFFSET_MINUTES))
    tidy_zone = (width == 0) | ((width == 6) & ~(minus & (offset == 0)))
    return offset, width, tidy_zone, fine
