"""The list of agents in its three states: empty, with the demo beside it, or with an account on AWS."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.agents.forms import AgentForm
from apps.agents.models import Agent
from apps.agents.selectors import registry_visible_to
from apps.core.tables.export import table_csv
from apps.core.tables.table import Listing
from apps.metrics.models import AgentWeeksMade
from apps.metrics.weeks.making import first_day
from apps.overview import services
from apps.overview.agents import listing
from apps.overview.agents.files import CSV
from apps.overview.agents.first_steps import first_steps
from apps.overview.agents.rows import agent_rows
from apps.overview.agents.suggesting import suggestion_for


# One address gives a page or its table: without this a browser could show the table alone on the way back.
@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def agent_list(request: SignedInRequest) -> HttpResponse:
    """The agents, searched by `q`, kept by the filters of `listing.AGENTS`, ordered by `sort`, in pages."""
    is_table_only = bool(request.htmx) and request.htmx.target == "agent-table"
    registry = registry_visible_to(request.user)
    counts = listing.counts_by_state(registry)
    starred = listing.starred_by(request.user)
    table = listing.list_agents(
        registry, request.user, request.GET, archived_count=counts.archived, has_stars=bool(starred)
    )
    made = AgentWeeksMade.objects.first()
    made_at = made.made_at if made else timezone.now()
    context = {
        "table": table,
        "rows": agent_rows(table.rows, starred, first_day(made_at).date()),
        "since": first_day(made_at).date(),
        "made_at": made and made_at,
        "registered_count": counts.registered,
        "archived_count": counts.archived,
        "is_empty": not counts.registered and not counts.archived,
        "is_table_only": is_table_only,
        "form": AgentForm(),
    }
    if is_table_only:
        return render(request, "agents/agent_list.html#agent-table", context)
    context |= _first_look(request, counts, table)
    response = render(request, "agents/agent_list.html", context)
    if context.get("suggestion"):
        add_never_cache_headers(response)  # from the browser's own store it would carry a used key
    return response


@require_safe
def agent_list_csv(request: SignedInRequest) -> StreamingHttpResponse:
    """All agents that the same address of the list would find, as a file."""
    found = listing.asked_agents(registry_visible_to(request.user), request.user, request.GET)
    return table_csv(request, "agents", CSV, found, listing.read_agents)


def _first_look(request: SignedInRequest, counts: listing.Counts, table: Listing[Agent]) -> dict[str, Any]:
    """What stands above the demo's agents until it is put away; nothing on AWS, or above a part of the list."""
    is_part = table.is_narrowed or table.wanted.chosen["state"] or table.page.number > 1
    if settings.LOOM_AWS != "emulator" or is_part or not counts.ready:
        return {}
    steps = first_steps(request.user)
    if not steps:
        return {}
    return {
        "steps": steps,
        "done_count": sum(step.is_done for step in steps),
        "ready_count": counts.ready,
        "suggestion": suggestion_for(table.rows),
    }


@require_POST
def first_steps_close(request: SignedInRequest) -> HttpResponse:
    """Put the first steps away, in every browser and for good."""
    services.close_first_steps(user=request.user)
    return redirect("agents:list")
