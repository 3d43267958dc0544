"""Latency benches over JSON: what one would cost, asking for it, what it has found, its end."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Router, Status
from ninja.params import functions

from apps.accounts.access import may_invoke, may_read
from apps.core.exceptions import found
from apps.metrics.benches.results import result_of
from apps.metrics.benches.selectors import bench_plans_visible_to, benches_visible_to
from apps.metrics.benches.services import BenchAsked, check_bench, estimate_usd, start_bench
from apps.metrics.benches.shapes import BenchIn, BenchOut, ListedBenchOut, bench_out, listed_out
from apps.metrics.models import Bench
from apps.metrics.prompt_sets.api import targets_of
from apps.metrics.prompt_sets.plans_api import EstimateOut
from apps.metrics.prompt_sets.shapes import Key
from apps.metrics.series.plans import cancel_plan
from apps.metrics.series.running import advance_plan

router = Router(tags=["benches"])
MOST = 200


def _asked(request: HttpRequest, body: BenchIn) -> BenchAsked:
    first, second = targets_of(request, [body.first, body.second])
    given = body.dict(exclude={"first", "second"})
    return BenchAsked(first=first, second=second, **given)


def _find(request: HttpRequest, bench_id: int) -> Bench:
    return found(benches_visible_to(request.user).filter(plan=bench_id).first(), "bench", bench_id)


def _begun(request: HttpRequest, bench_id: int) -> dict[str, Any]:
    advance_plan(bench_id)
    return bench_out(result_of(_find(request, bench_id)))


@router.post("/benches/estimate", auth=may_read, response=EstimateOut, summary="Say what a bench would cost")
def estimate_bench(request: HttpRequest, body: BenchIn) -> dict[str, Any]:
    """At most, if its agents answer as they did lately and no rung ends early. Nothing is sent."""
    asked = _asked(request, body)
    check_bench(asked)
    estimate = estimate_usd(asked)
    return {
        "run_count": asked.run_count,
        "estimate_usd": float(estimate),
        "is_too_much": estimate > asked.max_cost_usd,
    }


@router.post("/benches", auth=may_invoke, response={202: BenchOut}, summary="Measure two targets against each other")
def begin_bench(request: HttpRequest, body: BenchIn) -> Any:
    """202 and the bench, which goes on by itself. Refused where its estimate is above `max_cost_usd`.

    The header `Idempotency-Key` makes a repeated request the same bench.
    """
    bench = start_bench(
        owner=request.user,  # type: ignore[arg-type]  # signed in, or the route was not reached
        asked=_asked(request, body),
        request_key=request.headers.get("Idempotency-Key", ""),
    )
    return Status(202, _begun(request, bench.plan_id))


@router.get("/benches", auth=may_read, response=list[ListedBenchOut], summary="List benches")
def list_benches(
    request: HttpRequest,
    state: Annotated[Literal["running", "done", "cancelled", "failed"] | None, functions.Query()] = None,
    limit: int = functions.Query(50, ge=1, le=MOST),
    before: Annotated[Key | None, functions.Query(description="Those that were asked for before this one.")] = None,
) -> list[dict[str, Any]]:
    """Those that you may see, the newest first."""
    asked = {"state": state, "pk__lt": before}
    plans = bench_plans_visible_to(request.user).select_related("bench")
    kept = plans.filter(**{name: value for name, value in asked.items() if value is not None})
    return [listed_out(plan) for plan in kept.order_by("-pk")[:limit]]


@router.get("/benches/{int:bench_id}", auth=may_read, response=BenchOut, summary="Read what a bench has found")
def get_bench(request: HttpRequest, bench_id: int) -> Any:
    """The state and what is found so far; it changes until state is not running."""
    return bench_out(result_of(_find(request, bench_id)))


@router.post("/benches/{int:bench_id}/cancel", auth=may_invoke, response={202: BenchOut}, summary="Cancel a bench")
def cancel_bench(request: HttpRequest, bench_id: int) -> Any:
    """What is out is stopped; what was measured stays."""
    cancel_plan(plan=_find(request, bench_id).plan)
    return Status(202, _begun(request, bench_id))
