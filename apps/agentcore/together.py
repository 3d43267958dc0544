"""What is done to several agents at once, on the page and over JSON: one after the other, with a report of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import QuerySet
from django.utils.translation import gettext, gettext_lazy

from apps.accounts.models import User
from apps.agentcore.importing.bulk import refresh_many
from apps.agentcore.selectors import with_runtime
from apps.agentcore.services import register_agent
from apps.agents.models import Agent
from apps.agents.selectors import agents_visible_to, registry_visible_to
from apps.agents.services import archive_agent, tag_agent, untag_agent
from apps.core.exceptions import LoomError
from apps.core.tables.bulk import Outcome, apply
from apps.core.tags import one_tag

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as Words

Carry = Callable[[list[Agent], User, str], list[Outcome]]
"""Takes the agents, who asks, and the tag where there is one to be given or taken."""


def _refresh(agents: list[Agent], user: User, tag: str) -> list[Outcome]:
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


def _archive(agents: list[Agent], user: User, tag: str) -> list[Outcome]:
    return apply(agents, lambda agent: archive_agent(agent=agent), done=gettext("archived, its history stays"))


def _revive(agents: list[Agent], user: User, tag: str) -> list[Outcome]:
    def revive(agent: Agent) -> None:
        if not hasattr(agent, "runtime"):
            raise LoomError(gettext("Only an agent on AgentCore can be brought back here."))
        register_agent(arn=agent.runtime.arn, user=user)

    return apply(agents, revive, done=gettext("back, with its history"))


def _tag(agents: list[Agent], user: User, tag: str) -> list[Outcome]:
    name = one_tag(tag)
    done = gettext("tagged %(tag)s") % {"tag": name}
    return apply(agents, lambda agent: tag_agent(agent=agent, name=name), done=done)


def _untag(agents: list[Agent], user: User, tag: str) -> list[Outcome]:
    name = one_tag(tag)
    had, had_not = gettext("%(tag)s is taken away"), gettext("had no tag %(tag)s")
    return [
        Outcome(agent.name, note=(had if untag_agent(agent=agent, name=name) else had_not) % {"tag": name})
        for agent in agents
    ]


@dataclass(frozen=True, slots=True)
class Action:
    """What may be done: how it is called, to which agents, and whether it is asked about before.

    `carry_out` raises InvalidInputError, and does nothing, where the tag is none.
    """

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
    "tag": Action(gettext_lazy("Add tag"), _tag),
    "untag": Action(gettext_lazy("Remove tag"), _untag),
    "archive": Action(gettext_lazy("Archive"), _archive, is_asked_about=True),
    "revive": Action(gettext_lazy("Bring back"), _revive, is_of_archived=True),
}
