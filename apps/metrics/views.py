"""The pages of figures."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.accounts.http import SignedInRequest
from apps.agents.selectors import agents_visible_to
from apps.metrics import selectors
from apps.metrics.tiles import Tile, make_tiles
from apps.sessions.selectors import invocations_visible_to, sessions_visible_to


@login_required
@require_safe
def operate(request: SignedInRequest) -> HttpResponse:
    """Figures of the last 24 hours over all agents, and the newest invocations that the reader may open."""
    invocations = selectors.invocations_in_figures(since=selectors.day_before(timezone.now()))
    figures = selectors.figures(invocations)
    own = invocations.filter(pk__in=invocations_visible_to(request.user).values("pk"))
    agents = Tile(
        "Agents", f"{agents_visible_to(request.user).count():,}", meta="registered", href=reverse("agents:list")
    )
    context = {
        "tiles": [agents, *make_tiles(figures, is_emulated=_is_emulated())],
        "recent": selectors.recent_invocations(own),
    }
    return render(request, "metrics/operate.html", context)


def _is_emulated() -> bool:
    return settings.LOOM_AWS == "emulator"


@login_required
@require_safe
def latency_fragment(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The latency panel of a session's page."""
    session = get_object_or_404(sessions_visible_to(request.user), public_id=public_id)
    return render(request, "metrics/_latency.html", {"session": session, "panels": selectors.latency_panels(session)})


@login_required
@require_safe
def agent_figures_fragment(request: SignedInRequest, pk: int) -> HttpResponse:
    """The figures of one agent, of all time."""
    agent = get_object_or_404(agents_visible_to(request.user), pk=pk)
    figures = selectors.figures(selectors.invocations_in_figures(agent_id=agent.pk))
    tiles = make_tiles(figures, is_emulated=_is_emulated()) if figures.invocation_count else []
    return render(request, "metrics/_agent_figures.html", {"agent": agent, "tiles": tiles})
