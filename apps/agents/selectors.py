"""Every read of the registry."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.accounts.policy import Action, subject_of, visible
from apps.agents.models import Agent


def in_use(prefix: str = "") -> Q:
    """The agents that this mode shows and counts, as a condition: its own AWS's, and those that live in Loom itself.

    `prefix` is the way to the agent, as `session__agent__`. No figure mixes the emulator's agents with those of AWS.
    """
    return Q(**{f"{prefix}origin__in": (settings.LOOM_AWS, Agent.Origin.LOOM)})


def registry_visible_to(user: User | AnonymousUser, action: Action = "read") -> QuerySet[Agent]:
    """Every agent of this mode with which `user` may do the action, archived ones too."""
    return Agent.objects.filter(in_use(), visible(subject_of(user), Agent, action))


def agents_visible_to(user: User | AnonymousUser, action: Action = "read") -> QuerySet[Agent]:
    """The registered agents with which `user` may do the action; archived ones are not among them."""
    return registry_visible_to(user, action).filter(removed_at=None)


def search_agents(agents: QuerySet[Agent], text: str) -> QuerySet[Agent]:
    """Keep the agents whose name, ARN or description holds every word of `text`."""
    for word in text.split():
        agents = agents.filter(Q(name__icontains=word) | Q(arn__icontains=word) | Q(description__icontains=word))
    return agents
