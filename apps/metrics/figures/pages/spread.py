"""How latencies are spread: a histogram of cold and warm, and both beside each other as boxes."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from apps.core.templatetags.loom import duration
from apps.metrics.figures.buckets import Buckets
from apps.metrics.figures.pages.axes import Tick, scale, value_ticks
from apps.metrics.figures.pages.bars import Bar
from apps.metrics.figures.pages.wording import NOTHING, interval, needs
from apps.metrics.figures.statistics import percentile
from apps.metrics.figures.tally import Tally
from apps.metrics.figures.targets import TEMPERATURES, Sample, latency_sample

BINS_OF_A_LINE = 6  # of the axis
SHOWN_SHARE = 0.98
QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class Bin:
    """From some latency to before another: how many cold and warm runs."""

    low_ms: float
    high_ms: float
    counts: list[int]

    @property
    def label(self) -> str:
        return f"{duration(self.low_ms)} – {duration(self.high_ms)}"


@dataclass(frozen=True, slots=True)
class Mark:
    """A quantile in the histogram."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Box:
    """The runs of one temperature: from the fastest to the slowest, quartiles and the median's interval where there
    are enough for them. Places are in percent; None where there is none.
    """

    temperature: str
    n: int
    low: float
    high: float
    quartiles: tuple[float, float] | None
    median: float | None
    interval: tuple[float, float] | None
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Spread:
    """Both drawings on one axis of time; `beyond_count` runs lie right of it."""

    layers: list[tuple[str, list[Bar], list[Mark]]]
    bins: list[Bin]
    boxes: list[Box]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    beyond_count: int


def spread_of(tally: Tally, metric: str) -> Spread | None:
    """Draw a metric of some runs; None where none has it."""
    samples = {one: latency_sample(tally, metric, one) for one in TEMPERATURES}
    known = {one: sample for one, sample in samples.items() if sample.ordered}
    if not known:
        return None
    top = max(_shown_of(sample) for sample in known.values())
    line, count = scale(top)
    width, bins = line * count, count * BINS_OF_A_LINE
    counts = {one: _counts(sample, width, bins) for one, sample in samples.items()}
    lines, most = scale(max(max(row) for row in counts.values()))
    layers = [(one, _bars(counts[one], lines * most), _marks(sample, width)) for one, sample in known.items()]
    step = width / bins
    table = [
        Bin(step * index, step * (index + 1), [counts[one][index] for one in TEMPERATURES]) for index in range(bins)
    ]
    beyond = sum(len(sample.ordered) - sum(counts[one]) for one, sample in samples.items())
    return Spread(
        layers,
        [row for row in table if any(row.counts)],
        [_box(one, sample, width) for one, sample in known.items()],
        [Tick(round(100 - tick.at, 2), tick.label) for tick in value_ticks(line, count)],
        [Tick(round(100 - 100 * index / most, 2), f"{lines * index:,g}") for index in range(most + 1)],
        beyond,
    )


def _shown_of(sample: Sample) -> float:
    """How long nearly all of its runs took at most."""
    return sample.ordered[math.ceil(SHOWN_SHARE * len(sample.ordered)) - 1] / sample.scale


def _counts(sample: Sample, width: float, bins: int) -> list[int]:
    """How many values each bin holds; what lies beyond the last one is in none."""
    edges = [_below(sample, width * sample.scale * index / bins) for index in range(bins)]
    edges.append(_below(sample, width * sample.scale + 0.5))
    return [edges[index + 1] - edges[index] for index in range(bins)]


def _below(sample: Sample, value: float) -> int:
    """How many values are below one."""
    ordered = sample.ordered
    return round(ordered.below(value)) if isinstance(ordered, Buckets) else bisect_left(ordered, value)


def _bars(counts: Sequence[int], top: float) -> list[Bar]:
    width = 100 / len(counts)
    heights = [round(count / top * 100, 2) for count in counts]
    return [
        Bar(round(index * width, 3), round(width * 0.92, 3), round(100 - height, 2), height)
        for index, height in enumerate(heights)
        if height
    ]


def _marks(sample: Sample, width: float) -> list[Mark]:
    found = [(p, percentile(sample.ordered, p)) for p in (0.5, 0.95)]
    return [
        Mark(round(one.value / sample.scale / width * 100, 2), f"p{p * 100:g}")
        for p, one in found
        if one is not None and one.value / sample.scale <= width
    ]


def _box(temperature: str, sample: Sample, width: float) -> Box:
    def at(value: float) -> float:
        return round(min(value / sample.scale / width, 1.0) * 100, 2)

    first, middle, third = (percentile(sample.ordered, p) for p in QUARTILES)
    quartiles = (at(first.value), at(third.value)) if first is not None and third is not None else None
    cells = [f"{len(sample.ordered):,}", duration(sample.ordered[0] / sample.scale)]
    for p, found in zip(QUARTILES, (first, middle, third), strict=True):
        told = found and found.divided(sample.scale)
        cells.append(needs(p) if told is None else f"{duration(told.value)} ({interval(told)})")
    cells.append(duration(sample.ordered[-1] / sample.scale) if sample.ordered else NOTHING)
    return Box(
        temperature,
        len(sample.ordered),
        at(sample.ordered[0]),
        at(sample.ordered[-1]),
        quartiles,
        None if middle is None else at(middle.value),
        None if middle is None else (at(middle.low), at(middle.high)),
        cells,
    )
