"""The pages of an agent that any kind has."""

from __future__ import annotations

import json

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.http import SignedInRequest
from apps.agents import selectors, services
from apps.agents.forms import PromptForm
from apps.agents.models import Agent
from apps.core.requests.return_to import return_to


@require_safe
def agent_detail(request: SignedInRequest, pk: int) -> HttpResponse:
    """What stands first of an agent: prompt, figures, facts. Of an archived one all that is kept of it, to be read."""
    registry = selectors.registry_visible_to(request.user).select_related("registered_by")
    agent = get_object_or_404(registry.prefetch_related("endpoints"), pk=pk)
    context = {
        "agent": agent,
        "endpoints": agent.endpoints.all(),
        "prompt_form": PromptForm(agent=agent) if agent.is_ready and not agent.is_archived else None,
        **(_texts(agent) if agent.is_archived else {}),
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
