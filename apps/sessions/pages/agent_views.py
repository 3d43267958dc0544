"""The sessions with one agent, beside the other pages of it."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.agents.selectors import registry_visible_to
from apps.sessions.pages.listing import SESSIONS_OF_AGENT, hidden_count
from apps.sessions.selectors import sessions_visible_to


# One address gives a page or its table: without this a browser could show the table alone on the way back.
@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def agent_sessions(request: SignedInRequest, pk: int) -> HttpResponse:
    """Those that the reader may see, as the list of all sessions finds them; of an archived agent too."""
    agent = get_object_or_404(registry_visible_to(request.user), pk=pk)
    sessions = sessions_visible_to(request.user).filter(agent=agent)
    table = SESSIONS_OF_AGENT.listing(sessions, request.GET)
    context = {
        "agent": agent,
        "table": table,
        "hidden_count": hidden_count(sessions, table.wanted, SESSIONS_OF_AGENT),
        "has_any": bool(table.rows) or sessions.exists(),
    }
    is_table_only = request.htmx and request.htmx.target == "session-table"
    return render(request, "sessions/agent_sessions.html" + ("#session-table" if is_table_only else ""), context)
