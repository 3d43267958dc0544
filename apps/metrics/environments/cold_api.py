"""What goes with slow cold starts, over JSON."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from apps.accounts.access import may_read
from apps.agents.selectors import registry_visible_to
from apps.core.exceptions import found
from apps.metrics.environments.attribution import Factor, Level
from apps.metrics.environments.cold_starts import ColdAsked, read_cold_starts
from apps.metrics.figures.statistics import Percentile

router = Router(tags=["environments"])

KEY_MOST = 2**63 - 1


class ColdStartQuery(Schema):
    """Which cold runs, and what is looked at of them."""

    agent: int | None = Field(None, ge=1, le=KEY_MOST, description="The id of an agent; all without it.")
    days: Literal["7", "30", "90"] = "30"
    metric: Literal["startup", "ttft"] = "startup"
    measure_start: Literal["shown", "hidden", "only"] = Field("shown", description="What becomes of Measure start's.")


class ColdMiddleOut(Schema):
    """A median or a difference of medians in milliseconds, with its 95 % interval."""

    value_ms: float
    low_ms: float
    high_ms: float


class ColdLevelOut(Schema):
    """A value of a factor against all its other values."""

    value: str
    n: int
    p50: ColdMiddleOut | None = Field(description="Null below six starts.")
    rest_n: int
    claim: Literal["slower", "faster", "not told", "few", "alone"] = Field(
        description="not told: the interval holds zero; few: one side has fewer than six; alone: there is no other."
    )
    difference: ColdMiddleOut | None
    longer_share: float | None = Field(description="How often such a start takes longer than one of the others.")


class ColdFactorOut(Schema):
    """`within_agent`: values are how much longer a start took than the median of its own agent and kind."""

    factor: str
    within_agent: bool
    unknown: int
    levels: list[ColdLevelOut]


class ColdStartsOut(Schema):
    """Cold starts and what goes with slow ones, which need not be its cause."""

    n: int
    p50: ColdMiddleOut | None
    source: str = Field(description="The log line that tells the startup latencies; others are not mixed in.")
    left_out: int = Field(description="Cold runs that are not measured, or by another line.")
    comparisons: int = Field(description="How many differences there are: each interval holds 95 times of 100.")
    factors: list[ColdFactorOut]


def _middle(found: Any) -> dict[str, float] | None:
    return None if found is None else {"value_ms": found.value, "low_ms": found.low, "high_ms": found.high}


def _level(level: Level) -> dict[str, Any]:
    middle: Percentile | None = level.summary.p50
    return {
        "value": level.name,
        "n": level.summary.n,
        "p50": _middle(middle),
        "rest_n": level.rest_n,
        "claim": level.claim,
        "difference": _middle(level.apart),
        "longer_share": None if level.effect is None else level.effect.longer,
    }


def _factor(factor: Factor) -> dict[str, Any]:
    return {
        "factor": factor.key,
        "within_agent": factor.is_within,
        "unknown": factor.unknown_count,
        "levels": [_level(level) for level in factor.levels],
    }


@router.get("/cold-starts", auth=may_read, response=ColdStartsOut, summary="What goes with slow cold starts")
def get_cold_starts(request: HttpRequest, query: Query[ColdStartQuery]) -> dict[str, Any]:
    """Cold runs by artifact, platform, region, version and time of day: each value against all others."""
    agent = None
    if query.agent is not None:
        visible = registry_visible_to(request.user, "read figures")
        agent = found(visible.filter(pk=query.agent).first(), "agent", query.agent)
    purpose = "" if query.measure_start == "hidden" else query.measure_start
    reading = read_cold_starts(ColdAsked(int(query.days), query.metric, purpose), timezone.now(), agent)
    return {
        "n": reading.summary.n,
        "p50": _middle(reading.summary.p50),
        "source": reading.source,
        "left_out": reading.other_count,
        "comparisons": reading.comparison_count,
        "factors": [_factor(factor) for factor in reading.factors],
    }
