"""Targets beside each other: what the runs of each add up to, and how the others differ from the first.

A target is an agent, or an endpoint or a version of it, over a period. Cold and warm are apart, startup latencies are
compared only where the same line of the logs tells them, and costs only where they are known in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from apps.metrics.figures.comparing import Share, share
from apps.metrics.figures.figures import Figures
from apps.metrics.figures.independent import Apart, Effect, effect, quantile_difference, rate_difference
from apps.metrics.figures.statistics import Summary, least_n, summarise_ordered
from apps.metrics.figures.tally import IN_MS, Tally

TEMPERATURES = ("cold", "warm")
QUANTILES = (0.5, 0.9, 0.95)

Obstacle = Literal["", "first", "few", "source"]
"""Why there is no difference: it is the first itself, one of the two has too few, they are known in different ways."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of one kind in ascending order; `scale` of them are one of the unit in which they are told."""

    ordered: Sequence[int]
    scale: float = 1
    source: str = ""
    other_count: int = 0  # known in another way, and not among them

    @property
    def summary(self) -> Summary:
        return summarise_ordered(self.ordered).divided(self.scale)


@dataclass(frozen=True, slots=True)
class Beside:
    """What may be said of a sample, and how it differs from the first one: by quantile, and as an effect."""

    summary: Summary
    source: str
    other_count: int
    obstacle: Obstacle
    apart: Mapping[float, Apart] = field(default_factory=dict)
    effect: Effect | None = None

    @property
    def median_apart(self) -> Apart | None:
        return self.apart.get(0.5)


@dataclass(frozen=True, slots=True)
class Rate:
    """The error rate of a target, and how it differs from that of the first one."""

    share: Share | None
    obstacle: Obstacle
    apart: Apart | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """A target: its figures, one metric cold and warm, its error rate, and what its newest runs used."""

    figures: Figures
    latencies: Mapping[str, Beside]
    errors: Rate
    usage: Mapping[str, Beside]


def compare(
    tallies: Sequence[Tally], metric: str, usages: Sequence[Mapping[str, Sample]] | None = None
) -> list[Compared]:
    """Put targets beside each other, the first one being what the others are compared with."""
    latencies = {one: beside([latency_sample(tally, metric, one) for tally in tallies]) for one in TEMPERATURES}
    all_figures = [Figures(tally) for tally in tallies]
    rates = [_rate(figures, all_figures[0], is_first=index == 0) for index, figures in enumerate(all_figures)]
    names = list(usages[0]) if usages else []
    used = {name: beside([usage[name] for usage in usages or ()]) for name in names}
    return [
        Compared(
            figures,
            {one: found[index] for one, found in latencies.items()},
            rates[index],
            {name: found[index] for name, found in used.items()},
        )
        for index, figures in enumerate(all_figures)
    ]


def latency_sample(tally: Tally, metric: str, temperature: str) -> Sample:
    """The values of `ttft`, `startup` or `total`, cold or warm; of startup those of the source that most runs have."""
    key = f"{metric} {temperature}"
    if metric != "startup":
        return Sample(tally.ordered(key), IN_MS)
    startup = tally.startup(temperature)
    return Sample(tally.ordered(f"{key} {startup.source}"), IN_MS, startup.source, startup.other_count)


def beside(samples: Sequence[Sample]) -> list[Beside]:
    """What may be said of each, and how each differs from the first."""
    return [_beside(sample, samples[0]) for sample in samples]


def _beside(sample: Sample, first: Sample) -> Beside:
    summary = sample.summary
    facts = (summary, sample.source, sample.other_count)
    if sample is first:
        return Beside(*facts, "first")
    if min(len(sample.ordered), len(first.ordered)) < least_n(0.5):
        return Beside(*facts, "few")
    if sample.source != first.source:
        return Beside(*facts, "source")
    found = {p: quantile_difference(sample.ordered, first.ordered, p) for p in QUANTILES}
    apart = {p: one.divided(sample.scale) for p, one in found.items() if one is not None}
    return Beside(*facts, "", apart, effect(sample.ordered, first.ordered))


def _rate(figures: Figures, first: Figures, *, is_first: bool) -> Rate:
    own = share(figures.failed_count, figures.finished_count)
    if is_first:
        return Rate(own, "first")
    apart = rate_difference(figures.failed_count, figures.finished_count, first.failed_count, first.finished_count)
    return Rate(own, "few" if apart is None else "", apart)
