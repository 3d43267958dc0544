"""Whether an agent on AgentCore can be invoked now, and by which names."""

from __future__ import annotations

import logging

from django.conf import settings

from apps.agentcore.exceptions import AgentRuntimeError
from apps.agentcore.services import refresh_agent
from apps.agents.models import Agent
from apps.agents.selectors import origins_in_use
from apps.sessions.exceptions import AgentUnavailableError, UnknownQualifierError

logger = logging.getLogger(__name__)


def check_invokable(agent: Agent) -> None:
    """Raise AgentUnavailableError where an invocation could only fail."""
    check_origin(agent)
    if not hasattr(agent, "runtime"):
        # A process of the release before registered it just now.
        raise AgentUnavailableError(f"{agent.name} is being taken over.", advice="Try again in a few seconds.")
    if agent.runtime.is_jwt:
        raise AgentUnavailableError(
            f"{agent.name} accepts only JWT bearer tokens, and Loom signs requests with IAM.",
            advice="Invoke an agent without a customJWTAuthorizer, or give this one a second runtime with IAM.",
        )
    if agent.runtime.aws_account is not None and not agent.runtime.aws_account.is_enabled:
        raise AgentUnavailableError(
            f"{agent.name} lives in the AWS account {agent.runtime.aws_account.label}, which is disabled.",
            advice="It can be enabled on the page of AWS accounts.",
        )


def check_origin(agent: Agent) -> None:
    """Raise AgentUnavailableError for an agent of the other AWS."""
    if agent.origin not in origins_in_use():
        raise AgentUnavailableError(
            f"{agent.name} lives on {agent.get_origin_display()}; this Loom runs with LOOM_AWS={settings.LOOM_AWS}."
        )


def check_qualifier(agent: Agent, qualifier: str) -> None:
    """Raise UnknownQualifierError unless the agent has that endpoint, asking AWS once more before saying so."""
    if qualifier in agent.available_qualifiers:
        return
    try:
        refresh_agent(agent=agent)
    except AgentRuntimeError:
        logger.warning("refresh for an unknown qualifier failed agent=%s", agent.pk)
    if qualifier not in agent.available_qualifiers:
        known = ", ".join(agent.available_qualifiers)
        raise UnknownQualifierError(
            f"{agent.name} has no endpoint of this name.", advice=f"Its endpoints are: {known}."
        )
