"""Every read of the registry."""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.accounts.policy import Action, Subject, decide, subject_of, visible
from apps.agents.models import Agent
from apps.core.prepared import Select, slot


def origins_in_use() -> tuple[str, str]:
    """Where the agents live that this mode shows, invokes and counts: its own AWS, and Loom itself."""
    return settings.LOOM_AWS, Agent.Origin.LOOM


def in_use(prefix: str = "") -> Q:
    """Those agents as a condition. No figure mixes the emulator's with those of AWS.

    `prefix` is the way to the agent, as `session__agent__`.
    """
    return Q(**{f"{prefix}origin__in": origins_in_use()})


def registry_visible_to(user: User | AnonymousUser, action: Action = "read") -> QuerySet[Agent]:
    """Every agent of this mode with which `user` may do the action, archived ones too."""
    return Agent.objects.filter(in_use(), visible(subject_of(user), Agent, action)).select_related("runtime")


def agents_visible_to(user: User | AnonymousUser, action: Action = "read") -> QuerySet[Agent]:
    """The registered agents with which `user` may do the action; archived ones are not among them."""
    return registry_visible_to(user, action).filter(removed_at=None)


def _agent_by_id(*, is_staff: bool) -> QuerySet[Agent]:
    subject = Subject(slot(User, "pk", "user"), is_staff)
    modes = [slot(Agent, "origin", f"origin {number}") for number in range(2)]
    seen = Agent.objects.filter(visible(subject, Agent), origin__in=modes, removed_at=None)
    return seen.filter(pk=slot(Agent, "pk")).select_related("runtime").order_by()


_agent_of_staff, _agent_of_others = (Select(partial(_agent_by_id, is_staff=is_staff)) for is_staff in (True, False))


def agent_visible_to(user: User | AnonymousUser, agent_id: int) -> Agent | None:
    """The one of `agents_visible_to` with this id: asked for with every prompt that begins a session."""
    if user.pk is None or agent_id > models.BigIntegerField.MAX_BIGINT:
        return None
    select = _agent_of_staff if user.is_staff else _agent_of_others
    origins = {f"origin {number}": origin for number, origin in enumerate(origins_in_use())}
    return next(iter(select(user=user.pk, pk=agent_id, **origins)), None)


def is_visible_agent(user: User | AnonymousUser, agent: Agent) -> bool:
    """Whether it is one of `agents_visible_to`, for an agent that is at hand."""
    is_registered = agent.origin in origins_in_use() and agent.removed_at is None
    return is_registered and decide(subject_of(user), "read", agent)


def search_agents(agents: QuerySet[Agent], text: str) -> QuerySet[Agent]:
    """Keep the agents whose name, ARN or description holds every word of `text`."""
    for word in text.split():
        in_text = Q(name__icontains=word) | Q(description__icontains=word)
        agents = agents.filter(in_text | Q(runtime__arn__icontains=word))
    return agents
