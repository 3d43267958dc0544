"""Pieces of an agent's page that AWS has to be asked for, so that the page itself never waits for it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.agentcore.aws.caller import foreign_account
from apps.agentcore.aws.metrics import DEFAULT_RANGE, RANGES, metrics_of
from apps.agentcore.selectors import with_runtime
from apps.agentcore.services import versions_of
from apps.agents.models import Agent
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import LoomError

VERSIONS_SHOWN = 10


@require_safe
def account_fragment(request: SignedInRequest, pk: int) -> HttpResponse:
    """A warning where the agent lives in another account than Loom's credentials; nothing otherwise."""
    agent = get_object_or_404(with_runtime(agents_visible_to(request.user)), pk=pk)
    return render(request, "agentcore/_account.html", {"agent": agent, "own_account": foreign_account(agent)})


# One address gives a page or its versions: without this a browser could show those alone on the way back.
@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def agent_versions(request: SignedInRequest, pk: int) -> HttpResponse:
    """The agent's endpoints, and its versions when the page asks for them, because AWS may take seconds.

    `ask` has them in the page, for who runs no scripts; `all` shows the older ones too.
    """
    agent = get_object_or_404(with_runtime(agents_visible_to(request.user)).prefetch_related("endpoints"), pk=pk)
    is_part = bool(request.htmx) and request.htmx.target == "agent-versions"
    context = {"agent": agent, "endpoints": agent.endpoints.all(), "is_asked": "ask" in request.GET}
    if is_part or context["is_asked"]:
        context |= _versions(agent, is_whole="all" in request.GET)
    return render(request, "agentcore/_versions.html" if is_part else "agentcore/agent_versions.html", context)


def _versions(agent: Agent, *, is_whole: bool) -> dict[str, Any]:
    """The versions, the newest first, with the endpoints that lead to each; or why AWS does not tell them."""
    try:
        versions = versions_of(agent)
    except LoomError as error:
        return {"error": error}
    endpoints = defaultdict(list)
    for endpoint in agent.endpoints.all():
        endpoints[endpoint.live_version].append(endpoint.name)
    shown = versions if is_whole else versions[:VERSIONS_SHOWN]
    before = [*(version.version for version in versions[1:]), ""]
    return {
        "versions": [
            (version, endpoints.get(version.version, []), earlier)
            for version, earlier in zip(shown, before, strict=False)
        ],
        "hidden_count": len(versions) - len(shown),
    }


@require_safe
def aws_metrics_fragment(request: SignedInRequest, pk: int) -> HttpResponse:
    """What CloudWatch counted of the agent in `range`, from whoever invoked it."""
    agent = get_object_or_404(with_runtime(agents_visible_to(request.user)), pk=pk)
    chosen = RANGES.get(request.GET.get("range", ""), RANGES[DEFAULT_RANGE])
    context = {"agent": agent, "ranges": RANGES.values(), "chosen": chosen}
    try:
        metrics = metrics_of(agent, chosen, timezone.now())
    except LoomError as error:
        return render(request, "agentcore/_aws_metrics.html", context | {"error": error})
    return render(request, "agentcore/_aws_metrics.html", context | {"metrics": metrics})
