"""Which agent a command means: by ARN, or by its name in the registry."""

from __future__ import annotations

from django.conf import settings
from django.db import DatabaseError

from apps.agents.models import Agent
from apps.aws.arn import RuntimeArn


def is_arn(text: str) -> bool:
    return text.strip().startswith("arn:")


def registered(name: str | None = None) -> list[RuntimeArn]:
    """The registered agents of this mode, or those of a name; none where there is no database yet."""
    agents = Agent.objects.filter(removed_at=None, origin=settings.LOOM_AWS)
    if name is not None:
        agents = agents.filter(name=name)
    try:
        return [RuntimeArn.parse(arn) for arn in agents.values_list("arn", flat=True)]
    except DatabaseError:
        return []
