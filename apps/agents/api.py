"""The registry over JSON, and the log lines of its agents."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema, Status

from apps.accounts.access import may_manage, may_read
from apps.agents import selectors, services
from apps.agents.forms import ARN_MAX_LENGTH
from apps.agents.logs import MAX_LINES, LogPage, read_logs
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


class ObstacleOut(Schema):
    """What keeps Loom from invoking the agent, and what to do about it."""

    label: str
    message: str
    advice: str


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
    authorizer: str
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


class SessionLogsQuery(Schema):
    limit: int = Field(100, ge=1, le=MAX_LINES)
    start_time: datetime | None = Field(None, description="ISO 8601 with a time zone, as 2026-11-20T12:00:00Z.")
    end_time: datetime | None = None
    search: str = Field("", max_length=200, description="A plain text, whatever its case.")


class LogsQuery(SessionLogsQuery):
    qualifier: str = Field("DEFAULT", description="The endpoint's name: each has its own log group.")


class LogEventOut(Schema):
    timestamp_ms: int
    timestamp_iso: datetime
    message: str
    session_id: str
    log_stream: str
    level: str


class LogsOut(Schema):
    """The newest lines, oldest first. `log_stream` is that of the newest; `has_more` says that older ones exist."""

    log_group: str
    log_stream: str
    events: list[LogEventOut]
    has_more: bool


def logs_out(page: LogPage) -> dict[str, Any]:
    """A page of log lines under the keys of the first version of the API."""
    return {
        "log_group": page.log_group,
        "log_stream": page.log_stream,
        "events": [
            {
                "timestamp_ms": round(line.at.timestamp() * 1000),
                "timestamp_iso": line.at,
                "message": line.message,
                "session_id": line.session_id,
                "log_stream": line.stream,
                "level": line.level,
            }
            for line in page.events
        ],
        "has_more": page.has_more,
    }


def _agent(request: HttpRequest, agent_id: int) -> Agent:
    return get_object_or_404(selectors.agents_visible_to(request.user).prefetch_related("endpoints"), pk=agent_id)


@router.post("", auth=may_manage, response={201: AgentOut}, summary="Register an agent by its ARN")
def create_agent(request: HttpRequest, body: AgentIn) -> Status[Agent]:
    """Describes the runtime on AWS, then stores it. 400 for a bad ARN, 409 for a known one, 502 where AWS refuses."""
    return Status(201, services.register_agent(arn=body.arn, user=request.user))  # type: ignore[arg-type]


@router.get("", auth=may_read, response=list[AgentOut], summary="List the agents")
def list_agents(request: HttpRequest) -> Any:
    return selectors.agents_visible_to(request.user).prefetch_related("endpoints")


@router.get("/{int:agent_id}", auth=may_read, response=AgentOut, summary="Read one agent")
def get_agent(request: HttpRequest, agent_id: int) -> Agent:
    return _agent(request, agent_id)


@router.delete("/{int:agent_id}", auth=may_manage, response={204: None}, summary="Archive an agent")
def delete_agent(request: HttpRequest, agent_id: int) -> Status[None]:
    """Hides it and keeps its history; AWS is not touched. Registering its ARN again brings it back."""
    services.archive_agent(agent=_agent(request, agent_id))
    return Status(204, None)


@router.post("/{int:agent_id}/refresh", auth=may_manage, response=AgentOut, summary="Read an agent from AWS again")
def refresh_agent(request: HttpRequest, agent_id: int) -> Agent:
    """502 where AWS refuses; the agent then stays as it was."""
    services.refresh_agent(agent=_agent(request, agent_id))
    return _agent(request, agent_id)


@router.get("/{int:agent_id}/logs", auth=may_read, response=LogsOut, summary="Read the newest log lines of an endpoint")
def read_agent_logs(request: HttpRequest, agent_id: int, query: Query[LogsQuery]) -> dict[str, Any]:
    """From CloudWatch, of the last day before the agent's newest run unless `start_time` says else."""
    page = read_logs(
        agent=_agent(request, agent_id),
        qualifier=query.qualifier,
        start_at=query.start_time,
        end_at=query.end_time,
        search=query.search,
        limit=query.limit,
    )
    return logs_out(page)
