"""Pieces of an agent's page that AWS has to be asked for, so that the page itself never waits for it."""

from __future__ import annotations

from collections import defaultdict

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.accounts.http import SignedInRequest
from apps.agentcore.aws.caller import foreign_account
from apps.agentcore.aws.metrics import DEFAULT_RANGE, RANGES, metrics_of
from apps.agentcore.exceptions import AgentRuntimeError
from apps.agentcore.selectors import with_runtime
from apps.agentcore.services import versions_of
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import LoomError

VERSIONS_SHOWN = 10


@require_safe
def account_fragment(request: SignedInRequest, pk: int) -> HttpResponse:
    """A warning where the agent lives in another account than Loom's credentials; nothing otherwise."""
    agent = get_object_or_404(with_runtime(agents_visible_to(request.user)), pk=pk)
    return render(request, "agentcore/_account.html", {"agent": agent, "own_account": foreign_account(agent)})


@require_safe
def versions_fragment(request: SignedInRequest, pk: int) -> HttpResponse:
    """The agent's versions, the newest first, with the endpoints that lead to each; `all` shows the older ones too."""
    agent = get_object_or_404(with_runtime(agents_visible_to(request.user)).prefetch_related("endpoints"), pk=pk)
    try:
        versions = versions_of(agent)
    except LoomError as error:
        return render(request, "agentcore/_versions.html", {"agent": agent, "error": error})
    endpoints = defaultdict(list)
    for endpoint in agent.endpoints.all():
        endpoints[endpoint.live_version].append(endpoint.name)
    shown = versions if "all" in request.GET else versions[:VERSIONS_SHOWN]
    context = {
        "agent": agent,
        "versions": [(version, endpoints.get(version.version, [])) for version in shown],
        "hidden_count": len(versions) - len(shown),
    }
    return render(request, "agentcore/_versions.html", context)


@require_safe
def aws_metrics_fragment(request: SignedInRequest, pk: int) -> HttpResponse:
    """What CloudWatch counted of the agent in `range`, from whoever invoked it."""
    agent = get_object_or_404(with_runtime(agents_visible_to(request.user)), pk=pk)
    chosen = RANGES.get(request.GET.get("range", ""), RANGES[DEFAULT_RANGE])
    context = {"agent": agent, "ranges": RANGES.values(), "chosen": chosen}
    try:
        metrics = metrics_of(agent, chosen, timezone.now())
    except AgentRuntimeError as error:
        return render(request, "agentcore/_aws_metrics.html", context | {"error": error})
    return render(request, "agentcore/_aws_metrics.html", context | {"metrics": metrics})
