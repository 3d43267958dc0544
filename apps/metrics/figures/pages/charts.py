"""Latency over time as a drawing: places in percent of the plot, so that it fits any width without a script.

Pure: tallies by step go in, what a template draws comes out. A step with enough runs is its median with the 95 %
interval; one with too few is its points.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.metrics.figures.pages.axes import Tick, place, scale, step_starts, time_ticks, value_ticks, y_of
from apps.metrics.figures.pages.ranges import TimeRange
from apps.metrics.figures.pages.wording import NOTHING, interval, summary_text
from apps.metrics.figures.statistics import Summary
from apps.metrics.figures.tally import Tally

METRICS = {"ttft": "Time to first token", "startup": "Startup latency", "total": "Total latency"}
TEMPERATURES = ("cold", "warm")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the plot, in percent from the left and the top; a median has an interval, a point has none."""

    x: float
    y: float
    low_y: float | None = None
    high_y: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """From the median of one step to that of the next."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Series:
    """What is drawn of one temperature."""

    key: str
    medians: list[Mark]
    points: list[Mark]
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class StepFigure:
    """What is said of one temperature in a step."""

    n: int
    value: str
    interval: str


@dataclass(frozen=True, slots=True)
class Step:
    """A step of time: its place, its figures, and the address of the page that shows it alone."""

    start: datetime
    end: datetime
    x: float
    width: float
    cold: StepFigure
    warm: StepFigure
    invocation_count: int
    failed_count: int
    href: str

    @property
    def is_empty(self) -> bool:
        return self.invocation_count == 0

    @property
    def text(self) -> str:
        """The step's figures in one line, for the readout."""
        parts = [f"{name} {figure.value} (n = {figure.n})" for name, figure in self._figures() if figure.n]
        if self.failed_count:
            parts.append(f"{self.failed_count} of {self.invocation_count} failed")
        return " · ".join(parts) or ("no such figure" if self.invocation_count else "no invocations")

    def _figures(self) -> list[tuple[str, StepFigure]]:
        return [("cold", self.cold), ("warm", self.warm)]


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of one metric; without a `series` there is nothing to draw."""

    metric: str
    title: str
    steps: list[Step]
    series: list[Series]
    y_ticks: list[Tick]
    x_ticks: list[Tick]
    has_days: bool

    @property
    def drawn_steps(self) -> list[Step]:
        return [step for step in self.steps if not step.is_empty]


def latency_chart(
    by_step: Mapping[datetime, Tally],
    period: TimeRange,
    metric: str,
    address_of: Callable[[datetime, datetime], str],
) -> Chart:
    """Draw a metric (a key of `METRICS`) over a range; `address_of` gives the page that shows a step alone."""
    starts = step_starts(period)
    empty = Tally()
    tallies = [by_step.get(start, empty) for start in starts]
    found = {temperature: [tally.latency(metric, temperature) for tally in tallies] for temperature in TEMPERATURES}
    values = {
        temperature: [
            # A median stands for its runs.
            [] if summary.p50 else tally.points_ms(metric, temperature)
            for tally, summary in zip(tallies, found[temperature], strict=True)
        ]
        for temperature in TEMPERATURES
    }
    line_ms, line_count = scale(max(highest(summary) for summaries in found.values() for summary in summaries))
    top_ms = line_ms * line_count
    places = [place(period, start, min(start + period.step, period.end)) for start in starts]
    series = [
        series_of(temperature, found[temperature], values[temperature], places, top_ms) for temperature in TEMPERATURES
    ]
    steps = [
        Step(
            start=max(start, period.start),
            end=min(start + period.step, period.end),
            x=x,
            width=width,
            cold=_step_figure(found["cold"][index]),
            warm=_step_figure(found["warm"][index]),
            invocation_count=tallies[index].invocation_count,
            failed_count=tallies[index].failed_count,
            href=address_of(max(start, period.start), min(start + period.step, period.end)),
        )
        for index, (start, (x, width)) in enumerate(zip(starts, places, strict=True))
    ]
    has_days = period.end - period.start > timedelta(hours=36)
    return Chart(
        metric=metric,
        title=METRICS[metric],
        steps=steps,
        series=[drawn for drawn in series if drawn.medians or drawn.points],
        y_ticks=value_ticks(line_ms, line_count),
        x_ticks=time_ticks(period, starts, has_days=has_days),
        has_days=has_days,
    )


def highest(summary: Summary) -> float:
    """The highest value that is drawn: the end of an interval, or the highest point."""
    return (summary.p50.high if summary.p50 else summary.maximum) or 0.0


def series_of(
    key: str,
    summaries: list[Summary],
    values: list[list[float]],
    places: list[tuple[float, float]],
    top_ms: float,
) -> Series:
    """The medians of the steps with their intervals, joined where they follow each other, and the points of others."""
    medians: list[Mark] = []
    points: list[Mark] = []
    lines: list[Line] = []
    previous: Mark | None = None
    for summary, step_values, (left, width) in zip(summaries, values, places, strict=True):
        x = round(left + width / 2, 2)
        mark = None
        if summary.p50 is not None:
            low, high = y_of(summary.p50.low, top_ms), y_of(summary.p50.high, top_ms)
            mark = Mark(x, y_of(summary.p50.value, top_ms), low, high)
            medians.append(mark)
            if previous is not None:
                lines.append(Line(previous.x, previous.y, mark.x, mark.y))
        else:
            points += [Mark(x, y_of(value, top_ms)) for value in step_values]
        previous = mark
    return Series(key, medians, points, lines)


def _step_figure(summary: Summary) -> StepFigure:
    return StepFigure(summary.n, summary_text(summary), interval(summary.p50) if summary.n else NOTHING)
