"""Latency over time as bands: p50, p90 and p95 of each step that has enough runs for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from apps.core.templatetags.loom import duration
from apps.metrics.figures.pages.axes import Tick, place, scale, step_starts, time_ticks, value_ticks
from apps.metrics.figures.pages.ranges import TimeRange
from apps.metrics.figures.pages.wording import NOTHING, interval, needs
from apps.metrics.figures.statistics import Summary
from apps.metrics.figures.tally import Tally

QUANTILES = (0.5, 0.9, 0.95)
WIDE = 1000  # the plot's width and height in the units of a path


@dataclass(frozen=True, slots=True)
class BandStep:
    """A step of time: its quantiles as texts, each with its interval, and the page that shows it alone."""

    start: datetime
    end: datetime
    x: float
    width: float
    n: int
    cells: list[str]
    text: str
    href: str

    @property
    def is_empty(self) -> bool:
        return self.n == 0


@dataclass(frozen=True, slots=True)
class Band:
    """A quantile: the line through its steps, and single steps between others that have none."""

    label: str
    key: str
    path: str


@dataclass(frozen=True, slots=True)
class BandChart:
    """The quantiles of one metric and temperature over time."""

    temperature: str
    bands: list[Band]
    steps: list[BandStep]
    y_ticks: list[Tick]
    x_ticks: list[Tick]
    has_days: bool

    @property
    def drawn_steps(self) -> list[BandStep]:
        return [step for step in self.steps if step.n]


def band_chart(
    by_step: Mapping[datetime, Tally],
    period: TimeRange,
    metric: str,
    temperature: str,
    address_of: Callable[[datetime, datetime], str],
) -> BandChart | None:
    """Draw the quantiles of a metric, cold or warm; None where no step has as many runs as a median needs."""
    starts = step_starts(period)
    empty = Tally()
    summaries = [by_step.get(start, empty).latency(metric, temperature) for start in starts]
    values = {p: [_value(one, p) for one in summaries] for p in QUANTILES}
    highest = max((value for row in values.values() for value in row if value is not None), default=None)
    if highest is None:
        return None
    line, count = scale(highest)
    places = [place(period, start, min(start + period.step, period.end)) for start in starts]
    bands = [
        Band(f"p{p * 100:g}", f"p{p * 100:g}", _path(values[p], places, line * count))
        for p in QUANTILES
        if any(value is not None for value in values[p])
    ]
    steps = []
    for start, (x, width), one in zip(starts, places, summaries, strict=True):
        first, last = max(start, period.start), min(start + period.step, period.end)
        cells = [_cell(one, p) for p in QUANTILES]
        steps.append(BandStep(first, last, x, width, one.n, cells, _text(one), address_of(first, last)))
    has_days = period.end - period.start > timedelta(hours=36)
    ends = time_ticks(period, starts, has_days=has_days)
    return BandChart(temperature, bands, steps, value_ticks(line, count), ends, has_days)


def _value(one: Summary, p: float) -> float | None:
    found = one.percentile(p)
    return None if found is None else found.value


def _path(values: Sequence[float | None], places: Sequence[tuple[float, float]], top: float) -> str:
    """A line through the steps that have the quantile; one alone is a short level piece."""
    found, is_open = [], False
    for index, (value, (x, width)) in enumerate(zip(values, places, strict=True)):
        if value is None:
            is_open = False
            continue
        at, y = (x + width / 2) / 100 * WIDE, WIDE - value / top * WIDE
        follows = index + 1 < len(values) and values[index + 1] is not None
        if not is_open and not follows:
            found.append(f"M{at - width * 3:.1f} {y:.1f}H{at + width * 3:.1f}")
        else:
            found.append(f"{'L' if is_open else 'M'}{at:.1f} {y:.1f}")
        is_open = True
    return "".join(found)


def _cell(one: Summary, p: float) -> str:
    found = one.percentile(p)
    if found is None:
        return needs(p) if one.n else NOTHING
    return f"{duration(found.value)} ({interval(found)})"


def _text(one: Summary) -> str:
    told = [f"p{p * 100:g} {duration(found.value)}" for p in QUANTILES if (found := one.percentile(p)) is not None]
    return " · ".join([*told, _("n = %(n)s") % {"n": f"{one.n:,}"}])
