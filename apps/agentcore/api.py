"""Registering a runtime over JSON, and reading it from AWS again.

On the router of agents: ninja asks only the first router that knows a path, whatever the method.
"""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Field, Schema, Status

from apps.accounts.access import may_manage
from apps.agentcore import services
from apps.agentcore.selectors import with_runtime
from apps.agents.api import AgentOut, agents_with_endpoints, router
from apps.agents.forms import ARN_MAX_LENGTH, ARN_SCHEMA
from apps.agents.models import Agent
from apps.core.exceptions import found

__all__ = ["router"]


def _find_agent(request: HttpRequest, agent_id: int) -> Agent:
    return found(with_runtime(agents_with_endpoints(request)).filter(pk=agent_id).first(), "agent", agent_id)


class AgentIn(Schema):
    arn: str = Field(
        max_length=ARN_MAX_LENGTH,
        json_schema_extra=ARN_SCHEMA,
        examples=["arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/my_agent-AbCdEf1234"],
    )


@router.post("", auth=may_manage, response={201: AgentOut}, summary="Register an agent by its ARN")
def create_agent(request: HttpRequest, body: AgentIn) -> Status[Agent]:
    """Describes the runtime on AWS, then stores it. 400 for a bad ARN, 409 for a known one, 502 where AWS refuses."""
    return Status(201, services.register_agent(arn=body.arn, user=request.user))  # type: ignore[arg-type]


@router.post("/{int:agent_id}/refresh", auth=may_manage, response=AgentOut, summary="Read an agent from AWS again")
def refresh_agent(request: HttpRequest, agent_id: int) -> Agent:
    """502 where AWS refuses; the agent then stays as it was."""
    services.refresh_agent(agent=_find_agent(request, agent_id))
    return _find_agent(request, agent_id)
