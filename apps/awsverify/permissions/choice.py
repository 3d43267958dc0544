"""Which agent a command means: by ARN, by its name in the registry, or by its name in the region."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from apps.agents.models import Agent, default_payload_template
from apps.aws.agentcore import READ_TIMEOUT_S
from apps.aws.arn import RuntimeArn


@dataclass(frozen=True, slots=True)
class Choice:
    """An agent that a command is about, with what the registry knows of how to invoke it."""

    arn: RuntimeArn
    payload_template: Any = field(default_factory=default_payload_template)
    read_timeout_s: float = READ_TIMEOUT_S

    @property
    def name(self) -> str:
        return self.arn.name


def is_arn(text: str) -> bool:
    return text.strip().startswith("arn:")


def choose_by_arn(text: str) -> Choice:
    """The agent of an ARN, registered or not. Raises InvalidArnError."""
    arn = RuntimeArn.parse(text)
    known = [choice for choice in registered() if choice.arn.runtime_arn == arn.runtime_arn]
    return Choice(arn, known[0].payload_template, known[0].read_timeout_s) if known else Choice(arn)


def registered(name: str | None = None) -> list[Choice]:
    """The registered agents of this mode, or those of a name; none where there is no database yet."""
    agents = Agent.objects.filter(removed_at=None, origin=settings.LOOM_AWS)
    if name is not None:
        agents = agents.filter(name=name)
    try:
        return [
            Choice(RuntimeArn.parse(agent.arn), agent.payload_template, agent.read_timeout_ms / 1000)
            for agent in agents
        ]
    except DatabaseError:
        return []
