"""The axes of a drawing: places in percent of the plot, so that it fits any width without a script."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from apps.metrics.figures.pages.ranges import TimeRange
from apps.metrics.figures.periods import floor

X_LABELS = 6
MOST_LINES = 4


@dataclass(frozen=True, slots=True)
class Tick:
    """A line or label: its place in percent, and what it says."""

    at: float
    label: str
    instant: datetime | None = None


def step_starts(period: TimeRange) -> list[datetime]:
    """The beginnings of a range's steps; the first may lie before the range, whose part of it is drawn."""
    starts = []
    at = floor(period.start, period.step)
    while at < period.end:
        starts.append(at)
        at += period.step
    return starts


def place(period: TimeRange, start: datetime, end: datetime) -> tuple[float, float]:
    """Where a piece of a range begins and how wide it is, in percent."""
    length = period.end - period.start
    left = max(0.0, (start - period.start) / length * 100)
    return round(left, 3), round((end - period.start) / length * 100 - left, 3)


def scale(highest_ms: float) -> tuple[float, int]:
    """The distance of two lines, 1, 2, 2.5 or 5 times a power of ten, and how many of it hold the highest value."""
    if highest_ms <= 0:
        return 500.0, 2
    rough = highest_ms / MOST_LINES
    power = 10.0 ** math.floor(math.log10(rough))
    line_ms = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    return line_ms, math.ceil(round(highest_ms / line_ms, 6))


def y_of(value: float, top: float) -> float:
    """How far below the top of the plot a value lies, in percent."""
    return round(100 - value / top * 100, 2)


def value_ticks(line_ms: float, count: int) -> list[Tick]:
    """The lines of an axis of milliseconds, from below."""
    labels = [
        f"{line_ms * index / 1000:g} s" if line_ms * count >= 1000 else f"{line_ms * index:g} ms"
        for index in range(count + 1)
    ]
    return [Tick(round(100 - 100 * index / count, 2), label) for index, label in enumerate(labels)]


def time_ticks(period: TimeRange, starts: list[datetime], *, has_days: bool) -> list[Tick]:
    """Some of the beginnings of steps, as labels that a script puts into the reader's zone."""
    inside = [start for start in starts if start >= period.start]
    every = max(1, math.ceil(len(inside) / X_LABELS))
    pattern = "%d %b" if has_days else "%H:%M"
    return [
        Tick(round((start - period.start) / (period.end - period.start) * 100, 2), f"{start:{pattern}}", start)
        for start in inside[::every]
    ]
