"""The list of sessions, and what is done to a session from there."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import LoomError
from apps.core.requests.return_to import return_to
from apps.core.tables.export import table_csv
from apps.sessions import selectors, services
from apps.sessions.pages.list_forms import RenameForm
from apps.sessions.pages.listing import CSV, SESSIONS, hidden_count, read_sessions


# One address gives a page or its table: without this a browser could show the table alone on the way back.
@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def session_list(request: SignedInRequest) -> HttpResponse:
    """The sessions in pages, searched by `q`, kept by `agent`, `status`, `qualifier`, `measure_start`, `archived`."""
    visible = selectors.sessions_visible_to(request.user)
    table = SESSIONS.listing(visible, request.GET)
    context = {
        "table": table,
        "hidden_count": hidden_count(visible, table.wanted),
        "has_any": bool(table.rows) or visible.exists(),
    }
    is_table_only = request.htmx and request.htmx.target == "session-table"
    return render(request, "sessions/session_list.html" + ("#session-table" if is_table_only else ""), context)


@require_safe
def session_list_csv(request: SignedInRequest) -> StreamingHttpResponse:
    """All sessions that the same address of the list would find, as a file."""
    found = SESSIONS.asked(selectors.sessions_visible_to(request.user), request.GET)
    return table_csv(request, "sessions", CSV, found, read_sessions)


@require_POST
def session_rename(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Give a session another title."""
    session = get_object_or_404(selectors.sessions_visible_to(request.user), public_id=public_id)
    form = RenameForm(request.POST)
    if not form.is_valid():
        reasons = " ".join(str(error) for error in form.errors["title"])
        messages.error(request, f"The session was not renamed. {reasons}")
        return redirect(return_to(request, reverse("sessions:list")))
    try:
        services.rename_session(session=session, title=form.cleaned_data["title"])
    except LoomError as error:
        messages.error(request, f"The session was not renamed. {error.text()}")
    else:
        messages.success(request, "The session is renamed.")
    return redirect(return_to(request, reverse("sessions:list")))
