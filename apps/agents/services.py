"""Every change of agents that no host has a part in."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from apps.agents.models import Agent, AgentTag
from apps.core.tags import normalised, tags_named

logger = logging.getLogger(__name__)


def archive_agent(*, agent: Agent) -> None:
    """Hide an agent. Its history stays, AWS is not touched, registering the ARN again brings it back."""
    Agent.objects.filter(pk=agent.pk, removed_at=None).update(removed_at=timezone.now())
    logger.info("agent archived id=%s", agent.pk)


def set_agent_tags(*, agent: Agent, names: Iterable[str]) -> list[str]:
    """Give the agent these tags in the place of those it has; return them as they are called.

    Raises InvalidInputError where a name cannot be one.
    """
    wanted = normalised(names)
    with transaction.atomic():
        Agent.objects.select_for_update().filter(pk=agent.pk).first()  # two at once do not mix
        tags = tags_named(wanted)
        AgentTag.objects.filter(agent=agent).delete()
        AgentTag.objects.bulk_create(AgentTag(agent=agent, tag=tag) for tag in tags)
    return [tag.name for tag in tags]
