"""Times of day behind a ten characters wide date, with or without a zone, read by numpy from fixed places."""

from dataclasses import dataclass

import numpy as np

from transforms.civil import number_at
from transforms.kernels import Bytes, Ints, Mask, are_digits, running_total

LONGEST_OFFSET_MINUTES = 14 * 60  # Kiribati
IMPOSSIBLE = 10_000  # stands for an offset that no zone has
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
    octets = view.head(rows, 20)
    fine = np.isin(octets[10], _time_marks) & (octets[13] == ord(":"))
    for place in (11, 12, 14, 15):
        fine &= are_digits(octets[place])
    has_seconds = ends >= 19
    fine &= ~has_seconds | ((octets[16] == ord(":")) & are_digits(octets[17]) & are_digits(octets[18]))
    fine &= has_seconds | (ends == 16)
    fraction = ends > 19
    if fraction.any():
        fine &= ~fraction | (_digits_only(view, rows, ends) & np.isin(octets[19], list(b".,")))
    hour, minute = number_at(octets, 11, 13), number_at(octets, 14, 16)
    second = np.where(has_seconds, number_at(octets, 17, 19), 0)
    fine &= (hour < 24) & (minute < 60) & (second < 60)
    return hour * 3600 + minute * 60 + second, has_seconds, fraction, fine


def _digits_only(view: Bytes, rows: Ints, ends: Ints) -> Mask:
    """Whether a fraction's point is followed by digits up to the zone, one at least."""
    total = running_total(are_digits(view.data))
    begin = np.minimum(view.starts[rows] + 20, len(view.data))
    stop = view.starts[rows] + ends
    digits_only: Mask = (ends > 20) & (total[np.maximum(stop, begin)] - total[begin] == ends - 20)
    return digits_only


def _zones(view: Bytes, rows: Ints) -> tuple[Ints, Ints, Mask, Mask]:
    """Minutes ahead of UTC, how many characters say so, whether as ±HH:MM or not at all, whether well formed."""
    octets = view.tail(rows, 6)
    offset, width = np.zeros(len(rows), np.int32), np.zeros(len(rows), np.int32)
    width[octets[5] == ord("Z")] = 1
    plain = width == 0  # also where nothing is said
    for wide, hours, minutes in ((6, 1, 4), (5, 2, 4)):
        sign = octets[6 - wide]
        found = ((sign == ord("+")) | (sign == ord("-"))) & (view.lengths[rows] >= 16 + wide) & (width == 0)
        if not found.any():
            continue
        for place in (hours, hours + 1, minutes, minutes + 1):
            found &= are_digits(octets[place])
        found &= (octets[3] == ord(":")) | (wide == 5)
        ahead = number_at(octets, hours, hours + 2) * 60 + number_at(octets, minutes, minutes + 2)
        ahead[found & ((ahead > LONGEST_OFFSET_MINUTES) | (octets[minutes] > ord("5")))] = IMPOSSIBLE
        minus = sign == ord("-")
        width[found], offset[found] = wide, np.where(minus, -ahead, ahead)[found]
        plain &= ~found | ((wide == 6) & ~(minus & (ahead == 0)))
    return offset, width, plain, np.abs(offset) != IMPOSSIBLE
