"""Reading targets and putting them beside each other, for the page, the file and the API alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.metrics.figures.pages.ranges import TimeRange
from apps.metrics.figures.periods import read_beside
from apps.metrics.figures.readings import Reading
from apps.metrics.figures.targets import TEMPERATURES, Compared, compare
from apps.metrics.figures.usage import usage_of
from apps.overview.targets.asked import Target, whole_range


@dataclass(frozen=True, slots=True)
class Comparison:
    """Targets, what their runs add up to, and how they differ from the first of them."""

    metric: str
    targets: Sequence[Target]
    readings: Sequence[Reading]
    compared: Sequence[Compared]

    @property
    def usual_temperature(self) -> str:
        """Cold or warm, whichever is better known: of which the target with the fewest runs has more, then all have."""

        def known(temperature: str) -> tuple[int, int]:
            counts = [one.latencies[temperature].summary.n for one in self.compared]
            return min(counts), sum(counts)

        return max(reversed(TEMPERATURES), key=known)

    @property
    def columns(self) -> list[tuple[Target, Compared]]:
        return list(zip(self.targets, self.compared, strict=True))

    @property
    def is_empty(self) -> bool:
        return not any(one.figures.invocation_count for one in self.compared)


def comparison_of(targets: Sequence[Target], period: TimeRange, metric: str, measure_start: str) -> Comparison:
    """Read some targets over their periods, and compare them with the first."""
    selections = [target.selection(measure_start) for target in targets]
    readings = read_beside(selections, whole_range(targets, period).step)
    usages = [usage_of(one, reading.by_step) for one, reading in zip(selections, readings, strict=True)]
    return Comparison(metric, targets, readings, compare([one.overall for one in readings], metric, usages))
