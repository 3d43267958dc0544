"""Sending a prompt set: the form, what it may cost, the start of a plan and its stop."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import LoomError
from apps.metrics.models import Plan, PromptSet
from apps.metrics.prompt_sets.pages.forms import ReplayForm, last_targets
from apps.metrics.prompt_sets.pages.list_views import found_set
from apps.metrics.prompt_sets.selectors import plans_visible_to
from apps.metrics.prompt_sets.services import run_prompt_set
from apps.metrics.series.plans import cancel_plan, estimate_usd
from apps.metrics.series.running import advance_plan
from apps.sessions.choosing import Offered, agents_named, keys_of_targets, offered_agents

TARGETS = ("first", "second")


def _estimate(form: ReplayForm, prompt_count: int) -> dict[str, Any]:
    """What the plan would cost at most, by what is filled in; nothing where no target is chosen."""
    if not form.is_bound:
        form = ReplayForm({**form.initial, **_defaults(form)}, agents=list(form.agents.values()))
    form.is_valid()
    targets, limits = form.targets, form.limits
    estimate = estimate_usd(targets, prompt_count, limits) if targets else None
    return {
        "estimate_usd": estimate,
        "limits": limits,
        "prompt_count": prompt_count,
        "target_count": len(targets),
        "run_count": prompt_count * len(targets) * limits.repeats,
        "is_too_much": estimate is not None and estimate > limits.max_cost_usd,
    }


def _defaults(form: ReplayForm) -> dict[str, Any]:
    return {name: field.initial for name, field in form.fields.items() if field.initial is not None}


@never_cache  # a page from the browser's own store would carry used keys
@require_http_methods(["GET", "HEAD", "POST"])
def set_replay(request: SignedInRequest, set_id: int) -> HttpResponse:
    """How a set is sent; a POST sends it and goes to where its results come."""
    prompt_set = found_set(request, set_id)
    is_asked = request.method == "POST"
    initial = {} if is_asked else last_targets(prompt_set)
    wanted = [request.POST.get(name, "") for name in TARGETS] if is_asked else initial.values()
    find = request.GET.get("find", "")
    offered = offered_agents(request.user, text=find, keys=keys_of_targets(wanted), is_ready=True)
    if not is_asked:
        return _form_page(request, prompt_set, ReplayForm(agents=offered.agents, initial=initial), offered)
    form = ReplayForm(request.POST, agents=offered.agents)
    if form.is_valid():
        try:
            plan = run_prompt_set(
                prompt_set=prompt_set,
                owner=request.user,
                targets=form.targets,
                limits=form.limits,
                request_key=form.cleaned_data["request_key"],
            )
        except LoomError as error:
            form.add_error(None, error.text())
        else:
            advance_plan(plan.pk)
            return redirect(plan)
    return _form_page(request, prompt_set, form, offered, status=422)


def _form_page(
    request: SignedInRequest, prompt_set: PromptSet, form: ReplayForm, offered: Offered, status: int = 200
) -> HttpResponse:
    shown = {"prompt_set": prompt_set, "form": form, "offered": offered, "find": request.GET.get("find", "")}
    context = {**shown, **_estimate(form, prompt_set.items.count())}
    return render(request, "metrics/prompt_set_replay.html", context, status=status)


@require_safe
def estimate_fragment(request: SignedInRequest, set_id: int) -> HttpResponse:
    """What a plan as filled in would cost at most."""
    prompt_set = found_set(request, set_id)
    form = ReplayForm(request.GET, agents=agents_named(request.user, [request.GET.get(name, "") for name in TARGETS]))
    return render(request, "metrics/_prompt_set_estimate.html", _estimate(form, prompt_set.items.count()))


def found_plan(request: SignedInRequest, set_id: int, plan_id: int) -> Plan:
    """A plan of this set. One whose set is deleted is found below any."""
    plan = get_object_or_404(plans_visible_to(request.user), pk=plan_id)
    if plan.prompt_set_id not in {None, set_id}:
        raise Http404
    return plan


@require_POST
def plan_stop(request: SignedInRequest, set_id: int, plan_id: int) -> HttpResponse:
    """Stop what is out; what was found stays."""
    plan = found_plan(request, set_id, plan_id)
    cancel_plan(plan=plan)
    advance_plan(plan.pk)
    return redirect(plan)
