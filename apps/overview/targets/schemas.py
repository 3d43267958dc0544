"""Targets compared, as the API tells it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.conf import settings
from ninja import Field, Schema

from apps.metrics.figures.comparing import Share
from apps.metrics.figures.independent import Apart
from apps.metrics.figures.statistics import Percentile, least_n
from apps.metrics.figures.targets import QUANTILES, TEMPERATURES, Beside, Compared
from apps.metrics.figures.usage import USAGE
from apps.overview.targets.asked import Target
from apps.overview.targets.comparison import Comparison

Why = Literal["", "first", "few", "source"]


class Estimate(Schema):
    """A figure with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


class Difference(Estimate):
    """This target minus the first one; `is_certain` where the interval leaves out 0."""

    is_certain: bool


class EffectOut(Schema):
    """How often a run takes longer than one of the first target, where equal ones count half; Cliff's delta is
    2 · longer - 1.
    """

    longer: float
    cliffs_delta: float
    size: Literal["negligible", "small", "medium", "large"]


class Distributed(Schema):
    """Values of one kind. A quantile is null below the n that its interval needs, and so is its difference.

    `obstacle` says why there is no `difference`: it is the first itself, one of the two has too few, or they are known
    in different ways (`source`; `other_count` more runs are known in another one).
    """

    n: int
    source: str
    other_count: int
    min: float | None
    max: float | None
    p50: Estimate | None
    p90: Estimate | None
    p95: Estimate | None
    obstacle: Why
    difference: Difference | None = Field(description="Of the medians.")
    p90_difference: Difference | None
    p95_difference: Difference | None
    effect: EffectOut | None


class ErrorRateOut(Schema):
    count: int
    n: int
    value: float
    low: float
    high: float
    difference: Difference | None


class UsageOut(Schema):
    """Of the newest 300 completed runs those that reported it; cost in US dollars, its `source` as in a run."""

    tokens_in: Distributed
    tokens_out: Distributed
    cost: Distributed


class ComparedTargetOut(Schema):
    """A target; `n`, `p50`, `difference` and `effect` are those of the starts named by `start`, in milliseconds."""

    position: int
    target: str
    agent_id: int
    agent_name: str
    qualifier: str = Field(description="Empty for all endpoints.")
    version: str = Field(description="Empty for all versions.")
    from_: datetime = Field(alias="from")
    to: datetime
    run_count: int
    n: int
    p50: Estimate | None
    difference: Difference | None
    effect: EffectOut | None
    cold: Distributed
    warm: Distributed
    error_rate: ErrorRateOut | None
    usage: UsageOut


class ComparedTargetsOut(Schema):
    """Targets compared with the first of them; `needs` tells from which n on each quantile has an interval."""

    metric: Literal["ttft", "startup", "total"]
    start: Literal["cold", "warm"]
    origin: str = Field(description="emulator or aws: whose agents these are.")
    needs: dict[str, int]
    targets: list[ComparedTargetOut]


def targets_out(comparison: Comparison, start: str) -> dict[str, Any]:
    """What `ComparedTargetsOut` describes."""
    temperature = start or comparison.usual_temperature
    return {
        "metric": comparison.metric,
        "start": temperature,
        "origin": settings.LOOM_AWS,
        "needs": {f"p{p * 100:g}": least_n(p) for p in QUANTILES},
        "targets": [_target_out(target, one, temperature) for target, one in comparison.columns],
    }


def _target_out(target: Target, one: Compared, temperature: str) -> dict[str, Any]:
    starts = {name: _distributed_out(one.latencies[name]) for name in TEMPERATURES}
    shown = starts[temperature]
    return {
        "position": target.position,
        "target": target.text,
        "agent_id": target.agent.pk,
        "agent_name": target.agent.name,
        "qualifier": target.qualifier,
        "version": target.version,
        "from": target.period.start,
        "to": target.period.end,
        "run_count": one.figures.invocation_count,
        **{name: shown[name] for name in ("n", "p50", "difference", "effect")},
        **starts,
        "error_rate": _rate_out(one),
        "usage": {name: _distributed_out(one.usage[name]) for name in USAGE},
    }


def _distributed_out(one: Beside) -> dict[str, Any]:
    summary, effect = one.summary, one.effect
    quantiles = {f"p{p * 100:g}": _estimate_out(summary.percentile(p)) for p in QUANTILES}
    apart = {p: _difference_out(one.apart.get(p)) for p in QUANTILES}
    return {
        "n": summary.n,
        "source": one.source,
        "other_count": one.other_count,
        "min": summary.minimum,
        "max": summary.maximum,
        **quantiles,
        "obstacle": one.obstacle,
        "difference": apart[0.5],
        "p90_difference": apart[0.9],
        "p95_difference": apart[0.95],
        "effect": effect and {"longer": effect.longer, "cliffs_delta": effect.delta, "size": effect.size},
    }


def _estimate_out(found: Percentile | Share | None) -> dict[str, float] | None:
    return {"value": found.value, "low": found.low, "high": found.high} if found is not None else None


def _difference_out(found: Apart | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"value": found.value, "low": found.low, "high": found.high, "is_certain": found.is_certain}


def _rate_out(one: Compared) -> dict[str, Any] | None:
    share = one.errors.share
    if share is None:
        return None
    found = {"count": share.count, "n": share.n, "value": share.value, "low": share.low, "high": share.high}
    return {**found, "difference": _difference_out(one.errors.apart)}
