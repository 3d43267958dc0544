"""Start series over JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from apps.accounts.access import may_invoke, may_read
from apps.agentcore.selectors import with_runtime
from apps.agents.forms import PROMPT_MAX_LENGTH, QUALIFIER_SCHEMA
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import found
from apps.metrics.models import StartSeries
from apps.metrics.series import selectors, services
from apps.metrics.series.advancing import advance_series
from apps.metrics.series.pool import Pool, pool_of
from apps.metrics.series.services import DEFAULT_COUNT, DEFAULT_MAX_COST_USD, MAX_AT_ONCE, MAX_COUNT, Plan

router = Router(tags=["metrics"])


class StartSeriesIn(Schema):
    """What to measure: `count` new sessions one after the other, each with the prompt."""

    count: int = Field(DEFAULT_COUNT, ge=1, le=MAX_COUNT)
    qualifier: str = Field("DEFAULT", json_schema_extra=QUALIFIER_SCHEMA)
    prompt: str = Field(max_length=PROMPT_MAX_LENGTH)
    end_session: bool = True
    warm_turn: bool = Field(True, description="Send the prompt a second time in each session, for the cold penalty.")
    at_once: bool = Field(
        False, description=f"Begin all at once, {MAX_AT_ONCE} at most and each with one prompt, to find the warm pool."
    )
    max_cost_usd: Decimal = Field(DEFAULT_MAX_COST_USD, gt=0, description="Refused where the estimate is higher.")


class WarmPoolOut(Schema):
    """What sessions that began at once tell of the environments that stand ready."""

    sent: int = Field(description="Starts that were answered.")
    told: int = Field(description="Of them, those whose environment the logs tell.")
    pooled: int = Field(description="Of these, those whose environment was waiting.")
    knee: int | None = Field(description="After how many, the quickest first, the latencies jump by half or more.")
    below_ms: float | None
    above_ms: float | None
    spread_ms: float | None = Field(description="From the first prompt that was sent to the last one.")
    size: int | None = Field(description="By the logs where they tell of all, else by the latencies.")
    by: Literal["logs", "latency", ""]
    is_least: bool = Field(description="The pool may hold more: every start was one of it.")


class StartSeriesOut(Schema):
    """A series and what it has found so far. Milliseconds; a median is null below six runs."""

    id: int
    agent_id: int
    state: str = Field(
        description="running (also while it waits for a web process), done, cancelled, failed (it could not go on: "
        "too many of its sessions failed) or interrupted (Loom was stopped)"
    )
    count: int
    done: int = Field(description="Sessions whose first prompt ended by itself, not by cancelling the series.")
    failed: int
    not_found: int = Field(description="Runs whose start the logs do not tell.")
    waiting: int = Field(description="Runs whose start is still looked for in the logs, also after the series is done.")
    source: str = Field(description="The log line that the startup latencies are from.")
    p50_ms: float | None = Field(description="Median startup latency of the cold runs, with its 95 % interval.")
    low_ms: float | None
    high_ms: float | None
    min_ms: float | None
    max_ms: float | None
    measured: int = Field(description="The n of the startup latencies.")
    cold_p50_ms: float | None = Field(description="Median time to first token of the first prompts.")
    warm_p50_ms: float | None = Field(description="Median time to first token of the second prompts.")
    cold_penalty_ms: float | None = Field(description="cold_p50_ms − warm_p50_ms")
    estimated_cost_usd: float
    message: str
    pool: WarmPoolOut | None = Field(description="Of a series at once.")


def series_out(series: StartSeries) -> dict[str, Any]:
    result = selectors.result_of(series)
    startup, cold, warm = result.startup.summary, result.figures.ttft_cold, result.ttft_warm
    return {
        "id": series.pk,
        "agent_id": series.agent_id,
        "state": "running" if series.is_active else series.state,
        "count": series.count,
        "done": result.done,
        "failed": result.failed,
        "not_found": result.not_found,
        "waiting": result.waiting,
        "source": result.startup.source,
        "p50_ms": startup.p50.value if startup.p50 else None,
        "low_ms": startup.p50.low if startup.p50 else None,
        "high_ms": startup.p50.high if startup.p50 else None,
        "min_ms": startup.minimum,
        "max_ms": startup.maximum,
        "measured": startup.n,
        "cold_p50_ms": cold.p50.value if cold.p50 else None,
        "warm_p50_ms": warm.p50.value if warm.p50 else None,
        "cold_penalty_ms": result.cold_penalty_ms,
        "estimated_cost_usd": float(series.estimated_cost_usd),
        "message": series.message,
        "pool": _pool_out(pool_of(series)),
    }


def _pool_out(pool: Pool | None) -> dict[str, Any] | None:
    if pool is None:
        return None
    return {
        "sent": pool.sent_count, "told": pool.told_count, "pooled": pool.pooled_count, "knee": pool.knee,
        "below_ms": pool.below_ms, "above_ms": pool.above_ms, "spread_ms": pool.spread_ms, "size": pool.size,
        "by": pool.by, "is_least": pool.is_least,
    }  # fmt: skip


@router.post(
    "/agents/{int:agent_id}/start-series",
    auth=may_invoke,
    response={202: StartSeriesOut},
    summary="Measure an agent's start",
)
def start_series(request: HttpRequest, agent_id: int, body: StartSeriesIn) -> Any:
    """202 and the series, which goes on by itself; 409 while another one of the agent runs.

    The header `Idempotency-Key` makes a repeated request the same series.
    """
    agent = found(with_runtime(agents_visible_to(request.user)).filter(pk=agent_id).first(), "agent", agent_id)
    plan = Plan(
        count=body.count,
        qualifier=body.qualifier,
        prompt=body.prompt,
        has_warm_turn=body.warm_turn,
        ends_session=body.end_session,
        max_cost_usd=body.max_cost_usd,
        is_at_once=body.at_once,
    )
    series = services.start_series(
        agent=agent,
        owner=request.user,  # type: ignore[arg-type]  # signed in, or the route was not reached
        plan=plan,
        request_key=request.headers.get("Idempotency-Key", ""),
    )
    advance_series(series.pk)
    return Status(202, series_out(series))


@router.get(
    "/start-series/{int:series_id}", auth=may_read, response=StartSeriesOut, summary="Read a measurement of starts"
)
def get_start_series(request: HttpRequest, series_id: int) -> Any:
    """The state and what is found so far; it changes until state is not running and waiting is 0."""
    return series_out(_find(request, series_id))


def _find(request: HttpRequest, series_id: int) -> StartSeries:
    return found(selectors.series_visible_to(request.user).filter(pk=series_id).first(), "start series", series_id)


@router.post(
    "/start-series/{int:series_id}/cancel",
    auth=may_invoke,
    response={202: StartSeriesOut},
    summary="Cancel a measurement of starts",
)
def cancel_start_series(request: HttpRequest, series_id: int) -> Any:
    """202 and the series as it stands; what was measured stays."""
    series = _find(request, series_id)
    services.cancel_series(series=series)
    advance_series(series.pk)
    series.refresh_from_db()
    return Status(202, series_out(series))
