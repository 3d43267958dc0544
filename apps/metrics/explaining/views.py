"""The timeline of a run, as a page and below its answer, and what to expect of a run that is waited for."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.metrics.explaining.drawing import draw
from apps.metrics.explaining.expecting import expectation_of
from apps.metrics.explaining.timeline import timeline_of
from apps.metrics.explaining.why import why_slow
from apps.sessions.selectors import sessions_visible_to


@vary_on_headers("HX-Request")
@require_safe
def timeline(request: SignedInRequest, public_id: UUID, number: int) -> HttpResponse:
    """Where the time of one run went."""
    session = get_object_or_404(sessions_visible_to(request.user), public_id=public_id)
    runs = session.invocations.select_related("session__agent", "measurement", "agent_trace").defer(
        "payload", "response_text"
    )
    run = get_object_or_404(runs, number=number)
    found = timeline_of(run)
    template = "metrics/timeline.html#timeline" if request.htmx else "metrics/timeline.html"
    reason, compared = why_slow(found)
    context = {
        "session": session, "agent": session.agent, "run": run, "timeline": found, "drawing": draw(found),
        "reason": reason, "compared": compared,
    }  # fmt: skip
    return render(request, template, context)


@require_safe
def expectation(request: SignedInRequest, public_id: UUID, number: int) -> HttpResponse:
    """How long the first token usually takes to come after such a start; nothing where that is not known."""
    session = get_object_or_404(sessions_visible_to(request.user), public_id=public_id)
    run = get_object_or_404(session.invocations.defer("payload"), number=number)
    run.session = session
    return render(request, "metrics/_expectation.html", {"expectation": expectation_of(run, timezone.now())})
