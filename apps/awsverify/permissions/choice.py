"""Which agent a command means: by ARN, or by its name in the registry."""

from __future__ import annotations

from django.db import DatabaseError

from apps.agentcore.models import Runtime
from apps.agents.selectors import in_use
from apps.aws.arn import RuntimeArn


def is_arn(text: str) -> bool:
    return text.strip().startswith("arn:")


def registered(name: str | None = None) -> list[RuntimeArn]:
    """The registered agents of this mode, or those of a name; none where there is no database yet."""
    runtimes = Runtime.objects.filter(in_use("agent__"), agent__removed_at=None).order_by("agent__name", "pk")
    if name is not None:
        runtimes = runtimes.filter(agent__name=name)
    try:
        return [RuntimeArn.parse(arn) for arn in runtimes.values_list("arn", flat=True)]
    except DatabaseError:
        return []
