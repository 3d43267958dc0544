"""The registry over JSON, and the log lines of its agents."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status

from apps.accounts.access import may_manage, may_read
from apps.accounts.policy import Action
from apps.agents import selectors, services
from apps.agents.models import Agent

router = Router(tags=["agents"])


class EndpointOut(Schema):
    name: str
    live_version: str
    target_version: str
    status: str


class ObstacleOut(Schema):
    """What keeps Loom from invoking the agent, and what to do about it."""

    label: str
    message: str
    advice: str


class AgentOut(Schema):
    """An agent under the keys of the first version of the API, and what came after them.

    `payload_template` is the body that it is sent; `{{prompt}}` stands for the prompt.
    """

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
    authorizer: str
    payload_template: Any
    obstacles: list[ObstacleOut]
    endpoints: list[EndpointOut]
    last_invoked_at: datetime | None
    invocation_count: int

    @staticmethod
    def resolve_authorizer(agent: Agent) -> str:
        return agent.authorizer_kind

    @staticmethod
    def resolve_obstacles(agent: Agent) -> list[dict[str, str]]:
        return [asdict(obstacle) for obstacle in agent.obstacles]

    @staticmethod
    def resolve_endpoints(agent: Agent) -> list[Any]:
        return list(agent.endpoints.all())


def find_agent(request: HttpRequest, agent_id: int, action: Action = "read") -> Agent:
    agents = selectors.agents_visible_to(request.user, action)
    return get_object_or_404(agents.prefetch_related("endpoints"), pk=agent_id)


@router.get("", auth=may_read, response=list[AgentOut], summary="List the agents")
def list_agents(request: HttpRequest) -> Any:
    return selectors.agents_visible_to(request.user).prefetch_related("endpoints")


@router.get("/{int:agent_id}", auth=may_read, response=AgentOut, summary="Read one agent")
def get_agent(request: HttpRequest, agent_id: int) -> Agent:
    return find_agent(request, agent_id)


@router.delete("/{int:agent_id}", auth=may_manage, response={204: None}, summary="Archive an agent")
def delete_agent(request: HttpRequest, agent_id: int) -> Status[None]:
    """Hides it and keeps its history; AWS is not touched. Registering its ARN again brings it back."""
    services.archive_agent(agent=find_agent(request, agent_id))
    return Status(204, None)
