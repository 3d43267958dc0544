"""Which agents AgentCore answers for."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.agents.models import Agent


def with_runtime(agents: QuerySet[Agent]) -> QuerySet[Agent]:
    """Those of `agents` that live on AgentCore, with their runtimes."""
    return agents.filter(runtime__isnull=False).select_related("runtime")
