"""What is done to several agents of the list at once, and the report of what became of each."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from apps.accounts.http import SignedInRequest
from apps.agentcore.together import ACTIONS
from apps.core.exceptions import InvalidInputError
from apps.core.requests.return_to import return_to
from apps.core.tables.bulk import checked_rows


@require_POST
def agent_bulk(request: SignedInRequest) -> HttpResponse:
    """Do `action` to the agents checked as `row`, and tell what became of each. To archive is asked about first, on a
    page whose button sends `is_confirmed`; what is given or taken is called `tag`.
    """
    back = return_to(request, reverse("agents:list"))
    action = ACTIONS.get(request.POST.get("action", ""))
    try:
        if action is None:
            raise InvalidInputError(gettext("Nothing was done: the button was not understood."))
        agents = checked_rows(action.agents_for(request.user).order_by("name", "pk"), request.POST)
        context: dict[str, Any] = {"agents": agents, "title": action.title, "back": back}
        context["action"] = request.POST["action"]
        if action.is_asked_about and not request.POST.get("is_confirmed"):
            return render(request, "agents/agent_bulk_confirm.html", context)
        outcomes = action.carry_out(agents, request.user, request.POST.get("tag", ""))
    except InvalidInputError as error:
        messages.error(request, error.text())
        return redirect(back)
    context["outcomes"] = list(zip(agents, outcomes, strict=True))
    context["done_count"] = sum(outcome.is_done for outcome in outcomes)
    return render(request, "agents/agent_bulk_report.html", context)
