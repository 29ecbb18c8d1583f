"""A report's pictures, as inline SVG and as columns of text, and how its numbers are written.

Widths and places across are percentages and there is no viewBox: a picture fits a phone and a page while its
text keeps its size. Colours are classes (`report.html.j2`), so that they follow dark mode and paper.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import ceil, log10
from statistics import median

from markupsafe import Markup

from schemas.outcomes import Fate
from schemas.runs import Tick, Totals

BARS = 60  # what a phone can still show apart
THINNEST = 1.4  # percent, five pixels of a phone: three rows of ten million must not vanish
LETTER_PX = 7.6  # a wide guess at 13 px; a label that may not fit is left to the table below
PHONE_PX, DESK_PX = 320, 900
BAR_PX, PLOT_PX = 40, 120
LOWEST_PX = 4  # one throttled request of a thousand must not vanish either
COLUMNS = 78  # of a terminal
# Between the times below a chart: round ones, so that at most six stand there.
STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 432000)

Value = Callable[[Tick], float | None]


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of a timeline: what is drawn of a slice, and a level to compare it with."""

    name: str
    unit: str
    value: Value
    trouble: Value | None = None  # the part of `value` that went wrong
    level: float | None = None
    level_name: str = ""


def count(number: float) -> str:
    """ "10,000,000"."""
    return f"{number:,.0f}"


def share(part: int, whole: int) -> str:
    """Percent with one digit; never "0.0%" of something nor "100.0%" of not everything."""
    if not whole or part in (0, whole):
        return "100%" if part and whole else "0%"
    percent = 100 * part / whole
    if percent < 0.05:
        return "< 0.1%"
    return "> 99.9%" if percent >= 99.95 else f"{percent:.1f}%"


def duration(seconds: float) -> str:
    """Two units at most: "9.4 s", "11 min 12 s", "27 h 46 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s} s"
    return f"{count(minutes // 60)} h {minutes % 60} min"


def size(size_bytes: float) -> str:
    """ "1.2 MB", as a file manager says it."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "bytes" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:,.1f} TB"


def line(name: str, text: str) -> str:
    """One line of a terminal, cut when it is too long; what could move the cursor becomes a space."""
    told, room = " ".join("".join(char if char.isprintable() else " " for char in text).split()), COLUMNS - 10
    return f"{name:<9} {told if len(told) <= room else told[: room - 1] + '…'}"


def fate_lines(totals: Totals, names: Mapping[Fate, str]) -> list[str]:
    """One fate per line, two when there are more than four; read downwards."""
    told = [
        f"{name:<18} {count(rows):>11} {share(rows, totals.read):>7}"
        for fate, name in names.items()
        if (rows := totals.rows.get(fate, 0))
    ]
    half = (len(told) + 1) // 2 if len(told) > 4 else len(told)
    return [f"{left}  {right}".rstrip() for left, right in zip_longest(told[:half], told[half:], fillvalue="")]


def point_lines(totals: Totals, room: int) -> list[str]:
    """Points credited of points read, one line per programme; the last one stands for those without room."""
    told = []
    for programme, read in totals.points_read.items():
        credited = sum(part for fate, part in totals.points.get(programme, {}).items() if fate.applied)
        told.append(line("Points", f"{count(credited)} of {count(read)} credited in programme {programme}"))
    if len(told) <= room:
        return told
    return [*told[: room - 1], line("Points", f"{count(len(told) - room + 1)} more programmes are in the report")]


def fate_bar(rows: Mapping[Fate, int], names: Mapping[Fate, str]) -> Markup:
    """All rows as one bar, in the order of `names`; a slice is named above itself where the name has room."""
    whole = sum(rows.values())
    filled = [fate for fate in names if rows.get(fate)]
    widths = [max(THINNEST, 100 * rows[fate] / whole) for fate in filled]
    stretch = 100 / sum(widths) if widths else 1
    slices, left = Markup(""), 0.0
    for fate, width in zip(filled, widths, strict=True):
        slices += _slice(fate, left, width * stretch, (names[fate], share(rows[fate], whole)))
        left += width * stretch
    told = ", ".join(f"{names[fate]} {count(rows[fate])} ({share(rows[fate], whole)})" for fate in filled)
    return _svg("fates", BAR_PX + 24, "Rows by fate", told or "No rows", slices)


def _slice(fate: Fate, left: float, width: float, words: tuple[str, str]) -> Markup:
    bar = Markup('<rect class="fill-{}" x="{:.3f}%" y="24" width="{:.3f}%" height="{}"/>').format(
        fate.value, left, width, BAR_PX
    )
    for reader, width_px in (("phone", PHONE_PX), ("desk", DESK_PX)):
        fitting = [text for text in (" ".join(words), words[1]) if len(text) * LETTER_PX <= width * width_px / 100]
        if fitting:
            bar += Markup('<text class="on-{}" x="{:.3f}%" y="15">{}</text>').format(reader, left, fitting[0])
    return bar


def timeline(ticks: Sequence[Tick], requests_per_minute: int) -> list[tuple[str, Markup]]:
    """What went over the wire as one chart per measure, each with its caption; nothing when nothing was sent."""
    if not ticks:
        return []
    panels = (
        Panel(
            "Requests per minute",
            "requests a minute",
            lambda tick: _per_minute(tick, tick.sent),
            trouble=lambda tick: _per_minute(tick, min(tick.sent, tick.throttled + tick.failed)),
            level=requests_per_minute,
            level_name=f"allowed: {count(requests_per_minute)}",
        ),
        Panel("Rows answered per minute", "rows a minute", lambda tick: _per_minute(tick, tick.rows)),
        Panel("Time to an answer, median in milliseconds", "ms", lambda tick: tick.latency_ms),
    )
    slices = merge_ticks(ticks)
    end_s = ticks[-1].start_s + ticks[-1].length_s or 1.0
    return [(panel.name, _plot(panel, slices, end_s)) for panel in panels]


def merge_ticks(ticks: Sequence[Tick]) -> list[Tick]:
    """At most `BARS` slices; the last one joins its neighbour when it is too short for a rate to mean anything."""
    per_bar = ceil(len(ticks) / BARS)
    groups = [list(ticks[start : start + per_bar]) for start in range(0, len(ticks), per_bar)]
    if len(groups) > 1 and _length_s(groups[-1]) < _length_s(groups[-2]) / 2:
        groups[-2:] = [groups[-2] + groups[-1]]
    return [_merged(group) for group in groups]


def _length_s(ticks: Sequence[Tick]) -> float:
    return sum(tick.length_s for tick in ticks)


def _merged(ticks: Sequence[Tick]) -> Tick:
    latencies = [tick.latency_ms for tick in ticks if tick.latency_ms is not None]
    return Tick(
        start_s=ticks[0].start_s,
        length_s=_length_s(ticks),
        sent=sum(tick.sent for tick in ticks),
        throttled=sum(tick.throttled for tick in ticks),
        failed=sum(tick.failed for tick in ticks),
        rows=sum(tick.rows for tick in ticks),
        latency_ms=median(latencies) if latencies else None,
    )


def _per_minute(tick: Tick, number: int) -> float:
    return 60 * number / tick.length_s if tick.length_s > 0 else 0.0


def _plot(panel: Panel, ticks: Sequence[Tick], end_s: float) -> Markup:
    values = [panel.value(tick) for tick in ticks]
    known = [value for value in values if value is not None]
    top = _round_up(max([*known, (panel.level or 0) * 1.25]))
    drawn = _grid(top, end_s)
    for tick, value in zip(ticks, values, strict=True):
        drawn += _bar("bar", tick, value or 0, top, end_s)
        drawn += _bar("bar-trouble", tick, (panel.trouble and panel.trouble(tick)) or 0, top, end_s)
    if panel.level:
        y = _y(panel.level, top)
        drawn += Markup('<line class="level" x1="0" x2="100%" y1="{0:.1f}" y2="{0:.1f}"/>').format(y)
        drawn += Markup('<text class="end strong" x="100%" y="{:.1f}">{}</text>').format(y - 6, panel.level_name)
    told = f"From {count(min(known))} to {count(max(known))} {panel.unit} over {duration(end_s)}" if known else "None"
    return _svg("plot", PLOT_PX + 36, panel.name, told, drawn)


def _bar(kind: str, tick: Tick, value: float, top: float, end_s: float) -> Markup:
    if not value:
        return Markup("")
    y = min(_y(value, top), 12 + PLOT_PX - LOWEST_PX)
    return Markup('<rect class="{}" x="{:.3f}%" y="{:.1f}" width="{:.3f}%" height="{:.1f}"/>').format(
        kind, 100 * tick.start_s / end_s, y, 82 * tick.length_s / end_s, 12 + PLOT_PX - y
    )


def _grid(top: float, end_s: float) -> Markup:
    drawn = Markup("")
    for part in (0, 0.5, 1):
        y = _y(top * part, top)
        drawn += Markup('<line class="grid" x1="0" x2="100%" y1="{0:.1f}" y2="{0:.1f}"/>').format(y)
        drawn += Markup('<text class="end" x="-8" y="{:.1f}">{}</text>').format(y + 4, _short(top * part))
    step_s = next((step for step in STEPS_S if end_s <= 5 * step), end_s / 4)
    for place in range(int(end_s / step_s) + 1):
        across = 100 * place * step_s / end_s
        side = "start" if not place else "end" if across > 94 else "middle"
        drawn += Markup('<text class="{}" x="{:.3f}%" y="{}">{}</text>').format(
            side, across, PLOT_PX + 32, _clock(place * step_s)
        )
    return drawn


def _clock(seconds: float) -> str:
    unit_s, unit = next(((s, u) for s, u in ((86400, "d"), (3600, "h"), (60, "min")) if seconds >= s), (1, "s"))
    return f"{seconds / unit_s:.3g} {unit}"


def _y(value: float, top: float) -> float:
    return 12 + PLOT_PX * (1 - value / top)


def _round_up(value: float) -> float:
    """The next round number whose half is a short number too."""
    if value <= 0:
        return 1.0
    power = 10.0 ** int(log10(value) // 1)
    return float(
        next((step * power for step in (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10) if step * power >= value), 10 * power)
    )


def _short(value: float) -> str:
    for unit_value, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= unit_value:
            return f"{value / (1e3 if unit == 'k' else unit_value):g}{unit}"
    return f"{value:,g}"


def _svg(kind: str, height: int, title: str, told: str, drawn: Markup) -> Markup:
    return Markup(
        '<svg class="{}" role="img" width="100%" height="{}"><title>{}</title><desc>{}</desc>{}</svg>\n'
    ).format(kind, height, title, told, drawn)
