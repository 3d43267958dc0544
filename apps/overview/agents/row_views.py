"""What a row of the list of agents does: its star, and what is shown when it is unfolded."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.http import SignedInRequest
from apps.agents.selectors import registry_visible_to
from apps.agents.services import star_agent, unstar_agent
from apps.core.exceptions import InvalidInputError
from apps.core.requests.return_to import return_to
from apps.metrics.figures.pages.recent import Asked, recent_invocations
from apps.metrics.figures.store_periods import KEPT_FOR
from apps.sessions.selectors import sessions_visible_to

LAST_RUNS = 5


@require_POST
def agent_star(request: SignedInRequest, pk: int) -> HttpResponse:
    """Give the agent a star, or without `starred` take it away: it is the reader's own, and nobody else sees it."""
    agent = get_object_or_404(registry_visible_to(request.user), pk=pk)
    is_starred = bool(request.POST.get("starred"))
    try:
        (star_agent if is_starred else unstar_agent)(owner=request.user, agent=agent)
    except InvalidInputError as error:
        messages.error(request, error.text())
        is_starred = False
    if request.htmx:
        return render(request, "agents/_star.html", {"agent": agent, "is_starred": is_starred, "oob": True})
    return redirect(return_to(request, reverse("agents:list")))


@require_safe
def agent_recent_fragment(request: SignedInRequest, pk: int) -> HttpResponse:
    """The row below an agent's: its endpoints, and the last runs of those sessions that the reader may see."""
    agent = get_object_or_404(registry_visible_to(request.user).prefetch_related("endpoints"), pk=pk)
    now = timezone.now()
    sessions = sessions_visible_to(request.user).filter(agent=agent)
    recent = recent_invocations(sessions, Asked(now - KEPT_FOR, now), LAST_RUNS)
    return render(request, "agents/_recent.html", {"agent": agent, "recent": recent})
