"""What is done to several agents of the list at once, and the report of what became of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST

from apps.accounts.http import SignedInRequest
from apps.accounts.models import User
from apps.agentcore.importing.bulk import refresh_many
from apps.agentcore.selectors import with_runtime
from apps.agentcore.services import register_agent
from apps.agents.models import Agent
from apps.agents.selectors import agents_visible_to, registry_visible_to
from apps.agents.services import archive_agent
from apps.core.exceptions import InvalidInputError, LoomError
from apps.core.requests.return_to import return_to
from apps.core.tables.bulk import Outcome, apply, checked_rows

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as Words

Carry = Callable[[list[Agent], User], list[Outcome]]


def _refresh(agents: list[Agent], user: User) -> list[Outcome]:
    """Several at a time, at the pace that AWS allows."""
    rows = with_runtime(Agent.objects.filter(pk__in=[agent.pk for agent in agents]))
    done = {
        result.agent.pk: Outcome(
            result.agent.name,
            result.error.text() if result.error else "",
            "; ".join(result.changes) or gettext("nothing changed on AWS"),
        )
        for result in refresh_many(rows)
    }
    not_there = gettext("Only an agent on AgentCore can be read again.")
    return [done.get(agent.pk, Outcome(agent.name, not_there)) for agent in agents]


def _archive(agents: list[Agent], user: User) -> list[Outcome]:
    return apply(agents, lambda agent: archive_agent(agent=agent), done=gettext("archived, its history stays"))


def _revive(agents: list[Agent], user: User) -> list[Outcome]:
    def revive(agent: Agent) -> None:
        if not hasattr(agent, "runtime"):
            raise LoomError(gettext("Only an agent on AgentCore can be brought back here."))
        register_agent(arn=agent.runtime.arn, user=user)

    return apply(agents, revive, done=gettext("back, with its history"))


@dataclass(frozen=True, slots=True)
class Action:
    """What may be done: how it is called, to which agents, and whether it is asked about before."""

    title: Words
    carry_out: Carry
    is_of_archived: bool = False
    is_asked_about: bool = False

    def agents_for(self, user: User) -> QuerySet[Agent]:
        """Those that `user` may do it to."""
        if not self.is_of_archived:
            return agents_visible_to(user, "manage")
        return registry_visible_to(user, "manage").filter(removed_at__isnull=False)


ACTIONS = {
    "refresh": Action(gettext_lazy("Refresh"), _refresh),
    "archive": Action(gettext_lazy("Archive"), _archive, is_asked_about=True),
    "revive": Action(gettext_lazy("Bring back"), _revive, is_of_archived=True),
}


@require_POST
def agent_bulk(request: SignedInRequest) -> HttpResponse:
    """Do `action` to the agents checked as `row`, and tell what became of each. To archive is asked about first, on a
    page whose button sends `is_confirmed`.
    """
    back = return_to(request, reverse("agents:list"))
    action = ACTIONS.get(request.POST.get("action", ""))
    try:
        if action is None:
            raise InvalidInputError(gettext("Nothing was done: the button was not understood."))
        agents = checked_rows(action.agents_for(request.user).order_by("name", "pk"), request.POST)
    except InvalidInputError as error:
        messages.error(request, error.text())
        return redirect(back)
    context: dict[str, Any] = {"agents": agents, "title": action.title, "back": back, "action": request.POST["action"]}
    if action.is_asked_about and not request.POST.get("is_confirmed"):
        return render(request, "agents/agent_bulk_confirm.html", context)
    outcomes = action.carry_out(agents, request.user)
    context["outcomes"] = list(zip(agents, outcomes, strict=True))
    context["done_count"] = sum(outcome.is_done for outcome in outcomes)
    return render(request, "agents/agent_bulk_report.html", context)
