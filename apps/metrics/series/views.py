"""Measure start: the page beside an agent's others, that of a series, its progress and its end."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from apps.accounts.http import SignedInRequest
from apps.agentcore.selectors import with_runtime
from apps.agents.models import Agent
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import LoomError
from apps.core.tables.page import page_of
from apps.costs.runtime import prices
from apps.metrics.figures.pages.tiles import startup_tile
from apps.metrics.models import StartSeries
from apps.metrics.series import selectors, services
from apps.metrics.series.advancing import advance_series
from apps.metrics.series.forms import StartSeriesForm
from apps.metrics.series.pool import pool_of
from apps.metrics.series.services import Plan

SERIES_SHOWN = 20
PAGE = "metrics/agent_measure.html"


def _page_context(request: SignedInRequest, agent: Agent, form: StartSeriesForm) -> dict[str, Any]:
    page = page_of(selectors.series_visible_to(request.user).filter(agent=agent), request.GET, SERIES_SHOWN)
    results = selectors.results_of(list(page.object_list))
    return {
        "agent": agent,
        "form": form,
        "page": page,
        "series": [(series, results[series.pk]) for series in page.object_list],
        **_estimate_context(agent, form),
    }


def _estimate_context(agent: Agent, form: StartSeriesForm) -> dict[str, Any]:
    """The estimate for what the form says; where it says nothing valid, for its defaults."""
    if form.is_bound:
        form.is_valid()
        given = {
            name: form.cleaned_data[name]
            for name in ("count", "has_warm_turn", "ends_session", "is_at_once", "max_cost_usd")
            if form.cleaned_data.get(name) is not None
        }
    else:
        given = {}
    plan = Plan(**given)
    answer = services.typical_answer(agent)
    estimate = services.estimate_usd(agent=agent, plan=plan, answer=answer)
    return {
        "agent": agent,
        "plan": plan,
        "estimate_usd": estimate,
        "is_too_much": estimate > plan.max_cost_usd,
        "answer_ms": answer.total_seconds() * 1000,
        "prices": prices(),
    }


@require_safe
def agent_measure(request: SignedInRequest, pk: int) -> HttpResponse:
    """The form, and the reader's series with the agent, the newest first."""
    agent = get_object_or_404(with_runtime(agents_visible_to(request.user)), pk=pk)
    form = StartSeriesForm(agent=agent, initial={"request_key": str(uuid.uuid4())})
    return render(request, PAGE, _page_context(request, agent, form))


@require_safe
def start_series_estimate_fragment(request: SignedInRequest, pk: int) -> HttpResponse:
    """What a series as filled in would cost at most."""
    agent = get_object_or_404(with_runtime(agents_visible_to(request.user)), pk=pk)
    form = StartSeriesForm(request.GET, agent=agent)
    return render(request, "metrics/_start_series_estimate.html", _estimate_context(agent, form))


@require_POST
def start_series_start(request: SignedInRequest, pk: int) -> HttpResponse:
    """Start a series and go to its page; a refusal comes back with what was filled in."""
    agent = get_object_or_404(with_runtime(agents_visible_to(request.user)), pk=pk)
    form = StartSeriesForm(request.POST, agent=agent)
    if form.is_valid():
        try:
            series = services.start_series(
                agent=agent,
                owner=request.user,
                plan=form.plan(),
                request_key=form.cleaned_data["request_key"],
            )
        except LoomError as error:
            form.add_error(None, error.text())
        else:
            advance_series(series.pk)
            target = series.get_absolute_url()
            return HttpResponseClientRedirect(target) if request.htmx else redirect(target)
    part = "#start-series" if request.htmx else ""
    return render(request, PAGE + part, _page_context(request, agent, form), status=422)


def _series_context(series: StartSeries) -> dict[str, Any]:
    result = selectors.result_of(series)
    return {
        "series": series,
        "agent": series.agent,
        "result": result,
        "pool": pool_of(series),
        "startup_tile": startup_tile(result.figures, is_emulated=series.agent.origin == "emulator"),
        "sessions": selectors.session_rows(series),
        "spent_usd": services.spent_usd(series=series, now=timezone.now()),
        "is_settled": selectors.is_settled(series, result),
    }


@require_safe
def start_series(request: SignedInRequest, pk: int) -> HttpResponse:
    """A series: its progress while it runs, its result, its sessions."""
    series = get_object_or_404(selectors.series_visible_to(request.user), pk=pk)
    return render(request, "metrics/start_series.html", _series_context(series))


@require_safe
def start_series_progress_fragment(request: SignedInRequest, pk: int) -> HttpResponse:
    """The part of the page that changes while a series runs."""
    series = get_object_or_404(selectors.series_visible_to(request.user), pk=pk)
    return render(request, "metrics/_start_series.html", _series_context(series))


@require_POST
def start_series_cancel(request: SignedInRequest, pk: int) -> HttpResponse:
    """Cancel a series; its running prompt is stopped."""
    series = get_object_or_404(selectors.series_visible_to(request.user), pk=pk)
    services.cancel_series(series=series)
    advance_series(series.pk)
    return redirect(series)
