"""Plans over JSON: which there are, and what one would cost before it is asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.db.models import Count, Q
from django.http import HttpRequest
from ninja import Field, Router, Schema
from ninja.params import functions

from apps.accounts.access import may_read
from apps.metrics.models import Plan
from apps.metrics.prompt_sets.api import find_set, limits_asked, targets_of
from apps.metrics.prompt_sets.selectors import plans_visible_to
from apps.metrics.prompt_sets.shapes import Key, LimitsIn, RunPromptSetIn
from apps.metrics.series.beside import limits_of
from apps.metrics.series.plans import Limits, Target, estimate_usd, run_count
from apps.sessions.models import Invocation

router = Router(tags=["prompt sets"])
MOST = 200


class EstimateOut(Schema):
    """What runs would cost at most; `is_too_much` where that is above the `max_cost_usd` that they are asked with."""

    run_count: int
    estimate_usd: float
    is_too_much: bool


class ListedPlanOut(Schema):
    """A plan without what it found; `done` of its `run_count` runs are over."""

    id: int
    name: str
    source: str
    prompt_set_id: int | None
    owner: str
    state: str = Field(description="running, done, cancelled or failed (it could not go on)")
    message: str
    run_count: int
    done: int
    created_at: datetime
    finished_at: datetime | None


def _estimate(targets: list[Target], prompt_count: int, limits: Limits) -> dict[str, Any]:
    estimate = estimate_usd(targets, prompt_count, limits)
    return {
        "run_count": run_count(targets, prompt_count, limits),
        "estimate_usd": float(estimate),
        "is_too_much": estimate > limits.max_cost_usd,
    }


@router.post(
    "/prompt-sets/{int:set_id}/estimate", auth=may_read, response=EstimateOut, summary="Say what a run would cost"
)
def estimate_prompt_set(request: HttpRequest, set_id: int, body: RunPromptSetIn) -> dict[str, Any]:
    """At most, if its agents answer as they did lately. Nothing is sent."""
    prompt_set = find_set(request, set_id)
    return _estimate(targets_of(request, body.targets), prompt_set.items.count(), limits_asked(body))


@router.post("/side-by-side/estimate", auth=may_read, response=EstimateOut, summary="Say what a comparison would cost")
def estimate_side_by_side(request: HttpRequest, body: LimitsIn) -> dict[str, Any]:
    """The same for one prompt to several targets, whose sessions go on."""
    limits = limits_of(len(body.targets), max_cost_usd=body.max_cost_usd, max_minutes=body.max_minutes)
    return _estimate(targets_of(request, body.targets), 1, limits)


@router.get("/plans", auth=may_read, response=list[ListedPlanOut], summary="List plans")
def list_plans(
    request: HttpRequest,
    prompt_set: Annotated[Key | None, functions.Query(description="The id of a prompt set.")] = None,
    source: Annotated[Literal["prompt_set", "side_by_side", "bench"] | None, functions.Query()] = None,
    state: Annotated[Literal["running", "done", "cancelled", "failed"] | None, functions.Query()] = None,
    limit: int = functions.Query(50, ge=1, le=MOST),
    before: Annotated[Key | None, functions.Query(description="Those that were asked for before this one.")] = None,
) -> list[dict[str, Any]]:
    """Those that you may see, the newest first: of prompt sets, of prompts sent side by side, of benches."""
    asked = {"prompt_set": prompt_set, "source": source, "state": state, "pk__lt": before}
    plans = plans_visible_to(request.user).filter(**{name: value for name, value in asked.items() if value is not None})
    keys = list(plans.order_by("-pk").values_list("pk", flat=True)[:limit])
    return _plans_out(keys)


def _plans_out(keys: list[int]) -> list[dict[str, Any]]:
    """What is counted of each is counted by itself: joined, one would multiply the other."""
    plans = Plan.objects.filter(pk__in=keys)

    def counted(name: str, only: Q | None = None) -> dict[int, int]:
        return dict(plans.order_by().annotate(count=Count(name, filter=only)).values_list("pk", "count"))

    done = counted("runs", Q(runs__invocation__status__in=Invocation.FINISHED))
    prompts, targets = counted("prompts"), counted("targets")
    return [
        {
            "id": plan.pk,
            "name": plan.name,
            "source": plan.source,
            "prompt_set_id": plan.prompt_set_id,
            "owner": plan.owner.email,
            "state": plan.state,
            "message": plan.message,
            "run_count": prompts[plan.pk] * targets[plan.pk] * plan.repeat_count,
            "done": done[plan.pk],
            "created_at": plan.created_at,
            "finished_at": plan.finished_at,
        }
        for plan in plans.select_related("owner").order_by("-pk")
    ]
