"""The registry over JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema, Status

from apps.agents import selectors, services
from apps.agents.forms import ARN_MAX_LENGTH
from apps.agents.models import Agent

router = Router(tags=["agents"])


class AgentIn(Schema):
    arn: str = Field(
        max_length=ARN_MAX_LENGTH,
        examples=["arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/my_agent-AbCdEf1234"],
    )


class EndpointOut(Schema):
    name: str
    live_version: str
    target_version: str
    status: str


class AgentOut(Schema):
    """An agent under the keys of the first version of the API, and what came after them."""

    id: int
    arn: str
    runtime_id: str
    name: str
    status: str
    region: str
    account_id: str
    log_group: str
    available_qualifiers: list[str]
    raw_metadata: dict[str, Any]
    registered_at: datetime
    last_refreshed_at: datetime
    origin: str
    description: str
    version: str
    protocol: str
    endpoints: list[EndpointOut]
    last_invoked_at: datetime | None
    invocation_count: int

    @staticmethod
    def resolve_endpoints(agent: Agent) -> list[Any]:
        return list(agent.endpoints.all())


@router.post("", response={201: AgentOut}, summary="Register an agent by its ARN")
def create_agent(request: HttpRequest, body: AgentIn) -> Status[Agent]:
    """Describes the runtime on AWS, then stores it. 400 for a bad ARN, 409 for a known one, 502 where AWS refuses."""
    return Status(201, services.register_agent(arn=body.arn, user=request.user))  # type: ignore[arg-type]


@router.get("", response=list[AgentOut], summary="List the agents")
def list_agents(request: HttpRequest) -> Any:
    return selectors.agents_visible_to(request.user).prefetch_related("endpoints")


@router.get("/{int:agent_id}", response=AgentOut, summary="Read one agent")
def get_agent(request: HttpRequest, agent_id: int) -> Agent:
    return get_object_or_404(selectors.agents_visible_to(request.user).prefetch_related("endpoints"), pk=agent_id)
