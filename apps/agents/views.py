"""The registry's pages."""

from __future__ import annotations

import json

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect

from apps.accounts.http import SignedInRequest
from apps.agents import selectors, services
from apps.agents.forms import AgentForm, PromptForm
from apps.core.exceptions import LoomError

PAGE_SIZE = 50


def _complain(error: LoomError) -> str:
    parts = (str(error), error.advice, f"AWS request id {error.request_id}" if error.request_id else "")
    return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts if part)


# One address gives a page or its table: without this a browser could show the table alone on the way back.
@vary_on_headers("HX-Request", "HX-Target")
@login_required
@require_safe
def agent_list(request: SignedInRequest) -> HttpResponse:
    """The registered agents, searched by `q`, in pages."""
    query = request.GET.get("q", "").replace("\0", "").strip()  # PostgreSQL takes no NUL
    visible = selectors.agents_visible_to(request.user)
    found = selectors.search_agents(visible, query).prefetch_related("endpoints")
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"agents": page.object_list, "page": page, "query": query, "total": visible.count(), "form": AgentForm()}
    is_table_only = request.htmx and request.htmx.target == "agent-table"
    return render(request, "agents/agent_list.html" + ("#agent-table" if is_table_only else ""), context)


@login_required
@require_POST
def agent_register(request: SignedInRequest) -> HttpResponse:
    """Register by ARN; a refusal comes back at the field, with what was typed."""
    form = AgentForm(request.POST)
    if form.is_valid():
        try:
            agent = services.register_agent(arn=form.cleaned_data["arn"], user=request.user)
        except LoomError as error:
            form.add_error("arn", _complain(error))
        else:
            messages.success(request, f"{agent.name} is registered.")
            target = reverse("agents:detail", args=[agent.pk])
            return HttpResponseClientRedirect(target) if request.htmx else redirect(target)
    if request.htmx:
        return render(request, "agents/agent_list.html#agent-form", {"form": form}, status=422)
    visible = selectors.agents_visible_to(request.user)
    page = Paginator(visible.prefetch_related("endpoints"), PAGE_SIZE).get_page(1)
    context = {"agents": page.object_list, "page": page, "query": "", "total": visible.count(), "form": form}
    return render(request, "agents/agent_list.html", context, status=422)


@login_required
@require_safe
def agent_detail(request: SignedInRequest, pk: int) -> HttpResponse:
    """One agent: prompt, facts, endpoints, its sessions and figures."""
    agent = get_object_or_404(selectors.agents_visible_to(request.user).prefetch_related("endpoints"), pk=pk)
    context = {
        "agent": agent,
        "endpoints": agent.endpoints.all(),
        "prompt_form": PromptForm(agent=agent) if agent.is_ready else None,
        "metadata": json.dumps(agent.raw_metadata, indent=2, ensure_ascii=False),
    }
    return render(request, "agents/agent_detail.html", context)


@login_required
@require_POST
def agent_refresh(request: SignedInRequest, pk: int) -> HttpResponse:
    """Read the agent from AWS again and go back to it."""
    agent = get_object_or_404(selectors.agents_visible_to(request.user), pk=pk)
    try:
        services.refresh_agent(agent=agent)
    except LoomError as error:
        messages.error(request, f"{agent.name} was not refreshed. {_complain(error)}")
    else:
        messages.success(request, f"{agent.name} is up to date: version {agent.version}, {agent.status}.")
    return redirect("agents:detail", pk)


@login_required
@require_POST
def agent_remove(request: SignedInRequest, pk: int) -> HttpResponse:
    """Hide the agent from the registry."""
    agent = get_object_or_404(selectors.agents_visible_to(request.user), pk=pk)
    services.remove_agent(agent=agent)
    messages.success(request, f"{agent.name} is removed; its history stays. Register its ARN again to bring it back.")
    return redirect("agents:list")
