"""Agents as the registry and its list tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from loom_client.models import _Answer


@dataclass(frozen=True, slots=True)
class Endpoint(_Answer):
    name: str
    live_version: str
    target_version: str
    status: str


@dataclass(frozen=True, slots=True)
class Agent(_Answer):
    """A registered agent; `obstacles` say what keeps Loom from invoking it, `raw_metadata` is AWS's own description.

    `payload_template` is the body that it is sent; `{{prompt}}` stands for the prompt. Tags, your star (`is_favourite`)
    and `week`, the figures of the last seven days in the words of the API, are told by the list alone.
    """

    id: int
    arn: str
    name: str
    status: str
    region: str
    account_id: str
    origin: str
    version: str
    available_qualifiers: list[str]
    log_group: str
    invocation_count: int
    endpoints: list[Endpoint]
    obstacles: list[dict[str, str]]
    protocol: str = ""
    raw_metadata: dict[str, Any] = field(default_factory=dict)
    payload_template: Any = None
    kind: str = "agentcore"
    owner: str | None = None
    tags: list[str] = field(default_factory=list)
    is_favourite: bool = False
    last_invoked_at: str | None = None
    week: dict[str, Any] | None = None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        return super(Agent, cls).read({**body, "endpoints": [Endpoint.read(item) for item in body["endpoints"]]})


@dataclass(frozen=True, slots=True)
class AgentOutcome(_Answer):
    """What became of one of several agents: `note` says what was done, `error` why it was not."""

    agent_id: int
    name: str
    is_done: bool
    note: str
    error: str
