"""The latency panel of a session's page."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.http import SignedInRequest
from apps.metrics.starts import services, tasks
from apps.metrics.starts.panel import latency_panels
from apps.sessions.selectors import sessions_visible_to


@require_safe
def latency_fragment(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The latency panel of a session's page."""
    session = get_object_or_404(sessions_visible_to(request.user), public_id=public_id)
    return render(request, "metrics/_latency.html", {"session": session, "panels": latency_panels(session)})


@require_POST
def latency_check(request: SignedInRequest, public_id: UUID, number: int) -> HttpResponse:
    """Look in the logs again for the start of one invocation, and show the panel as it then stands."""
    session = get_object_or_404(sessions_visible_to(request.user), public_id=public_id)
    invocation = get_object_or_404(session.invocations.select_related("measurement"), number=number)
    if services.look_again(invocation=invocation):
        tasks.enqueue_due_sweep()
    if not request.htmx:
        return redirect(session)
    return render(request, "metrics/_latency.html", {"session": session, "panels": latency_panels(session)})
