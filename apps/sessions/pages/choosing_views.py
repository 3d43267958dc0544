"""What a field that is searched lists: agents, or their endpoints."""

from __future__ import annotations

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.accounts.http import SignedInRequest
from apps.sessions.choosing import offered_agents, targets_of


class OptionsForm(forms.Form):
    """A piece of a name, and whether agents are to be chosen, or their endpoints."""

    q = forms.CharField(max_length=200, required=False)
    of = forms.ChoiceField(choices=[("target", "target"), ("agent", "agent")], required=False)


@never_cache
@require_safe
def agent_options_fragment(request: SignedInRequest) -> HttpResponse:
    """Those that say every word of `q`, those that the reader used last first; of endpoints, such as take prompts."""
    form = OptionsForm(request.GET)
    is_refused = not form.is_valid()
    is_of_agents = form.cleaned_data.get("of") == "agent"
    text = "" if is_refused else form.cleaned_data["q"]
    offered = None if is_refused else offered_agents(request.user, text=text, is_ready=not is_of_agents)
    rows = [(agent, [] if is_of_agents else targets_of(agent)) for agent in (offered.agents if offered else [])]
    context = {"rows": rows, "is_of_agents": is_of_agents, "has_more": offered is not None and offered.has_more}
    return render(request, "sessions/_agent_options.html", context, status=422 if is_refused else 200)
