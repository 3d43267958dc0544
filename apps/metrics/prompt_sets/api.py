"""Prompt sets and what they found, over JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from apps.accounts.access import may_invoke, may_read
from apps.agentcore.selectors import with_runtime
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import InvalidInputError, found
from apps.metrics.models import Plan, PromptSet, PromptSetItem
from apps.metrics.prompt_sets import services
from apps.metrics.prompt_sets.editing import mark_of
from apps.metrics.prompt_sets.reading import Prompt, prompt_of, read_text
from apps.metrics.prompt_sets.selectors import plans_visible_to, prompt_sets_visible_to, with_counts
from apps.metrics.prompt_sets.shapes import (
    PlanOut,
    PromptSetChangeIn,
    PromptSetDetailOut,
    PromptSetIn,
    PromptSetOut,
    PromptsIn,
    RunPromptSetIn,
    SideBySideIn,
    TargetIn,
    plan_out,
)
from apps.metrics.series.beside import limits_of, send_beside
from apps.metrics.series.plans import Limits, Target, cancel_plan
from apps.metrics.series.running import advance_plan

router = Router(tags=["prompt sets"])
LISTED = 200


def _set_out(prompt_set: PromptSet, prompt_count: int) -> dict[str, Any]:
    return {
        "id": prompt_set.pk,
        "name": prompt_set.name,
        "owner": prompt_set.owner.email,
        "prompt_count": prompt_count,
        "created_at": prompt_set.created_at,
    }


def prompt_out(item: PromptSetItem) -> dict[str, Any]:
    return {
        "id": item.pk,
        "prompt": item.prompt,
        "checks": item.checks,
        "run_id": item.made_from_id,
        "mark": mark_of(item),
    }


def set_detail_out(prompt_set: PromptSet) -> dict[str, Any]:
    """A set with its prompts under the keys of PromptSetDetailOut."""
    prompts = [prompt_out(item) for item in prompt_set.items.order_by("position")]
    return {**_set_out(prompt_set, len(prompts)), "prompts": prompts}


def find_set(request: HttpRequest, set_id: int) -> PromptSet:
    return found(prompt_sets_visible_to(request.user).filter(pk=set_id).first(), "prompt set", set_id)


def _find_plan(request: HttpRequest, plan_id: int) -> Plan:
    return found(plans_visible_to(request.user).filter(pk=plan_id).first(), "plan", plan_id)


def targets_of(request: HttpRequest, wanted: Sequence[TargetIn]) -> list[Target]:
    agents = with_runtime(agents_visible_to(request.user)).in_bulk([target.agent_id for target in wanted])
    return [Target(found(agents.get(target.agent_id), "agent", target.agent_id), target.qualifier) for target in wanted]


def limits_asked(body: RunPromptSetIn) -> Limits:
    return Limits(
        repeats=body.repeats,
        order=body.order,
        seed=body.seed,
        at_once=body.at_once,
        max_cost_usd=body.max_cost_usd,
        max_minutes=body.max_minutes,
    )


@router.get("/prompt-sets", auth=may_read, response=list[PromptSetOut], summary="List prompt sets")
def list_prompt_sets(request: HttpRequest) -> list[dict[str, Any]]:
    """The newest 200 that you may see, the newest first."""
    sets = with_counts(prompt_sets_visible_to(request.user))
    return [_set_out(one, one.item_total) for one in sets[:LISTED]]


@router.post("/prompt-sets", auth=may_invoke, response={201: PromptSetDetailOut}, summary="Make a prompt set")
def make_prompt_set(request: HttpRequest, body: PromptSetIn) -> Any:
    """Of prompts with their checks, of past runs, or of a file's text. What of it is wrong is named by its line."""
    check_one_given(body)
    owner: Any = request.user  # signed in, or the route was not reached
    if body.run_ids is not None:
        made = services.make_from_runs(owner=owner, name=body.name, run_ids=body.run_ids)
    else:
        made = services.make_prompt_set(owner=owner, name=body.name, prompts=prompts_given(body))
    return Status(201, set_detail_out(made))


def check_one_given(body: PromptsIn) -> None:
    """Raise InvalidInputError where prompts come from several places, or from none."""
    if len([one for one in (body.prompts, body.run_ids, body.text) if one is not None]) != 1:
        raise InvalidInputError("A set is made of one of `prompts`, `run_ids` and `text`.")


def prompts_given(body: PromptsIn) -> list[Prompt]:
    """Those of a list or of a file's text."""
    if body.text is not None:
        return read_text(body.text, is_csv=body.format == "csv")
    return [prompt_of(prompt.dict()) for prompt in body.prompts or ()]


@router.get("/prompt-sets/{int:set_id}", auth=may_read, response=PromptSetDetailOut, summary="Read a prompt set")
def get_prompt_set(request: HttpRequest, set_id: int) -> Any:
    return set_detail_out(find_set(request, set_id))


@router.patch(
    "/prompt-sets/{int:set_id}", auth=may_invoke, response=PromptSetDetailOut, summary="Give a prompt set another name"
)
def rename_prompt_set(request: HttpRequest, set_id: int, body: PromptSetChangeIn) -> Any:
    prompt_set = find_set(request, set_id)
    services.rename_prompt_set(prompt_set=prompt_set, name=body.name)
    return set_detail_out(find_set(request, set_id))


@router.delete("/prompt-sets/{int:set_id}", auth=may_invoke, response={204: None}, summary="Delete a prompt set")
def delete_prompt_set(request: HttpRequest, set_id: int) -> Any:
    """What its runs found stays."""
    services.delete_prompt_set(prompt_set=find_set(request, set_id))
    return Status(204, None)


@router.post("/prompt-sets/{int:set_id}/run", auth=may_invoke, response={202: PlanOut}, summary="Run a prompt set")
def run_prompt_set(request: HttpRequest, set_id: int, body: RunPromptSetIn) -> Any:
    """202 and the plan, which goes on by itself: every prompt to each of the targets, in sessions of their own.

    The header `Idempotency-Key` makes a repeated request the same plan.
    """
    plan = services.run_prompt_set(
        prompt_set=find_set(request, set_id),
        owner=request.user,  # type: ignore[arg-type]  # signed in, or the route was not reached
        targets=targets_of(request, body.targets),
        limits=limits_asked(body),
        request_key=request.headers.get("Idempotency-Key", ""),
    )
    return Status(202, _begun(request, plan))


@router.post("/side-by-side", auth=may_invoke, response={202: PlanOut}, summary="Send a prompt to several agents")
def side_by_side(request: HttpRequest, body: SideBySideIn) -> Any:
    """202 and the plan: one prompt to up to four targets at once, each in a session that goes on afterwards."""
    plan = send_beside(
        owner=request.user,  # type: ignore[arg-type]  # signed in, or the route was not reached
        prompt=body.prompt,
        targets=targets_of(request, body.targets),
        limits=limits_of(len(body.targets), max_cost_usd=body.max_cost_usd, max_minutes=body.max_minutes),
        request_key=request.headers.get("Idempotency-Key", ""),
    )
    return Status(202, plan_out(_find_plan(request, plan.pk)))


def _begun(request: HttpRequest, plan: Plan) -> dict[str, Any]:
    advance_plan(plan.pk)
    return plan_out(_find_plan(request, plan.pk))


@router.get("/plans/{int:plan_id}", auth=may_read, response=PlanOut, summary="Read what a plan found")
def get_plan(request: HttpRequest, plan_id: int) -> Any:
    """The state and what is found so far; it changes until state is not running."""
    return plan_out(_find_plan(request, plan_id))


@router.post("/plans/{int:plan_id}/cancel", auth=may_invoke, response={202: PlanOut}, summary="Cancel a plan")
def cancel_runs(request: HttpRequest, plan_id: int) -> Any:
    """What is out is stopped; what was found stays."""
    plan = _find_plan(request, plan_id)
    cancel_plan(plan=plan)
    return Status(202, _begun(request, plan))
