"""What is sent side by side: the form, its estimate, once more, stopped; and runs that were chosen in a list."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.http import SignedInRequest
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import LoomError
from apps.core.requests.return_to import return_to
from apps.metrics.models import Plan
from apps.metrics.prompt_sets.selectors import plans_visible_to
from apps.metrics.series.beside import limits_of, send_beside, stop_beside
from apps.metrics.series.plans import Target, estimate_usd
from apps.overview.comparing.columns import MOST, columns_of_runs, keys_of
from apps.overview.comparing.forms import LEAST_TARGETS, NAMES, CompareForm, first_targets
from apps.overview.comparing.listing import side_by_side
from apps.sessions.choosing import agents_named, keys_of_targets, offered_agents, target_value, targets_of
from apps.sessions.invoking import stop_invocation
from apps.sessions.selectors import run_visible_to

BEGUN_WITH = ("agent", "run", "again")  # what an address may name


def _estimate(form: CompareForm) -> dict[str, Any]:
    """What the chosen targets may cost at most together, once there are enough."""
    if not form.is_bound:
        form = CompareForm(form.initial, agents=list(form.agents_by_key.values()))
    form.is_valid()
    targets = form.targets
    if len(targets) < LEAST_TARGETS:
        return {"estimate_usd": None}
    allowed = form.cleaned_data.get("max_cost_usd")
    estimate = estimate_usd(targets, 1, limits_of(len(targets)))
    return {
        "estimate_usd": estimate,
        "is_too_much": allowed is not None and estimate > allowed,
    }


@never_cache  # a page from the browser's own store would carry a used key
@require_http_methods(["GET", "HEAD", "POST"])
def compare_new(request: SignedInRequest) -> HttpResponse:
    """One prompt and its targets; a POST sends it and goes where the answers come, a refusal keeps what was filled in.

    The address may name what to begin with: `agent`, a `run`, or a plan to send `again`.
    """
    is_asked = request.method == "POST"
    prompt, wanted = ("", _chosen(request.POST)) if is_asked else _begun_with(request)
    find = request.GET.get("find", "")
    offered = offered_agents(request.user, text=find, keys=keys_of_targets(wanted), is_ready=True)
    form = CompareForm(request.POST if is_asked else None, agents=offered.agents)
    if not is_asked:
        form.initial.update(prompt=prompt, **first_targets(form, wanted))
    elif form.is_valid():
        try:
            return redirect("compare:plan", _send(request, form).pk)
        except LoomError as error:
            form.add_error(None, error.text())
    kept = [(name, request.GET[name]) for name in BEGUN_WITH if name in request.GET]
    context = {"form": form, "offered": offered, "find": find, "kept": kept, **_estimate(form)}
    return render(request, "compare/compare_new.html", context, status=422 if is_asked else 200)


def _send(request: SignedInRequest, form: CompareForm) -> Plan:
    sent, targets = form.cleaned_data, form.targets
    limits = limits_of(len(targets), max_cost_usd=sent["max_cost_usd"])
    return send_beside(
        owner=request.user, prompt=sent["prompt"], targets=targets, limits=limits, request_key=sent["request_key"]
    )


def _chosen(sent: QueryDict) -> list[str]:
    return [sent.get(name, "") for name in NAMES]


def _begun_with(request: SignedInRequest) -> tuple[str, list[str]]:
    """The prompt and the targets that an address asks to begin with; nothing of what the reader may not see."""
    asked = {name: _key(request.GET.get(name, "")) for name in BEGUN_WITH}
    plans = side_by_side(plans_visible_to(request.user))
    if asked["again"] and (plan := plans.filter(pk=asked["again"]).first()):
        targets = plan.targets.order_by("position").values_list("agent_id", "qualifier")
        return _prompt_of(plan), [target_value(*target) for target in targets]
    if asked["run"] and (run := run_visible_to(request.user, asked["run"])):
        return run.prompt, [target_value(run.session.agent_id, run.session.qualifier)]
    agents = agents_named(request.user, [str(asked["agent"])]) if asked["agent"] else []
    return "", [value for agent in agents for value, _label in targets_of(agent)][:LEAST_TARGETS]


def _key(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _prompt_of(plan: Plan) -> str:
    return plan.prompts.values_list("text", flat=True).first() or ""


@require_safe
def compare_estimate_fragment(request: SignedInRequest) -> HttpResponse:
    """What the targets as chosen may cost at most."""
    form = CompareForm(request.GET, agents=agents_named(request.user, _chosen(request.GET)))
    return render(request, "compare/_estimate.html", _estimate(form))


@require_POST
def compare_again(request: SignedInRequest, comparison_id: int) -> HttpResponse:
    """Send the same prompt to the same targets once more; pressed twice, it is one plan."""
    plan = get_object_or_404(side_by_side(plans_visible_to(request.user)).select_related("budget"), pk=comparison_id)
    prompt, rows = _prompt_of(plan), list(plan.targets.order_by("position"))
    agents = agents_visible_to(request.user).in_bulk([row.agent_id for row in rows])
    try:
        if not prompt or len(agents) < len({row.agent_id for row in rows}):
            messages.error(request, _("Its prompt or one of its agents is not there any more: choose anew."))
            return redirect(f"{reverse('compare:new')}?again={plan.pk}")
        again = send_beside(
            owner=request.user,
            prompt=prompt,
            targets=[Target(agents[row.agent_id], row.qualifier) for row in rows],
            limits=limits_of(len(rows), max_cost_usd=plan.budget.limit_usd),
            request_key=request.POST.get("request_key", ""),
        )
    except LoomError as error:
        messages.error(request, error.text())
        return redirect("compare:plan", plan.pk)
    return redirect("compare:plan", again.pk)


@require_POST
def compare_stop(request: SignedInRequest, comparison_id: int) -> HttpResponse:
    """Stop all runs of a plan that are out."""
    plan = get_object_or_404(side_by_side(plans_visible_to(request.user)), pk=comparison_id)
    stop_beside(plan=plan)
    return redirect("compare:plan", plan.pk)


@require_POST
def compare_stop_runs(request: SignedInRequest) -> HttpResponse:
    """Stop those of the runs side by side that are out."""
    try:
        columns = columns_of_runs(request.user, keys_of(request.POST.get("runs", "")))
    except LoomError as error:
        messages.error(request, error.text())
        return redirect("compare:list")
    for column in columns:
        if column.run is not None and column.run.is_unfinished:
            stop_invocation(invocation=column.run)
    runs = ",".join(str(column.run.pk) for column in columns if column.run)
    return redirect(f"{reverse('compare:list')}?runs={runs}")


@require_POST
def compare_chosen(request: SignedInRequest) -> HttpResponse:
    """Put the runs that are checked in a list side by side."""
    keys = [key for key in request.POST.getlist("row") if _key(key)]
    if not LEAST_TARGETS <= len(set(keys)) <= MOST:
        told = {"least": LEAST_TARGETS, "most": MOST, "count": len(set(keys))}
        messages.error(request, _("Check %(least)s to %(most)s runs to compare; %(count)s are checked.") % told)
        return redirect(return_to(request, reverse("overview:runs")))
    return redirect(f"{reverse('compare:list')}?runs={','.join(dict.fromkeys(keys))}")
