"""Targets as drawings: how their values are distributed, one line over the other, and their medians over time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from apps.core.templatetags.loom import duration
from apps.metrics.figures.pages.axes import Tick, place, scale, step_starts, time_ticks, value_ticks
from apps.metrics.figures.pages.charts import Series, highest, series_of
from apps.metrics.figures.pages.ranges import TimeRange
from apps.metrics.figures.pages.wording import NOTHING, interval, needs, summary_text
from apps.metrics.figures.readings import Reading
from apps.metrics.figures.statistics import percentile
from apps.metrics.figures.tally import Tally
from apps.metrics.figures.targets import Sample, latency_sample

MOST_CORNERS = 200  # of the line of one target
WIDE = 1000  # the plot's width and height in the units of a path
SHOWN_SHARE = 0.98  # of the values of the slowest target; the others lie further right
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Curve:
    """The share of a target's runs that took no longer than what stands below."""

    position: int
    n: int
    path: str


@dataclass(frozen=True, slots=True)
class ShareRow:
    """How long so many of the runs of each target took at most."""

    label: str
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Distribution:
    """The curves of all targets; `beyond` says that some values lie right of the plot."""

    curves: list[Curve]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    rows: list[ShareRow]
    beyond: bool


@dataclass(frozen=True, slots=True)
class TimeStep:
    """A step of time with the medians of all targets, and the address of the page that shows it alone."""

    start: datetime
    end: datetime
    x: float
    width: float
    cells: list[str]
    text: str
    href: str

    @property
    def is_empty(self) -> bool:
        return not self.text


@dataclass(frozen=True, slots=True)
class OverTime:
    """The medians of all targets by step of time."""

    series: list[tuple[int, Series]]
    steps: list[TimeStep]
    y_ticks: list[Tick]
    x_ticks: list[Tick]
    has_days: bool


def distribution(samples: Sequence[Sample]) -> Distribution | None:
    """Draw how the values of all targets are distributed; None where there are none."""
    drawn = [sample for sample in samples if sample.ordered]
    if not drawn:
        return None
    top = max(sample.ordered[math.ceil(SHOWN_SHARE * len(sample.ordered)) - 1] / sample.scale for sample in drawn)
    line, count = scale(top)
    width = line * count
    curves = [
        Curve(position, len(sample.ordered), _path(sample, width))
        for position, sample in enumerate(samples, 1)
        if sample.ordered
    ]
    ticks = [Tick(round(100 - tick.at, 2), tick.label) for tick in value_ticks(line, count)]
    shares = [Tick(100 - share, f"{share} %") for share in (0, 25, 50, 75, 100)]
    rows = [ShareRow(f"{share * 100:g} %", [_quantile(sample, share) for sample in samples]) for share in SHARES]
    beyond = any(sample.ordered[-1] / sample.scale > width for sample in drawn)
    return Distribution(curves, ticks, shares, rows, beyond)


def _path(sample: Sample, width: float) -> str:
    """Steps from below to the top, or to the right end of the plot."""
    n = len(sample.ordered)
    corners = min(n, MOST_CORNERS)
    found = [f"M0 {WIDE}"]
    for corner in range(corners):
        rank = (corner + 1) * n // corners
        x = sample.ordered[rank - 1] / sample.scale / width * WIDE
        if x > WIDE:
            break
        found.append(f"H{x:.1f}V{WIDE - rank / n * WIDE:.1f}")
    return "".join([*found, f"H{WIDE}"])


def _quantile(sample: Sample, p: float) -> str:
    if not sample.ordered:
        return NOTHING
    found = percentile(sample.ordered, p)
    return needs(p) if found is None else duration(found.value / sample.scale)


def over_time(
    readings: Sequence[Reading],
    period: TimeRange,
    metric: str,
    temperature: str,
    address_of: Callable[[datetime, datetime], str],
) -> OverTime | None:
    """Draw the medians of a metric, cold or warm, of all targets over a range; None where there is nothing to draw."""
    starts = step_starts(period)
    places = [place(period, start, min(start + period.step, period.end)) for start in starts]
    empty = Tally()
    tallies = [[reading.by_step.get(start, empty) for start in starts] for reading in readings]
    summaries = [[latency_sample(tally, metric, temperature).summary for tally in row] for row in tallies]
    if not any(summary.n for row in summaries for summary in row):
        return None
    line, count = scale(max(highest(summary) for row in summaries for summary in row))
    series = []
    for position, (row, found) in enumerate(zip(tallies, summaries, strict=True), 1):
        points = [
            [] if summary.p50 else tally.points_ms(metric, temperature)
            for tally, summary in zip(row, found, strict=True)
        ]
        series.append((position, series_of(str(position), found, points, places, line * count)))
    steps = []
    for index, (start, (x, width)) in enumerate(zip(starts, places, strict=True)):
        found = [row[index] for row in summaries]
        first, last = max(start, period.start), min(start + period.step, period.end)
        told = [
            _("%(position)s: %(value)s (n = %(n)s)") % {"position": position, "value": summary_text(one), "n": one.n}
            for position, one in enumerate(found, 1)
            if one.n
        ]
        cells = [f"{summary_text(one)} ({interval(one.p50)}; n = {one.n})" if one.n else NOTHING for one in found]
        steps.append(TimeStep(first, last, x, width, cells, " · ".join(told), address_of(first, last)))
    has_days = period.end - period.start > timedelta(hours=36)
    return OverTime(
        [(position, drawn) for position, drawn in series if drawn.medians or drawn.points],
        steps,
        value_ticks(line, count),
        time_ticks(period, starts, has_days=has_days),
        has_days,
    )
