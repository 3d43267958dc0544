"""The pages of figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.agents.selectors import agents_visible_to, in_use
from apps.core.tables.export import csv_response
from apps.metrics.figures.pages.dashboard import drawings
from apps.metrics.figures.pages.files import FILES
from apps.metrics.figures.pages.filters import Filters, refresh_of
from apps.metrics.figures.pages.operate import hidden_count, read_figures
from apps.metrics.figures.pages.parts import (
    chosen_agent,
    drawings_html,
    figures_context,
    live_parts,
    operate_context,
)
from apps.metrics.figures.pages.recent import Asked, failures_by_reason, recent_invocations
from apps.metrics.figures.tally import FAILED
from apps.sessions.models import Invocation
from apps.sessions.pages.listing import MEASURE_START, SHOWN
from apps.sessions.selectors import sessions_visible_to

RECENT_SHOWN = 20


@vary_on_headers("HX-Request")
@require_safe
def operate(request: SignedInRequest) -> HttpResponse:
    """Figures over a range of time: of all agents or one, and the invocations that the reader may open.

    The address holds the state: `range` or `from` and `to`, `agent`, `qualifier`, `version`, `measure_start`, `metric`,
    `start` (of the bands), `sort`, `zone`, `refresh`; of the invocations `show`, `error` and `before`. With `drawings`
    they are in the page, for who runs no scripts.
    """
    agents = agents_visible_to(request.user, "read figures")
    agents = agents.only("pk", "name", "available_qualifiers", "runtime__region")
    filters = Filters.parse(request.GET, agent=chosen_agent(request))
    reading = read_figures(filters)
    context = {
        **operate_context(request, reading, filters),
        "agents": list(agents.order_by("name", "pk")),
        "hidden_count": hidden_count(filters),
        "versions": sorted(reading.versions | {filters.version} - {""}, key=lambda name: (len(name), name)),
        **_recent_context(request, filters),
        "has_invocations": bool(reading.by_agent) or Invocation.objects.exists(),
    }
    if "drawings" in request.GET:
        context |= drawings(reading, filters, request.GET)
    return render(request, "metrics/operate.html", context)


@require_safe
def operate_drawings_fragment(request: SignedInRequest) -> HttpResponse:
    """The drawings of the page of figures, by its address; `local` is the reader's zone, where the page names none."""
    return HttpResponse(drawings_html(request))


@never_cache
@require_safe
def operate_live_fragment(request: SignedInRequest) -> HttpResponse:
    """What of the page of figures changed since `have`: made once for everybody who looks at the same, and nothing
    (204) where it is the same still.
    """
    known = request.GET.get("have", "")
    found = live_parts(request)
    have = ".".join(part.digest for part in found)
    if known == have:
        return HttpResponse(status=204)
    context = {"parts": found, "have": have, "refresh_s": refresh_of(request.GET)}
    return render(request, "metrics/_operate_live.html", context)


@require_safe
def operate_csv(request: SignedInRequest) -> StreamingHttpResponse:
    """A table of the page of figures as a file, by the same address: `table` is steps, figures or agents.

    With `of=agent` by the address of an agent's page, which shows other runs where it is not told which.
    """
    agent = chosen_agent(request)
    defaults = {"default_range": "30d", "default_measure_start": SHOWN} if request.GET.get("of") == "agent" else {}
    filters = Filters.parse(request.GET, agent=agent, **defaults)
    wanted = request.GET.get("table", "")
    name = wanted if wanted in FILES else "steps"
    heads, rows = FILES[name](filters)
    return csv_response(request, f"loom-{name}", heads, rows)


def _recent_context(request: SignedInRequest, filters: Filters) -> dict[str, Any]:
    """The newest of the invocations that the reader may open, as the filters select them; of failed ones why, too."""
    sessions = sessions_visible_to(request.user).filter(in_use("agent__"))
    sessions = MEASURE_START.kept(sessions, filters.measure_start)
    if filters.agent is not None:
        sessions = sessions.filter(agent=filters.agent)
    if filters.qualifier:
        sessions = sessions.filter(qualifier=filters.qualifier)
    is_failed_only = filters.shown == "failed"
    asked = Asked(
        start=filters.period.start,
        end=filters.period.end,
        version=filters.version,
        statuses=FAILED if is_failed_only else (),
        error_code=filters.error_code if is_failed_only else "",
        before=filters.older_than,
    )
    return {
        "recent": recent_invocations(sessions, asked, RECENT_SHOWN),
        "failures": failures_by_reason(sessions, replace(asked, error_code="")) if is_failed_only else [],
    }


@require_safe
def agent_figures_fragment(request: SignedInRequest, pk: int) -> HttpResponse:
    """The figures of one agent over a range; with the runs of Measure start unless it is asked without."""
    agent = get_object_or_404(agents_visible_to(request.user, "read figures"), pk=pk)
    filters = Filters.parse(request.GET, agent=agent, default_range="30d", default_measure_start=SHOWN)
    reading = read_figures(filters)
    context = {
        **figures_context(request, reading, filters),
        "agent": agent,
        "has_invocations": bool(reading.by_agent) or Invocation.objects.filter(session__agent=agent).exists(),
    }
    return render(request, "metrics/_agent_figures.html", context)
