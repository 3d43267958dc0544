"""The medians of both targets up the ladder, as two lines; places are in percent, so that it fits any width."""

from __future__ import annotations

from dataclasses import dataclass

from apps.metrics.benches.results import BenchResult
from apps.metrics.figures.pages.axes import Tick, scale, value_ticks
from apps.metrics.figures.pages.charts import Series, highest, series_of


@dataclass(frozen=True, slots=True)
class Curves:
    """A line for each target, over how many runs were out at once."""

    series: list[tuple[int, Series]]
    x_ticks: list[Tick]
    y_ticks: list[Tick]


def curves_of(result: BenchResult) -> Curves | None:
    """None where no run has the figure yet."""
    columns = [[rung.sides[target] for rung in result.rungs] for target in (0, 1)]
    top = max(highest(side.figures) for column in columns for side in column)
    if top <= 0:
        return None
    line, count = scale(top)
    width = 100 / len(result.rungs)
    drawn = []
    for target, column in enumerate(columns):
        aside = (target - 0.5) * min(2.0, width / 10)  # beside each other, so that neither hides the other's interval
        places = [(rung * width + aside, width) for rung in range(len(column))]
        points = [[] if side.figures.p50 else list(side.ordered) for side in column]
        drawn.append(series_of(str(target + 1), [side.figures for side in column], points, places, line * count))
    ticks = [Tick(round((at + 0.5) * width, 2), str(rung.at_once)) for at, rung in enumerate(result.rungs)]
    return Curves([(number, found) for number, found in enumerate(drawn, 1)], ticks, value_ticks(line, count))
