"""Every read of the registry."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.agents.models import Agent


def in_use(prefix: str = "") -> Q:
    """The agents that this mode shows and counts, as a condition: its own AWS's, and those that live in Loom itself.

    `prefix` is the way to the agent, as `session__agent__`. No figure mixes the emulator's agents with those of AWS.
    """
    return Q(**{f"{prefix}origin__in": (settings.LOOM_AWS, Agent.Origin.LOOM)})


def registry_visible_to(user: User | AnonymousUser) -> QuerySet[Agent]:
    """Every agent that `user` may see, archived ones too: all of this mode's, for anyone signed in."""
    if not user.is_authenticated:
        return Agent.objects.none()
    return Agent.objects.filter(in_use())


def agents_visible_to(user: User | AnonymousUser) -> QuerySet[Agent]:
    """The registered agents that `user` may see and invoke; archived ones are not among them."""
    return registry_visible_to(user).filter(removed_at=None)


def search_agents(agents: QuerySet[Agent], text: str) -> QuerySet[Agent]:
    """Keep the agents whose name, ARN or description holds every word of `text`."""
    for word in text.split():
        agents = agents.filter(Q(name__icontains=word) | Q(arn__icontains=word) | Q(description__icontains=word))
    return agents
