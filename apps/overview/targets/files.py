"""A comparison as a file: numbers in milliseconds, tokens and dollars, each with its n and its interval."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from apps.metrics.figures.comparing import Share
from apps.metrics.figures.independent import Apart
from apps.metrics.figures.statistics import Percentile
from apps.metrics.figures.targets import QUANTILES, TEMPERATURES, Beside, Compared
from apps.metrics.figures.usage import USAGE
from apps.overview.targets.asked import Target
from apps.overview.targets.comparison import Comparison

_PLACE = ("position", "agent_id", "agent_name", "origin", "qualifier", "version", "from", "to", "metric", "start")

Line = list[object]


def _of(name: str) -> list[str]:
    return [name, f"{name}_low", f"{name}_high"]


def _heads() -> list[str]:
    quantiles = [
        head for p in QUANTILES for name in (f"p{p * 100:g}", f"p{p * 100:g}_difference") for head in _of(name)
    ]
    used = [head for name in USAGE for head in (f"{name}_n", f"{name}_source", *_of(name), *_of(f"{name}_difference"))]
    return [
        *_PLACE, "n", "source", "min", "max", *quantiles, "longer_in_pairs", "cliffs_delta", "runs", "failed",
        *_of("error_rate"), *_of("error_rate_difference"), *used,
    ]  # fmt: skip


def _ends(found: Percentile | Apart | Share | None) -> Line:
    return [None] * 3 if found is None else [found.value, found.low, found.high]


def lines_of(comparison: Comparison) -> tuple[list[str], Iterator[Line]]:
    """The heads of the file, and a line for each target, cold and warm; what both have stands in both."""
    return _heads(), (
        [*_place(target), comparison.metric, temperature, *_latency(one.latencies[temperature]), *_all(one)]
        for target, one in comparison.columns
        for temperature in TEMPERATURES
    )


def _place(target: Target) -> Line:
    period = target.period
    return [
        target.position, target.agent.pk, target.agent.name, target.agent.origin, target.qualifier, target.version,
        period.start.astimezone(UTC), period.end.astimezone(UTC),
    ]  # fmt: skip


def _latency(one: Beside) -> Line:
    summary = one.summary
    quantiles = [
        value for p in QUANTILES for found in (summary.percentile(p), one.apart.get(p)) for value in _ends(found)
    ]
    effect = one.effect
    pairs = [None, None] if effect is None else [effect.longer, effect.delta]
    return [summary.n, one.source, summary.minimum, summary.maximum, *quantiles, *pairs]


def _all(one: Compared) -> Line:
    rate = [*_ends(one.errors.share), *_ends(one.errors.apart)]
    used = [
        value
        for found in (one.usage[name] for name in USAGE)
        for value in (found.summary.n, found.source, *_ends(found.summary.p50), *_ends(found.median_apart))
    ]
    return [one.figures.invocation_count, one.figures.failed_count, *rate, *used]
