"""What somebody thinks of an answer, beside its turn and on a page of its own."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import LoomError
from apps.overview import services
from apps.overview.models import Rating
from apps.overview.selectors import ratings_visible_to
from apps.sessions.models import Invocation
from apps.sessions.selectors import invocations_visible_to


# One address gives a page or its form: without this a browser could show the form alone on the way back.
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "HEAD", "POST"])
def rating(request: SignedInRequest, pk: int) -> HttpResponse:
    """The reader's rating of a run; a POST keeps it. `thumb` that is pressed again is taken back."""
    runs = invocations_visible_to(request.user).select_related("session__agent").defer("response_text", "payload")
    run = get_object_or_404(runs, pk=pk)
    if request.method != "POST":
        return _shown(request, run, _own(request, run))
    thumb, note = request.POST.get("thumb", ""), request.POST.get("note", "")
    try:
        kept = services.rate_run(owner=request.user, run=run, thumb=thumb, note=note)
    except LoomError as error:
        return _shown(request, run, Rating(thumb=thumb, note=note), problem=error)
    if request.htmx:
        return _shown(request, run, kept, is_kept=True)
    messages.success(request, _("The rating is saved.") if kept else _("The rating is taken back."))
    return redirect("sessions:run", run.pk)


def _own(request: SignedInRequest, run: Invocation) -> Rating | None:
    return ratings_visible_to(request.user).filter(owner=request.user, invocation=run).first()


def _shown(
    request: SignedInRequest,
    run: Invocation,
    kept: Rating | None,
    *,
    problem: LoomError | None = None,
    is_kept: bool = False,
) -> HttpResponse:
    context = {"run": run, "rating": kept, "problem": problem, "is_kept": is_kept, "most": Rating.NOTE_LENGTH}
    part = "overview/_rating_items.html" if "compact" in request.GET else "overview/_rating.html"
    template = part if request.htmx else "overview/rating.html"
    return render(request, template, context, status=200 if problem is None else 422)
