"""The pages of figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.accounts.http import SignedInRequest
from apps.agents.selectors import agents_visible_to, in_use
from apps.core.tables.export import csv_response
from apps.core.tables.page import page_of
from apps.metrics.figures.figures import Figures
from apps.metrics.figures.pages.files import FILES
from apps.metrics.figures.pages.operate import (
    Filters,
    agent_heads,
    agent_rows,
    chart_of,
    figure_rows,
    hidden_count,
    read_figures,
)
from apps.metrics.figures.pages.recent import Asked, failures_by_reason, recent_invocations
from apps.metrics.figures.pages.tiles import Tile, make_tiles
from apps.metrics.figures.readings import Reading
from apps.metrics.figures.tally import FAILED
from apps.sessions.models import Invocation
from apps.sessions.pages.listing import MEASURE_START, SHOWN
from apps.sessions.selectors import sessions_visible_to

AGENTS_SHOWN = 15
RECENT_SHOWN = 20


@require_safe
def operate(request: SignedInRequest) -> HttpResponse:
    """Figures over a range of time: of all agents or one, and the invocations that the reader may open.

    The address holds the state: `range` or `from` and `to`, `agent`, `qualifier`, `version`, `measure_start`, `metric`,
    `sort`; of the invocations `show`, `error` and `before`.
    """
    agents = agents_visible_to(request.user, "read figures")
    agents = agents.only("pk", "name", "available_qualifiers", "runtime__region")
    chosen = request.GET.get("agent", "")
    agent = agents.filter(pk=int(chosen)).first() if chosen.isdecimal() and len(chosen) < 19 else None
    filters = Filters.parse(request.GET, agent=agent)
    reading = read_figures(filters)
    choices = list(agents.order_by("name", "pk"))
    count = Tile("Agents", f"{len(choices):,}", meta="registered", href=reverse("agents:list"))
    figures = _figures_context(request, reading, filters)
    rows = agent_rows(reading, filters.sort)
    context = {
        **figures,
        "tiles": [count, *figures["tiles"]],
        "agents": choices,
        "heads": agent_heads(filters, request.GET),
        "hidden_count": hidden_count(filters),
        "versions": sorted(reading.versions | {filters.version} - {""}, key=lambda name: (len(name), name)),
        "agent_page": page_of(rows, request.GET, AGENTS_SHOWN),
        **_recent_context(request, filters),
        "has_invocations": bool(reading.by_agent) or Invocation.objects.exists(),
        "agent_path": reverse("metrics:operate"),
    }
    return render(request, "metrics/operate.html", context)


@require_safe
def operate_csv(request: SignedInRequest) -> StreamingHttpResponse:
    """A table of the page of figures as a file, by the same address: `table` is steps, figures or agents.

    With `of=agent` by the address of an agent's page, which shows other runs where it is not told which.
    """
    agents = agents_visible_to(request.user, "read figures")
    chosen = request.GET.get("agent", "")
    agent = agents.filter(pk=int(chosen)).first() if chosen.isdecimal() and len(chosen) < 19 else None
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
        before=filters.before,
    )
    return {
        "recent": recent_invocations(sessions, asked, RECENT_SHOWN),
        "failures": failures_by_reason(sessions, replace(asked, error_code="")) if is_failed_only else [],
    }


def _figures_context(request: SignedInRequest, reading: Reading, filters: Filters) -> dict[str, Any]:
    figures = Figures(reading.overall)
    return {
        "filters": filters,
        "figures": figures,
        "tiles": make_tiles(
            figures,
            is_emulated=settings.LOOM_AWS == "emulator",
            runs_path=f"{reverse('overview:runs')}?{filters.runs_query}",
        ),
        "rows": figure_rows(figures),
        "chart": chart_of(reading, filters, request.GET),
    }


@require_safe
def agent_figures_fragment(request: SignedInRequest, pk: int) -> HttpResponse:
    """The figures of one agent over a range; with the runs of Measure start unless it is asked without."""
    agent = get_object_or_404(agents_visible_to(request.user, "read figures"), pk=pk)
    filters = Filters.parse(request.GET, agent=agent, default_range="30d", default_measure_start=SHOWN)
    reading = read_figures(filters)
    context = {
        **_figures_context(request, reading, filters),
        "agent": agent,
        "has_invocations": bool(reading.by_agent) or Invocation.objects.filter(session__agent=agent).exists(),
    }
    return render(request, "metrics/_agent_figures.html", context)
