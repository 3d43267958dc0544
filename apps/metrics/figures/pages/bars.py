"""What runs count up to over time, as bars: places in percent of the plot. Pure: counts by step go in."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from apps.core.templatetags.loom import usd
from apps.metrics.figures.comparing import share
from apps.metrics.figures.counts import MICRO, Counts
from apps.metrics.figures.pages.axes import Tick, place, scale, step_starts, time_ticks
from apps.metrics.figures.pages.ranges import TimeRange
from apps.metrics.figures.pages.wording import NOTHING, percent
from apps.metrics.figures.tally import UNFINISHED

CODES_SHOWN = 5
Words = Callable[[float], str]
AddressOf = Callable[[datetime, datetime], str]


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a bar, in percent from the left and the top."""

    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Layer:
    """The pieces of all bars that are the same thing: `hue` is its colour, by number or as good or bad."""

    label: str
    hue: str
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class BarStep:
    """A step of time with what is counted in it, as texts, and the address of the page that shows it alone."""

    start: datetime
    end: datetime
    x: float
    width: float
    cells: list[str]
    text: str
    href: str
    is_empty: bool


@dataclass(frozen=True, slots=True)
class BarChart:
    """Bars over time, with the table of the same figures and what all of it comes to."""

    key: str
    title: str
    note: str
    total: str
    layers: list[Layer]
    steps: list[BarStep]
    y_ticks: list[Tick]
    x_ticks: list[Tick]
    has_days: bool

    @property
    def drawn_steps(self) -> list[BarStep]:
        return [step for step in self.steps if not step.is_empty]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one chart draws: its layers with their hues, and the values and texts of a step."""

    key: str
    title: str
    note: str
    layers: Sequence[tuple[str, str]]
    values: Callable[[Counts], list[float]]
    words: Words
    texts: Callable[[Counts], list[str]] | None = None
    top: float | None = None
    is_whole: bool = True  # what is counted has no halves


def bar_charts(
    by_step: Mapping[datetime, Counts], overall: Counts, period: TimeRange, address_of: AddressOf
) -> list[BarChart]:
    """Volume, errors by code, cold share, tokens and cost; what no run of the range has is left out."""
    asked = [_volume(), _errors(overall), _cold_share(), _tokens(), _cost(overall)]
    return [_draw(one, by_step, overall, period, address_of) for one in asked if _has_any(one, overall)]


def _has_any(asked: _Asked, overall: Counts) -> bool:
    return asked.key == "volume" or any(asked.values(overall))


def _volume() -> _Asked:
    def values(counts: Counts) -> list[float]:
        return [counts.count(("completed",)), counts.failed_count, counts.count(("stopped",)), counts.count(UNFINISHED)]

    layers = [(_("completed"), "ok"), (_("failed"), "bad"), (_("stopped"), "3"), (_("unfinished"), "5")]
    return _Asked("volume", _("Runs"), _("by how they ended"), layers, values, _number)


def _errors(overall: Counts) -> _Asked:
    codes = [code for code, _count in Counter(overall.codes).most_common(CODES_SHOWN)]
    has_more = len(overall.codes) > len(codes)

    def values(counts: Counts) -> list[float]:
        shown: list[float] = [counts.codes.get(code, 0) for code in codes]
        return [*shown, sum(counts.codes.values()) - sum(shown)] if has_more else shown

    layers = [(code or _("no code"), str(index + 1)) for index, code in enumerate(codes)]
    others = [(_("others"), "other")] if has_more else []
    return _Asked("errors", _("Errors by code"), _("runs that failed"), [*layers, *others], values, _number)


def _cold_share() -> _Asked:
    def known(counts: Counts) -> tuple[int, int]:
        cold = counts.starts.get("cold", 0)
        return cold, cold + counts.starts.get("warm", 0)

    def values(counts: Counts) -> list[float]:
        cold, n = known(counts)
        return [cold / n * 100 if n else 0.0]

    def texts(counts: Counts) -> list[str]:
        found = share(*known(counts))
        if found is None:
            return [NOTHING]
        told = {"share": percent(found.value), "low": percent(found.low), "high": percent(found.high), "n": found.n}
        return [_("%(share)s %% (%(low)s – %(high)s %%; n = %(n)s)") % told]

    note = _("of the runs whose start is known, with its interval in the table")
    return _Asked(
        "cold", _("Cold share"), note, [(_("cold"), "cold")], values, _percent, texts, top=100.0, is_whole=False
    )


def _tokens() -> _Asked:
    def values(counts: Counts) -> list[float]:
        return [float(counts.tokens[1]), float(counts.tokens[3])]

    note = _("of the runs whose agents report them")
    return _Asked("tokens", _("Tokens"), note, [(_("in"), "1"), (_("out"), "2")], values, _number)


def _cost(overall: Counts) -> _Asked:
    words = {
        "reported": _("reported by the agent"),
        "priced": _("by the price list"),
        "estimate": _("estimates, at most"),
    }
    sources = sorted(overall.costs)

    def values(counts: Counts) -> list[float]:
        return [counts.costs.get(source, [0, 0])[1] / MICRO for source in sources]

    layers = [(words.get(source, source or _("unknown")), str(index + 1)) for index, source in enumerate(sources)]
    return _Asked("cost", _("Cost"), _("of the runs whose cost is known"), layers, values, _dollars, is_whole=False)


def _draw(
    asked: _Asked, by_step: Mapping[datetime, Counts], overall: Counts, period: TimeRange, address_of: AddressOf
) -> BarChart:
    starts = step_starts(period)
    empty = Counts()
    counted = [by_step.get(start, empty) for start in starts]
    values = [asked.values(counts) for counts in counted]
    line, count = scale(asked.top or max((sum(row) for row in values), default=0.0))
    if asked.is_whole and line < 1:
        line, count = 1.0, math.ceil(line * count)
    top = line * count
    places = [place(period, start, min(start + period.step, period.end)) for start in starts]
    layers = [
        Layer(label, hue, [_bar(row, index, spot, top) for row, spot in zip(values, places, strict=True) if row[index]])
        for index, (label, hue) in enumerate(asked.layers)
    ]
    texts = asked.texts or (lambda counts: [asked.words(value) for value in asked.values(counts)])
    steps = []
    for start, (x, width), counts, row in zip(starts, places, counted, values, strict=True):
        first, last = max(start, period.start), min(start + period.step, period.end)
        cells = texts(counts)
        labels = [label for label, _hue in asked.layers]
        told = [f"{cell} {label}" for cell, label, value in zip(cells, labels, row, strict=True) if value]
        href = address_of(first, last)
        steps.append(BarStep(first, last, x, width, cells, " · ".join(told) or _("none"), href, not counts.statuses))
    has_days = period.end - period.start > timedelta(hours=36)
    total = " · ".join(f"{cell} {label}" for cell, (label, _hue) in zip(texts(overall), asked.layers, strict=True))
    ticks = [Tick(round(100 - 100 * index / count, 2), asked.words(line * index)) for index in range(count + 1)]
    ends = time_ticks(period, starts, has_days=has_days)
    return BarChart(asked.key, asked.title, asked.note, total, layers, steps, ticks, ends, has_days)


def _bar(row: Sequence[float], index: int, spot: tuple[float, float], top: float) -> Bar:
    """A piece on top of those before it, a little narrower than its step."""
    x, width = spot
    below, height = sum(row[:index]) / top * 100, row[index] / top * 100
    return Bar(round(x + width * 0.1, 3), round(width * 0.8, 3), round(100 - below - height, 2), round(height, 2))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def _percent(value: float) -> str:
    return f"{value:g} %"


def _dollars(value: float) -> str:
    return usd(Decimal(round(value * MICRO)) / MICRO)
