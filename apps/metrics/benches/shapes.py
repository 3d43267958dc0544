"""Benches as JSON: what is sent to the API, and what it answers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from ninja import Field, Schema

from apps.agents.forms import PROMPT_MAX_LENGTH
from apps.metrics.benches.results import BenchResult, Outcome, RungResult, RungState, SideResult
from apps.metrics.benches.services import (
    DEFAULT_PAIRS,
    DEFAULT_RUNGS,
    DEFAULT_WARM_UP,
    LEAST_PAIRS,
    MAX_AT_ONCE,
    MAX_PAIRS,
    MAX_RUNGS,
    MAX_WARM_UP,
)
from apps.metrics.benches.wording import verdict_of
from apps.metrics.models import Plan
from apps.metrics.prompt_sets.shapes import TargetIn
from apps.metrics.series.plans import DEFAULT_MINUTES, MAX_MINUTES
from apps.metrics.series.services import DEFAULT_MAX_COST_USD, HIGHEST_MAX_COST_USD

Rung = Annotated[int, Field(ge=1, le=MAX_AT_ONCE)]


class BenchIn(Schema):
    """Two targets, which may be the same one, and one prompt; differences are told as second − first."""

    first: TargetIn
    second: TargetIn
    prompt: str = Field(max_length=PROMPT_MAX_LENGTH)
    metric: Literal["ttft", "total"] = "ttft"
    start: Literal["warm", "cold"] = Field("warm", description="Sessions are kept, or each run has one of its own.")
    rungs: list[Rung] = Field(
        list(DEFAULT_RUNGS), min_length=1, max_length=MAX_RUNGS, description="Runs at once, rung after rung, upwards."
    )
    pairs: int = Field(DEFAULT_PAIRS, ge=LEAST_PAIRS, le=MAX_PAIRS, description="Of each rung, at most.")
    warm_up: int = Field(DEFAULT_WARM_UP, ge=0, le=MAX_WARM_UP, description="Runs of each target before each rung.")
    stops_early: bool = Field(True, description="End a rung at the look that finds a difference.")
    max_cost_usd: Decimal = Field(DEFAULT_MAX_COST_USD, gt=0, le=HIGHEST_MAX_COST_USD)
    max_minutes: int = Field(DEFAULT_MINUTES, ge=1, le=MAX_MINUTES, description="No run begins after so many.")
    seed: int | None = Field(None, ge=0, lt=2**31, description="Of the order; one is chosen where it is null.")


class BenchTargetOut(Schema):
    agent_id: int
    agent_name: str
    qualifier: str


class BenchSideOut(Schema):
    """What a target's runs took at a rung: milliseconds, the median with its 95 % interval from six runs on."""

    n: int
    p50_ms: float | None
    low_ms: float | None
    high_ms: float | None
    min_ms: float | None
    max_ms: float | None
    failed: int
    other_start: int = Field(
        description="Runs that were cold in a warm bench or the other way, or of which nobody knows."
    )
    without_figure: int


class BenchDifferenceOut(Schema):
    """Second − first in milliseconds; the interval leaves out 0 exactly where a difference is claimed."""

    value_ms: float
    low_ms: float
    high_ms: float


class BenchLookOut(Schema):
    """The last look at a rung. `alpha` is what it could spend of the 0.05 of the whole bench; `detectable_ms` would
    have been found with 90 %.
    """

    pairs: int
    alpha: float
    is_found: bool
    difference: BenchDifferenceOut | None
    detectable_ms: float | None


class BenchRungOut(Schema):
    at_once: int
    state: RungState
    pairs_over: int
    first: BenchSideOut
    second: BenchSideOut
    look: BenchLookOut | None = Field(description="null until one was made")
    cliffs_delta: float | None


class ListedBenchOut(Schema):
    """A bench without what it has found."""

    id: int
    name: str
    owner: str
    state: str = Field(description="running, done, cancelled or failed (it could not go on)")
    message: str
    metric: str
    start: str
    rungs: list[int]
    pairs: int
    warm_up: int
    stops_early: bool
    seed: int
    max_cost_usd: float
    created_at: datetime
    finished_at: datetime | None


class BenchOut(ListedBenchOut):
    """A bench with what it has found so far; `is_found` is null as long as nothing can be said."""

    outcome: Outcome
    run_count: int = Field(description="At most; fewer where a rung ends early.")
    done: int
    cost_usd: float = Field(description="Of the runs whose cost is known.")
    unpriced_count: int
    targets: list[BenchTargetOut]
    is_found: bool | None
    verdict: str
    detectable_ms: float | None = Field(
        description="Would have been found at every rung; null where that is not known."
    )
    results: list[BenchRungOut]


def listed_out(plan: Plan) -> dict[str, Any]:
    """The plan of a bench under the keys of ListedBenchOut."""
    bench = plan.bench
    return {
        "id": plan.pk,
        "name": plan.name,
        "owner": plan.owner.email,
        "state": plan.state,
        "message": plan.message,
        "metric": bench.metric,
        "start": bench.start,
        "rungs": bench.rungs,
        "pairs": bench.pair_count,
        "warm_up": bench.warm_up_count,
        "stops_early": bench.stops_early,
        "seed": plan.seed,
        "max_cost_usd": float(plan.budget.limit_usd),
        "created_at": plan.created_at,
        "finished_at": plan.finished_at,
    }


def bench_out(result: BenchResult) -> dict[str, Any]:
    """What a bench has found under the keys of BenchOut."""
    verdict = verdict_of(result)
    return {
        **listed_out(result.plan),
        "outcome": result.outcome,
        "run_count": result.run_total,
        "done": result.over_count,
        "cost_usd": float(result.cost_usd),
        "unpriced_count": result.unpriced_count,
        "targets": [
            {"agent_id": target.agent_id, "agent_name": target.agent.name, "qualifier": target.qualifier}
            for target in result.targets
        ],
        "is_found": None if verdict.tone == "open" else verdict.tone == "found",
        "verdict": verdict.text,
        "detectable_ms": result.detectable_ms,
        "results": [_rung_out(rung) for rung in result.rungs],
    }


def _rung_out(rung: RungResult) -> dict[str, Any]:
    look = rung.look
    apart = look.apart if look else None
    return {
        "at_once": rung.at_once,
        "state": rung.state,
        "pairs_over": rung.pairs_over,
        "first": _side_out(rung.sides[0]),
        "second": _side_out(rung.sides[1]),
        "look": look
        and {
            "pairs": look.pairs,
            "alpha": look.alpha,
            "is_found": look.is_found,
            "difference": apart and {"value_ms": apart.value, "low_ms": apart.low, "high_ms": apart.high},
            "detectable_ms": look.detectable_ms,
        },
        "cliffs_delta": rung.effect.delta if rung.effect else None,
    }


def _side_out(side: SideResult) -> dict[str, Any]:
    figures, p50 = side.figures, side.figures.p50
    return {
        "n": figures.n,
        "p50_ms": p50.value if p50 else None,
        "low_ms": p50.low if p50 else None,
        "high_ms": p50.high if p50 else None,
        "min_ms": figures.minimum,
        "max_ms": figures.maximum,
        "failed": side.failed,
        "other_start": side.other_start,
        "without_figure": side.without_figure,
    }
