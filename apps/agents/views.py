"""The registry's pages."""

from __future__ import annotations

import json

from django.contrib import messages
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.agents import listing, selectors, services
from apps.agents.forms import AgentForm, PromptForm
from apps.agents.models import Agent
from apps.core.requests.return_to import return_to
from apps.core.tables.export import table_csv


def list_context(request: SignedInRequest, query: QueryDict, form: AgentForm) -> dict[str, object]:
    registry = selectors.registry_visible_to(request.user)
    registered_count, archived_count = listing.counts_by_state(registry)
    return {
        "table": listing.list_agents(registry, query, archived_count=archived_count),
        "registered_count": registered_count,
        "archived_count": archived_count,
        "form": form,
    }


# One address gives a page or its table: without this a browser could show the table alone on the way back.
@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def agent_list(request: SignedInRequest) -> HttpResponse:
    """The agents, searched by `q`, kept by `status`, `region`, `account` and `state`, ordered by `sort`, in pages."""
    is_table_only = bool(request.htmx) and request.htmx.target == "agent-table"
    context = {**list_context(request, request.GET, AgentForm()), "is_table_only": is_table_only}
    return render(request, "agents/agent_list.html" + ("#agent-table" if is_table_only else ""), context)


@require_safe
def agent_list_csv(request: SignedInRequest) -> StreamingHttpResponse:
    """All agents that the same address of the list would find, as a file."""
    found = listing.asked_agents(selectors.registry_visible_to(request.user), request.GET)
    return table_csv(request, "agents", listing.CSV, found, listing.read_agents)


@require_safe
def agent_detail(request: SignedInRequest, pk: int) -> HttpResponse:
    """One agent: prompt, facts, how it is invoked, its sessions and figures. An archived one is only read."""
    registry = selectors.registry_visible_to(request.user).select_related("registered_by")
    agent = get_object_or_404(registry.prefetch_related("endpoints"), pk=pk)
    context = {
        "agent": agent,
        "endpoints": agent.endpoints.all(),
        "prompt_form": PromptForm(agent=agent) if agent.is_ready and not agent.is_archived else None,
        **_texts(agent),
    }
    return render(request, "agents/agent_detail.html", context)


def _texts(agent: Agent) -> dict[str, str]:
    """What of a runtime is shown as JSON; nothing of an agent that has none."""
    if not hasattr(agent, "runtime"):
        return {}
    return {
        "payload_template": json.dumps(agent.runtime.template, indent=2, ensure_ascii=False),
        "metadata": json.dumps(agent.runtime.raw_metadata, indent=2, ensure_ascii=False),
    }


@require_POST
def agent_archive(request: SignedInRequest, pk: int) -> HttpResponse:
    """Hide the agent from the registry."""
    agent = get_object_or_404(selectors.agents_visible_to(request.user), pk=pk)
    services.archive_agent(agent=agent)
    messages.success(request, f"{agent.name} is archived, its history stays. Bring it back from the archived agents.")
    return redirect(return_to(request, reverse("agents:list")))
