"""The registry over JSON, and the log lines of its agents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router, Schema, Status

from apps.accounts.access import may_manage, may_read
from apps.accounts.policy import Action
from apps.agents import selectors, services
from apps.agents.models import Agent
from apps.core.exceptions import found

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


def _of_runtime(name: str) -> Callable[[Agent], Any]:
    """What the runtime of an agent says; None for a kind that has no runtime."""

    def resolve(agent: Agent) -> Any:
        return getattr(getattr(agent, "runtime", None), name, None)

    return resolve


class AgentOut(Schema):
    """An agent under the keys of the first version of the API, and what came after them.

    `payload_template` is the body that it is sent; `{{prompt}}` stands for the prompt, `{{session_id}}` for the runtime
    session id, `{{uuid}}` for a new UUID. What only a runtime on AgentCore has is null for agents of another kind.
    """

    id: int
    arn: str | None
    runtime_id: str | None
    name: str
    status: str
    region: str | None
    account_id: str | None
    log_group: str | None
    available_qualifiers: list[str]
    raw_metadata: dict[str, Any] | None
    registered_at: datetime
    last_refreshed_at: datetime | None
    origin: str
    description: str
    version: str
    protocol: str | None
    authorizer: str | None
    payload_template: Any
    obstacles: list[ObstacleOut]
    endpoints: list[EndpointOut]
    last_invoked_at: datetime | None
    invocation_count: int

    resolve_arn: ClassVar = staticmethod(_of_runtime("arn"))
    resolve_runtime_id: ClassVar = staticmethod(_of_runtime("runtime_id"))
    resolve_region: ClassVar = staticmethod(_of_runtime("region"))
    resolve_account_id: ClassVar = staticmethod(_of_runtime("account_id"))
    resolve_log_group: ClassVar = staticmethod(_of_runtime("log_group"))
    resolve_raw_metadata: ClassVar = staticmethod(_of_runtime("raw_metadata"))
    resolve_last_refreshed_at: ClassVar = staticmethod(_of_runtime("last_refreshed_at"))
    resolve_protocol: ClassVar = staticmethod(_of_runtime("protocol"))
    resolve_authorizer: ClassVar = staticmethod(_of_runtime("authorizer_kind"))
    resolve_payload_template: ClassVar = staticmethod(_of_runtime("template"))

    @staticmethod
    def resolve_obstacles(agent: Agent) -> list[dict[str, str]]:
        return [asdict(obstacle) for obstacle in _of_runtime("obstacles")(agent) or ()]

    @staticmethod
    def resolve_endpoints(agent: Agent) -> list[Any]:
        return list(agent.endpoints.all())


def agents_with_endpoints(request: HttpRequest, action: Action = "read") -> QuerySet[Agent]:
    return selectors.agents_visible_to(request.user, action).prefetch_related("endpoints")


def find_agent(request: HttpRequest, agent_id: int, action: Action = "read") -> Agent:
    return found(agents_with_endpoints(request, action).filter(pk=agent_id).first(), "agent", agent_id)


@router.get("/{int:agent_id}", auth=may_read, response=AgentOut, summary="Read one agent")
def get_agent(request: HttpRequest, agent_id: int) -> Agent:
    return find_agent(request, agent_id)


@router.delete("/{int:agent_id}", auth=may_manage, response={204: None}, summary="Archive an agent")
def delete_agent(request: HttpRequest, agent_id: int) -> Status[None]:
    """Hides it and keeps its history; AWS is not touched. Registering its ARN again brings it back."""
    services.archive_agent(agent=find_agent(request, agent_id))
    return Status(204, None)
