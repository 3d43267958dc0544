"""Registering a runtime over JSON, and reading it from AWS again.

On the router of agents: ninja asks only the first router that knows a path, whatever the method.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Schema, Status

from apps.accounts.access import may_manage
from apps.agentcore import services
from apps.agentcore.selectors import with_runtime
from apps.agentcore.together import ACTIONS
from apps.agents.api import AgentOut, agents_with_endpoints, router
from apps.agents.forms import ARN_MAX_LENGTH, ARN_SCHEMA
from apps.agents.models import Agent
from apps.core.exceptions import MissingError, found
from apps.core.models import Tag
from apps.core.tables.bulk import ROWS_AT_ONCE

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


class AgentsIn(Schema, extra="forbid"):
    """What is done to several agents: `tag` is the one to be given or taken away, and empty with another action."""

    action: Literal["refresh", "tag", "untag", "archive", "revive"]
    agent_ids: list[Annotated[int, Field(ge=1, le=2**63 - 1)]] = Field(min_length=1, max_length=ROWS_AT_ONCE)
    tag: str = Field("", max_length=Tag.NAME_LENGTH)


class AgentOutcomeOut(Schema):
    """What became of one agent: `note` says what was done, `error` why it was not."""

    agent_id: int
    name: str
    is_done: bool
    note: str
    error: str


class AgentOutcomesOut(Schema):
    items: list[AgentOutcomeOut]


@router.post("/together", auth=may_manage, response=AgentOutcomesOut, summary="Refresh, tag or archive agents")
def change_agents(request: HttpRequest, body: AgentsIn) -> dict[str, Any]:
    """One after the other: a refusal of one stops none of the others. Where one is not there, nothing is done to any.

    `revive` is for archived agents, the others for those that are registered.
    """
    user, action = request.user, ACTIONS[body.action]
    wanted = list(dict.fromkeys(body.agent_ids))
    there = action.agents_for(user).in_bulk(wanted)  # type: ignore[arg-type]
    for key in wanted:
        if key not in there:
            raise MissingError.of("agent", key)
    agents = [there[key] for key in wanted]
    outcomes = action.carry_out(agents, user, body.tag)  # type: ignore[arg-type]
    return {
        "items": [
            {"agent_id": agent.pk, "name": one.name, "is_done": one.is_done, "note": one.note, "error": one.error}
            for agent, one in zip(agents, outcomes, strict=True)
        ]
    }
