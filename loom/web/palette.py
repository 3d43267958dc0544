"""The command palette: its dialogs, and what is found of the reader's things while somebody types.

What pages and actions there are comes with the dialog, and is filtered by its script.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.accounts.http import SignedInRequest
from apps.agents.selectors import agents_visible_to, search_agents
from apps.core.search import words_of
from apps.overview.runs import asked
from apps.overview.runs.finding import find_runs
from apps.overview.runs.rows import read_rows
from apps.sessions.pages.listing import conversations_named
from apps.sessions.selectors import sessions_visible_to
from loom.web import places

SHOWN_AT_MOST = 5  # of each kind


class PaletteForm(forms.Form):
    """What is typed."""

    q = forms.CharField(max_length=200, required=False)


@require_safe
def palette_fragment(request: SignedInRequest) -> HttpResponse:
    """The palette and the sheet of keys, which a page fetches when one of them is wanted first."""
    is_staff = request.user.is_staff
    context = {
        "places": places.places_for(is_staff=is_staff),
        "actions": places.ACTIONS,
        "key_groups": places.key_groups(is_staff=is_staff),
    }
    return render(request, "core/palette.html", context)


@never_cache
@require_safe
def palette_results_fragment(request: SignedInRequest) -> HttpResponse:
    """Agents, sessions and runs that the reader may see and that say every word of `q`."""
    form = PaletteForm(request.GET)
    text = form.cleaned_data["q"] if form.is_valid() else ""
    context = {"text": text, "is_refused": not form.is_valid(), **(_found(request, text) if text else {})}
    return render(request, "core/palette.html#results", context, status=422 if context["is_refused"] else 200)


def _found(request: SignedInRequest, text: str) -> dict[str, Any]:
    user = request.user
    agents = search_agents(agents_visible_to(user), text).order_by("name", "pk")
    sessions = conversations_named(sessions_visible_to(user), text)
    runs = find_runs(user, asked.Asked(text, asked.NEWEST, asked.nothing().chosen), limit=SHOWN_AT_MOST)
    return {
        "agents": agents[:SHOWN_AT_MOST],
        "sessions": sessions[:SHOWN_AT_MOST],
        "rows": read_rows(runs.keys, words_of(text)),
    }
