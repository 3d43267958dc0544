"""A control plane of one runtime that answers as a test wants: what no emulator or account would show on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from apps.aws.tests.loopback import Exchange

RUNTIME_ID = "my_agent-AbCdEf1234"
ARN = f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/{RUNTIME_ID}"


def described(**overrides: Any) -> dict[str, Any]:
    """What GetAgentRuntime answers, with no more than its required members."""
    return {
        "agentRuntimeArn": ARN,
        "agentRuntimeId": RUNTIME_ID,
        "agentRuntimeName": "my_agent",
        "agentRuntimeVersion": "3",
        "createdAt": "2026-11-01T10:00:00Z",
        "lastUpdatedAt": "2026-11-19T10:00:00Z",
        "lifecycleConfiguration": {},
        "networkConfiguration": {"networkMode": "PUBLIC"},
        "roleArn": "arn:aws:iam::123456789012:role/AgentRuntimeRole",
        "status": "READY",
        **overrides,
    }


def listed(name: str, live: str = "3", target: str = "3", **overrides: Any) -> dict[str, Any]:
    """One endpoint as ListAgentRuntimeEndpoints answers it."""
    return {
        "name": name,
        "id": name,
        "agentRuntimeArn": ARN,
        "agentRuntimeEndpointArn": f"{ARN}/runtime-endpoint/{name}",
        "createdAt": "2026-11-01T10:00:00Z",
        "lastUpdatedAt": "2026-11-19T10:00:00Z",
        "liveVersion": live,
        "targetVersion": target,
        "status": "READY",
        **overrides,
    }


def nothing_happens() -> None:
    """What happens while AWS is asked, unless a test says otherwise."""


@dataclass
class ControlPlane:
    """The script of a loopback server. `failing` names the operation that is denied, if one is."""

    runtime: dict[str, Any] = field(default_factory=described)
    endpoints: list[dict[str, Any]] = field(default_factory=lambda: [listed("DEFAULT")])
    failing: str = ""
    failure: tuple[int, str, str] = (403, "AccessDeniedException", "You may not.")
    meanwhile: Callable[[], object] = nothing_happens

    def __call__(self, exchange: Exchange) -> None:
        is_list = "runtime-endpoints" in exchange.request.path
        if self.failing == ("ListAgentRuntimeEndpoints" if is_list else "GetAgentRuntime"):
            exchange.fail(*self.failure)
        elif is_list:
            exchange.reply_json({"runtimeEndpoints": self.endpoints})
        else:
            self.meanwhile()
            exchange.reply_json(self.runtime)
