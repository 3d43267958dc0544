"""Every change of agents that no host has a part in."""

from __future__ import annotations

import logging

from django.utils import timezone

from apps.agents.models import Agent

logger = logging.getLogger(__name__)


def archive_agent(*, agent: Agent) -> None:
    """Hide an agent. Its history stays, AWS is not touched, registering the ARN again brings it back."""
    Agent.objects.filter(pk=agent.pk, removed_at=None).update(removed_at=timezone.now())
    logger.info("agent archived id=%s", agent.pk)
